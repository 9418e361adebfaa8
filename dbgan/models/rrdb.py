"""The trunk of both generators: residual-in-residual dense blocks (paper, Sec. 3; after ESRGAN).

The paper's block is five 3x3 convs with four LeakyReLU between, densely connected in its figure; the authors'
released DBGAN groups three of them into one residual block, and so do we.
"""

import torch
from pydantic import PositiveInt
from torch import Tensor, nn
from torch.nn import functional as F

from dbgan.settings import Params

SLOPE = 0.2  # of every LeakyReLU
RESIDUAL = 0.2  # every block's change is scaled by this before it is added


class TrunkConfig(Params):
    width: PositiveInt  # channels of the trunk
    blocks: PositiveInt  # residual blocks, each of three dense blocks
    growth: PositiveInt  # channels that each conv in a dense block adds
    downsample: PositiveInt  # the trunk works at 1 / downsample of the resolution; 1 is the paper's


class DenseBlock(nn.Module):
    """Five convs; each sees the block's input and all outputs before it. (N, width, H, W) -> the same."""

    def __init__(self, width: int, growth: int, batch_norm: bool) -> None:
        super().__init__()
        outputs = [growth] * 4 + [width]
        self.convs = nn.ModuleList(
            nn.Conv2d(width + k * growth, outputs[k], 3, padding=1, bias=not batch_norm) for k in range(5)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(o) if batch_norm else nn.Identity() for o in outputs)

    def forward(self, x: Tensor) -> Tensor:
        seen = x
        for conv, norm in zip(self.convs[:4], self.norms[:4], strict=True):
            seen = torch.cat([seen, F.leaky_relu(norm(conv(seen)), SLOPE)], dim=1)  # (N, width + i * growth, H, W)
        return x + RESIDUAL * self.norms[4](self.convs[4](seen))


class ResidualBlock(nn.Module):
    """Three dense blocks and a skip over them: RRDB. (N, width, H, W) -> the same."""

    def __init__(self, width: int, growth: int, batch_norm: bool) -> None:
        super().__init__()
        self.dense = nn.Sequential(*(DenseBlock(width, growth, batch_norm) for _ in range(3)))

    def forward(self, x: Tensor) -> Tensor:
        return x + RESIDUAL * self.dense(x)


class ResidualTrunk(nn.Module):
    """Head conv, `blocks` residual blocks with a skip over all, two convs: (N, in, H, W) -> (N, 3, H, W).

    With `downsample` d > 1 it works on H / d x W / d: d x d pixels become channels at the head and pixels again at the
    tail, which adds no layer. The border is repeated up to a multiple of d."""

    def __init__(self, channels: int, config: TrunkConfig, batch_norm: bool) -> None:
        super().__init__()
        width, self.downsample = config.width, config.downsample
        self.head = nn.Conv2d(channels * self.downsample**2, width, 3, padding=1)
        self.blocks = nn.Sequential(*(ResidualBlock(width, config.growth, batch_norm) for _ in range(config.blocks)))
        self.after_blocks = nn.Conv2d(width, width, 3, padding=1)
        self.before_tail = nn.Conv2d(width, width, 3, padding=1)
        self.tail = nn.Conv2d(width, 3 * self.downsample**2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        d = self.downsample
        x = F.pad(x, (0, -width % d, 0, -height % d), mode="replicate")
        x = self.head(F.pixel_unshuffle(x, d))  # (N, width, H / d, W / d)
        x = x + self.after_blocks(self.blocks(x))
        x = F.leaky_relu(self.before_tail(x), SLOPE)
        return F.pixel_shuffle(self.tail(x), d)[..., :height, :width]
