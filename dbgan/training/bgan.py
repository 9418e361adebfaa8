"""BGAN's trainings: from unpaired photographs as in the paper, in a cycle, or from pairs first."""

from collections.abc import Callable, Iterator
from typing import Literal

import torch
from pydantic import NonNegativeFloat, NonNegativeInt, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from dbgan.losses import color, mode_seeking, perceptual
from dbgan.training.adversarial import AdversarialParams, critic_loss, generator_loss
from dbgan.training.loop import Terms, frozen


class TrainBganParams(AdversarialParams):
    """BGAN's training."""

    # paper: perceptual + beta * RBL against unpaired real blur (paper, Sec. 3). paired: the same after pixel_steps
    # updates by L1 on the pairs. cycle: a reverse generator and cycle consistency (both after the open reproduction).
    method: Literal["paper", "cycle", "paired"]
    critic_luminance: bool  # the critics see standardised luminance instead of colours
    cycle: NonNegativeFloat  # cycle: weight of the cycle consistency, L1
    identity: NonNegativeFloat  # cycle: weight of the identity loss, L1
    mode_seeking: NonNegativeFloat  # weight of the loss of noise maps that make no difference
    pixel_steps: NonNegativeInt  # cycle, paired: updates by L1 on the pairs, before the adversarial ones

    @model_validator(mode="after")
    def _learns(self) -> "TrainBganParams":
        if self.method == "paired" and not self.pixel_steps:
            raise ValueError("pixel_steps must be above 0 with method paired: nothing else is learnt from the pairs")
        return self


class TrainBgan:
    """perceptual + beta * RBL (paper, Sec. 3), on unpaired photographs; `paired`: after p.pixel_steps updates by L1.

    A batch is (sharp, blurred, real), each (N, 3, H, W) in [0, 1]: a pair, and unpaired real blur.
    """

    def __init__(self, blur: nn.Module, critic: nn.Module, features: Callable[[Tensor], Tensor], p: TrainBganParams):
        self.networks = {"blur": blur, "critic": critic}
        self.blur, self.critic, self.features, self.p = blur, critic, features, p

    def losses(self, batch: tuple[Tensor, ...], draw: torch.Generator, n: int) -> Iterator[Terms]:
        """The terms of one batch, see `Training`."""
        sharp, blurred, real = batch
        fake = self.blur(sharp, self.blur.draw_noise(sharp, draw))
        if self.p.method == "paired" and n <= self.p.pixel_steps:
            yield {"pixel": F.l1_loss(fake, blurred)}
            return
        # Critic: tell real blurred photographs from BGAN's.
        yield {"critic": critic_loss(self.p.objective, self.critic, real, fake, draw)}
        # Generator: keep the content of the photograph, and fool the critic.
        with frozen(self.critic):
            terms = {
                "perceptual": self.p.perceptual * perceptual(fake, sharp, self.features),
                "color": self.p.color * color(fake, sharp),
                "adversarial": self.p.beta * generator_loss(self.p.objective, self.critic, real, fake),
            }
            if self.p.mode_seeking:
                other = self.blur(sharp, self.blur.draw_noise(sharp, draw))
                terms["mode_seeking"] = self.p.mode_seeking * mode_seeking(fake, other)
            yield terms


class CycleBgan:
    """A blur and a deblurring generator in a cycle, with a critic each (CycleGAN; the open reproduction's method).

    Up to update p.pixel_steps both generators learn by L1 from the pairs instead. A batch is as in `TrainBgan`.
    """

    def __init__(
        self,
        blur: nn.Module,
        deblur: nn.Module,
        blur_critic: nn.Module,
        sharp_critic: nn.Module,
        features: Callable[[Tensor], Tensor],
        p: TrainBganParams,
    ) -> None:
        self.networks = {"blur": blur, "deblur": deblur, "blur_critic": blur_critic, "sharp_critic": sharp_critic}
        self.blur, self.deblur, self.blur_critic, self.sharp_critic = self.networks.values()
        self.features, self.p = features, p

    def losses(self, batch: tuple[Tensor, ...], draw: torch.Generator, n: int) -> Iterator[Terms]:
        """The terms of one batch, see `Training`."""
        sharp, blurred, real = batch
        noise, other_noise = (self.blur.draw_noise(sharp, draw) for _ in range(2))
        if n <= self.p.pixel_steps:
            yield {"pixel": F.l1_loss(self.blur(sharp, noise), blurred) + F.l1_loss(self.deblur(blurred), sharp)}
            return
        fake_blurred, fake_sharp = self.blur(sharp, noise), self.deblur(real)
        # Critics: tell real blurred photographs from BGAN's, and sharp photographs from deblurred ones.
        yield {
            "blur_critic": critic_loss(self.p.objective, self.blur_critic, real, fake_blurred, draw),
            "sharp_critic": critic_loss(self.p.objective, self.sharp_critic, sharp, fake_sharp, draw),
        }
        # Generators: fool the critics, undo each other, and leave alone what is as it should be.
        p = self.p
        with frozen(self.blur_critic, self.sharp_critic):
            terms = {
                "perceptual": p.perceptual * perceptual(fake_blurred, sharp, self.features),
                "color": p.color * color(fake_blurred, sharp),
                "adversarial_blur": p.beta * generator_loss(p.objective, self.blur_critic, real, fake_blurred),
                "adversarial_sharp": p.beta * generator_loss(p.objective, self.sharp_critic, sharp, fake_sharp),
                "cycle_sharp": p.cycle * F.l1_loss(self.deblur(fake_blurred), sharp),
                "cycle_blurred": p.cycle * F.l1_loss(self.blur(fake_sharp, noise), real),
                "identity_sharp": p.identity * F.l1_loss(self.deblur(sharp), sharp),
                "identity_blurred": p.identity * F.l1_loss(self.blur(real, noise), real),
            }
            if p.mode_seeking:
                terms["mode_seeking"] = p.mode_seeking * mode_seeking(fake_blurred, self.blur(sharp, other_noise))
            yield terms
