"""What an update of each training costs, and what a second process brings: python -m benchmarks.distributed

FLOPs of an update at the paper's scale, counted; updates/s of pre-training at the sample's, by one process and by two
that share its batches, each with one thread, measured in turns. See docs/scaling.md.
"""

import time
from multiprocessing import get_context
from multiprocessing.connection import Connection
from tempfile import TemporaryDirectory
from typing import Any

import typer

from benchmarks.networks import machine
from benchmarks.steps import IMAGES, new_step, params_of
from dbgan import utils

PROCESSES = 2


def flops(training: str, scale: str) -> int:
    """FLOPs of one update after any pixel phase, as PyTorch counts them: of convs and matrix products, a multiply-add
    as 2. On the meta device, where nothing is computed."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    step, p = new_step(training, params_of(scale), device="meta")
    images = tuple(torch.empty(p.batch, 3, p.patch, p.patch, device="meta") for _ in range(IMAGES[training]))
    with FlopCounterMode(display=False) as counter:
        step(p.steps, [images] * p.accumulate)
    return counter.get_total_flops()


def serve(pipe: Connection, number: int, count: int, store: str, bfloat16: bool) -> None:
    """A process of a group that pre-trains: for each number of updates received, the seconds that they took."""
    import torch
    import torch.distributed as dist

    from dbgan.training import distributed
    from dbgan.training.optim import autocast

    torch.set_num_threads(1)
    if count > 1:
        dist.init_process_group("gloo", init_method=store, rank=number, world_size=count)
    values = params_of("sample")
    values["pretrain"] |= {"precision": "bfloat16" if bfloat16 else "float32"}
    p = new_step("pretrain", values)[1]
    place = distributed.place(p.batch, p.accumulate)
    step, _ = new_step("pretrain", values, place)
    size = len(range(p.batch)[place.rows(p.batch)])
    images = tuple(torch.rand(size, 3, p.patch, p.patch).to(memory_format=torch.channels_last) for _ in range(2))
    while updates := pipe.recv():
        start = time.perf_counter()
        for n in range(1, updates + 1):
            with autocast(p, "cpu"):
                step(n, [images] * len(place.batches(p.accumulate)))
        pipe.send(time.perf_counter() - start)


def throughput(bfloat16: bool, updates: int, rounds: int) -> dict[str, float]:
    """Updates/s of one process and of PROCESSES together, the fastest of `rounds` in turns, as other work on a machine
    only slows; and their ratio."""
    context, found = get_context("spawn"), {1: [], PROCESSES: []}
    with TemporaryDirectory() as folder:
        groups: dict[int, list] = {1: [], PROCESSES: []}
        for count, pipes in groups.items():
            for number in range(count):
                here, there = context.Pipe()
                arguments = (there, number, count, f"file://{folder}/store", bfloat16)
                context.Process(target=serve, args=arguments, daemon=True).start()
                pipes.append(here)
        for turn in range(rounds + 1):
            for count, pipes in groups.items():
                for pipe in pipes:
                    pipe.send(updates if turn else 1)
                seconds = max(pipe.recv() for pipe in pipes)
                found[count] += [updates / seconds] if turn else []  # the first turn finds libraries unloaded
        for pipe in (pipe for pipes in groups.values() for pipe in pipes):
            pipe.send(0)
    one, together = max(found[1]), max(found[PROCESSES])
    return {"one": one, "together": together, "ratio": together / one}


def measure(updates: int = 10, rounds: int = 20) -> dict[str, Any]:
    """Everything, as numbers."""
    place = machine()
    results: dict[str, Any] = {"machine": place, "flops": {name: flops(name, "paper") for name in IMAGES}}
    results["flops_sample_pretrain"] = flops("pretrain", "sample")
    for precision in ("float32", "bfloat16") if place["bfloat16"] else ("float32",):
        results[precision] = throughput(precision == "bfloat16", updates, rounds)
    return results


def main(updates: int = 10, rounds: int = 20) -> None:
    """Print the cost of an update and what a second process brings, of ROUNDS turns of UPDATES updates each."""
    if updates < 1 or rounds < 1:
        raise ValueError("updates and rounds must be at least 1")
    results = measure(updates, rounds)
    for name, count in results["flops"].items():
        typer.echo(f"{name}, paper: {count / 1e12:.3g} TFLOP an update")
    for precision in ("float32", "bfloat16"):
        if found := results.get(precision):
            line = "pretrain, sample, {}: {one:.3g} updates/s by one process, {together:.3g} by {}: {ratio:.2f} x"
            typer.echo(line.format(precision, PROCESSES, **found))


app = utils.app(main)

if __name__ == "__main__":
    app()
