"""BGAN from unpaired photographs: a blur and a deblur generator in a cycle, with a critic each."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from dbgan.losses import OBJECTIVES, color, perceptual, sameness
from dbgan.training.adversarial import AdversarialParams, critic_loss, judge
from dbgan.training.distributed import ALONE, Place
from dbgan.training.optim import Means, adam, begin, frozen, ready, update, weighted
from dbgan.training.resume import Values


@dataclass(frozen=True)
class BganParams(AdversarialParams):
    """BGAN's training."""

    pairing: Literal["unpaired", "paired"]  # cycle training, or bgan_paired
    critic_lr: float  # learning rate of the critics at the start; it falls like the generators'
    critic_luminance: bool  # the critics see standardised luminance instead of colours
    cycle: float  # unpaired: weight of the cycle consistency, L1
    identity: float  # unpaired: weight of the identity loss, L1
    sameness: float  # unpaired: weight of the loss of noise maps that make no difference
    pixel_steps: int  # updates by pixel loss on the pairs, before the adversarial ones

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.pixel_steps < 0 or self.critic_lr <= 0:
            raise ValueError("pixel_steps must be at least 0, critic_lr above 0")
        if self.pairing == "paired" and not self.pixel_steps:
            raise ValueError("pixel_steps must be above 0 with pairing paired: nothing else is learnt from the pairs")


class CycleStep:
    """One update of both critics and both generators over all accumulated batches.

    blur(sharp, noise) and deblur(blurred) are the generators; a noise map, and what a gradient penalty draws, is a
    function of (seed, update). Up to update p.pixel_steps both generators learn by L1 from the paired set instead.
    """

    def __init__(
        self,
        blur: nn.Module,
        deblur: nn.Module,
        blur_critic: nn.Module,
        sharp_critic: nn.Module,
        features: nn.Module,
        p: BganParams,
        seed: int,
        device="cpu",
        place: Place = ALONE,
    ) -> None:
        self.blur = self.result = ready(blur, p, device, place)
        self.deblur = ready(deblur, p, device, place)
        self.blur_critic, self.sharp_critic = (
            ready(blur_critic, p, device, place),
            ready(sharp_critic, p, device, place),
        )
        self.features: Callable[[Tensor], Tensor] = features.to(device)
        self.optimizers = {
            name: adam(net, p, p.critic_lr if name.endswith("critic") else p.lr)
            for name, net in self._networks().items()
        }
        self.weights = {
            "perceptual": p.perceptual,
            "color": p.color,
            "adversarial_blur": p.beta,
            "adversarial_sharp": p.beta,
            "cycle_sharp": p.cycle,
            "cycle_blurred": p.cycle,
            "identity_sharp": p.identity,
            "identity_blurred": p.identity,
            "sameness": p.sameness,
        }
        self.generator_loss, _ = OBJECTIVES[p.objective]
        self.p, self.seed, self.device, self.place = p, seed, device, place

    def _networks(self) -> dict[str, nn.Module]:
        return {
            "blur": self.blur,
            "deblur": self.deblur,
            "blur_critic": self.blur_critic,
            "sharp_critic": self.sharp_critic,
        }

    def parts(self) -> dict:
        """All that a resumed training needs."""
        return self._networks() | {f"{name}_optimizer": opt for name, opt in self.optimizers.items()}

    def terms(
        self,
        sharp: Tensor,
        blurred: Tensor,
        fake_sharp: Tensor,
        fake_blurred: Tensor,
        noise: Tensor,
        other_noise: Tensor,
    ) -> dict[str, Tensor]:
        """The generators' losses."""
        return {
            "perceptual": perceptual(fake_blurred, sharp, self.features),
            "color": color(fake_blurred, sharp),
            "adversarial_blur": self.generator_loss(*judge(self.blur_critic, blurred, fake_blurred, self.place)),
            "adversarial_sharp": self.generator_loss(*judge(self.sharp_critic, sharp, fake_sharp, self.place)),
            "cycle_sharp": F.l1_loss(self.deblur(fake_blurred), sharp),
            "cycle_blurred": F.l1_loss(self.blur(fake_sharp, noise), blurred),
            "identity_sharp": F.l1_loss(self.deblur(sharp), sharp),
            "identity_blurred": F.l1_loss(self.blur(blurred, noise), blurred),
            "sameness": sameness(fake_blurred, self.blur(sharp, other_noise))
            if self.p.sameness
            else sharp.new_zeros(()),
        }

    def __call__(self, n: int, batches: list[tuple[Tensor, Tensor, Tensor]]) -> Values:
        means = Means()
        begin(n, self.p, *self.optimizers.values())
        for draw, batch in self.place.draws(self.seed, n, batches):
            sharp, paired, blurred = (images.to(self.device, non_blocking=True) for images in batch)
            noises = partial(self.blur.draw_noise, generator=draw)
            noise, other_noise = (self.place.own(noises, sharp) for _ in range(2))
            # In the curve, what is not trained on is 0.
            losses = dict.fromkeys([*self.weights, "blur_critic", "sharp_critic", "pixel"], sharp.new_zeros(()))
            if n <= self.p.pixel_steps:
                losses["pixel"] = F.l1_loss(self.blur(sharp, noise), paired) + F.l1_loss(self.deblur(paired), sharp)
                (losses["pixel"] / len(batches)).backward()
                means.add(losses)
                continue
            fake_blurred, fake_sharp = self.blur(sharp, noise), self.deblur(blurred)
            # Critics: tell real blurred photographs from BGAN's, and sharp photographs from deblurred ones.
            tell = partial(critic_loss, self.p.objective, draw=draw, place=self.place)
            critics = {
                "blur_critic": tell(self.blur_critic, blurred, fake_blurred),
                "sharp_critic": tell(self.sharp_critic, sharp, fake_sharp),
            }
            (sum(critics.values()) / len(batches)).backward()
            # Generators: fool the critics, undo each other, and leave alone what is as it should be.
            with frozen(self.blur_critic, self.sharp_critic):
                terms = self.terms(sharp, blurred, fake_sharp, fake_blurred, noise, other_noise)
                (weighted(terms, self.weights) / len(batches)).backward()
            means.add(losses | terms | critics)
        return means.tensors() | update(self.p, self._networks(), self.optimizers.values(), self.place)
