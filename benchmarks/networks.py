"""What networks of published size cost: a deblurring network on a video frame, a training in an update of one batch."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import torch

from benchmarks.measure import CUDA, Row, cost, in_own_process, params
from dbgan import settings
from dbgan.models.bgan import BlurConfig
from dbgan.models.build import DEBLUR, build_generator
from dbgan.models.critics import CriticConfig, build_critic
from dbgan.models.dbgan import DeblurConfig
from dbgan.models.vgg import PerceptualParams, VGGFeatures
from dbgan.training import loop
from dbgan.training.bgan import CycleBgan, TrainBganParams
from dbgan.training.dbgan import Finetune, FinetuneParams, Pretrain, PretrainParams

DEVICE = torch.device("cuda" if CUDA else "cpu")
FRAME = (720, 1280)
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {  # section of params.yaml, and what differs from the paper's scale
    **{name: (name, {}) for name in ("dbgan", "srresnet", "deblurgan", "sftnet", "mprnet")},
    "nafnet-width32": ("nafnet", {"width": 32, "train_size": None}),
    "nafnet-width64": ("nafnet", {"train_size": None}),
}
SCALE = "paper"  # of the trainings
TRAININGS = {"train_bgan": TrainBganParams, "pretrain": PretrainParams, "finetune": FinetuneParams}
CPU_PATCH = 64  # pixels; the paper's 128 is for GPUs


def rows(title: str, names: Iterable[str], measured: Callable[[str, str], tuple[Row, Row]]) -> Iterator[Row]:
    """A row for each of `names`. measured(name, precision): the cells that every precision shares, and its own."""
    # Where a machine has no bfloat16, it emulates it, slower than float32.
    has = torch.cuda.is_bf16_supported(including_emulation=False) if CUDA else torch.cpu._is_avx512_bf16_supported()
    for name in names:
        row = {title: name}
        for precision in ("float32", "bfloat16")[: 1 + has]:
            shared, own = in_own_process(measured, name, precision) or ({}, {})
            row |= shared | {f"{column}, {precision}": cell for column, cell in own.items()}
        yield row


def frame(name: str, precision: str) -> tuple[Row, Row]:
    section, changes = NETWORKS[name]
    values = {section: params("paper")[section] | changes}
    network = build_generator(section, settings.section(values, section, DEBLUR[section][1])).to(DEVICE).eval()

    def restore(height: int, width: int) -> None:
        image = torch.rand(1, 3, height, width, device=DEVICE).to(memory_format=torch.channels_last)
        with torch.no_grad(), torch.autocast(DEVICE.type, torch.bfloat16, enabled=precision == "bfloat16"):
            network(image)

    restore(64, 64)  # even the first frame finds threads awake and libraries loaded
    seconds, flops, peak = cost(lambda: restore(*FRAME))
    parameters = sum(p.numel() for p in network.parameters())
    shared = {"parameters, 10^6": f"{parameters / 1e6:.2f}", "TFLOP a frame": f"{flops / 1e12:.3g}"}
    return shared, {"frames/s": f"{1 / seconds:.3g}", "peak GiB": f"{peak / 2**30:.1f}"}


def new_training(name: str, values: dict[str, Any], p: Any) -> loop.Training:
    """A training with fresh weights, BGAN's in the cycle."""
    deblur = build_generator("dbgan", settings.section(values, "dbgan", DeblurConfig))
    if name == "pretrain":
        return Pretrain(p, deblur)
    critic = CriticConfig(kind=p.critic, width=p.critic_width, patch=p.patch, luminance=False)
    features = VGGFeatures(settings.section(values, "perceptual", PerceptualParams)).to(DEVICE)
    if name == "finetune":
        return Finetune(p, features, generator=deblur, critic=build_critic(critic))
    blur = build_generator("bgan", settings.section(values, "bgan", BlurConfig))
    critics = {name: build_critic(critic) for name in ("blur_critic", "sharp_critic")}
    tables = torch.ones(1, 2, 8, 8, device=DEVICE)
    return CycleBgan(p, features, tables, blur=blur, deblur=deblur, **critics)


def update(name: str, precision: str) -> tuple[Row, Row]:
    values = params(SCALE)
    values[name] |= {"precision": precision}
    if not CUDA:
        values[name]["patch"] = min(values[name]["patch"], CPU_PATCH)
    if name == "train_bgan":
        values[name]["pixel_steps"] = 0  # that phase is over soon
    top = [key for key in ("alpha", "beta", "objective") if key in TRAININGS[name].model_fields]
    p = settings.section(values, name, TRAININGS[name], top)
    training = new_training(name, values, p)
    networks = {key: loop.ready(network, p, DEVICE) for key, network in training.networks.items()}
    optimizers = {key: loop.adam(network, p, key) for key, network in networks.items()}
    kinds = torch.rand(3 if name == "train_bgan" else 2, p.batch, 3, p.patch, p.patch).to(DEVICE)
    batch = tuple(images.to(memory_format=torch.channels_last) for images in kinds)

    def work() -> None:
        loop.set_lr_and_zero_grad(optimizers, 1, p)
        with loop.autocast(p, DEVICE):
            loop.backward(training, [batch], [1], 1)
        for optimizer in optimizers.values():
            optimizer.step()

    seconds, flops, peak = cost(work)
    own = {"seconds": f"{seconds:.3g}", "TFLOP/s": f"{flops / seconds / 1e12:.3g}", "peak GiB": f"{peak / 2**30:.1f}"}
    return {"TFLOP": f"{flops / 1e12:.3g}"}, own


frames = partial(rows, "network", NETWORKS, frame)
steps = partial(rows, "update", TRAININGS, update)
