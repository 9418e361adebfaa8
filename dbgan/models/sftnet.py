"""SFT-Net: features modulated at every pixel by a condition (Wang et al., "Recovering Realistic Texture in Image
Super-resolution by Deep Spatial Feature Transform", CVPR 2018), and two generators of ours that are built on it.

`SFTNet` with its default arguments is the authors' super-resolving generator, conditioned by class probabilities. Ours
are its form without change of size (`scale=1`), the conditions, and the skip from input to output.
"""

from dataclasses import dataclass
from itertools import chain
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dbgan.models.noise import NOISE_CHANNELS, noise_map

SLOPE = 0.1  # of every LeakyReLU; they stand only where the condition is worked on


@dataclass(frozen=True)
class SFTConfig:
    """Size of the deblurring generator."""

    width: int  # channels of the trunk
    blocks: int  # residual blocks
    condition_channels: int  # features of the blurred image that are the condition
    condition_width: int  # channels within the condition network
    shared_channels: int  # channels that the condition network gives to every transform

    def __post_init__(self) -> None:
        if min(self.width, self.blocks, self.condition_channels, self.condition_width, self.shared_channels) < 1:
            raise ValueError("all sizes must be at least 1")


@dataclass(frozen=True)
class SFTBlurConfig:
    """Size of the blur generator, and the kind of noise that makes its blurs differ."""

    width: int  # channels of the trunk
    blocks: int  # residual blocks
    condition_width: int  # channels within the condition network
    shared_channels: int  # channels that the condition network gives to every transform
    noise: Literal["vector", "spatial"]  # 4 values for a whole image (the paper's), or for each pixel

    def __post_init__(self) -> None:
        if min(self.width, self.blocks, self.condition_width, self.shared_channels) < 1:
            raise ValueError("all sizes must be at least 1")


def conv3x3(inputs: int, outputs: int) -> nn.Conv2d:
    """The conv of trunk and tail, which keeps the size."""
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def pointwise_convs(channels: list[int]) -> nn.Sequential:
    """1x1 convs from each number of channels to the next, LeakyReLU between."""
    layers: list[nn.Module] = []
    for i, o in zip(channels, channels[1:], strict=False):
        layers += [nn.Conv2d(i, o, 1), nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*layers[:-1])


class FeatureTransform(nn.Module):
    """SFT layer (Sec. 3.1): features * (1 + scale) + shift, both computed from the condition at every pixel.

    features: (N, width, H, W), condition: (N, shared, H, W) -> (N, width, H, W).
    """

    def __init__(self, width: int, shared: int) -> None:
        super().__init__()
        self.scale = pointwise_convs([shared, shared, width])
        self.shift = pointwise_convs([shared, shared, width])

    def forward(self, features: Tensor, condition: Tensor) -> Tensor:
        return features * (1 + self.scale(condition)) + self.shift(condition)


class TransformedBlock(nn.Module):
    """Residual block of two 3x3 convs, each after a transform (Sec. 3.2). (N, width, H, W) -> the same."""

    def __init__(self, width: int, shared: int) -> None:
        super().__init__()
        self.transforms = nn.ModuleList(FeatureTransform(width, shared) for _ in range(2))
        self.convs = nn.ModuleList(conv3x3(width, width) for _ in range(2))

    def forward(self, features: Tensor, condition: Tensor) -> Tensor:
        x = F.relu(self.convs[0](self.transforms[0](features, condition)))
        return features + self.convs[1](self.transforms[1](x, condition))


