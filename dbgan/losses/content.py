"""Distances between an image and the image it should be."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

VISIBLE = 0.015  # mean absolute difference of the 4 x 4 blocks of two blurs that are clearly unlike
GAUSSIAN = (0.05, 0.25, 0.4, 0.25, 0.05)  # Burt and Adelson, "The Laplacian Pyramid as a Compact Image Code", 1983
EDGE_WEIGHT = 0.05  # of the edge loss against the Charbonnier loss (MPRNet, Sec. 3)


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


def charbonnier(output: Tensor, target: Tensor) -> Tensor:
    """Mean of sqrt(difference^2 + 0.001^2), an L1 distance with a smooth foot (MPRNet, Eq. 2). Any equal sizes."""
    return ((output - target).square() + 1e-3**2).sqrt().mean()


def smoothed(image: Tensor) -> Tensor:
    """Each channel under a 5 x 5 Gaussian, the border repeated: (N, C, H, W) -> the same."""
    weights = image.new_tensor(GAUSSIAN)
    kernel = torch.outer(weights, weights).expand(image.shape[1], 1, 5, 5)
    with torch.autocast(image.device.type, enabled=False):  # a loss, and no conv of a network
        return F.conv2d(F.pad(image, (2, 2, 2, 2), mode="replicate"), kernel, groups=image.shape[1])


def laplacian(image: Tensor) -> Tensor:
    """What an image loses when it is smoothed, halved and doubled again: (N, C, H, W) of any size -> the same."""
    sparse = torch.zeros_like(image)
    sparse[..., ::2, ::2] = 4 * smoothed(image)[..., ::2, ::2]
    return image - smoothed(sparse)


def edge(output: Tensor, target: Tensor) -> Tensor:
    """Charbonnier distance of the Laplacians (MPRNet, Eq. 3). output, target: (N, 3, H, W) of any size."""
    return charbonnier(laplacian(output), laplacian(target))


def stages(output: Tensor | list[Tensor]) -> list[Tensor]:
    """What a generator gave, as a list; a network of several stages gives the last one's result first."""
    return output if isinstance(output, list) else [output]


def multi_stage(stages: list[Tensor], target: Tensor) -> Tensor:
    """The sum over the outputs of all stages of Charbonnier and, with weight 0.05, edge loss.

    Zamir et al., "Multi-Stage Progressive Image Restoration", CVPR 2021, Sec. 3, Eq. 1. stages: (N, 3, H, W) each.
    """
    return sum(charbonnier(output, target) + EDGE_WEIGHT * edge(output, target) for output in stages)


def squared_error(output: Tensor, target: Tensor) -> Tensor:
    """Mean squared error of a batch in [0, 1], the output clamped; for `psnr`, without gradient."""
    return F.mse_loss(output.detach().clamp(0, 1), target)


def psnr(error: Tensor) -> Tensor:
    """PSNR in dB of a mean squared error, at most 100: how a training goes, no test figure."""
    return -10 * torch.log10(error.clamp_min(1e-10))
