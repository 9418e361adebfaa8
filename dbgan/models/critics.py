"""The critics: the paper's, VGG-style as in SRGAN (Sec. 3); DeblurGAN's, of patches; ours, which judges blur alone."""

from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# One logit for an image (paper), a map of logits (DeblurGAN's), or one logit of `autocorrelation` (ours).
Kind = Literal["vgg", "patch", "blur"]
SLOPE = 0.2
LUMINANCE = (0.299, 0.587, 0.114)  # of R, G and B (ITU-R BT.601)
LAGS = 15  # pixels, to each side, of the autocorrelation that BlurCritic sees
POWERS = (1.0, 3.0)  # of the stored value: blur is even in light alone, so their difference tells the response curve


def luminance_of(image: Tensor) -> Tensor:
    """(N, 3, H, W) RGB -> (N, 1, H, W)."""
    weights = torch.tensor(LUMINANCE, dtype=image.dtype).to(image.device, non_blocking=True)
    return (image * weights.view(1, 3, 1, 1)).sum(1, keepdim=True)


def standard_luminance(image: Tensor) -> Tensor:
    """(N, 3, H, W) RGB -> the same size: luminance, of mean 0 and deviation 1 in every image, three times.

    A critic of few photographs would tell them by colour and contrast, and the generator would learn a colour cast
    instead of blur.
    """
    luminance = luminance_of(image)
    centred = luminance - luminance.mean(dim=(2, 3), keepdim=True)
    return (centred / (centred.std(dim=(2, 3), keepdim=True) + 0.05)).expand(-1, 3, -1, -1)


def features(convs: nn.ModuleList, norms: nn.ModuleList, image: Tensor) -> Tensor:
    x = F.leaky_relu(convs[0](image), SLOPE)
    for conv, norm in zip(convs[1:], norms, strict=True):
        x = F.leaky_relu(norm(conv(x)), SLOPE)
    return x


class VGGCritic(nn.Module):
    """Five pairs of convs, 3x3 then 4x4 with stride 2, and two linear layers. (N, 3, patch, patch), patch a multiple of
    32 -> (N,) logits; no sigmoid, which belongs to the loss. Convs before a BatchNorm, which takes any bias out again,
    have none."""

    def __init__(self, width: int, patch: int, luminance: bool) -> None:
        super().__init__()
        self.luminance = luminance
        channels = [3, *(width * w for w in (1, 1, 2, 2, 4, 4, 8, 8, 8, 8))]
        self.convs = nn.ModuleList(
            nn.Conv2d(i, o, 4 if k % 2 else 3, stride=1 + k % 2, padding=1, bias=k == 0)
            for k, (i, o) in enumerate(pairwise(channels))
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(c) for c in channels[2:])
        self.hidden = nn.Linear(channels[-1] * (patch // 32) ** 2, 100)
        self.logit = nn.Linear(100, 1)

    def forward(self, image: Tensor) -> Tensor:
        x = features(self.convs, self.norms, standard_luminance(image) if self.luminance else image)
        return self.logit(F.leaky_relu(self.hidden(x.flatten(1)), SLOPE)).squeeze(1)


class PatchCritic(nn.Module):
    """DeblurGAN's critic, which is pix2pix': 4x4 convs, three with stride 2 and two without.

    (N, 3, H, W) in [0, 1], 2 pixels or more a side -> (N, 1, h, w) logits, one for each patch of 70 x 70 pixels. In
    training InstanceNorm takes each image's own statistics, in eval mode those of the training.
    """

    def __init__(self, width: int, luminance: bool) -> None:
        super().__init__()
        self.luminance = luminance
        channels = [3, *(width * 2**k for k in range(4))]
        self.convs = nn.ModuleList(
            nn.Conv2d(i, o, 4, stride=2 if k < 3 else 1, padding=2) for k, (i, o) in enumerate(pairwise(channels))
        )
        self.norms = nn.ModuleList(nn.InstanceNorm2d(c, track_running_stats=True) for c in channels[2:])
        self.logit = nn.Conv2d(channels[-1], 1, 4, padding=2)

    def forward(self, image: Tensor) -> Tensor:
        image = standard_luminance(image) if self.luminance else 2 * image - 1
        return self.logit(features(self.convs, self.norms, image.contiguous()))  # see `build_critic`


def autocorrelation(image: Tensor) -> Tensor:
    """How a photograph's gradients repeat: (N, 3, H, W) in [0, 1] -> (N, 4, 31, 31), at most 1, their value at lag 0.

    The autocorrelations of both derivatives of luminance, to each of POWERS. A blur multiplies the gradients' spectrum
    by that of its kernel, so they show its shape, and hardly the scene.
    """
    luminance = luminance_of(image).clamp_min(1e-3)
    values = torch.cat([luminance**power for power in POWERS], 1)
    slopes = torch.cat([values.diff(dim=3)[:, :, :-1], values.diff(dim=2)[..., :-1]], 1)
    size = [-(-(side + LAGS) // 16) * 16 for side in slopes.shape[-2:]]  # no lag wraps around; a fast transform's
    spectrum = torch.fft.rfft2(slopes, size)
    lags = torch.fft.irfft2(spectrum.real.square() + spectrum.imag.square(), size).roll((LAGS, LAGS), (-2, -1))
    lags = lags[..., : 2 * LAGS + 1, : 2 * LAGS + 1]
    # 1e-6 a pixel: a flat photograph, whose gradients are its noise's, shows nothing.
    return lags / (lags[..., LAGS : LAGS + 1, LAGS : LAGS + 1] + 1e-6 * slopes.shape[-1] * slopes.shape[-2])


class BlurCritic(nn.Module):
    """Three convs and a linear layer on `autocorrelation`: (N, 3, H, W), 16 pixels or more a side -> (N,) logits."""

    def __init__(self, width: int) -> None:
        super().__init__()
        channels = [2 * len(POWERS), width, 2 * width, 4 * width]
        self.convs = nn.ModuleList(
            nn.Conv2d(i, o, 3, stride=1 + (k > 0), padding=1) for k, (i, o) in enumerate(pairwise(channels))
        )
        self.logit = nn.Linear(channels[-1] * 8 * 8, 1)

    def forward(self, image: Tensor) -> Tensor:
        with torch.autocast(image.device.type, enabled=False):
            x = autocorrelation(image.float())
        for conv in self.convs:
            x = F.leaky_relu(conv(x), SLOPE)
        return self.logit(x.flatten(1)).squeeze(1)


def build_critic(kind: Kind, width: int, patch: int, luminance: bool) -> nn.Module:
    """width: channels of the first layer; patch: side of the images; luminance: "vgg" and "patch" are shown
    `standard_luminance` instead of colours (ours).

    The weights of "vgg" lie channels-last, which convs compute fastest. Those of "patch" must not: of a single image
    whose channels lie last, PyTorch's InstanceNorm has a wrong second derivative, and with it the gradient penalty."""
    if kind == "blur":
        return BlurCritic(width)
    if kind == "vgg":
        return VGGCritic(width, patch, luminance).to(memory_format=torch.channels_last)
    return PatchCritic(width, luminance)
