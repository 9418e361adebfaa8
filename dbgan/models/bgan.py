"""BGAN's generator: a sharp photograph and a noise map in, a blurred photograph out (paper, Sec. 3)."""

import torch
from torch import Tensor

from dbgan.models.noise import NOISE_CHANNELS, NoiseDriven, NoiseKind
from dbgan.models.rrdb import ResidualTrunk, TrunkConfig


class BlurConfig(TrunkConfig):
    batch_norm: bool  # BatchNorm after each conv of the blocks
    noise: NoiseKind  # of the map that makes the blurs differ


class BlurGenerator(NoiseDriven):
    """9 residual blocks of width 64 with BatchNorm in the paper. sharp: (N, 3, H, W) in [0, 1]; noise: (N, 4, H, W)
    from `draw_noise`. Gives (N, 3, H, W), not clamped."""

    def __init__(self, config: BlurConfig) -> None:
        super().__init__()
        self.noise, self.multiple = config.noise, config.downsample
        self.trunk = ResidualTrunk(3 + NOISE_CHANNELS, config, config.batch_norm)

    def forward(self, sharp: Tensor, noise: Tensor) -> Tensor:
        return sharp + self.trunk(torch.cat([sharp, noise], dim=1))
