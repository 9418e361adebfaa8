"""BGAN's trainings: from unpaired photographs as in the paper, in a cycle, or from pairs first."""

from collections.abc import Iterator
from typing import Literal

import torch
from pydantic import NonNegativeFloat, NonNegativeInt, model_validator
from torch import Tensor
from torch.nn import functional as F

from dbgan.losses import color, mode_seeking, perceptual
from dbgan.training.adversarial import Adversarial, AdversarialParams, critic_loss, generator_loss
from dbgan.training.loop import Terms, frozen


class TrainBganParams(AdversarialParams):
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


class TrainBgan(Adversarial):
    """perceptual + beta * RBL (paper, Sec. 3), on unpaired photographs; `paired`: after p.pixel_steps updates by L1.

    A batch is (sharp, blurred, real), each (N, 3, H, W) in [0, 1]: a pair, and unpaired real blur.
    """

    p: TrainBganParams

    def losses(self, batch: tuple[Tensor, ...], draw: torch.Generator, n: int) -> Iterator[Terms]:
        sharp, blurred, real = batch
        p, blur, critic = self.p, self.networks["blur"], self.networks["critic"]
        fake = blur(sharp, blur.draw_noise(sharp, draw))
        if p.method == "paired" and n <= p.pixel_steps:
            yield {"pixel": F.l1_loss(fake, blurred)}
            return
        # Critic: tell real blurred photographs from BGAN's.
        yield {"critic": critic_loss(p.objective, critic, real, fake, draw)}
        # Generator: keep the content of the photograph, and fool the critic.
        with frozen(critic):
            terms = {
                "perceptual": p.perceptual * perceptual(fake, sharp, self.features),
                "color": p.color * color(fake, sharp),
                "adversarial": p.beta * generator_loss(p.objective, critic, real, fake),
            }
            if p.mode_seeking:
                terms["mode_seeking"] = p.mode_seeking * mode_seeking(fake, blur(sharp, blur.draw_noise(sharp, draw)))
            yield terms


class CycleBgan(Adversarial):
    """A blur and a deblurring generator in a cycle, with a critic each (CycleGAN; the open reproduction's method).

    Up to update p.pixel_steps both generators learn by L1 from the pairs instead. A batch is as in `TrainBgan`.
    """

    p: TrainBganParams

    def losses(self, batch: tuple[Tensor, ...], draw: torch.Generator, n: int) -> Iterator[Terms]:
        sharp, blurred, real = batch
        p, blur, deblur = self.p, self.networks["blur"], self.networks["deblur"]
        blur_critic, sharp_critic = self.networks["blur_critic"], self.networks["sharp_critic"]
        noise, other_noise = (blur.draw_noise(sharp, draw) for _ in range(2))
        if n <= p.pixel_steps:
            yield {"pixel": F.l1_loss(blur(sharp, noise), blurred) + F.l1_loss(deblur(blurred), sharp)}
            return
        fake_blurred, fake_sharp = blur(sharp, noise), deblur(real)
        # Critics: tell real blurred photographs from BGAN's, and sharp photographs from deblurred ones.
        yield {
            "blur_critic": critic_loss(p.objective, blur_critic, real, fake_blurred, draw),
            "sharp_critic": critic_loss(p.objective, sharp_critic, sharp, fake_sharp, draw),
        }
        # Generators: fool the critics, undo each other, and leave alone what is as it should be.
        with frozen(blur_critic, sharp_critic):
            terms = {
                "perceptual": p.perceptual * perceptual(fake_blurred, sharp, self.features),
                "color": p.color * color(fake_blurred, sharp),
                "adversarial_blur": p.beta * generator_loss(p.objective, blur_critic, real, fake_blurred),
                "adversarial_sharp": p.beta * generator_loss(p.objective, sharp_critic, sharp, fake_sharp),
                "cycle_sharp": p.cycle * F.l1_loss(deblur(fake_blurred), sharp),
                "cycle_blurred": p.cycle * F.l1_loss(blur(fake_sharp, noise), real),
                "identity_sharp": p.identity * F.l1_loss(deblur(sharp), sharp),
                "identity_blurred": p.identity * F.l1_loss(blur(real, noise), real),
            }
            if p.mode_seeking:
                terms["mode_seeking"] = p.mode_seeking * mode_seeking(fake_blurred, blur(sharp, other_noise))
            yield terms
