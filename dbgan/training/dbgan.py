"""DBGAN's trainings: pre-training by a content loss, and adversarial fine-tuning (paper, Sec. 3).

A batch is (blurred, sharp), each (N, 3, H, W) in [0, 1]. A generator of several stages gives a list, the last stage's
result first; it is that which the critic judges.
"""

from collections.abc import Callable, Iterator

import torch
from pydantic import NonNegativeFloat
from torch import Tensor, nn
from torch.nn import functional as F

from dbgan.losses import color, content, perceptual, psnr, stages
from dbgan.training.adversarial import AdversarialParams, critic_loss, generator_loss
from dbgan.training.loop import Terms, frozen


class Pretrain:
    """L1, or the loss that a network of several stages is supervised by."""

    def __init__(self, generator: nn.Module) -> None:
        self.networks = {"generator": generator}
        self.generator = generator

    def losses(self, batch: tuple[Tensor, ...], draw: torch.Generator, n: int) -> Iterator[Terms]:
        """The terms of one batch, see `Training`."""
        blurred, sharp = batch
        outputs = stages(self.generator(blurred))
        yield {"content": content(outputs, sharp, F.l1_loss), "psnr": psnr(outputs[0], sharp)}


class FinetuneParams(AdversarialParams):
    """Fine-tuning; alpha stands at the top of params.yaml."""

    alpha: NonNegativeFloat  # weight of the content loss


class Finetune:
    """perceptual + alpha * content + beta * RDBL (paper, Sec. 3).

    A loss of colour may be added (ours): VGG features with random weights leave the generator room for a cast.
    """

    def __init__(
        self, generator: nn.Module, critic: nn.Module, features: Callable[[Tensor], Tensor], p: FinetuneParams
    ) -> None:
        self.networks = {"generator": generator, "critic": critic}
        self.generator, self.critic, self.features, self.p = generator, critic, features, p

    def losses(self, batch: tuple[Tensor, ...], draw: torch.Generator, n: int) -> Iterator[Terms]:
        """The terms of one batch, see `Training`."""
        blurred, sharp = batch
        outputs = stages(self.generator(blurred))
        restored = outputs[0]
        # Critic: tell true sharp photographs from restored ones.
        yield {"critic": critic_loss(self.p.objective, self.critic, sharp, restored, draw)}
        # Generator: stay close to the truth, and fool the critic.
        with frozen(self.critic):
            yield {
                "perceptual": self.p.perceptual * perceptual(restored, sharp, self.features),
                "content": self.p.alpha * content(outputs, sharp, F.mse_loss),
                "adversarial": self.p.beta * generator_loss(self.p.objective, self.critic, sharp, restored),
                "color": self.p.color * color(restored, sharp),
                "psnr": psnr(restored, sharp),
            }
