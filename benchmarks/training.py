"""What an update costs as shipped, beside the plain way: python -m benchmarks.training

Shipped: channels-last, in bfloat16 where the machine has it. Plain: contiguous, float32. Both run in turn in one
process. See benchmarks/README.md.
"""

import statistics
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import typer
import yaml

from benchmarks.networks import in_own_process, took
from dbgan import params as settings
from dbgan import runtime

TRAININGS = {"cycle": "cycle_sharp", "pretrain": "content", "finetune": "perceptual"}  # and the loss that is compared
WAYS = ("shipped", "plain")
SEED = 118
CURVE, LAST = 200, 50  # updates whose losses are compared, and those whose mean is the final loss
CONV = (4, 64, 128, 128)  # batch, channels, height and width of the conv that shows what the machine can do
Update = Callable[[int, list], dict]


def parameters(scale: str) -> dict[str, Any]:
    """The shipped parameters of one scale."""
    shipped = yaml.load(Path(__file__).parents[1].joinpath("params.yaml").read_text(encoding="utf-8"), settings._Loader)
    with TemporaryDirectory() as folder:
        path = Path(folder, "params.yaml")
        path.write_text(yaml.safe_dump(shipped | {"scale": scale}))
        return settings.load(path)


def update(training: str, values: dict[str, Any], way: str, device) -> tuple[Update, Any]:
    """One update of a training with fresh weights, as a function of its number and batches, and its parameters."""
    import torch

    from dbgan.models.bgan import BlurConfig
    from dbgan.models.critics import build_critic
    from dbgan.models.dbgan import DeblurConfig
    from dbgan.models.features import PerceptualParams, VGGFeatures
    from dbgan.models.generators import gaussian_init, new_generator
    from dbgan.training.bgan_cycle import BganParams, CycleStep
    from dbgan.training.finetune import FinetuneParams, FinetuneStep
    from dbgan.training.optim import OptimParams, autocast
    from dbgan.training.pretrain import PretrainStep

    layout = torch.channels_last if way == "shipped" else torch.contiguous_format
    top = {"beta": "beta", "objective": "objective", "critic": "critic"}
    if training == "cycle":
        p = replace(settings.section(values, "bgan", BganParams, **top), pixel_steps=0)
    elif training == "pretrain":
        p = settings.section(values, "pretrain", OptimParams)
    else:
        p = settings.section(values, "finetune", FinetuneParams, alpha="alpha", **top)
    p = p if way == "shipped" else replace(p, precision="float32")

    def laid(network):
        return network.to(memory_format=layout)

    def critic(luminance: bool):
        network = build_critic(p.critic, p.critic_width, p.patch, luminance)
        return laid(gaussian_init(network, SEED, values["init_std"]))

    def generator(name: str, section: str, kind: type):
        config = asdict(settings.section(values, section, kind))
        return laid(new_generator(name, SEED, values["init_std"], **config))

    features = laid(VGGFeatures(replace(settings.section(values, "perceptual", PerceptualParams), weights="random")))
    deblur = generator("dbgan", "dbgan", DeblurConfig)
    if training == "cycle":
        blur, critics = generator("bgan", "bgan_network", BlurConfig), (critic(p.critic_luminance) for _ in range(2))
        step = CycleStep(blur, deblur, *critics, features, p, SEED, device)
    elif training == "pretrain":
        step = PretrainStep(deblur, p, device)
    else:
        step = FinetuneStep(deblur, critic(False), features, p, SEED, device)

    def run(n: int, batches: list) -> dict:
        ready = [tuple(images.contiguous(memory_format=layout) for images in batch) for batch in batches]
        with autocast(p, device):
            return step(n, ready)

    return run, p


