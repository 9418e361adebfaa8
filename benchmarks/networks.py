"""What networks of published size cost: a deblurring network on a video frame, a training in an update of one batch."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import torch

from benchmarks.measure import CUDA, Row, cost, in_own_process, params
from dbgan import settings
from dbgan.models.build import BLUR, DEBLUR, build_generator
from dbgan.models.critics import build_critic
from dbgan.models.vgg import PerceptualParams, VGGFeatures
from dbgan.training import loop
from dbgan.training.bgan import CycleBgan, TrainBgan, TrainBganParams
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
    """A training with fresh weights, always the same."""
    torch.manual_seed(0)

    def new(network: str) -> torch.nn.Module:
        return build_generator(network, settings.section(values, network, (BLUR | DEBLUR)[network][1]))

    deblur = new("dbgan")
    if name == "pretrain":
        return Pretrain(p, deblur)
    critic = partial(build_critic, p.critic, p.critic_width, p.patch, luminance=False)
    features = VGGFeatures(settings.section(values, "perceptual", PerceptualParams))
    if name == "finetune":
        return Finetune(p, features, generator=deblur, critic=critic())
    blur, tables = new(values["blur_generator"]["name"]), torch.ones(1, 2, 8, 8)
    if p.method == "cycle":
        critics = {name: critic() for name in ("blur_critic", "sharp_critic")}
        return CycleBgan(p, features, tables, blur=blur, deblur=deblur, **critics)
    return TrainBgan(p, features, tables, blur=blur, critic=critic())


def chosen(name: str, values: dict[str, Any]) -> Any:
    """The parameters of a training."""
    top = [key for key in ("alpha", "beta", "objective") if key in TRAININGS[name].model_fields]
    return settings.section(values, name, TRAININGS[name], top)


def new_update(name: str, values: dict[str, Any], device: torch.device) -> Callable[[], loop.Terms]:
    """One update of a training with fresh weights on random images, all the same on every device."""
    torch.backends.cudnn.benchmark = True  # as `fit` does
    p = chosen(name, values)
    training = new_training(name, values, p)
    kinds, random = 3 if name == "train_bgan" else 2, torch.Generator().manual_seed(1)
    group = []
    for _ in range(p.accumulate):
        images = torch.rand(kinds, p.batch, 3, p.patch, p.patch, generator=random).to(device)
        group.append(tuple(each.to(memory_format=torch.channels_last) for each in images))
    move(training, device)
    optimizers = {key: loop.new_optimizer(loop.ready(net, p, device), p, key) for key, net in training.networks.items()}
    return lambda: loop.update(training, optimizers, group, list(range(p.accumulate)), 1, p)


def move(training: Any, device: torch.device) -> None:
    """What a training has beside its networks to the device, as the stages do."""
    if hasattr(training, "features"):
        training.features.to(device, memory_format=torch.channels_last)
    if hasattr(training, "tables"):
        training.tables = training.tables.to(device)


def update(name: str, precision: str) -> tuple[Row, Row]:
    values = params(SCALE)
    values[name] |= {"precision": precision, "accumulate": 1}
    if not CUDA:
        values[name]["patch"] = min(values[name]["patch"], CPU_PATCH)
    if name == "train_bgan":
        values["blur_generator"]["name"] = "bgan"
        values[name] |= {"method": "cycle", "pixel_steps": 0}  # that phase is over soon
    seconds, flops, peak = cost(new_update(name, values, DEVICE))
    own = {"seconds": f"{seconds:.3g}", "TFLOP/s": f"{flops / seconds / 1e12:.3g}", "peak GiB": f"{peak / 2**30:.1f}"}
    return {"TFLOP": f"{flops / 1e12:.3g}"}, own


frames = partial(rows, "network", NETWORKS, frame)
steps = partial(rows, "update", TRAININGS, update)
