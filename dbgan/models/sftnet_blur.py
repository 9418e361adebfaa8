"""A generator for BGAN with SFT-Net's trunk, which is ours: the noise map is the condition."""

from torch import Tensor

from dbgan.models.noise import NOISE_CHANNELS, NoiseDriven, NoiseKind
from dbgan.models.sftnet import SFTNet, TrunkConfig


class SFTBlurConfig(TrunkConfig):
    noise: NoiseKind  # of the map that makes the blurs differ


class SFTBlurGenerator(NoiseDriven):
    """sharp (N, 3, H, W) in [0, 1] and noise (N, 4, H, W) from `draw_noise` -> (N, 3, H, W), not clamped."""

    def __init__(self, config: SFTBlurConfig) -> None:
        super().__init__()
        self.noise = config.noise
        self.network = SFTNet(config, NOISE_CHANNELS, scale=1)

    def forward(self, sharp: Tensor, noise: Tensor) -> Tensor:
        return sharp + self.network(sharp, noise)
