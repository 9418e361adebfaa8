"""MPRNet, a deblurring generator of three stages: a blurred image in, three restored ones out, each better.

Zamir et al., "Multi-Stage Progressive Image Restoration", CVPR 2021. Stage 1 encodes quarters of the image and
decodes halves, stage 2 encodes halves and decodes the whole, both by a U-Net; stage 3 works on the whole at its own
resolution (Fig. 2). No layer has a bias. All PReLUs share one learnable slope, which the network hands down.
"""

from collections import OrderedDict
from collections.abc import Iterable
from functools import partial
from itertools import pairwise
from typing import Literal, Self

import torch
from pydantic import NonNegativeInt, PositiveInt, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from dbgan.settings import Params


class MPRNetConfig(Params):
    width: PositiveInt  # channels at full resolution in stages 1 and 2
    unet_growth: NonNegativeInt  # channels that each of the two coarser levels of the U-Nets adds
    orsnet_growth: NonNegativeInt  # channels that stage 3 has above `width`
    blocks: PositiveInt  # channel attention blocks in each of stage 3's three original resolution blocks
    reduction: PositiveInt  # channel attention passes through 1 / reduction of the channels
    parts: Literal[1, 2]  # stages 1 and 2 see the image in so many parts each way: 2 as published, 1 is the whole

    @model_validator(mode="after")
    def attention_has_channels(self) -> Self:
        if self.reduction > self.width:
            raise ValueError("reduction must be at most width")
        return self


conv1x1 = partial(nn.Conv2d, kernel_size=1, bias=False)
conv3x3 = partial(nn.Conv2d, kernel_size=3, padding=1, bias=False)


def split(x: Tensor, parts: int, dim: int) -> Tensor:
    """Parts of images as a batch: (N, C, H, W) -> (2N, C, H / 2, W) for 2 and dim -2, all upper, then all lower."""
    return torch.cat(x.chunk(parts, dim=dim))


def join(x: Tensor, parts: int, dim: int) -> Tensor:
    return torch.cat(x.chunk(parts), dim=dim)


