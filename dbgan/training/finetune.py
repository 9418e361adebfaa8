"""DBGAN's adversarial fine-tuning: perceptual + alpha * content + beta * RDBL (paper, Sec. 3)."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from dbgan.losses.adversarial import rbl_critic, rbl_generator
from dbgan.losses.content import perceptual, psnr
from dbgan.training.optim import Means, OptimParams, adam, begin, frozen, judge, weighted
from dbgan.training.resume import Row


@dataclass(frozen=True)
class FinetuneParams(OptimParams):
    """Fine-tuning; alpha and beta stand at the top of params.yaml."""

    alpha: float  # weight of the content loss
    beta: float  # weight of the relativistic blur loss
    critic_width: int  # channels of the critic's first layer


class FinetuneStep:
    """One update of the critic and of the generator over all accumulated batches.

    Each batch adds to the gradients of both, from the same critic; then both step. So a batch is restored once,
    and memory does not grow with the number of accumulated batches.
    """

    def __init__(
        self, generator: nn.Module, critic: nn.Module, features: nn.Module, p: FinetuneParams, device="cpu"
    ) -> None:
        self.generator, self.critic = generator.to(device).train(), critic.to(device).train()
        self.features: Callable[[Tensor], Tensor] = features.to(device)
        self.generator_optimizer, self.critic_optimizer = adam(generator, p, p.lr), adam(critic, p, p.lr)
        self.weights = {"perceptual": 1.0, "content": p.alpha, "adversarial": p.beta}
        self.p, self.device = p, device

    def parts(self) -> dict:
        """All that a resumed training needs."""
        return {
            "generator": self.generator,
            "critic": self.critic,
            "generator_optimizer": self.generator_optimizer,
            "critic_optimizer": self.critic_optimizer,
        }

    def terms(self, restored: Tensor, sharp: Tensor) -> dict[str, Tensor]:
        """The generator's losses."""
        return {
            "perceptual": perceptual(restored, sharp, self.features),
            "content": F.mse_loss(restored, sharp),
            "adversarial": rbl_generator(*judge(self.critic, sharp, restored)),
        }

    def __call__(self, n: int, batches: list[tuple[Tensor, Tensor]]) -> Row:
        means = Means()
        begin(n, self.p, self.generator_optimizer, self.critic_optimizer)
        for batch in batches:
            blurred, sharp = (images.to(self.device) for images in batch)
            restored = self.generator(blurred)
            # Critic: tell true sharp photographs from restored ones.
            critic_loss = rbl_critic(*judge(self.critic, sharp, restored.detach()))
            (critic_loss / len(batches)).backward()
            # Generator: stay close to the truth, and fool the critic.
            with frozen(self.critic):
                terms = self.terms(restored, sharp)
                (weighted(terms, self.weights) / len(batches)).backward()
            means.add(terms | {"critic": critic_loss, "psnr": psnr(restored, sharp)})
        self.critic_optimizer.step()
        self.generator_optimizer.step()
        return means.floats()
