"""DBGAN's adversarial fine-tuning: perceptual + alpha * content + beta * adversarial, the paper's RDBL (Sec. 3).

A loss of colour may be added (ours): VGG features with random weights leave the generator room for a cast.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from dbgan.losses import OBJECTIVES, color, multi_stage, perceptual, psnr, squared_error, stages
from dbgan.training.adversarial import AdversarialParams, critic_loss, judge
from dbgan.training.distributed import ALONE, Place
from dbgan.training.optim import Means, adam, begin, frozen, ready, update, weighted
from dbgan.training.resume import Values


@dataclass(frozen=True)
class FinetuneParams(AdversarialParams):
    """Fine-tuning."""

    alpha: float  # weight of the content loss; at the top of params.yaml


class FinetuneStep:
    """One update of the critic and of the generator over all accumulated batches.

    Each batch adds to the gradients of both, from the same critic; then both step. So a batch is restored once,
    and memory does not grow with the number of accumulated batches. What a gradient penalty draws is a function of
    (seed, update).
    """

    def __init__(
        self,
        generator: nn.Module,
        critic: nn.Module,
        features: nn.Module,
        p: FinetuneParams,
        seed: int,
        device="cpu",
        place: Place = ALONE,
    ) -> None:
        self.generator = self.result = ready(generator, p, device, place)
        self.critic = ready(critic, p, device, place)
        self.features: Callable[[Tensor], Tensor] = features.to(device)
        self.generator_optimizer, self.critic_optimizer = adam(generator, p, p.lr), adam(critic, p, p.lr)
        self.weights = {"perceptual": p.perceptual, "content": p.alpha, "adversarial": p.beta, "color": p.color}
        self.generator_loss, _ = OBJECTIVES[p.objective]
        self.p, self.seed, self.device, self.place = p, seed, device, place

    def parts(self) -> dict:
        """All that a resumed training needs."""
        return {
            "generator": self.generator,
            "critic": self.critic,
            "generator_optimizer": self.generator_optimizer,
            "critic_optimizer": self.critic_optimizer,
        }

    def terms(self, restored: list[Tensor], sharp: Tensor) -> dict[str, Tensor]:
        """The generator's losses: of its result, which comes first, and, as content, of all its stages."""
        return {
            "perceptual": perceptual(restored[0], sharp, self.features),
            "content": multi_stage(restored, sharp) if len(restored) > 1 else F.mse_loss(restored[0], sharp),
            "adversarial": self.generator_loss(*judge(self.critic, sharp, restored[0], self.place)),
            "color": color(restored[0], sharp),
        }

    def __call__(self, n: int, batches: list[tuple[Tensor, Tensor]]) -> Values:
        means = Means()
        begin(n, self.p, self.generator_optimizer, self.critic_optimizer)
        for draw, batch in self.place.draws(self.seed, n, batches):
            blurred, sharp = (images.to(self.device, non_blocking=True) for images in batch)
            restored = stages(self.generator(blurred))
            # Critic: tell true sharp photographs from restored ones.
            judged = critic_loss(self.p.objective, self.critic, sharp, restored[0], draw, self.place)
            (judged / len(batches)).backward()
            # Generator: stay close to the truth, and fool the critic.
            with frozen(self.critic):
                terms = self.terms(restored, sharp)
                (weighted(terms, self.weights) / len(batches)).backward()
            means.add(terms | {"critic": judged, "psnr": psnr(self.place.mean(squared_error(restored[0], sharp)))})
        networks = {"critic": self.critic, "generator": self.generator}
        return means.tensors() | update(self.p, networks, [self.critic_optimizer, self.generator_optimizer], self.place)
