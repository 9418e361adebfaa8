"""What an update costs as shipped, beside the plain way: python -m benchmarks.training

Shipped: channels-last, in bfloat16 where the machine has it. Plain: contiguous, float32. Both run in turn in one
process. See benchmarks/README.md.
"""

import statistics
from collections.abc import Callable
from typing import Any

import typer

from benchmarks.networks import in_own_process, took
from benchmarks.steps import IMAGES, SECTIONS, SEED, new_step, params_of
from dbgan import outputs, settings, utils

LOSSES = {
    "train_bgan": "pixel",
    "pretrain": "content",
    "finetune": "perceptual",
}  # of each training, the loss that is compared
WAYS = ("shipped", "plain")
CURVE, LAST = 200, 50  # updates whose losses are compared, and those whose mean is the final loss
CPU_PATCH = 64  # pixels; with the paper's 128 the plain way's cycle ran out of 24 GiB
CONV = (4, 64, 128, 128)  # batch, channels, height and width of the conv that shows what the machine can do
Update = Callable[[int, list], dict]


def update(training: str, scale: str, way: str, device, **changes: Any) -> tuple[Update, Any]:
    """One update of a training with fresh weights, as a function of its number and batches, and its parameters; on a
    CPU with patches of at most CPU_PATCH."""
    import torch

    from dbgan.training.optim import autocast

    values = params_of(scale)
    values[SECTIONS[training]] |= changes
    if way == "plain":
        values[SECTIONS[training]]["precision"] = "float32"
    if device.type == "cpu":
        values[SECTIONS[training]]["patch"] = min(values[SECTIONS[training]]["patch"], CPU_PATCH)
    step, p = new_step(training, values, device=device)
    layout = torch.channels_last if way == "shipped" else torch.contiguous_format
    networks = [part for part in step.parts().values() if isinstance(part, torch.nn.Module)]
    for network in [*networks, getattr(step, "features", networks[0])]:
        network.to(memory_format=layout)

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

    device = outputs.device(torch.get_num_threads())
    changes = {"pixel_steps": 0} if training == "train_bgan" else {}  # the pixel phase is over soon
    both = {way: update(training, scale, way, device, **changes) for way in WAYS}
    _, p = both["shipped"]
    draw = torch.Generator().manual_seed(SEED)
    size = (p.batch, 3, p.patch, p.patch)
    batch = [tuple(torch.rand(size, generator=draw).to(device) for _ in range(IMAGES[training]))]
    with FlopCounterMode(display=False) as counter:  # these updates warm up, too
        both["shipped"][0](1, batch)
    both["plain"][0](1, batch)
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    for n in range(2, runs + 2):
        for way, (run, _) in both.items():
            seconds[way].append(took(lambda run=run, n=n: run(n, batch), device.type))
    medians = {way: statistics.median(found) for way, found in seconds.items()}
    return medians | {"ratio": medians["plain"] / medians["shipped"], "flops": counter.get_total_flops()}


def conv_speed(seconds: float = 2.0) -> float:
    """Operations a second of a 3 x 3 conv of 64 channels, forward and backward, channels-last and in the precision that
    trainings compute in: what this machine gives convs at most, or nearly."""
    import torch

    from dbgan.training.optim import OptimParams, autocast

    device = outputs.device(torch.get_num_threads())
    with autocast(settings.section(params_of("paper"), "pretrain", OptimParams), device):
        reduced = torch.is_autocast_enabled(device.type)
    batch, channels, height, width = CONV
    how = {"memory_format": torch.channels_last, "dtype": torch.bfloat16 if reduced else torch.float32}
    conv = torch.nn.Conv2d(channels, channels, 3, padding=1).to(device, **how)
    images = torch.rand(CONV, device=device).to(**how).requires_grad_()
    gradient = torch.ones_like(images)
    repeats = 1

    def work() -> None:
        for _ in range(repeats):
            conv(images).backward(gradient)

    work()
    while (spent := took(work, device.type)) < seconds:
        repeats *= 2
    return 3 * 2 * 9 * channels**2 * batch * height * width * repeats / spent


def final_losses(training: str) -> dict[str, float]:
    """The mean loss of the last updates in both ways, on the same batches of the sample photographs, and how far the
    shipped way's is from the plain way's, as a share."""
    import numpy as np
    import torch

    from dbgan.data import camera_shake, photographs, photos

    device = outputs.device(torch.get_num_threads())
    camera = settings.section(params_of("sample"), "camera", camera_shake.ShakeParams)
    pairs = []
    for number, name in enumerate(photographs.TRAIN):
        sharp = photographs.load(name)
        pairs.append((sharp, camera_shake.blur(sharp, camera, np.random.default_rng([SEED, number]))))
    found = {}
    for way in WAYS:
        run, p = update(training, "sample", way, device)
        losses = []
        for n in range(1, CURVE + 1):
            rng = np.random.default_rng([SEED, n])
            cut = [_patches(pairs, p.batch, p.patch, rng) for _ in range(2)]
            triple = [photos.to_float(images).to(device) for images in (*cut[0], cut[1][1])]
            batch = triple if training == "train_bgan" else [triple[1], triple[0]]
            losses.append(run(n, [tuple(batch)])[LOSSES[training]])
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


def measure(scale: str = "paper", runs: int = 3) -> list[dict[str, Any]]:
    """A row of figures for each training."""
    peak = in_own_process(conv_speed)
    rows = []
    for training in LOSSES:
        utils.log(f"{training}, networks of the scale {scale} ...")
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


def main(scale: str = "paper", runs: int = 3) -> None:
    """Measure an update of each training with the networks of SCALE, the median of RUNS after one to warm up."""
    typer.echo(table(measure(scale, runs)))


app = utils.app(main)

if __name__ == "__main__":
    app()
