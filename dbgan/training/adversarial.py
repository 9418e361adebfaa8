"""What both trainings against a critic share: their parameters, the critic's judgement and its loss."""

from collections.abc import Callable
from typing import Annotated, Self

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator
from torch import Tensor, nn

from dbgan.losses import OBJECTIVES, PENALTY, Objective, draw_share, gradient_penalty
from dbgan.models.critics import Kind
from dbgan.training.loop import TrainParams


class AdversarialParams(TrainParams):
    """A training against critics; beta and objective stand at the top of params.yaml."""

    patch: Annotated[int, Field(ge=16)]  # pixels; colours are compared in blocks of 16 x 16
    beta: NonNegativeFloat  # weight of the adversarial losses
    objective: Objective  # of critics and generators against each other
    critic: Kind  # the critics' network
    critic_width: PositiveInt  # channels of the critics' first layer; 64 in the paper
    critic_lr: PositiveFloat  # learning rate of the critics at the start; it falls like the generators'
    perceptual: NonNegativeFloat  # weight of the perceptual distance to the sharp photograph
    color: NonNegativeFloat  # weight of the loss of colour that is not the sharp photograph's

    @model_validator(mode="after")
    def _patch_halves_five_times(self) -> Self:
        if self.critic == "vgg" and self.patch % 32:
            raise ValueError(f"patch must be a multiple of 32 for the critic vgg, not {self.patch}")
        return self


class Adversarial:
    """A training of generators against critics; the first of `networks` is the one that it is for."""

    def __init__(self, p: AdversarialParams, features: Callable[[Tensor], Tensor], **networks: nn.Module) -> None:
        self.p, self.features, self.networks = p, features, networks


def judge(critic: nn.Module, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """The critic's logits of real and fake photographs, (N,) or maps each, seen as one batch: so BatchNorm treats
    both alike. Normalised apart, fakes that lack contrast or detail would look just like real ones."""
    logits = critic(torch.cat([real, fake])).float()
    return logits[: len(real)], logits[len(real) :]


def generator_loss(objective: Objective, critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """The loss by which the generator of `fake` learns to fool the (frozen) critic, ()."""
    return OBJECTIVES[objective][0](*judge(critic, real, fake))


def critic_loss(objective: Objective, critic: nn.Module, real: Tensor, fake: Tensor, draw: torch.Generator) -> Tensor:
    """The loss by which the critic learns to tell real photographs from fake ones, (); none of it reaches the fakes'
    generator. Under "wgan-gp" with the gradient penalty, whose shares `draw` gives."""
    loss = OBJECTIVES[objective][1](*judge(critic, real, fake.detach()))
    if objective == "wgan-gp":
        loss = loss + PENALTY * gradient_penalty(critic, real, fake, draw_share(real, draw))
    return loss
