"""BGAN's trainings: from unpaired photographs as in the paper, in a cycle, or from pairs first."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch
from pydantic import NonNegativeFloat, NonNegativeInt, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from dbgan.data.development import jpeg
from dbgan.losses import color, mode_seeking, perceptual
from dbgan.training.adversarial import Adversarial, AdversarialParams, critic_loss, generator_loss
from dbgan.training.loop import Batch, Terms, frozen

HARDLY = 0.5  # levels of 255: a BGAN that changes its input by less has learnt the identity


class TrainBganParams(AdversarialParams):
    # paper: perceptual + beta * RBL against unpaired real blur (paper, Sec. 3). paired: the same after pixel_steps
    # updates by L1 on the pairs. cycle: a reverse generator and cycle consistency (both after the open reproduction).
    method: Literal["paper", "cycle", "paired"]
    critic_luminance: bool  # the critics see standardised luminance instead of colours
    cycle: NonNegativeFloat  # cycle: weight of the cycle consistency, L1
    identity: NonNegativeFloat  # cycle: weight of the identity loss, L1
    mode_seeking: NonNegativeFloat  # weight of the loss of noise maps that make no difference
    pixel_steps: NonNegativeInt  # cycle, paired: updates by L1 on the pairs, before the adversarial ones
    jpeg: bool  # the critics see BGAN's blurs as JPEG, with the real photographs' own quantisation tables

    @model_validator(mode="after")
    def _learns(self) -> "TrainBganParams":
        if self.method == "paired" and not self.pixel_steps:
            raise ValueError("pixel_steps must be above 0 with method paired: nothing else is learnt from the pairs")
        if self.method == "paper" and self.pixel_steps:
            raise ValueError(
                "pixel_steps must be 0 with method paper, which has no pairs; method paired starts on them"
            )
        return self


class Blurring(Adversarial):
    """What BGAN's trainings share. A batch is (sharp, blurred, real), each (N, 3, H, W) in [0, 1]: a pair, and unpaired
    real blur. tables: (P, 2, 8, 8), the real photographs' quantisation, zeros where they are no JPEG."""

    p: TrainBganParams

    def __init__(
        self, p: TrainBganParams, features: Callable[[Tensor], Tensor], tables: Tensor, **networks: nn.Module
    ) -> None:
        super().__init__(p, features, **networks)
        self.tables = tables

    def together(self, group: list[Batch]) -> AbstractContextManager[list[Batch]]:
        return nullcontext(group)  # one after the other: generators and critics may have BatchNorm

    def stored(self, fake: Tensor, draw: torch.Generator) -> Tensor:
        """Blurs as the critic sees them: as a real photograph, drawn for each, was stored."""
        if not self.p.jpeg:
            return fake
        chosen = torch.randint(len(self.tables), (len(fake),), generator=draw)
        return jpeg(fake, self.tables[chosen.to(fake.device, non_blocking=True)])

    def kept(self, fake: Tensor, sharp: Tensor, draw: torch.Generator) -> Terms:
        """The terms that keep a photograph's content and colours, and noise maps apart; those without weight cost
        nothing."""
        p, blur = self.p, self.networks["blur"]
        terms = {}
        if p.perceptual:
            terms["perceptual"] = p.perceptual * perceptual(fake, sharp, self.features)
        if p.color:
            terms["color"] = p.color * color(fake, sharp)
        if p.mode_seeking:
            terms["mode_seeking"] = p.mode_seeking * mode_seeking(fake, blur(sharp, blur.draw_noise(sharp, draw)))
        return terms


def change(fake: Tensor, sharp: Tensor) -> Tensor:
    """How far BGAN's blurs are from their input, in the mean, levels of 255; without gradient."""
    return 255 * (fake.detach() - sharp).abs().mean()


class TrainBgan(Blurring):
    """perceptual + beta * RBL (paper, Sec. 3), on unpaired photographs; `paired`: after p.pixel_steps updates by L1."""

    def losses(self, batch: Batch, draw: torch.Generator, n: int) -> Iterator[Terms]:
        sharp, blurred, real = batch
        p, blur, critic = self.p, self.networks["blur"], self.networks["critic"]
        fake = blur(sharp, blur.draw_noise(sharp, draw))
        if p.method == "paired" and n <= p.pixel_steps:
            yield {"pixel": F.l1_loss(fake, blurred)}
            return
        stored = self.stored(fake, draw)
        # Critic: tell real blurred photographs from BGAN's.
        yield {"critic": critic_loss(p.objective, critic, real, stored, draw)}
        # Generator: fool the critic, and keep the content of the photograph.
        with frozen(critic):
            adversarial = p.beta * generator_loss(p.objective, critic, real, stored)
            yield {"adversarial": adversarial} | self.kept(fake, sharp, draw) | {"change": change(fake, sharp)}


class CycleBgan(Blurring):
    """A blur and a deblurring generator in a cycle, with a critic each (CycleGAN; the open reproduction's method).

    Up to update p.pixel_steps both generators learn by L1 from the pairs instead.
    """

    def losses(self, batch: Batch, draw: torch.Generator, n: int) -> Iterator[Terms]:
        sharp, blurred, real = batch
        p, blur, deblur = self.p, self.networks["blur"], self.networks["deblur"]
        blur_critic, sharp_critic = self.networks["blur_critic"], self.networks["sharp_critic"]
        noise = blur.draw_noise(sharp, draw)
        if n <= p.pixel_steps:
            yield {"pixel": F.l1_loss(blur(sharp, noise), blurred) + F.l1_loss(deblur(blurred), sharp)}
            return
        fake_blurred, fake_sharp = blur(sharp, noise), deblur(real)
        stored = self.stored(fake_blurred, draw)
        # Critics: tell real blurred photographs from BGAN's, and sharp photographs from deblurred ones.
        yield {
            "blur_critic": critic_loss(p.objective, blur_critic, real, stored, draw),
            "sharp_critic": critic_loss(p.objective, sharp_critic, sharp, fake_sharp, draw),
        }
        # Generators: fool the critics, undo each other, and leave alone what is as it should be.
        with frozen(blur_critic, sharp_critic):
            yield {
                "adversarial_blur": p.beta * generator_loss(p.objective, blur_critic, real, stored),
                "adversarial_sharp": p.beta * generator_loss(p.objective, sharp_critic, sharp, fake_sharp),
                "cycle_sharp": p.cycle * F.l1_loss(deblur(fake_blurred), sharp),
                "cycle_blurred": p.cycle * F.l1_loss(blur(fake_sharp, noise), real),
                "identity_sharp": p.identity * F.l1_loss(deblur(sharp), sharp),
                "identity_blurred": p.identity * F.l1_loss(blur(real, noise), real),
                "change": change(fake_blurred, sharp),
            } | self.kept(fake_blurred, sharp, draw)
