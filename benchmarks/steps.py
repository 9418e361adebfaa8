"""The steps of the trainings at a scale of params.yaml, with fresh weights, as the benchmarks time them."""

from pathlib import Path
from typing import Any

from dbgan import settings

SEED = 118
IMAGES = {"train_bgan": 3, "pretrain": 2, "finetune": 2}  # kinds of photographs in a batch of each training
SECTIONS = {"train_bgan": "bgan", "pretrain": "pretrain", "finetune": "finetune"}  # of params.yaml


def params_of(scale: str) -> dict[str, Any]:
    """The shipped params.yaml with this scale."""
    path = Path(__file__).parents[1] / "params.yaml"
    return settings.merged(settings.read(path) | {"scale": scale}, path)


def new_step(training: str, values: dict[str, Any], place=None, device: Any = "cpu"):
    """The step of a training, in the cycle for BGAN, and its parameters."""
    from dbgan.models.build import gaussian_init, new_generator, reverse
    from dbgan.models.critics import build_critic
    from dbgan.models.vgg import PerceptualParams, VGGFeatures
    from dbgan.training.bgan_cycle import BganParams, CycleStep
    from dbgan.training.distributed import ALONE
    from dbgan.training.finetune import FinetuneParams, FinetuneStep
    from dbgan.training.optim import OptimParams
    from dbgan.training.pretrain import PretrainStep

    place, std = place or ALONE, values["init_std"]
    common = {"beta": "beta", "objective": "objective", "critic": "critic"}

    def critic(luminance: bool):
        return gaussian_init(build_critic(p.critic, p.critic_width, p.patch, luminance), SEED, std)

    if training == "pretrain":
        p = settings.section(values, training, OptimParams)
        return PretrainStep(new_generator("dbgan", SEED, std, **values["dbgan"]), p, device, place), p
    features = VGGFeatures(settings.section(values, "perceptual", PerceptualParams))
    if training == "finetune":
        p = settings.section(values, training, FinetuneParams, alpha="alpha", **common)
        generator = new_generator("dbgan", SEED, std, **values["dbgan"])
        return FinetuneStep(generator, critic(False), features, p, SEED, device, place), p
    p = settings.section(values, "bgan", BganParams, **common)
    name, config = reverse("bgan", values["bgan_network"])
    blur = new_generator("bgan", SEED, std, **values["bgan_network"])
    deblur = new_generator(name, SEED, std, **config)
    critics = [critic(p.critic_luminance) for _ in range(2)]
    return CycleStep(blur, deblur, *critics, features, p, SEED, device, place), p
