"""A generator for BGAN with SFT-Net's trunk, which is ours: the noise map is the condition."""

import torch
from pydantic import PositiveInt
from torch import Tensor, nn

from dbgan.models.noise import NOISE_CHANNELS, NoiseKind, noise_map
from dbgan.models.sftnet import SFTConfig, SFTNet
from dbgan.settings import Params


class SFTBlurConfig(Params):
    width: PositiveInt  # channels of the trunk
    blocks: PositiveInt  # residual blocks
    condition_width: PositiveInt  # channels within the condition network
    shared_channels: PositiveInt  # channels that the condition network gives to every transform
    noise: NoiseKind  # of the map that makes the blurs differ


class SFTBlurGenerator(nn.Module):
    """sharp (N, 3, H, W) in [0, 1] and noise (N, 4, H, W) from `draw_noise` -> (N, 3, H, W), not clamped.

    The network gives the change to the image.
    """

    def __init__(self, config: SFTBlurConfig) -> None:
        super().__init__()
        self.noise = config.noise
        size = config.model_dump(exclude={"noise"})
        self.network = SFTNet(SFTConfig(**size, condition_channels=NOISE_CHANNELS), scale=1)

    def forward(self, sharp: Tensor, noise: Tensor) -> Tensor:
        return sharp + self.network(sharp, noise)

    def draw_noise(self, like: Tensor, generator: torch.Generator) -> Tensor:
        return noise_map(self.noise, like, generator)
