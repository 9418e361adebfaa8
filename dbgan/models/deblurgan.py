"""DeblurGAN's generator: residual blocks at a quarter of the resolution (Kupyn et al., CVPR 2018, Sec. 3.2, Fig. 3)."""

from functools import partial

import torch
from pydantic import PositiveInt
from torch import Tensor, nn
from torch.nn import functional as F

from dbgan.settings import Params

LEAST = 8  # pixels a side: the blocks reflect one pixel at a quarter of the resolution, which takes two there


class DeblurGANConfig(Params):
    width: PositiveInt  # channels at full resolution; doubled at each of the two halvings
    blocks: PositiveInt  # residual blocks, each of two convs
    dropout: bool  # half of the values dropped between the two convs of each block, in training
    running_statistics: bool  # evaluation normalises by averages of training; without, by the image's own statistics


class NormedConv(nn.Module):
    """A conv and instance normalisation without a scale or shift of its own."""

    def __init__(self, conv: nn.Conv2d | nn.ConvTranspose2d, running_statistics: bool) -> None:
        super().__init__()
        self.conv = conv
        self.norm = nn.InstanceNorm2d(conv.out_channels, track_running_stats=running_statistics)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x))


class ResidualBlock(nn.Module):
    """Two 3x3 convs with ReLU and dropout between, and a skip over them. (N, width, H, W) -> the same."""

    def __init__(self, width: int, dropout: bool, running_statistics: bool) -> None:
        super().__init__()
        convs = (nn.Conv2d(width, width, 3, padding=1, padding_mode="reflect") for _ in range(2))
        self.first, self.second = (NormedConv(conv, running_statistics) for conv in convs)
        self.dropout = nn.Dropout(0.5) if dropout else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(self.dropout(F.relu(self.first(x))))


class DeblurGAN(nn.Module):
    """Nine residual blocks, 64 channels at full resolution and 256 in the blocks as published.

    (N, 3, H, W) in [0, 1] -> the same, not clamped; or, `signed`, as published, [-1, 1] -> the same, clamped. The right
    and bottom border is repeated up to a multiple of 4 and at least 8. In training the statistics are the image's own,
    and so they were in the authors' tests, which never call eval()."""

    multiple = 4
    signed = False

    def __init__(self, config: DeblurGANConfig) -> None:
        super().__init__()
        width, statistics = config.width, config.running_statistics
        halve = partial(nn.Conv2d, kernel_size=3, stride=2, padding=1)
        double = partial(nn.ConvTranspose2d, kernel_size=3, stride=2, padding=1, output_padding=1)
        self.head = NormedConv(nn.Conv2d(3, width, 7, padding=3, padding_mode="reflect"), statistics)
        self.down = nn.ModuleList(NormedConv(halve(c, 2 * c), statistics) for c in (width, 2 * width))
        self.blocks = nn.Sequential(
            *(ResidualBlock(4 * width, config.dropout, statistics) for _ in range(config.blocks))
        )
        self.up = nn.ModuleList(NormedConv(double(c, c // 2), statistics) for c in (4 * width, 2 * width))
        self.tail = nn.Conv2d(width, 3, 7, padding=3, padding_mode="reflect")

    def change(self, blurred: Tensor) -> Tensor:
        """Of an image in [-1, 1], also in [-1, 1]."""
        height, width = blurred.shape[-2:]
        right, below = (max(-size % self.multiple, LEAST - size) for size in (width, height))
        x = F.pad(blurred, (0, right, 0, below), mode="replicate")
        x = F.relu(self.head(x))  # (N, width, H, W)
        for halve in self.down:
            x = F.relu(halve(x))  # (N, 2 * width, H / 2, W / 2), then (N, 4 * width, H / 4, W / 4)
        x = self.blocks(x)
        for double in self.up:
            x = F.relu(double(x))  # back to (N, width, H, W)
        return torch.tanh(self.tail(x))[..., :height, :width]

    def forward(self, blurred: Tensor) -> Tensor:
        if self.signed:
            return (blurred + self.change(blurred)).clamp(-1, 1)
        return blurred + self.change(2 * blurred - 1) / 2  # the same sum, on half the scale
