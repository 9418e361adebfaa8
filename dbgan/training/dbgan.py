"""DBGAN's trainings: pre-training by a content loss, and adversarial fine-tuning (paper, Sec. 3).

A batch is (blurred, sharp), each (N, 3, H, W) in [0, 1]. A generator of several stages gives a list, the last stage's
result first; it is that which the critic judges.
"""

from collections.abc import Iterator

import torch
from pydantic import NonNegativeFloat
from torch import Tensor, nn
from torch.nn import functional as F

from dbgan.losses import color, content, perceptual, psnr, stages
from dbgan.training.adversarial import Adversarial, AdversarialParams, critic_loss, generator_loss
from dbgan.training.loop import Terms, frozen


class Pretrain:
    """L1, or the loss that a network of several stages is supervised by."""

    def __init__(self, generator: nn.Module) -> None:
        self.networks = {"generator": generator}

    def losses(self, batch: tuple[Tensor, ...], draw: torch.Generator, n: int) -> Iterator[Terms]:
        blurred, sharp = batch
        outputs = stages(self.networks["generator"](blurred))
        yield {"content": content(outputs, sharp, F.l1_loss), "psnr": psnr(outputs[0], sharp)}


class FinetuneParams(AdversarialParams):
    alpha: NonNegativeFloat  # weight of the content loss; stands at the top of params.yaml


class Finetune(Adversarial):
    """perceptual + alpha * content + beta * RDBL (paper, Sec. 3), and a loss of colour (ours): VGG features with random
    weights leave the generator room for a cast."""

    p: FinetuneParams

    def losses(self, batch: tuple[Tensor, ...], draw: torch.Generator, n: int) -> Iterator[Terms]:
        blurred, sharp = batch
        p, critic = self.p, self.networks["critic"]
        outputs = stages(self.networks["generator"](blurred))
        restored = outputs[0]
        # Critic: tell true sharp photographs from restored ones.
        yield {"critic": critic_loss(p.objective, critic, sharp, restored, draw)}
        # Generator: stay close to the truth, and fool the critic.
        with frozen(critic):
            yield {
                "perceptual": p.perceptual * perceptual(restored, sharp, self.features),
                "content": p.alpha * content(outputs, sharp, F.mse_loss),
                "adversarial": p.beta * generator_loss(p.objective, critic, sharp, restored),
                "color": p.color * color(restored, sharp),
                "psnr": psnr(restored, sharp),
            }
