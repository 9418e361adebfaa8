"""The four trainings at toy size; one function for each params class, so that a new field is added in one place."""

from functools import partial

import torch
from torch import nn

from dbgan.models.bgan import BlurConfig, BlurGenerator
from dbgan.models.critics import CriticConfig, build_critic
from dbgan.models.dbgan import DeblurConfig, DeblurGenerator
from dbgan.models.vgg import PerceptualParams, VGGFeatures
from dbgan.training.bgan_cycle import BganParams, CycleStep
from dbgan.training.bgan_paired import PairedStep
from dbgan.training.distributed import ALONE
from dbgan.training.finetune import FinetuneParams, FinetuneStep
from dbgan.training.optim import OptimParams
from dbgan.training.pretrain import PretrainStep

PATCH = 32  # the smallest that the critic takes
OPTIM = {
    "steps": 6,
    "batch": 2,
    "accumulate": 2,
    "patch": PATCH,
    "lr": 1e-2,
    "lr_floor": 1e-4,
    "log_every": 2,
    "save_every": 2,
    "precision": "float32",
    "ema": 0.0,
    "clip": 0.0,
    "checkpointing": False,
    "compile": False,
}
ADVERSARIAL = {"objective": "relativistic", "critic": "vgg"}


def optim_params(**changes) -> OptimParams:
    return OptimParams(**(OPTIM | changes))


def finetune_params(**changes) -> FinetuneParams:
    return FinetuneParams(
        **(
            OPTIM
            | {"alpha": 0.5, "beta": 0.1, "critic_width": 4, "perceptual": 1.0, "color": 3.0}
            | ADVERSARIAL
            | changes
        )
    )


def bgan_params(**changes) -> BganParams:
    bgan = {
        "pairing": "unpaired",
        "beta": 0.1,
        "critic_width": 4,
        "critic_lr": 2e-3,
        "critic_luminance": False,
        "perceptual": 1.0,
        "color": 3.0,
        "cycle": 10.0,
        "identity": 5.0,
        "sameness": 2.0,
        "pixel_steps": 3,
    }
    return BganParams(**(OPTIM | ADVERSARIAL | bgan | changes))


def deblur() -> nn.Module:
    return DeblurGenerator(DeblurConfig(width=4, blocks=1, growth=2, downsample=2))


def blur() -> nn.Module:
    network = BlurGenerator(BlurConfig(width=4, blocks=1, growth=2, downsample=2, batch_norm=True, noise="vector"))
    nn.init.normal_(network.trunk.tail.weight, std=0.01)  # small, so that noise maps do not differ visibly yet
    return network


def critic(kind: str = "vgg") -> nn.Module:
    return build_critic(CriticConfig(kind=kind, width=4, patch=PATCH, luminance=False))


def features() -> nn.Module:
    return VGGFeatures(PerceptualParams(weights="random", width=4))


def pretrain_step(place=ALONE, **changes) -> PretrainStep:
    torch.manual_seed(0)
    return PretrainStep(deblur(), optim_params(**changes), place=place)


def finetune_step(place=ALONE, **changes) -> FinetuneStep:
    torch.manual_seed(0)
    p = finetune_params(**changes)
    return FinetuneStep(deblur(), critic(p.critic), features(), p, seed=5, place=place)


def cycle_step(place=ALONE, **changes) -> CycleStep:
    torch.manual_seed(0)
    p = bgan_params(**changes)
    return CycleStep(blur(), deblur(), critic(p.critic), critic(p.critic), features(), p, seed=5, place=place)


def paired_step(place=ALONE, **changes) -> PairedStep:
    torch.manual_seed(0)
    p = bgan_params(pairing="paired", **changes)
    return PairedStep(blur(), critic(p.critic), features(), p, seed=5, place=place)


BUILD = {"pretrain": pretrain_step, "finetune": finetune_step, "cycle": cycle_step, "paired": paired_step}
BUILD["penalised"] = partial(finetune_step, objective="wgan-gp", critic="patch")
IMAGES = {"pretrain": 2, "finetune": 2, "cycle": 3, "paired": 3, "penalised": 2}  # in a batch: pairs or triples


def photographs(seed: int, kinds: int, n: int = 2) -> tuple[torch.Tensor, ...]:
    """A batch of `kinds` image tensors, each (n, 3, PATCH, PATCH) in [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.rand(n, 3, PATCH, PATCH, generator=generator) for _ in range(kinds))


def group(update: int, kinds: int, accumulate: int = 2) -> list[tuple[torch.Tensor, ...]]:
    """The accumulated batches of one update, a function of its number."""
    return [photographs(100 * update + k, kinds) for k in range(accumulate)]
