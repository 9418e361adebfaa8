"""SRResNet: residual blocks of two convs, and pixel shuffles for more resolution (Ledig et al., CVPR 2017, Fig. 4).

The variant of BasicSR (2019), from which DBGAN's authors derived their generator: ReLU for the paper's PReLU, 3x3
convs at both ends for its 9x9, one conv more before the tail, and BatchNorm only if wanted.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class SRResNetConfig:
    """Size and kind of an SRResNet."""

    width: int  # channels of the trunk
    blocks: int  # residual blocks, each of two convs
    scale: int  # height and width of the output in those of the input: 1, 3 or a power of two
    batch_norm: bool  # BatchNorm after each conv of the blocks and after the conv that follows them
    skip: bool  # the input is added to the output, which must have its size; not in the published network

    def __post_init__(self) -> None:
        if min(self.width, self.blocks) < 1 or self.scale != 1:
            raise ValueError("width and blocks must be at least 1, and scale 1: a deblurred image has its input's size")


def upsampling_factors(scale: int) -> list[int]:
    """Factors of the pixel shuffles that make `scale`: 3 in one step, a power of two in steps of 2."""
    if scale == 3:
        return [3]
    if scale < 1 or scale & (scale - 1):
        raise ValueError(f"SRResNet's scale is 3 or a power of two, not {scale}")
    return [2] * (scale.bit_length() - 1)


def conv3x3(channels: int, outputs: int) -> nn.Conv2d:
    """A conv that keeps height and width; zeros around."""
    return nn.Conv2d(channels, outputs, 3, padding=1)


class ResidualBlock(nn.Module):
    """Two convs with a ReLU between, and a skip over them. (N, width, H, W) -> the same."""

    def __init__(self, width: int, batch_norm: bool) -> None:
        super().__init__()
        self.convs = nn.ModuleList(conv3x3(width, width) for _ in range(2))
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) if batch_norm else nn.Identity() for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        change = F.relu(self.norms[0](self.convs[0](x)))
        return x + self.norms[1](self.convs[1](change))


class SRResNet(nn.Module):
    """16 residual blocks of width 64 as published.

    (N, 3, H, W) in [0, 1] -> (N, 3, scale * H, scale * W), not clamped. With `skip`, which is ours, the network
    gives the change to the image: a scale of 1 then learns to deblur in minutes, for it need not learn to copy.
    """

    def __init__(
        self, width: int = 64, blocks: int = 16, scale: int = 1, batch_norm: bool = False, skip: bool = False
    ) -> None:
        super().__init__()
        if skip and scale > 1:
            raise ValueError(f"SRResNet adds its input only to an output of the same size, not at scale {scale}")
        self.skip = skip
        self.factors = upsampling_factors(scale)
        self.head = conv3x3(3, width)
        self.blocks = nn.Sequential(*(ResidualBlock(width, batch_norm) for _ in range(blocks)))
        self.after_blocks = conv3x3(width, width)
        self.after_norm = nn.BatchNorm2d(width) if batch_norm else nn.Identity()
        self.upsample = nn.ModuleList(conv3x3(width, width * factor**2) for factor in self.factors)
        self.before_tail = conv3x3(width, width)
        self.tail = conv3x3(width, 3)

    def forward(self, blurred: Tensor) -> Tensor:
        x = self.head(blurred)  # (N, width, H, W)
        x = x + self.after_norm(self.after_blocks(self.blocks(x)))
        for conv, factor in zip(self.upsample, self.factors, strict=True):
            x = F.relu(F.pixel_shuffle(conv(x), factor))  # (N, width, factor * H, factor * W)
        x = F.relu(self.before_tail(x))
        if self.skip:
            return blurred + self.tail(x)
        if x.dtype == torch.float32:  # also on a device without autocast, where networks are only counted
            return self.tail(x)
        with torch.autocast(x.device.type, enabled=False):  # what comes now is the image: bfloat16 has too few levels
            return self.tail(x.float())
