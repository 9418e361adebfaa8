"""The critics: the paper's of both networks, VGG-style as in SRGAN (Sec. 3), and DeblurGAN's, which judges patches."""

from itertools import pairwise
from typing import Literal, Self

import torch
from pydantic import PositiveInt, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from dbgan.settings import Params

SLOPE = 0.2
LUMINANCE = (0.299, 0.587, 0.114)  # of R, G and B (ITU-R BT.601)


def standard_luminance(image: Tensor) -> Tensor:
    """(N, 3, H, W) RGB -> the same size: luminance, of mean 0 and deviation 1 in every image, three times.

    A critic of few photographs would tell them by colour and contrast, and the generator would learn a colour cast
    instead of blur.
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


def features(convs: nn.ModuleList, norms: nn.ModuleList, image: Tensor) -> Tensor:
    x = F.leaky_relu(convs[0](image), SLOPE)
    for conv, norm in zip(convs[1:], norms, strict=True):
        x = F.leaky_relu(norm(conv(x)), SLOPE)
    return x


class VGGCritic(nn.Module):
    """Five pairs of convs, 3x3 then 4x4 with stride 2, and two linear layers. (N, 3, patch, patch) -> (N,) logits; no
    sigmoid, which belongs to the loss. Convs before a BatchNorm, which takes any bias out again, have none."""

    def __init__(self, config: CriticConfig) -> None:
        super().__init__()
        self.luminance = config.luminance
        channels = [3, *(config.width * w for w in (1, 1, 2, 2, 4, 4, 8, 8, 8, 8))]
        self.convs = nn.ModuleList(
            nn.Conv2d(i, o, 4 if k % 2 else 3, stride=1 + k % 2, padding=1, bias=k == 0)
            for k, (i, o) in enumerate(pairwise(channels))
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(c) for c in channels[2:])
        self.hidden = nn.Linear(channels[-1] * (config.patch // 32) ** 2, 100)
        self.logit = nn.Linear(100, 1)

    def forward(self, image: Tensor) -> Tensor:
        x = features(self.convs, self.norms, standard_luminance(image) if self.luminance else image)
        return self.logit(F.leaky_relu(self.hidden(x.flatten(1)), SLOPE)).squeeze(1)


class PatchCritic(nn.Module):
    """DeblurGAN's critic, which is pix2pix': 4x4 convs, three with stride 2 and two without.

    (N, 3, H, W) in [0, 1], 2 pixels or more a side -> (N, 1, h, w) logits, one for each patch of 70 x 70 pixels. In
    training InstanceNorm takes each image's own statistics, in eval mode those of the training.
    """

    def __init__(self, config: CriticConfig) -> None:
        super().__init__()
        self.luminance = config.luminance
        channels = [3, *(config.width * 2**k for k in range(4))]
        self.convs = nn.ModuleList(
            nn.Conv2d(i, o, 4, stride=2 if k < 3 else 1, padding=2) for k, (i, o) in enumerate(pairwise(channels))
        )
        self.norms = nn.ModuleList(nn.InstanceNorm2d(c, track_running_stats=True) for c in channels[2:])
        self.logit = nn.Conv2d(channels[-1], 1, 4, padding=2)

    def forward(self, image: Tensor) -> Tensor:
        image = standard_luminance(image) if self.luminance else 2 * image - 1
        return self.logit(features(self.convs, self.norms, image.contiguous()))  # see `build_critic`


def build_critic(config: CriticConfig) -> nn.Module:
    """The weights of "vgg" lie channels-last, which convs compute fastest. Those of "patch" must not: of a single image
    whose channels lie last, PyTorch's InstanceNorm has a wrong second derivative, and with it the gradient penalty."""
    if config.kind == "vgg":
        return VGGCritic(config).to(memory_format=torch.channels_last)
    return PatchCritic(config)