def speed(training: str, scale: str, runs: int) -> dict[str, float]:
    """Median seconds of an update of one batch in both ways, their ratio, and the operations that PyTorch counts in
    it, a multiply-add as 2."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    device = runtime.device(torch.get_num_threads())
    values = parameters(scale)
    both = {way: update(training, values, way, device) for way in WAYS}
    _, p = both["shipped"]
    draw = torch.Generator().manual_seed(SEED)
    images = 3 if training == "cycle" else 2
    batch = [tuple(torch.rand(p.batch, 3, p.patch, p.patch, generator=draw).to(device) for _ in range(images))]
    with FlopCounterMode(display=False) as counter:  # these updates warm up, too
        both["shipped"][0](1, batch)
    both["plain"][0](1, batch)
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    for n in range(2, runs + 2):
        for way, (run, _) in both.items():
            seconds[way].append(took(lambda run=run, n=n: run(n, batch), device.type))
    medians = {way: statistics.median(found) for way, found in seconds.items()}
    return medians | {"ratio": medians["plain"] / medians["shipped"], "flops": counter.get_total_flops()}


def conv_speed(seconds: float = 3.0) -> float:
    """Operations a second of a 3 x 3 conv of 64 channels, forward and backward, in the shipped way."""
    import torch

    from dbgan.training.optim import OptimParams, autocast

    device = runtime.device(torch.get_num_threads())
    p = settings.section(parameters("paper"), "pretrain", OptimParams)
    batch, channels, height, width = CONV
    conv = torch.nn.Conv2d(channels, channels, 3, padding=1).to(device, memory_format=torch.channels_last)
    images = torch.rand(CONV, device=device).to(memory_format=torch.channels_last).requires_grad_()
    repeats = 1

    def work() -> None:
        with autocast(p, device):
            for _ in range(repeats):
                conv(images).sum().backward()

    work()
    while (took_seconds := took(work, device.type)) < seconds:
        repeats *= 2
    return 3 * 2 * 9 * channels**2 * batch * height * width * repeats / took_seconds


def final_losses(training: str) -> dict[str, float]:
    """The mean loss of the last updates in both ways, on the same batches of the sample photographs, and how far the
    shipped way's is from the plain way's, as a share."""
    import numpy as np
    import torch

    from dbgan.data import frames, photographs, shake

    device = runtime.device(torch.get_num_threads())
    values = parameters("sample")
    camera = settings.section(values, "camera", shake.ShakeParams)
    pairs = []
    for number, name in enumerate(photographs.TRAIN):
        sharp = photographs.load(name)
        pairs.append((sharp, shake.blur(sharp, camera, np.random.default_rng([SEED, number]))))
    found = {}
    for way in WAYS:
        run, p = update(training, values, way, device)
        losses = []
        for n in range(1, CURVE + 1):
            rng = np.random.default_rng([SEED, n])
            cut = [_patches(pairs, p.batch, p.patch, rng) for _ in range(2)]
            triple = [frames.to_float(images).to(device) for images in (*cut[0], cut[1][1])]
            batch = triple if training == "cycle" else [triple[1], triple[0]]
            losses.append(run(n, [tuple(batch)])[TRAININGS[training]])
        found[way] = float(torch.stack(losses[-LAST:]).mean())
    return found | {"difference": abs(found["shipped"] / found["plain"] - 1)}


def _patches(pairs: list, batch: int, patch: int, rng) -> tuple:
    """(sharp, blurred), each (batch, patch, patch, 3) uint8, at random places."""
    import numpy as np

    cut = []
    for _ in range(batch):
        sharp, blurred = pairs[rng.integers(len(pairs))]
        y, x = (rng.integers(length - patch + 1) for length in sharp.shape[:2])
        cut.append([image[y : y + patch, x : x + patch] for image in (sharp, blurred)])
    return tuple(np.stack(side) for side in zip(*cut, strict=True))


def measure(scale: str = "paper", runs: int = 1) -> list[dict[str, Any]]:
    """A row of figures for each training."""
    peak = in_own_process(conv_speed)
    rows = []
    for training in TRAININGS:
        runtime.say(f"{training}, networks of the scale {scale} ...")
        row = {"training": training, "scale": scale, **in_own_process(speed, training, scale, runs)}
        row["share_of_conv_peak"] = row["flops"] / row["shipped"] / peak
        row["final_loss"] = in_own_process(final_losses, training)
        rows.append(row | {"conv_flops": peak})
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """The figures in Markdown."""
    return "\n".join(
        [
            "| update | plain, s | shipped, s | ratio | share of the conv's speed "
            f"| loss after {CURVE} updates, plain | shipped |",
            "|---|---|---|---|---|---|---|",
            *(
                f"| {row['training']}, {row['scale']} | {row['plain']:.3g} | {row['shipped']:.3g} "
                f"| {row['ratio']:.2f} | {row['share_of_conv_peak']:.0%} | {row['final_loss']['plain']:.4g} "
                f"| {row['final_loss']['shipped']:.4g} ({row['final_loss']['difference']:.1%} off) |"
                for row in rows
            ),
            "",
            f"The conv computes {rows[0]['conv_flops'] / 1e9:.0f} GFLOP/s.",
        ]
    )


def main(scale: str = "paper", runs: int = 1) -> None:
    """Measure an update of each training with the networks of SCALE, the median of RUNS after one to warm up."""
    typer.echo(table(measure(scale, runs)))


app = runtime.app(main)

if __name__ == "__main__":
    app()
