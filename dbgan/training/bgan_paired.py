"""BGAN from pairs: first their blurs by pixel loss, then real blur by perceptual + beta * adversarial."""

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn
from torch.nn import functional as F

from dbgan.losses import OBJECTIVES, color, perceptual
from dbgan.training.adversarial import critic_loss, judge
from dbgan.training.bgan_cycle import BganParams
from dbgan.training.distributed import ALONE, Place
from dbgan.training.optim import Means, adam, begin, frozen, ready, update, weighted
from dbgan.training.resume import Values


class PairedStep:
    """One update over all accumulated batches; up to update p.pixel_steps of the generator alone, by L1."""

    def __init__(
        self,
        blur: nn.Module,
        critic: nn.Module,
        features: nn.Module,
        p: BganParams,
        seed: int,
        device="cpu",
        place: Place = ALONE,
    ) -> None:
        self.blur = self.result = ready(blur, p, device, place)
        self.critic = ready(critic, p, device, place)
        self.features: Callable[[Tensor], Tensor] = features.to(device)
        self.blur_optimizer, self.critic_optimizer = adam(blur, p, p.lr), adam(critic, p, p.critic_lr)
        self.weights = {"perceptual": p.perceptual, "color": p.color, "adversarial": p.beta}
        self.generator_loss, _ = OBJECTIVES[p.objective]
        self.p, self.seed, self.device, self.place = p, seed, device, place

    def parts(self) -> dict:
        """All that a resumed training needs."""
        return {
            "blur": self.blur,
            "critic": self.critic,
            "blur_optimizer": self.blur_optimizer,
            "critic_optimizer": self.critic_optimizer,
        }

    def terms(self, fake: Tensor, sharp: Tensor, real: Tensor) -> dict[str, Tensor]:
        """The generator's losses of the adversarial phase; real: real blurred photographs."""
        return {
            "perceptual": perceptual(fake, sharp, self.features),
            "color": color(fake, sharp),
            "adversarial": self.generator_loss(*judge(self.critic, real, fake, self.place)),
        }

    def __call__(self, n: int, batches: list[tuple[Tensor, Tensor, Tensor]]) -> Values:
        means = Means()
        begin(n, self.p, self.blur_optimizer, self.critic_optimizer)
        for draw, batch in self.place.draws(self.seed, n, batches):
            sharp, blurred, real = (images.to(self.device, non_blocking=True) for images in batch)
            fake = self.blur(sharp, self.place.own(partial(self.blur.draw_noise, generator=draw), sharp))
            pixel = F.l1_loss(fake, blurred)
            terms = dict.fromkeys(
                [*self.weights, "critic"], pixel.new_zeros(())
            )  # in the curve, what is not trained on is 0
            if n <= self.p.pixel_steps:
                (pixel / len(batches)).backward()
            else:
                # Critic: tell real blurred photographs from BGAN's.
                terms["critic"] = critic_loss(self.p.objective, self.critic, real, fake, draw, self.place)
                (terms["critic"] / len(batches)).backward()
                # Generator: keep what is in the photograph, and fool the critic.
                with frozen(self.critic):
                    losses = self.terms(fake, sharp, real)
                    (weighted(losses, self.weights) / len(batches)).backward()
                terms |= losses
            means.add(terms | {"pixel": pixel})
        networks = {"critic": self.critic, "blur": self.blur}
        return means.tensors() | update(self.p, networks, [self.critic_optimizer, self.blur_optimizer], self.place)
