"""An update of each training with the paper's networks: python -m benchmarks.steps

Seconds and peak memory of one batch, in float32 and, where the machine has it, in bfloat16.
"""

import statistics
from typing import Any

import torch
import typer
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import measure
from dbgan import markdown, settings, utils
from dbgan.models.bgan import BlurConfig
from dbgan.models.build import build_generator, gaussian_init
from dbgan.models.critics import CriticConfig, build_critic
from dbgan.models.dbgan import DeblurConfig
from dbgan.models.vgg import PerceptualParams, VGGFeatures
from dbgan.training import loop
from dbgan.training.bgan import CycleBgan, TrainBganParams
from dbgan.training.dbgan import Finetune, FinetuneParams, Pretrain

PARAMS = {"train_bgan": TrainBganParams, "pretrain": loop.TrainParams, "finetune": FinetuneParams}
IMAGES = {"train_bgan": 3, "pretrain": 2, "finetune": 2}  # kinds of photographs in a batch
CPU_PATCH = 64  # pixels; the paper's 128 is for GPUs


def new_training(name: str, values: dict[str, Any], p: Any, device: torch.device) -> loop.Training:
    """A training with fresh weights, BGAN's in the cycle."""

    def generator(section: str, config: type[settings.Params]) -> torch.nn.Module:
        return gaussian_init(build_generator(section, settings.section(values, section, config)), 0, values["init_std"])

    def critic(luminance: bool) -> torch.nn.Module:
        config = CriticConfig(kind=p.critic, width=p.critic_width, patch=p.patch, luminance=luminance)
        return gaussian_init(build_critic(config), 0, values["init_std"])

    deblur = generator("dbgan", DeblurConfig)
    if name == "pretrain":
        return Pretrain(deblur)
    features = VGGFeatures(settings.section(values, "perceptual", PerceptualParams)).to(device)
    if name == "finetune":
        return Finetune(p, features, generator=deblur, critic=critic(False))
    critics = {name: critic(p.critic_luminance) for name in ("blur_critic", "sharp_critic")}
    return CycleBgan(p, features, blur=generator("bgan", BlurConfig), deblur=deblur, **critics)


def update(name: str, scale: str, precision: str, runs: int) -> tuple[float, int, int]:
    """Seconds of one batch, the median of `runs` after one to warm up; FLOPs, a multiply-add as 2; peak memory."""
    device, values = measure.device(), measure.params(scale)
    values[name] |= {"precision": precision}
    if device.type == "cpu":
        values[name]["patch"] = min(values[name]["patch"], CPU_PATCH)
    if name == "train_bgan":
        values[name]["pixel_steps"] = 0  # that phase is over soon
    top = [key for key in ("alpha", "beta", "objective", "critic") if key in PARAMS[name].model_fields]
    p = settings.section(values, name, PARAMS[name], top)
    training = new_training(name, values, p, device)
    networks = {key: loop.ready(network, p, device) for key, network in training.networks.items()}
    optimizers = {key: loop.adam(network, p, key) for key, network in networks.items()}
    images = torch.rand(IMAGES[name], p.batch, 3, p.patch, p.patch).to(device)
    batch = tuple(kind.to(memory_format=torch.channels_last) for kind in images)

    def work(n: int) -> None:
        loop.set_lr_and_zero_grad(optimizers, n, p)
        with loop.autocast(p, device):
            loop.backward(training, [batch], [n], n)
        for optimizer in optimizers.values():
            optimizer.step()

    with FlopCounterMode(display=False) as counter:
        work(1)
    taken = [measure.seconds(lambda n=n: work(n)) for n in range(2, runs + 2)]
    return statistics.median(taken), counter.get_total_flops(), measure.peak_bytes()


def main(scale: str = "paper", runs: int = 3) -> None:
    """Measure an update of each training with the networks of SCALE; the paper's write benchmarks/README.md."""
    precisions = ["float32"] + ["bfloat16"] * measure.has_bfloat16()
    rows: list[list] = [["update", "TFLOP"]]
    rows[0] += [f"{what}, {precision}" for precision in precisions for what in ("seconds", "TFLOP/s", "peak GiB")]
    for name in PARAMS:
        row: list = [name, None]
        for precision in precisions:
            taken, flops, peak = measure.in_own_process(update, name, scale, precision, runs) or (None, 0, 0)
            row[1] = f"{flops / 1e12:.3g}"
            row += [f"{taken:.3g}", f"{flops / taken / 1e12:.3g}", f"{peak / 2**30:.1f}"] if taken else [None] * 3
        rows.append(row)
        utils.log(" | ".join(map(str, row)))
    text = f"Networks of the scale {scale}; {measure.machine()}\n\n{markdown.table(rows)}"
    typer.echo(text)
    if scale == "paper":
        markdown.fill(measure.README, {"steps": text})


app = utils.app(main)

if __name__ == "__main__":
    app()
