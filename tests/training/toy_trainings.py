"""The trainings at toy size; parameters in one place, so that a new field is added once."""

from functools import partial

import torch
from torch import nn

from dbgan.models.bgan import BlurConfig, BlurGenerator
from dbgan.models.critics import build_critic
from dbgan.models.dbgan import DeblurConfig, DeblurGenerator
from dbgan.models.vgg import PerceptualParams, VGGFeatures
from dbgan.training.bgan import CycleBgan, TrainBgan, TrainBganParams
from dbgan.training.dbgan import Finetune, FinetuneParams, Pretrain, PretrainParams
from dbgan.training.loop import TrainParams

PATCH = 32  # the smallest that the critic takes
CPU = torch.device("cpu")
SEED = 5
TRAIN = {
    **{"steps": 6, "batch": 2, "accumulate": 2, "patch": PATCH, "lr": 1e-2, "lr_floor": 1e-4},
    **{"optimizer": "adam", "momentum": 0.9},
    **{"log_every": 2, "save_every": 2, "precision": "float32", "ema": 0.0, "clip": 0.0},
    "checkpointing": False,
}
ADVERSARIAL = TRAIN | {
    **{"objective": "relativistic", "critic": "vgg", "critic_width": 4, "critic_lr": 2e-3},
    **{"beta": 0.1, "perceptual": 1.0, "color": 3.0},
}
BGAN = ADVERSARIAL | {
    **{"method": "cycle", "critic_luminance": False, "cycle": 10.0, "identity": 5.0, "mode_seeking": 2.0},
    **{"pixel_steps": 1, "jpeg": True},
}
TABLES = torch.stack([torch.zeros(2, 8, 8), torch.full((2, 8, 8), 9.0)])  # of a PNG and of a JPEG file
NETWORK = {"width": 4, "blocks": 1, "growth": 2, "downsample": 2}


def train_params(**changes) -> TrainParams:
    return TrainParams(**(TRAIN | changes))


def finetune_params(**changes) -> FinetuneParams:
    return FinetuneParams(**(ADVERSARIAL | {"alpha": 0.5, "one_forward": True} | changes))


def bgan_params(**changes) -> TrainBganParams:
    paper = {"pixel_steps": 0} if changes.get("method") == "paper" else {}
    return TrainBganParams(**(BGAN | paper | changes))


def deblur() -> nn.Module:
    return DeblurGenerator(DeblurConfig(**NETWORK))


def blur() -> nn.Module:
    network = BlurGenerator(BlurConfig(**NETWORK, batch_norm=True, noise="vector"))
    nn.init.normal_(network.trunk.tail.weight, std=0.01)  # small, so that noise maps do not differ visibly yet
    return network


def critic(kind: str = "vgg") -> nn.Module:
    return build_critic(kind, 4, PATCH, luminance=False)


def features() -> nn.Module:
    return VGGFeatures(PerceptualParams(weights="random", width=4, divisor=1.0))


def pretrain(**changes):
    torch.manual_seed(0)
    p = PretrainParams(**(TRAIN | {"content": "l1", "augment": False, "one_forward": True} | changes))
    return Pretrain(p, deblur()), p


def finetune(**changes):
    torch.manual_seed(0)
    p = finetune_params(**changes)
    return Finetune(p, generator=deblur(), critic=critic(p.critic), features=features()), p


def bgan(**changes):
    torch.manual_seed(0)
    p = bgan_params(**changes)
    if p.method == "cycle":
        networks = {
            "blur": blur(),
            "deblur": deblur(),
            "blur_critic": critic(p.critic),
            "sharp_critic": critic(p.critic),
        }
        return CycleBgan(p, features=features(), tables=TABLES, **networks), p
    return TrainBgan(p, features=features(), tables=TABLES, blur=blur(), critic=critic(p.critic)), p


# name -> function of changed parameters that makes (training, parameters)
TRAININGS = {"pretrain": pretrain, "finetune": finetune}
TRAININGS |= {method: partial(bgan, method=method) for method in ("cycle", "paired", "paper")}


class Photographs:
    """Item n: random images, a function of n: as many tensors as the training takes."""

    def __init__(self, training: str, n: int = 2, dtype: torch.dtype = torch.float32) -> None:
        self.kinds, self.n, self.dtype = 2 if training in ("pretrain", "finetune") else 3, n, dtype

    def __getitem__(self, number: int) -> tuple[torch.Tensor, ...]:
        draw = torch.Generator().manual_seed(number)
        size = (self.n, 3, PATCH, PATCH)
        return tuple(torch.rand(size, generator=draw).to(self.dtype) for _ in range(self.kinds))
