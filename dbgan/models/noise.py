"""The noise map that makes BGAN's blurs of one photograph differ (paper, Sec. 3)."""

from typing import Literal

import torch
from torch import Tensor, nn

NOISE_CHANNELS = 4
NoiseKind = Literal["vector", "spatial"]  # 4 values for a whole image (the paper's), or for each pixel


class NoiseDriven(nn.Module):
    """A generator that takes a noise map beside the image."""

    noise: NoiseKind

    def draw_noise(self, like: Tensor, generator: torch.Generator) -> Tensor:
        """Noise maps (N, 4, H, W) for images `like`: "vector", the paper's, repeats 4 values from N(0, 1) over the
        image; "spatial", the open reproduction's, draws them for every pixel. `generator` lives on the CPU."""
        n, _, height, width = like.shape
        size = (height, width) if self.noise == "spatial" else (1, 1)
        noise = torch.randn((n, NOISE_CHANNELS, *size), generator=generator)
        return noise.to(like.device, non_blocking=True).expand(n, NOISE_CHANNELS, height, width)
