"""The critics: the paper's of both networks, VGG-style as in SRGAN (Sec. 3), and DeblurGAN's, which judges patches."""

from typing import Literal, Self

import torch
from pydantic import PositiveInt, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from dbgan.settings import Params

SLOPE = 0.2
LUMINANCE = (0.299, 0.587, 0.114)  # of R, G and B (ITU-R BT.601)
WIDTHS = (1, 2, 4, 8, 8)  # channels of each stage, in units of `width`


def standard_luminance(image: Tensor) -> Tensor:
    """(N, 3, H, W) RGB -> the same size: luminance, of mean 0 and deviation 1 in every image, three times.

    What is left is structure and sharpness. A critic of few photographs would tell them by colour and contrast,
    and the generator would learn a colour cast instead of blur.
    """
    luminance = (image * image.new_tensor(LUMINANCE).view(1, 3, 1, 1)).sum(1, keepdim=True)
    centred = luminance - luminance.mean(dim=(2, 3), keepdim=True)
    return (centred / (centred.std(dim=(2, 3), keepdim=True) + 0.05)).expand(-1, 3, -1, -1)


class CriticConfig(Params):
    kind: Literal["vgg", "patch"]  # one logit for an image (paper), or a map of logits (DeblurGAN's)
    width: PositiveInt  # channels of the first layer; 64 in the paper
    patch: PositiveInt  # side of the images, a multiple of 32; "patch" takes any size
    luminance: bool  # the critic is shown `standard_luminance` instead of colours; ours

    @model_validator(mode="after")
    def patch_halves_five_times(self) -> Self:
        if self.kind == "vgg" and self.patch % 32:
            raise ValueError(f"the critic needs a patch that is a multiple of 32, not {self.patch}")
        return self


class VGGCritic(nn.Module):
    """Five pairs of convs, 3x3 then 4x4 with stride 2, BatchNorm after all but the first, two linear layers.

    (N, 3, patch, patch) -> (N,) logits, one for an image; no sigmoid, which belongs to the loss. Without `conv_bias`
    the convs before a BatchNorm, which takes any bias out again, have none, as in BasicSR's.
    """

    def __init__(self, config: CriticConfig, conv_bias: bool = False) -> None:
        super().__init__()
        self.luminance = config.luminance
        channels = [3, *(config.width * w for w in WIDTHS for _ in range(2))]
        self.convs = nn.ModuleList(
            nn.Conv2d(i, o, 4 if k % 2 else 3, stride=1 + k % 2, padding=1, bias=conv_bias or k == 0)
            for k, (i, o) in enumerate(zip(channels, channels[1:], strict=False))
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(c) for c in channels[2:])
        self.hidden = nn.Linear(channels[-1] * (config.patch // 32) ** 2, 100)
        self.logit = nn.Linear(100, 1)

    def forward(self, image: Tensor) -> Tensor:
        if self.luminance:
            image = standard_luminance(image)
        x = F.leaky_relu(self.convs[0](image), SLOPE)
        for conv, norm in zip(self.convs[1:], self.norms, strict=True):
            x = F.leaky_relu(norm(conv(x)), SLOPE)
        return self.logit(F.leaky_relu(self.hidden(x.flatten(1)), SLOPE)).squeeze(1)


class PatchCritic(nn.Module):
    """DeblurGAN's critic, which is pix2pix': 4x4 convs, three with stride 2 and two without.

    (N, 3, H, W) in [0, 1] -> (N, 1, h, w) logits, one for each patch of 70 x 70 pixels; no sigmoid. Any size from 2
    pixels on fits. InstanceNorm after all but the first and the last conv; in training it takes each image's own
    statistics, in eval mode those of the training.
    """

    def __init__(self, config: CriticConfig) -> None:
        super().__init__()
        self.luminance = config.luminance
        channels = [3, *(config.width * 2**k for k in range(4))]
        self.convs = nn.ModuleList(
            nn.Conv2d(i, o, 4, stride=2 if k < 3 else 1, padding=2)
            for k, (i, o) in enumerate(zip(channels, channels[1:], strict=False))
        )
        self.norms = nn.ModuleList(nn.InstanceNorm2d(c, track_running_stats=True) for c in channels[2:])
        self.logit = nn.Conv2d(channels[-1], 1, 4, padding=2)

    def forward(self, image: Tensor) -> Tensor:
        image = standard_luminance(image) if self.luminance else 2 * image - 1
        x = F.leaky_relu(self.convs[0](image.contiguous()), SLOPE)  # see `build_critic`
        for conv, norm in zip(self.convs[1:], self.norms, strict=True):
            x = F.leaky_relu(norm(conv(x)), SLOPE)
        return self.logit(x)


def build_critic(config: CriticConfig) -> nn.Module:
    """The weights of "vgg" lie channels-last, which convs compute fastest. Those of "patch" must not: of a single image
    whose channels lie last, PyTorch's InstanceNorm has a wrong second derivative, and with it the gradient penalty."""
    if config.kind == "vgg":
        return VGGCritic(config).to(memory_format=torch.channels_last)
    return PatchCritic(config)
