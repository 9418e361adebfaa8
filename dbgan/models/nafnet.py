"""NAFNet: a U without activation functions (Chen et al., "Simple Baselines for Image Restoration", ECCV 2022).

The names of the layers are the authors'. With `train_size`, pooling at test time is local, over windows little larger
than the patches of training: TLC (Chu et al., "Improving Image Restoration by Revisiting Global Information
Aggregation", ECCV 2022).
"""

from typing import Annotated, Self

import torch
from pydantic import Field, NonNegativeInt, PositiveInt, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from dbgan.settings import Params

EPSILON = 1e-6  # of every LayerNorm


Levels = Annotated[list[NonNegativeInt], Field(min_length=1)]


class NAFNetConfig(Params):
    width: PositiveInt  # channels at full resolution; each level down doubles them
    encoder_blocks: Levels  # blocks of each level, from full resolution down
    middle_blocks: NonNegativeInt  # blocks at the lowest resolution
    decoder_blocks: Levels  # blocks of each level, up to full resolution
    train_size: PositiveInt | None  # side of the training patches, pixels: pooling at test time is local; null: global

    @model_validator(mode="after")
    def levels_pair(self) -> Self:
        if len(self.encoder_blocks) != len(self.decoder_blocks):
            raise ValueError("encoder_blocks and decoder_blocks must have equally many levels")
        return self


def pool_window(train_size: int, level: int, levels: int) -> int:
    """Side of the pooling window, in feature pixels `level` halvings down: 1.5 times what a training patch has there.

    A patch that 2^levels does not divide counts with its padding, as in the authors' code, which measures it.
    """
    multiple = 2**levels
    features = -(-train_size // multiple) * multiple // 2**level
    return features * (train_size * 3 // 2) // train_size


def sliding_mean(x: Tensor, window: int, dim: int) -> Tensor:
    """Means over all stretches of `window` along `dim`: length L there -> L - window + 1."""
    sums = x.cumsum(dim)
    first = sums.narrow(dim, window - 1, 1)
    rest = sums.narrow(dim, window, x.shape[dim] - window) - sums.narrow(dim, 0, x.shape[dim] - window)
    return torch.cat([first, rest], dim) / window


def local_mean(x: Tensor, window: int) -> Tensor:
    """Mean over the window x window pixels about each pixel, (N, C, H, W) -> the same (TLC).

    Near the border it is that of the nearest window that lies inside. One dimension after the other, so that running
    sums stay short: on large frames float32 would lose digits in an integral image over both.
    """
    rows, columns = (min(window, side) for side in x.shape[-2:])
    mean = sliding_mean(sliding_mean(x, columns, dim=3), rows, dim=2)  # (N, C, H - rows + 1, W - columns + 1)
    left, above = (columns - 1) // 2, (rows - 1) // 2
    return F.pad(mean, (left, columns - 1 - left, above, rows - 1 - above), mode="replicate")


class Pool(nn.Module):
    """Mean over the image, (N, C, H, W) -> (N, C, 1, 1); with a window and in eval mode, in larger images a local one.

    The local mean has the size of the input. In training it is global, as in the authors' training code.
    """

    def __init__(self, window: int | None) -> None:
        super().__init__()
        self.window = window

    def forward(self, x: Tensor) -> Tensor:
        if self.training or self.window is None or self.window >= max(x.shape[-2:]):
            return F.adaptive_avg_pool2d(x, 1)
        return local_mean(x, self.window)


class LayerNorm(nn.Module):
    """Normalisation of each pixel over its channels. (N, C, H, W) -> the same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        centred = x - x.mean(1, keepdim=True)
        variance = centred.square().mean(1, keepdim=True)
        normalised = centred / (variance + EPSILON).sqrt()
        return self.weight.view(1, -1, 1, 1) * normalised + self.bias.view(1, -1, 1, 1)


def simple_gate(x: Tensor) -> Tensor:
    """One half of the channels times the other. (N, 2C, H, W) -> (N, C, H, W)."""
    first, second = x.chunk(2, dim=1)
    return first * second


class NAFBlock(nn.Module):
    """Two residual parts, convs with channel attention and pointwise convs (NAFNet, Fig. 3). (N, C, H, W) -> the same.

    `beta` and `gamma` scale what they add. They begin at 0, as published: an untrained block changes nothing.
    """

    def __init__(self, channels: int, window: int | None) -> None:
        super().__init__()
        self.beta = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.gamma = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.norm1 = LayerNorm(channels)
        self.conv1 = nn.Conv2d(channels, 2 * channels, 1)
        self.conv2 = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, groups=2 * channels)
        self.sca = nn.Sequential(Pool(window), nn.Conv2d(channels, channels, 1))  # simplified channel attention
        self.conv3 = nn.Conv2d(channels, channels, 1)
        self.norm2 = LayerNorm(channels)
        self.conv4 = nn.Conv2d(channels, 2 * channels, 1)
        self.conv5 = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        gated = simple_gate(self.conv2(self.conv1(self.norm1(x))))  # (N, C, H, W)
        x = x + self.beta * self.conv3(gated * self.sca(gated))
        return x + self.gamma * self.conv5(simple_gate(self.conv4(self.norm2(x))))


class NAFNet(nn.Module):
    """(N, 3, H, W) blurred in [0, 1] -> the same size, restored, not clamped.

    Any H and W are taken: as in the authors' code, the image is padded with zeros, below and on the right, to a
    multiple of 2^levels, and cut again.
    """

    def __init__(self, config: NAFNetConfig) -> None:
        super().__init__()
        width, levels = config.width, len(config.encoder_blocks)
        self.multiple = 2**levels

        def blocks(number: int, level: int) -> nn.Sequential:
            window = None if config.train_size is None else pool_window(config.train_size, level, levels)
            return nn.Sequential(*(NAFBlock(width * 2**level, window) for _ in range(number)))

        channels = [width * 2**level for level in range(levels)]
        self.intro = nn.Conv2d(3, width, 3, padding=1)
        self.encoders = nn.ModuleList(blocks(number, level) for level, number in enumerate(config.encoder_blocks))
        self.downs = nn.ModuleList(nn.Conv2d(c, 2 * c, 2, stride=2) for c in channels)
        self.middle_blks = blocks(config.middle_blocks, levels)
        self.ups = nn.ModuleList(
            nn.Sequential(nn.Conv2d(2 * c, 4 * c, 1, bias=False), nn.PixelShuffle(2)) for c in reversed(channels)
        )
        self.decoders = nn.ModuleList(
            blocks(number, level) for level, number in zip(reversed(range(levels)), config.decoder_blocks, strict=True)
        )
        self.ending = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, blurred: Tensor) -> Tensor:
        height, width = blurred.shape[-2:]
        padded = F.pad(blurred, (0, -width % self.multiple, 0, -height % self.multiple))
        x = self.intro(padded)
        skips = []
        for encoder, down in zip(self.encoders, self.downs, strict=True):
            skips.append(encoder(x))  # (N, width * 2^level, H / 2^level, W / 2^level)
            x = down(skips[-1])
        x = self.middle_blks(x)
        for up, decoder, skip in zip(self.ups, self.decoders, reversed(skips), strict=True):
            x = decoder(up(x) + skip)
        return (padded + self.ending(x))[..., :height, :width]
