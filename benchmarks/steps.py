"""An update of each training, of one batch, with the paper's networks."""

from typing import Any

import torch

from benchmarks import measure
from dbgan import settings
from dbgan.models.bgan import BlurConfig
from dbgan.models.build import build_generator
from dbgan.models.critics import CriticConfig, build_critic
from dbgan.models.dbgan import DeblurConfig
from dbgan.models.vgg import PerceptualParams, VGGFeatures
from dbgan.training import loop
from dbgan.training.bgan import CycleBgan, TrainBganParams
from dbgan.training.dbgan import Finetune, FinetuneParams, Pretrain

SCALE = "paper"
PARAMS = {"train_bgan": TrainBganParams, "pretrain": loop.TrainParams, "finetune": FinetuneParams}
IMAGES = {"train_bgan": 3, "pretrain": 2, "finetune": 2}  # kinds of photographs in a batch
CPU_PATCH = 64  # pixels; the paper's 128 is for GPUs


def new_training(name: str, values: dict[str, Any], p: Any) -> loop.Training:
    """A training with fresh weights, BGAN's in the cycle."""
    deblur = build_generator("dbgan", settings.section(values, "dbgan", DeblurConfig))
    if name == "pretrain":
        return Pretrain(deblur)
    critic = CriticConfig(kind=p.critic, width=p.critic_width, patch=p.patch, luminance=False)
    features = VGGFeatures(settings.section(values, "perceptual", PerceptualParams)).to(measure.DEVICE)
    if name == "finetune":
        return Finetune(p, features, generator=deblur, critic=build_critic(critic))
    blur = build_generator("bgan", settings.section(values, "bgan", BlurConfig))
    critics = {name: build_critic(critic) for name in ("blur_critic", "sharp_critic")}
    return CycleBgan(p, features, blur=blur, deblur=deblur, **critics)


def update(name: str, precision: str) -> tuple[measure.Row, measure.Row]:
    """A row's cells, as `measure.rows` wants them."""
    values, device = measure.params(SCALE), measure.DEVICE
    values[name] |= {"precision": precision}
    if device.type == "cpu":
        values[name]["patch"] = min(values[name]["patch"], CPU_PATCH)
    if name == "train_bgan":
        values[name]["pixel_steps"] = 0  # that phase is over soon
    top = [key for key in ("alpha", "beta", "objective", "critic") if key in PARAMS[name].model_fields]
    p = settings.section(values, name, PARAMS[name], top)
    training = new_training(name, values, p)
    networks = {key: loop.ready(network, p, device) for key, network in training.networks.items()}
    optimizers = {key: loop.adam(network, p, key) for key, network in networks.items()}
    images = torch.rand(IMAGES[name], p.batch, 3, p.patch, p.patch).to(device)
    batch = tuple(kind.to(memory_format=torch.channels_last) for kind in images)

    def work() -> None:
        loop.set_lr_and_zero_grad(optimizers, 1, p)
        with loop.autocast(p, device):
            loop.backward(training, [batch], [1], 1)
        for optimizer in optimizers.values():
            optimizer.step()

    seconds, flops, peak = measure.cost(work)
    own = {"seconds": f"{seconds:.3g}", "TFLOP/s": f"{flops / seconds / 1e12:.3g}", "peak GiB": f"{peak / 2**30:.1f}"}
    return {"TFLOP": f"{flops / 1e12:.3g}"}, own
