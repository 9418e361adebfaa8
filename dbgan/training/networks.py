"""What a training against critics needs beside its generators: critics, and features for the perceptual loss."""

from functools import partial
from typing import Any

import torch
from torch import nn

from dbgan import settings
from dbgan.data import download
from dbgan.models.build import gaussian_init, seeded
from dbgan.models.critics import build_critic
from dbgan.models.vgg import PerceptualParams, VGGFeatures
from dbgan.training.adversarial import AdversarialParams


def new_critic(p: AdversarialParams, luminance: bool, seed: int, std: float) -> nn.Module:
    critic = seeded(partial(build_critic, p.critic, p.critic_width, p.patch, luminance), seed)
    # The critic of blur starts as PyTorch's layers do, or it would lag behind a generator of few weights.
    return critic if p.critic == "blur" else gaussian_init(critic, seed, std)


def vgg_features(values: dict[str, Any], device: torch.device) -> tuple[VGGFeatures, str]:
    """The features that params.yaml chooses, and the digest of their weights."""
    p = settings.section(values, "perceptual", PerceptualParams)
    weights, digest = download.vgg19(p.weights, settings.section(values, "archives", download.Archives).vgg19)
    layout = torch.channels_last if device.type == "cuda" else torch.preserve_format
    return VGGFeatures(p.model_copy(update={"weights": weights})).to(device, memory_format=layout), digest
