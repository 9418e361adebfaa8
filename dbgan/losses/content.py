"""Distances between an image and the image it should be."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

VISIBLE = 0.015  # mean absolute difference of the 4 x 4 blocks of two blurs that are clearly unlike


def perceptual(output: Tensor, target: Tensor, features: Callable[[Tensor], Tensor]) -> Tensor:
    """Mean squared distance of VGG-19 features. output, target: (N, 3, H, W) in [0, 1]."""
    with torch.no_grad():
        wanted = features(target)
    return F.mse_loss(features(output), wanted)


def color(output: Tensor, target: Tensor) -> Tensor:
    """L1 distance of the mean colours of 16 x 16 blocks: blur moves light by less, so what is left is a cast.

    output, target: (N, 3, H, W) in [0, 1], H and W at least 16. After the colour loss of Ignatov et al.,
    "DSLR-Quality Photos on Mobile Devices with Deep Convolutional Networks", ICCV 2017, which compares blurred
    images.
    """
    return F.l1_loss(F.avg_pool2d(output, 16), F.avg_pool2d(target, 16))


def sameness(a: Tensor, b: Tensor) -> Tensor:
    """How far two noise maps' blurs of the same photographs are from differing visibly; 0 when all do.

    a, b: (N, 3, H, W) in [0, 1], H and W multiples of 16. The idea is the mode-seeking term of Mao et al., "Mode
    Seeking Generative Adversarial Networks", CVPR 2019; ours is a hinge, and looks at what blur changes alone: not
    at the mean of 16 x 16 blocks, where a cast would do, nor below 4 pixels, where a grid would do.
    """
    difference = F.avg_pool2d(a - b, 4)
    detail = difference - F.interpolate(F.avg_pool2d(difference, 4), size=difference.shape[-2:])
    return F.relu(VISIBLE - detail.abs().mean(dim=(1, 2, 3))).mean()


def psnr(output: Tensor, target: Tensor) -> Tensor:
    """PSNR in dB of a whole batch in [0, 1], the output clamped, at most 100: how a training goes, no test figure."""
    return -10 * torch.log10(F.mse_loss(output.detach().clamp(0, 1), target).clamp_min(1e-10))
