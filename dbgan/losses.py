"""Every loss of the trainings, as functions of tensors: adversarial ones of critic logits, then distances of images.

Logits are (N,), or maps (N, 1, h, w) of a critic that judges patches; all means are over all logits. Each objective
has a generator's and a critic's side, both called with the logits of real and of fake photographs.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.functional import binary_cross_entropy_with_logits as bce

Objective = Literal["relativistic", "vanilla", "lsgan", "wgan-gp"]
Side = Callable[[Tensor, Tensor], Tensor]
PENALTY = 10.0  # weight of the gradient penalty (Gulrajani et al.)
VISIBLE = 0.015  # mean absolute difference of the 4 x 4 blocks of two blurs that are clearly unlike
GAUSSIAN = (0.05, 0.25, 0.4, 0.25, 0.05)  # Burt and Adelson, "The Laplacian Pyramid as a Compact Image Code", 1983
# Of the edge loss against Charbonnier's (MPRNet, Zamir et al., "Multi-Stage Progressive Image Restoration", CVPR 2021)
EDGE_WEIGHT = 0.05


def rbl_generator(real: Tensor, fake: Tensor) -> Tensor:
    """RBL, generator side: -[E log(1 - s(C(real) - E C(fake))) + E log s(C(fake) - E C(real))] / 2.

    It pulls the sigmoid of real logits down from 1 and pushes that of fakes up from 0, towards 0.5 (paper, Fig. 3). For
    BGAN real are real blurred photographs; for DBGAN, where the paper calls it RDBL, real sharp ones.
    """
    return (bce(real - fake.mean(), torch.zeros_like(real)) + bce(fake - real.mean(), torch.ones_like(fake))) / 2


def rbl_critic(real: Tensor, fake: Tensor) -> Tensor:
    """RBL, critic side: the same with the roles exchanged."""
    return rbl_generator(real=fake, fake=real)


def labelled(distance: Side) -> tuple[Side, Side]:
    """Generator's and critic's side by the logits' distance to their labels: 1 for real, 0 for fake."""

    def generator(real: Tensor, fake: Tensor) -> Tensor:
        return distance(fake, torch.ones_like(fake))

    def critic(real: Tensor, fake: Tensor) -> Tensor:
        return (distance(real, torch.ones_like(real)) + distance(fake, torch.zeros_like(fake))) / 2

    return generator, critic


def wgan_generator(real: Tensor, fake: Tensor) -> Tensor:
    """-E C(fake) (Arjovsky et al., "Wasserstein GAN", ICML 2017). real is not used."""
    return -fake.mean()


def wgan_critic(real: Tensor, fake: Tensor) -> Tensor:
    """E C(fake) - E C(real), to which the critic's step adds the gradient penalty."""
    return fake.mean() - real.mean()


OBJECTIVES = {
    "relativistic": (rbl_generator, rbl_critic),
    "vanilla": labelled(bce),  # the generator's side that does not saturate (Goodfellow et al., NIPS 2014)
    "lsgan": labelled(F.mse_loss),  # Mao et al., ICCV 2017; DeblurGAN's "lsgan" takes the absolute difference
    "wgan-gp": (wgan_generator, wgan_critic),
}


def gradient_penalty(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, share: Tensor) -> Tensor:
    """E (|dC/dx| - 1)^2 at x = share * real + (1 - share) * fake, without weight. It reaches the critic alone.

    real, fake: (N, 3, H, W); share: (N, 1, 1, 1) in [0, 1]. As Gulrajani et al., "Improved Training of Wasserstein
    GANs", NIPS 2017, define it: one share and one gradient for each image, its norm over all pixels; BasicSR and
    DeblurGAN take a norm over the colours of each pixel. Of a map of logits the mean counts, for that is what
    `wgan_critic` compares. With BatchNorm an image's gradient includes its part in the logits of the others.
    """
    mixed = (share * real.detach() + (1 - share) * fake.detach()).requires_grad_()
    total = critic(mixed).float().reshape(len(mixed), -1).mean(1).sum()
    (slope,) = torch.autograd.grad(total, mixed, create_graph=True)
    return (torch.linalg.vector_norm(slope.flatten(1), dim=1) - 1).square().mean()


def draw_share(like: Tensor, generator: torch.Generator) -> Tensor:
    """Shares (N, 1, 1, 1) from [0, 1) for images `like`; `generator` lives on the CPU."""
    return torch.rand(len(like), 1, 1, 1, generator=generator).to(like.device, non_blocking=True)


def perceptual(output: Tensor, target: Tensor, features: Callable[[Tensor], Tensor]) -> Tensor:
    """Mean squared distance of VGG-19 features. output, target: (N, 3, H, W) in [0, 1]."""
    with torch.no_grad():
        wanted = features(target)
    return F.mse_loss(features(output), wanted)


def color(output: Tensor, target: Tensor) -> Tensor:
    """L1 distance of the mean colours of 16 x 16 blocks: blur moves light by less, so what is left is a cast.

    output, target: (N, 3, H, W) in [0, 1], H and W at least 16. After the colour loss of Ignatov et al., "DSLR-Quality
    Photos on Mobile Devices with Deep Convolutional Networks", ICCV 2017, which compares blurred images.
    """
    return F.l1_loss(F.avg_pool2d(output, 16), F.avg_pool2d(target, 16))


def mode_seeking(a: Tensor, b: Tensor) -> Tensor:
    """How far two noise maps' blurs of the same photographs are from differing visibly; 0 when all do.

    a, b: (N, 3, H, W) in [0, 1], H and W at least 16. The idea is the mode-seeking term of Mao et al., "Mode
    Seeking Generative Adversarial Networks", CVPR 2019; ours is a hinge, and looks at what blur changes alone: not
    at the mean of 16 x 16 blocks, where a cast would do, nor below 4 pixels, where a grid would do.
    """
    difference = F.avg_pool2d(a - b, 4)
    blocks = F.interpolate(F.avg_pool2d(difference, 4), scale_factor=4)
    detail = difference[..., : blocks.shape[-2], : blocks.shape[-1]] - blocks
    return F.relu(VISIBLE - detail.abs().mean(dim=(1, 2, 3))).mean()


def charbonnier(output: Tensor, target: Tensor) -> Tensor:
    """Mean of sqrt(difference^2 + 0.001^2), an L1 distance with a smooth foot (MPRNet, Eq. 2). Any equal sizes."""
    return ((output - target).square() + 1e-3**2).sqrt().mean()


def smoothed(image: Tensor) -> Tensor:
    """Each channel under a 5 x 5 Gaussian, the border repeated: (N, C, H, W) -> the same."""
    weights = torch.tensor(GAUSSIAN, dtype=image.dtype).to(image.device, non_blocking=True)
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
    """The sum over all stages' outputs of Charbonnier and edge loss (MPRNet, Eq. 1). stages: (N, 3, H, W) each."""
    return sum(charbonnier(output, target) + EDGE_WEIGHT * edge(output, target) for output in stages)


def content(outputs: list[Tensor], target: Tensor, distance: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """The pixel distance that a generator is trained by: `distance`, or `multi_stage` for one of several stages."""
    return distance(outputs[0], target) if len(outputs) == 1 else multi_stage(outputs, target)


def psnr(output: Tensor, target: Tensor) -> Tensor:
    """PSNR in dB of a batch in [0, 1], the output clamped, at most 100; without gradient: how a training goes."""
    error = F.mse_loss(output.detach().clamp(0, 1), target)
    return -10 * torch.log10(error.clamp_min(1e-10))
