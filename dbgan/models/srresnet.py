"""SRResNet: residual blocks of two convs (Ledig et al., CVPR 2017, Fig. 4), here without its pixel shuffles.

The variant of BasicSR (2019), from which DBGAN's authors derived their generator: ReLU for the paper's PReLU, 3x3
convs at both ends for its 9x9, one conv more before the tail, and BatchNorm only if wanted.
"""

from functools import partial

import torch
from pydantic import PositiveInt
from torch import Tensor, nn
from torch.nn import functional as F

from dbgan.settings import Params

conv3x3 = partial(nn.Conv2d, kernel_size=3, padding=1)


class SRResNetConfig(Params):
    width: PositiveInt  # channels of the trunk
    blocks: PositiveInt  # residual blocks, each of two convs
    batch_norm: bool  # BatchNorm after each conv of the blocks and after the conv that follows them
    skip: bool  # the input is added to the output; not in the published network


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
    """16 residual blocks of width 64 as published. (N, 3, H, W) in [0, 1] -> the same size, not clamped. With `skip`,
    which is ours, the network need not learn to copy: it learns to deblur in minutes."""

    def __init__(self, config: SRResNetConfig) -> None:
        super().__init__()
        width, self.skip = config.width, config.skip
        self.head = conv3x3(3, width)
        self.blocks = nn.Sequential(*(ResidualBlock(width, config.batch_norm) for _ in range(config.blocks)))
        self.after_blocks = conv3x3(width, width)
        self.after_norm = nn.BatchNorm2d(width) if config.batch_norm else nn.Identity()
        self.before_tail = conv3x3(width, width)
        self.tail = conv3x3(width, 3)

    def forward(self, blurred: Tensor) -> Tensor:
        x = self.head(blurred)  # (N, width, H, W)
        x = x + self.after_norm(self.after_blocks(self.blocks(x)))
        x = F.relu(self.before_tail(x))
        if self.skip:
            return blurred + self.tail(x)
        if x.dtype == torch.float32:  # also on a device without autocast, where networks are only counted
            return self.tail(x)
        with torch.autocast(x.device.type, enabled=False):  # what comes now is the image: bfloat16 has too few levels
            return self.tail(x.float())
