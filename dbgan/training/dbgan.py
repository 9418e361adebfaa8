"""DBGAN's trainings: pre-training by a content loss, and adversarial fine-tuning (paper, Sec. 3).

A batch is (blurred, sharp), each (N, 3, H, W) in [0, 1]. A generator of several stages gives a list, the last stage's
result first; it is that which the critic judges.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Literal

import torch
from pydantic import NonNegativeFloat
from torch import Tensor, nn
from torch.nn import functional as F

from dbgan.losses import color, content, perceptual, psnr, stages
from dbgan.training.adversarial import Adversarial, AdversarialParams, critic_loss, generator_loss
from dbgan.training.loop import Batch, Terms, TrainParams, frozen


@contextmanager
def one_forward(generator: nn.Module, group: list[Batch]) -> Iterator[list[Batch]]:
    """The batches with the generator's outputs, a list, in place of the blurred photographs: one forward makes all. At
    the end one backward takes their gradients through the generator: as many launches as for one batch.

    A generator with running statistics, which count batches, sees one batch after the other.
    """
    if len(group) == 1 or any(getattr(layer, "running_mean", None) is not None for layer in generator.modules()):
        yield group
        return
    outputs = stages(generator(torch.cat([blurred for blurred, _ in group])))
    leaves = [output.detach().requires_grad_() for output in outputs]
    of_batches = zip(*(leaf.split([len(sharp) for _, sharp in group]) for leaf in leaves), strict=True)
    yield [(list(of_batch), sharp) for of_batch, (_, sharp) in zip(of_batches, group, strict=True)]
    torch.autograd.backward(outputs, [leaf.grad for leaf in leaves])


def restored(generator: nn.Module, batch: Batch) -> tuple[list[Tensor], Tensor]:
    """The generator's outputs for a batch, the last stage's first, and the sharp photographs."""
    image, sharp = batch
    return image if isinstance(image, list) else stages(generator(image)), sharp


CONTENT = {"mse": F.mse_loss, "l1": F.l1_loss}


class PretrainParams(TrainParams):
    content: Literal["mse", "l1"]  # the loss: the paper's content loss, or the open reproduction's
    augment: bool  # pairs are also transposed, and their colours come in any order
    one_forward: bool  # the generator sees the accumulated batches of an update at once


class Pretrain:
    """The content loss alone, or the loss that a network of several stages is supervised by."""

    def __init__(self, p: PretrainParams, generator: nn.Module) -> None:
        self.p, self.networks = p, {"generator": generator}

    def together(self, group: list[Batch]) -> AbstractContextManager[list[Batch]]:
        return one_forward(self.networks["generator"], group) if self.p.one_forward else nullcontext(group)

    def losses(self, batch: Batch, draw: torch.Generator, n: int) -> Iterator[Terms]:
        outputs, sharp = restored(self.networks["generator"], batch)
        yield {"content": content(outputs, sharp, CONTENT[self.p.content]), "psnr": psnr(outputs[0], sharp)}


class FinetuneParams(AdversarialParams):
    alpha: NonNegativeFloat  # weight of the content loss; stands at the top of params.yaml
    one_forward: bool  # as in pre-training


class Finetune(Adversarial):
    """perceptual + alpha * content + beta * RDBL (paper, Sec. 3), and a loss of colour (ours): VGG features with random
    weights leave the generator room for a cast."""

    p: FinetuneParams

    def together(self, group: list[Batch]) -> AbstractContextManager[list[Batch]]:
        return one_forward(self.networks["generator"], group) if self.p.one_forward else nullcontext(group)

    def losses(self, batch: Batch, draw: torch.Generator, n: int) -> Iterator[Terms]:
        p, critic = self.p, self.networks["critic"]
        outputs, sharp = restored(self.networks["generator"], batch)
        fake = outputs[0]
        # Critic: tell true sharp photographs from restored ones.
        yield {"critic": critic_loss(p.objective, critic, sharp, fake, draw)}
        # Generator: stay close to the truth, and fool the critic.
        with frozen(critic):
            yield {
                "perceptual": p.perceptual * perceptual(fake, sharp, self.features),
                "content": p.alpha * content(outputs, sharp, F.mse_loss),
                "adversarial": p.beta * generator_loss(p.objective, critic, sharp, fake),
                "color": p.color * color(fake, sharp),
                "psnr": psnr(fake, sharp),
            }
