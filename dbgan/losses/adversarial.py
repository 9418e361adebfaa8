"""Adversarial losses as functions of critic logits: the relativistic blur loss (paper, Fig. 3) and what others use.

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
PENALTY = 10.0  # weight of the gradient penalty (Gulrajani et al.)


def rbl_generator(real: Tensor, fake: Tensor) -> Tensor:
    """RBL, generator side: -[E log(1 - s(C(real) - E C(fake))) + E log s(C(fake) - E C(real))] / 2.

    It pulls real ones from 1 down and pushes fakes from 0 up, towards 0.5. For BGAN real are real blurred
    photographs; for DBGAN, where the paper calls it RDBL, real sharp ones.
    """
    pull = bce(real - fake.mean(), torch.zeros_like(real))
    push = bce(fake - real.mean(), torch.ones_like(fake))
    return (pull + push) / 2


def rbl_critic(real: Tensor, fake: Tensor) -> Tensor:
    """RBL, critic side: the same with the roles exchanged."""
    return rbl_generator(real=fake, fake=real)


def vanilla_generator(real: Tensor, fake: Tensor) -> Tensor:
    """-E log s(C(fake)), the loss that does not saturate (Goodfellow et al., NIPS 2014). real is not used."""
    return bce(fake, torch.ones_like(fake))


def vanilla_critic(real: Tensor, fake: Tensor) -> Tensor:
    """-[E log s(C(real)) + E log(1 - s(C(fake)))] / 2."""
    return (bce(real, torch.ones_like(real)) + bce(fake, torch.zeros_like(fake))) / 2


def lsgan_generator(real: Tensor, fake: Tensor) -> Tensor:
    """E (C(fake) - 1)^2 (Mao et al., "Least Squares Generative Adversarial Networks", ICCV 2017). real is not used.

    DeblurGAN's code has an "lsgan" too, but that takes the absolute difference, not its square.
    """
    return F.mse_loss(fake, torch.ones_like(fake))


def lsgan_critic(real: Tensor, fake: Tensor) -> Tensor:
    """[E (C(real) - 1)^2 + E C(fake)^2] / 2."""
    return (F.mse_loss(real, torch.ones_like(real)) + F.mse_loss(fake, torch.zeros_like(fake))) / 2


def wgan_generator(real: Tensor, fake: Tensor) -> Tensor:
    """-E C(fake) (Arjovsky et al., "Wasserstein GAN", ICML 2017). real is not used."""
    return -fake.mean()


def wgan_critic(real: Tensor, fake: Tensor) -> Tensor:
    """E C(fake) - E C(real), to which the critic's step adds the gradient penalty."""
    return fake.mean() - real.mean()


OBJECTIVES = {
    "relativistic": (rbl_generator, rbl_critic),
    "vanilla": (vanilla_generator, vanilla_critic),
    "lsgan": (lsgan_generator, lsgan_critic),
    "wgan-gp": (wgan_generator, wgan_critic),
}


def gradient_penalty(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, share: Tensor) -> Tensor:
    """E (|dC/dx| - 1)^2 at x = share * real + (1 - share) * fake, without weight. It reaches the critic alone.

    real, fake: (N, 3, H, W); share: (N, 1, 1, 1) in [0, 1]. As Gulrajani et al., "Improved Training of Wasserstein
    GANs", NIPS 2017, define it: one share and one gradient for each image, its norm over all pixels. So do DBGAN's
    authors, with the share the fake's. BasicSR and DeblurGAN take a norm over the colours of each pixel instead,
    DeblurGAN with one share for the whole batch. Of a map of logits the mean counts, for that is what
    `wgan_critic` compares. With BatchNorm an image's gradient includes its part in the logits of the others.
    """
    mixed = (share * real.detach() + (1 - share) * fake.detach()).requires_grad_()
    total = critic(mixed).float().reshape(len(mixed), -1).mean(1).sum()
    (slope,) = torch.autograd.grad(total, mixed, create_graph=True)
    return (torch.linalg.vector_norm(slope.flatten(1), dim=1) - 1).square().mean()


def draw_share(like: Tensor, generator: torch.Generator) -> Tensor:
    """Shares (N, 1, 1, 1) from [0, 1) for images `like`; `generator` lives on the CPU."""
    return torch.rand(len(like), 1, 1, 1, generator=generator).to(like.device, non_blocking=True)


def penalty(
    objective: Objective, critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, share: Tensor
) -> Tensor:
    """What the critic's loss is to be raised by: PENALTY gradient penalties for "wgan-gp", 0 for all others."""
    if objective != "wgan-gp":
        return torch.zeros(())
    return PENALTY * gradient_penalty(critic, real, fake, share)