class ChannelAttentionBlock(nn.Module):
    """Two convs; what they change is weighed channel by channel: CAB (Sec. 3.1). (N, width, H, W) -> the same."""

    def __init__(self, width: int, reduction: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = conv3x3(width, width), conv3x3(width, width)
        self.squeeze, self.excite = conv1x1(width, width // reduction), conv1x1(width // reduction, width)

    def forward(self, x: Tensor, slope: Tensor) -> Tensor:
        change = self.conv2(F.prelu(self.conv1(x), slope))
        weight = torch.sigmoid(self.excite(F.relu(self.squeeze(change.mean(dim=(2, 3), keepdim=True)))))
        return x + change * weight  # weight: (N, width, 1, 1)


def attention_blocks(count: int, width: int, reduction: int) -> nn.ModuleList:
    return nn.ModuleList(ChannelAttentionBlock(width, reduction) for _ in range(count))


def in_turn(blocks: Iterable[nn.Module], x: Tensor, slope: Tensor) -> Tensor:
    for block in blocks:
        x = block(x, slope)
    return x


class ShallowFeatures(nn.Module):
    """Where each stage reads the image: (N, 3, H, W) -> (N, width, H, W)."""

    def __init__(self, width: int, reduction: int) -> None:
        super().__init__()
        self.conv = conv3x3(3, width)
        self.block = ChannelAttentionBlock(width, reduction)

    def forward(self, image: Tensor, slope: Tensor) -> Tensor:
        return self.block(self.conv(image), slope)


def resize(inputs: int, outputs: int, scale: float) -> nn.Module:
    """To another level of a U-Net: (N, inputs, H, W) -> (N, outputs, scale * H, scale * W)."""
    pixels = nn.Upsample(scale_factor=scale, mode="bilinear")
    return nn.Sequential(OrderedDict(pixels=pixels, conv=conv1x1(inputs, outputs)))


class CrossStageFusion(nn.Module):
    """Adds one level of the U-Net of the stage before: CSFF (Sec. 3.2, Fig. 3c and 3d)."""

    def __init__(self, from_encoder: nn.Module, from_decoder: nn.Module) -> None:
        super().__init__()
        self.from_encoder, self.from_decoder = from_encoder, from_decoder

    def forward(self, x: Tensor, encoded: Tensor, decoded: Tensor) -> Tensor:
        return x + self.from_encoder(encoded) + self.from_decoder(decoded)


class Encoder(nn.Module):
    """Down half a U-Net (Fig. 3a): (N, widths[0], H, W) -> the levels, (N, widths[k], H / 2^k, W / 2^k). With
    `fuses` it takes the levels of the stage before, of its encoder and of its decoder."""

    def __init__(self, widths: list[int], reduction: int, fuses: bool) -> None:
        super().__init__()
        self.levels = nn.ModuleList(attention_blocks(2, width, reduction) for width in widths)
        self.downs = nn.ModuleList(resize(fine, coarse, 0.5) for fine, coarse in pairwise(widths))
        self.fusions = nn.ModuleList(CrossStageFusion(conv1x1(w, w), conv1x1(w, w)) for w in widths if fuses)

    def forward(self, x: Tensor, slope: Tensor, *before: list[Tensor]) -> list[Tensor]:
        outputs = []
        for k, level in enumerate(self.levels):
            x = in_turn(level, self.downs[k - 1](x) if k else x, slope)
            if self.fusions:
                x = self.fusions[k](x, *(levels[k] for levels in before))
            outputs.append(x)
        return outputs


class Decoder(nn.Module):
    """Up the other half (Fig. 3a), a channel attention block on each skip: an encoder's levels -> the same sizes."""

    def __init__(self, widths: list[int], reduction: int) -> None:
        super().__init__()
        self.levels = nn.ModuleList(attention_blocks(2, width, reduction) for width in widths)
        self.skips = nn.ModuleList(ChannelAttentionBlock(width, reduction) for width in widths[:-1])
        self.ups = nn.ModuleList(resize(coarse, fine, 2) for fine, coarse in pairwise(widths))

    def forward(self, encoded: list[Tensor], slope: Tensor) -> list[Tensor]:
        outputs = [in_turn(self.levels[-1], encoded[-1], slope)]
        for k in reversed(range(len(self.ups))):
            x = self.ups[k](outputs[0]) + self.skips[k](encoded[k], slope)
            outputs.insert(0, in_turn(self.levels[k], x, slope))
        return outputs


class SupervisedAttention(nn.Module):
    """Restores the image, and by it masks the features for the next stage: SAM (Sec. 3.3, Fig. 4)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.features, self.image, self.mask = conv1x1(width, width), conv1x1(width, 3), conv1x1(3, width)

    def forward(self, x: Tensor, blurred: Tensor) -> tuple[Tensor, Tensor]:
        restored = self.image(x) + blurred
        return x + self.features(x) * torch.sigmoid(self.mask(restored)), restored


class OriginalResolutionBlock(nn.Module):
    """Channel attention blocks, a conv and a skip over all: ORB (Fig. 3b)."""

    def __init__(self, width: int, blocks: int, reduction: int) -> None:
        super().__init__()
        self.body = attention_blocks(blocks, width, reduction).append(conv3x3(width, width))

    def forward(self, x: Tensor, slope: Tensor) -> Tensor:
        *blocks, tail = self.body
        return x + tail(in_turn(blocks, x, slope))


def to_full_resolution(widths: list[int], outputs: int) -> nn.Sequential:
    ups = [resize(coarse, fine, 2) for coarse, fine in pairwise(reversed(widths))]
    return nn.Sequential(*ups, conv1x1(widths[0], outputs))


class OriginalResolutionNetwork(nn.Module):
    """Three original resolution blocks, after each one level of stage 2: ORSNet (Sec. 3.1, Fig. 3b and 3d)."""

    def __init__(self, width: int, widths: list[int], blocks: int, reduction: int) -> None:
        super().__init__()
        self.groups = nn.ModuleList(OriginalResolutionBlock(width, blocks, reduction) for _ in widths)
        ways = [[to_full_resolution(widths[: k + 1], width) for _ in range(2)] for k in range(len(widths))]
        self.fusions = nn.ModuleList(CrossStageFusion(*pair) for pair in ways)

    def forward(self, x: Tensor, slope: Tensor, encoded: list[Tensor], decoded: list[Tensor]) -> Tensor:
        for group, fusion, *level in zip(self.groups, self.fusions, encoded, decoded, strict=True):
            x = fusion(group(x, slope), *level)
        return x


class MPRNet(nn.Module):
    """(N, 3, H, W) in [0, 1] -> [of stage 3, of stage 2, of stage 1], each of the same size and not clamped; the first
    is the restored image, all three are trained. The border is repeated up to a multiple of 8."""

    multiple = 8  # H and W are halved into parts, and those twice more by the U-Net

    def __init__(self, config: MPRNetConfig) -> None:
        super().__init__()
        width, reduction, self.parts = config.width, config.reduction, config.parts
        widths = [width + level * config.unet_growth for level in range(3)]
        full = width + config.orsnet_growth
        self.slope = nn.Parameter(torch.full((1,), 0.25))
        self.shallow1, self.shallow2, self.shallow3 = (ShallowFeatures(width, reduction) for _ in range(3))
        self.merge2, self.merge3 = conv3x3(2 * width, width), conv3x3(2 * width, full)
        self.encoder1, self.encoder2 = (Encoder(widths, reduction, fuses) for fuses in (False, True))
        self.decoder1, self.decoder2 = (Decoder(widths, reduction) for _ in range(2))
        self.attention1, self.attention2 = (SupervisedAttention(width) for _ in range(2))
        self.orsnet3 = OriginalResolutionNetwork(full, widths, config.blocks, reduction)
        self.tail3 = conv3x3(full, 3)

    def forward(self, blurred: Tensor) -> list[Tensor]:
        height, width = blurred.shape[-2:]
        whole = F.pad(blurred, (0, -width % self.multiple, 0, -height % self.multiple), mode="replicate")
        slope, parts = self.slope, self.parts
        halves = split(whole, parts, -2)  # (2N, 3, H / 2, W) with two parts
        quarters = self.shallow1(split(halves, parts, -1), slope)  # (4N, width, H / 2, W / 2)
        encoded = [join(x, parts, -1) for x in self.encoder1(quarters, slope)]
        decoded = self.decoder1(encoded, slope)
        features, restored1 = self.attention1(decoded[0], halves)

        x = self.merge2(torch.cat([self.shallow2(halves, slope), features], dim=1))  # (2N, width, H / 2, W)
        encoded = [join(x, parts, -2) for x in self.encoder2(x, slope, encoded, decoded)]
        decoded = self.decoder2(encoded, slope)
        features, restored2 = self.attention2(decoded[0], whole)

        x = self.merge3(torch.cat([self.shallow3(whole, slope), features], dim=1))  # (N, full, H, W)
        restored3 = self.tail3(self.orsnet3(x, slope, encoded, decoded)) + whole
        return [restored[..., :height, :width] for restored in (restored3, restored2, join(restored1, parts, -2))]
