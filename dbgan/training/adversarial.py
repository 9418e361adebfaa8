"""What all trainings against a critic share: their parameters, the critic's judgement, and its loss."""

from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from dbgan.losses import OBJECTIVES, Objective, draw_share, penalty
from dbgan.training.distributed import ALONE, Place
from dbgan.training.optim import OptimParams


@dataclass(frozen=True)
class AdversarialParams(OptimParams):
    """A training against critics; beta, objective and critic stand at the top of params.yaml."""

    beta: float  # weight of the adversarial losses
    objective: Objective  # what critics and generators are trained on against each other
    critic: Literal["vgg", "patch"]  # the critics' network
    critic_width: int  # channels of the critics' first layer
    perceptual: float  # weight of the perceptual distance to the sharp photograph
    color: float  # weight of the loss of colour that is not the sharp photograph's

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.critic_width < 1:
            raise ValueError("critic_width must be at least 1")
        if self.patch < 16:
            raise ValueError("patch must be at least 16: colours are compared in blocks of 16 x 16 pixels")
        if self.compile and self.objective == "wgan-gp":
            raise ValueError("compile must be false with objective wgan-gp: no compiler derives a gradient's gradient")


def judge(critic: nn.Module, real: Tensor, fake: Tensor, place: Place = ALONE) -> tuple[Tensor, Tensor]:
    """The critic's logits of real and fake photographs, (N,) or maps each, seen as one batch: so BatchNorm treats
    both alike. Normalised apart, fakes that lack contrast or detail would look just like real ones.

    N is the whole batch's size, of which `real` and `fake` are this process's part: relativistic losses compare with
    the batch's mean."""
    logits = critic(torch.cat([real, fake])).float()
    both = place.gathered(logits[None])  # (processes, real and fake of each, ...)
    return both[:, : len(real)].flatten(0, 1), both[:, len(real) :].flatten(0, 1)


def critic_loss(
    objective: Objective, critic: nn.Module, real: Tensor, fake: Tensor, draw: torch.Generator, place: Place = ALONE
) -> Tensor:
    """The loss by which the critic learns to tell real photographs from fake ones, (); none of it reaches the fakes'
    generator. Under "wgan-gp" with the gradient penalty, whose shares `draw` gives."""
    _, loss = OBJECTIVES[objective]
    judged = loss(*judge(critic, real, fake.detach(), place))
    share = place.own(partial(draw_share, generator=draw), real)
    return judged + penalty(objective, critic, real, fake, share)
