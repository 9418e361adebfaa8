"""NAFNet: a U without activation functions (Chen et al., "Simple Baselines for Image Restoration", ECCV 2022).

The names of the layers are the authors'. With `train_size`, pooling at test time is local, over windows little larger
than the patches of training: TLC (Chu et al., "Improving Image Restoration by Revisiting Global Information
Aggregation", ECCV 2022).
"""

from typing import Annotated, Self

import torch
from pydantic import Field, NonNegativeInt, PositiveInt, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from dbgan.settings import Params

Levels = Annotated[list[NonNegativeInt], Field(min_length=1)]


class NAFNetConfig(Params):
    width: PositiveInt  # channels at full resolution; each level down doubles them
    encoder_blocks: Levels  # blocks of each level, from full resolution down
    middle_blocks: NonNegativeInt  # blocks at the lowest resolution
    decoder_blocks: Levels  # blocks of each level, up to full resolution
    train_size: PositiveInt | None  # side of the training patches, a multiple of 2^levels: local pooling; null: global

    @model_validator(mode="after")
    def levels_pair(self) -> Self:
        if len(self.encoder_blocks) != len(self.decoder_blocks):
            raise ValueError("encoder_blocks and decoder_blocks must have equally many levels")
        return self


def sliding_mean(x: Tensor, window: int, dim: int) -> Tensor:
    """Means over all stretches of `window` along `dim`: length L there -> L - window + 1."""
    sums = torch.cat([torch.zeros_like(x.narrow(dim, 0, 1)), x.cumsum(dim)], dim)
    length = x.shape[dim] - window + 1
    return (sums.narrow(dim, window, length) - sums.narrow(dim, 0, length)) / window


def local_mean(x: Tensor, window: int) -> Tensor:
    """Mean over the window x window pixels about each pixel, (N, C, H, W) -> the same (TLC).

    Near the border: over the nearest window inside. One dimension after the other: in an integral image over both,
    float32 would lose digits on large frames."""
    rows, columns = (min(window, side) for side in x.shape[-2:])
    mean = sliding_mean(sliding_mean(x, columns, dim=3), rows, dim=2)  # (N, C, H - rows + 1, W - columns + 1)
    left, above = (columns - 1) // 2, (rows - 1) // 2
    return F.pad(mean, (left, columns - 1 - left, above, rows - 1 - above), mode="replicate")


class Pool(nn.Module):
    """Mean over the image, (N, C, H, W) -> (N, C, 1, 1); with a window, in eval mode, over larger images a local one of
    the input's size. In training it is global, as in the authors' training code."""

    def __init__(self, window: int | None) -> None:
        super().__init__()
        self.window = window

    def forward(self, x: Tensor) -> Tensor:
        if self.training or self.window is None or self.window >= max(x.shape[-2:]):
            return F.adaptive_avg_pool2d(x, 1)
        return local_mean(x, self.window)


class LayerNorm(nn.LayerNorm):
    """Normalisation of each pixel over its channels. (N, C, H, W) -> the same."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


def simple_gate(x: Tensor) -> Tensor:
    """One half of the channels times the other. (N, 2C, H, W) -> (N, C, H, W)."""
    return torch.mul(*x.chunk(2, dim=1))


class NAFBlock(nn.Module):
    """Two residual parts, convs with channel attention and pointwise convs (NAFNet, Fig. 3). (N, C, H, W) -> the same.

    `beta` and `gamma` scale what they add, from 0 on, as published.
    """

    def __init__(self, channels: int, window: int | None) -> None:
        super().__init__()
        self.beta = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.gamma = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.norm1 = LayerNorm(channels, eps=1e-6)
        self.conv1 = nn.Conv2d(channels, 2 * channels, 1)
        self.conv2 = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, groups=2 * channels)
        self.sca = nn.Sequential(Pool(window), nn.Conv2d(channels, channels, 1))  # simplified channel attention
        self.conv3 = nn.Conv2d(channels, channels, 1)
        self.norm2 = LayerNorm(channels, eps=1e-6)
        self.conv4 = nn.Conv2d(channels, 2 * channels, 1)
        self.conv5 = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        gated = simple_gate(self.conv2(self.conv1(self.norm1(x))))  # (N, C, H, W)
        x = x + self.beta * self.conv3(gated * self.sca(gated))
        return x + self.gamma * self.conv5(simple_gate(self.conv4(self.norm2(x))))


class NAFNet(nn.Module):
    """(N, 3, H, W) in [0, 1] -> the same size, not clamped. Zeros pad it to a multiple of 2^levels, as the authors'."""

    def __init__(self, config: NAFNetConfig) -> None:
        super().__init__()
        width, levels = config.width, len(config.encoder_blocks)
        self.multiple = 2**levels

        def blocks(number: int, level: int) -> nn.Sequential:
            window = config.train_size and config.train_size * 3 // 2 ** (level + 1)  # 1.5 times a training patch
            return nn.Sequential(*(NAFBlock(width * 2**level, window) for _ in range(number)))

        channels = [width * 2**level for level in range(levels)]
        self.intro = nn.Conv2d(3, width, 3, padding=1)
        self.encoders = nn.ModuleList(map(blocks, config.encoder_blocks, range(levels)))
        self.downs = nn.ModuleList(nn.Conv2d(c, 2 * c, 2, stride=2) for c in channels)
        self.middle_blks = blocks(config.middle_blocks, levels)
        self.ups = nn.ModuleList(
            nn.Sequential(nn.Conv2d(2 * c, 4 * c, 1, bias=False), nn.PixelShuffle(2)) for c in reversed(channels)
        )
        self.decoders = nn.ModuleList(map(blocks, config.decoder_blocks, reversed(range(levels))))
        self.ending = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, blurred: Tensor) -> Tensor:
        height, width = blurred.shape[-2:]
        padded = F.pad(blurred, (0, -width % self.multiple, 0, -height % self.multiple))
        x = self.intro(padded)
        skips = []
        for encoder, down in zip(self.encoders, self.downs, strict=True):
            skips.append(encoder(x))  # (N, width * 2^level, H / 2^level, W / 2^level)
            x = down(skips[-1])
        x = self.middle_blks(x)
        for up, decoder, skip in zip(self.ups, self.decoders, reversed(skips), strict=True):
            x = decoder(up(x) + skip)
        return (padded + self.ending(x))[..., :height, :width]
