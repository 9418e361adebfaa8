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
from dbgan.models.build import gaussian_init, new_generator, reverse
from dbgan.models.critics import build_critic
from dbgan.models.vgg import PerceptualParams, VGGFeatures
from dbgan.training.bgan_cycle import BganParams, CycleStep
from dbgan.training.finetune import FinetuneParams, FinetuneStep
from dbgan.training.optim import OptimParams, autocast
from dbgan.training.pretrain import PretrainStep

SECTIONS = {"train_bgan": "bgan", "pretrain": "pretrain", "finetune": "finetune"}
IMAGES = {"train_bgan": 3, "pretrain": 2, "finetune": 2}  # kinds of photographs in a batch
SEED = 118
CPU_PATCH = 64  # pixels; the paper's 128 is for GPUs


def new_step(training: str, values: dict[str, Any], device: torch.device):
    """One update of the training as a function of its number and batches, BGAN's in the cycle; and its parameters."""
    std, common = values["init_std"], {"beta": "beta", "objective": "objective", "critic": "critic"}

    def critic(luminance: bool) -> torch.nn.Module:
        return gaussian_init(build_critic(p.critic, p.critic_width, p.patch, luminance), SEED, std)

    if training == "pretrain":
        p = settings.section(values, training, OptimParams)
        return PretrainStep(new_generator("dbgan", SEED, std, **values["dbgan"]), p, device), p
    features = VGGFeatures(settings.section(values, "perceptual", PerceptualParams))
    if training == "finetune":
        p = settings.section(values, training, FinetuneParams, alpha="alpha", **common)
        generator = new_generator("dbgan", SEED, std, **values["dbgan"])
        return FinetuneStep(generator, critic(False), features, p, SEED, device), p
    p = settings.section(values, "bgan", BganParams, **common)
    name, config = reverse("bgan", values["bgan_network"])
    blur = new_generator("bgan", SEED, std, **values["bgan_network"])
    critics = [critic(p.critic_luminance) for _ in range(2)]
    return CycleStep(blur, new_generator(name, SEED, std, **config), *critics, features, p, SEED, device), p


def update(training: str, scale: str, precision: str, runs: int) -> tuple[float, int, int]:
    """Seconds of one batch, the median of `runs` after one to warm up; FLOPs, a multiply-add as 2; peak memory."""
    device, values = measure.device(), measure.params(scale)
    section = values[SECTIONS[training]]
    section |= {"precision": precision}
    if device.type == "cpu":
        section["patch"] = min(section["patch"], CPU_PATCH)
    if training == "train_bgan":
        section["pixel_steps"] = 0  # that phase is over soon
    step, p = new_step(training, values, device)
    images = torch.rand(IMAGES[training], p.batch, 3, p.patch, p.patch).to(device)
    batch = tuple(kind.to(memory_format=torch.channels_last) for kind in images)

    def work(n: int) -> None:
        with autocast(p, device):
            step(n, [batch])

    with FlopCounterMode(display=False) as counter:
        work(1)
    taken = [measure.seconds(lambda n=n: work(n)) for n in range(2, runs + 2)]
    return statistics.median(taken), counter.get_total_flops(), measure.peak_bytes()


def main(scale: str = "paper", runs: int = 3) -> None:
    """Measure an update of each training with the networks of SCALE; the paper's write benchmarks/README.md."""
    precisions = ["float32"] + ["bfloat16"] * measure.has_bfloat16()
    rows: list[list] = [["update", "TFLOP"]]
    rows[0] += [f"{what}, {precision}" for precision in precisions for what in ("seconds", "TFLOP/s", "peak GiB")]
    for training in SECTIONS:
        row: list = [training, None]
        for precision in precisions:
            taken, flops, peak = measure.in_own_process(update, training, scale, precision, runs) or (None, 0, 0)
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
