"""BGAN's generator: a sharp photograph and a noise map in, a blurred photograph out (paper, Sec. 3)."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from dbgan.models.noise import NOISE_CHANNELS, noise_map
from dbgan.models.rrdb import ResidualTrunk


@dataclass(frozen=True)
class BlurConfig:
    """Size of the blur generator, and the kind of noise that makes its blurs differ."""

    width: int  # channels of the trunk
    blocks: int  # residual blocks, each of three dense blocks
    growth: int  # channels that each conv in a dense block adds
    downsample: int  # the trunk works at 1 / downsample of the resolution; 1 is the paper's
    batch_norm: bool  # BatchNorm after each conv of the blocks
    noise: Literal["vector", "spatial"]  # 4 values for a whole image (the paper's), or for each pixel

    def __post_init__(self) -> None:
        if min(self.width, self.blocks, self.growth, self.downsample) < 1:
            raise ValueError("width, blocks, growth and downsample must be at least 1")


class BlurGenerator(nn.Module):
    """9 residual blocks of width 64 with BatchNorm in the paper.

    sharp: (N, 3, H, W) in [0, 1]; noise: (N, 4, H, W) from `draw_noise`. Gives (N, 3, H, W), not clamped.
    """

    def __init__(
        self,
        width: int = 64,
        blocks: int = 9,
        growth: int = 32,
        downsample: int = 1,
        batch_norm: bool = True,
        noise: str = "vector",
    ) -> None:
        super().__init__()
        self.noise = noise
        self.trunk = ResidualTrunk(3 + NOISE_CHANNELS, width, blocks, growth, downsample, batch_norm)

    def forward(self, sharp: Tensor, noise: Tensor) -> Tensor:
        return sharp + self.trunk(torch.cat([sharp, noise], dim=1))

    def draw_noise(self, like: Tensor, generator: torch.Generator) -> Tensor:
        """Noise maps for images `like`, see `noise_map`."""
        return noise_map(self.noise, like, generator)