class SFTNet(nn.Module):
    """The authors' generator, of any H and W: image (N, 3, H, W) in [0, 1] and condition (N, condition_channels,
    scale * H, scale * W) -> (N, 3, scale * H, scale * W), not clamped.

    The condition has the size of the output; the first conv of its network brings it to that of the image. Each factor
    of 2 in `scale` is one pixel shuffle after the trunk. At scale 1, which is ours, that conv is a 1x1 one and there
    is no shuffle: everything stays at full resolution.
    """

    def __init__(
        self,
        width: int = 64,
        blocks: int = 16,
        condition_channels: int = 8,
        condition_width: int = 128,
        shared_channels: int = 32,
        scale: int = 4,
    ) -> None:
        super().__init__()
        if scale < 1 or scale & (scale - 1):
            raise ValueError(f"scale must be a power of 2, not {scale}")
        self.scale = scale
        self.condition_network = nn.Sequential(
            nn.Conv2d(condition_channels, condition_width, scale, stride=scale),
            nn.LeakyReLU(SLOPE),
            *pointwise_convs([condition_width] * 4 + [shared_channels]),
        )
        self.head = conv3x3(3, width)
        self.trunk = nn.ModuleList(TransformedBlock(width, shared_channels) for _ in range(blocks))
        self.trunk += [FeatureTransform(width, shared_channels), conv3x3(width, width)]
        doublings = scale.bit_length() - 1
        shuffles = [(conv3x3(width, 4 * width), nn.PixelShuffle(2), nn.ReLU()) for _ in range(doublings)]
        self.tail = nn.Sequential(*chain(*shuffles), conv3x3(width, width), nn.ReLU(), conv3x3(width, 3))

    def forward(self, image: Tensor, condition: Tensor) -> Tensor:
        n, _, height, width = image.shape
        fitting = (n, height * self.scale, width * self.scale)
        found = (len(condition), *condition.shape[-2:])
        if found != fitting:
            raise ValueError(f"the condition must have (N, H, W) = {fitting} for such images, not {found}")
        shared = self.condition_network(condition)  # (N, shared_channels, H, W)
        features = x = self.head(image)  # (N, width, H, W)
        *blocks, last_transform, last_conv = self.trunk
        for block in blocks:
            x = block(x, shared)
        return self.tail(features + last_conv(last_transform(x, shared)))  # (N, 3, scale * H, scale * W)


class SFTDeblurGenerator(nn.Module):
    """Deblurring with the authors' trunk: (N, 3, H, W) in [0, 1] -> the same size, not clamped.

    Ours: the condition is what two 5x5 convs see in the blurred image itself, and the network gives the change to
    the image. The other default sizes are the authors'.
    """

    def __init__(
        self,
        width: int = 64,
        blocks: int = 16,
        condition_channels: int = 8,
        condition_width: int = 128,
        shared_channels: int = 32,
    ) -> None:
        super().__init__()
        self.condition = nn.Sequential(
            nn.Conv2d(3, condition_channels, 5, padding=2),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(condition_channels, condition_channels, 5, padding=2),
        )
        self.network = SFTNet(width, blocks, condition_channels, condition_width, shared_channels, scale=1)

    def forward(self, blurred: Tensor) -> Tensor:
        return blurred + self.network(blurred, self.condition(blurred))


class SFTBlurGenerator(nn.Module):
    """BGAN's generator with the authors' trunk: sharp (N, 3, H, W) in [0, 1] and noise (N, 4, H, W) from `draw_noise`
    -> (N, 3, H, W), not clamped.

    Ours: the noise map is the condition, and the network gives the change to the image. The default sizes are the
    authors'.
    """

    def __init__(
        self,
        width: int = 64,
        blocks: int = 16,
        condition_width: int = 128,
        shared_channels: int = 32,
        noise: str = "vector",
    ) -> None:
        super().__init__()
        self.noise = noise
        self.network = SFTNet(width, blocks, NOISE_CHANNELS, condition_width, shared_channels, scale=1)

    def forward(self, sharp: Tensor, noise: Tensor) -> Tensor:
        return sharp + self.network(sharp, noise)

    def draw_noise(self, like: Tensor, generator: torch.Generator) -> Tensor:
        """Noise maps for images `like`, see `noise_map`."""
        return noise_map(self.noise, like, generator)
