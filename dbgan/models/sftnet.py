"""SFT-Net: features modulated at every pixel by a condition (Wang et al., "Recovering Realistic Texture in Image
Super-resolution by Deep Spatial Feature Transform", CVPR 2018), and a deblurring generator of ours that is built on it.

`SFTNet` at scale 4 is the authors', conditioned by class probabilities; other conditions and the skips are ours.
"""

from functools import partial
from typing import Literal

from pydantic import PositiveInt
from torch import Tensor, nn
from torch.nn import functional as F

from dbgan.settings import Params

SLOPE = 0.1  # of every LeakyReLU; they stand only where the condition is worked on


conv3x3 = partial(nn.Conv2d, kernel_size=3, padding=1)


class TrunkConfig(Params):
    width: PositiveInt  # channels of the trunk
    blocks: PositiveInt  # residual blocks
    condition_width: PositiveInt  # channels within the condition network
    shared_channels: PositiveInt  # channels that the condition network gives to every transform


class SFTConfig(TrunkConfig):
    condition_channels: PositiveInt  # features of the blurred image that are the condition


def pointwise_convs(channels: list[int]) -> nn.Sequential:
    """1x1 convs from each number of channels to the next, LeakyReLU between."""
    layers: list[nn.Module] = []
    for i, o in zip(channels, channels[1:], strict=False):
        layers += [nn.Conv2d(i, o, 1), nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*layers[:-1])


class FeatureTransform(nn.Module):
    """SFT layer (Sec. 3.1): scale and shift of the features, both computed from the condition at every pixel.

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
    """Image (N, 3, H, W) in [0, 1] and condition (N, condition_channels, scale * H, scale * W) ->
    (N, 3, scale * H, scale * W), not clamped."""

    def __init__(self, config: TrunkConfig, condition_channels: int, scale: Literal[1, 4]) -> None:
        super().__init__()
        width, inner, shared = config.width, config.condition_width, config.shared_channels
        self.condition_network = nn.Sequential(
            nn.Conv2d(condition_channels, inner, scale, stride=scale),
            nn.LeakyReLU(SLOPE),
            *pointwise_convs([inner] * 4 + [shared]),
        )
        self.head = conv3x3(3, width)
        self.trunk = nn.ModuleList(TransformedBlock(width, shared) for _ in range(config.blocks))
        self.trunk += [FeatureTransform(width, shared), conv3x3(width, width)]
        self.tail = nn.Sequential()
        for _ in range(scale // 2):  # each doubles the resolution
            self.tail.extend([conv3x3(width, 4 * width), nn.PixelShuffle(2), nn.ReLU()])
        self.tail.extend([conv3x3(width, width), nn.ReLU(), conv3x3(width, 3)])

    def forward(self, image: Tensor, condition: Tensor) -> Tensor:
        shared = self.condition_network(condition)  # (N, shared_channels, H, W)
        features = x = self.head(image)  # (N, width, H, W)
        *blocks, last_transform, last_conv = self.trunk
        for block in blocks:
            x = block(x, shared)
        return self.tail(features + last_conv(last_transform(x, shared)))  # (N, 3, scale * H, scale * W)


class SFTDeblurGenerator(nn.Module):
    """(N, 3, H, W) in [0, 1] -> the same size, not clamped. The condition is what two 5x5 convs see in the blurred
    image itself, and the network gives the change to the image."""

    def __init__(self, config: SFTConfig) -> None:
        super().__init__()
        channels = config.condition_channels
        self.condition = nn.Sequential(
            nn.Conv2d(3, channels, 5, padding=2), nn.LeakyReLU(SLOPE), nn.Conv2d(channels, channels, 5, padding=2)
        )
        self.network = SFTNet(config, channels, scale=1)

    def forward(self, blurred: Tensor) -> Tensor:
        return blurred + self.network(blurred, self.condition(blurred))
