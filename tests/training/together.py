"""Trainings by several processes on this machine; they are forked from a server that has torch loaded."""

import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from tiny_steps import BUILD, IMAGES, photographs
from torch import nn

from dbgan.models.grad_checkpoint import checkpoint_blocks
from dbgan.training import distributed
from dbgan.training.optim import running_mean


def run(function: Callable, processes: int, folder: Path, *arguments: Any) -> list:
    """What function(*arguments) gives in each of so many processes that have met by gloo."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["together"])
    each = [
        context.Process(target=_one, args=(function, rank, processes, folder, arguments)) for rank in range(processes)
    ]
    for process in each:
        process.start()
    for process in each:
        process.join(120)
    assert [process.exitcode for process in each] == [0] * processes
    return [torch.load(folder / f"{processes}-{rank}.pt") for rank in range(processes)]


def _one(function: Callable, rank: int, processes: int, folder: Path, arguments: tuple) -> None:
    torch.set_num_threads(1)
    store = f"file://{folder}/store-{processes}"
    dist.init_process_group("gloo", init_method=store, rank=rank, world_size=processes)
    torch.save(function(*arguments), folder / f"{processes}-{rank}.pt")
    dist.destroy_process_group()


def train(cases: dict[str, dict], steps: int, dtype: torch.dtype) -> dict[str, dict]:
    """Each training of `cases` by this process's part: weights and statistics, and the means of the last update."""
    return {name: _trained(steps, dtype, **case) for name, case in cases.items()}


def _trained(
    steps: int, dtype: torch.dtype, training: str, batch: int, accumulate: int, recomputed: bool = False, **changes
) -> dict:
    place = distributed.place(batch, accumulate)
    step = BUILD[training](place=place, batch=batch, accumulate=accumulate, steps=steps, **changes)
    networks = {name: part for name, part in step.parts().items() if isinstance(part, nn.Module)}
    for network in [*networks.values(), getattr(step, "features", nn.Identity())]:
        network.to(dtype)
    mean = running_mean(step.result, 0.5)
    if recomputed:
        checkpoint_blocks(step.result)
    for n in range(1, steps + 1):
        whole = [photographs(100 * n + k, IMAGES[training], batch) for k in place.batches(accumulate)]
        values = step(n, [tuple(images[place.rows(batch)].to(dtype) for images in images_of) for images_of in whole])
        mean.update_parameters(step.result)
    last = torch.stack(list(values.values()))
    distributed.average([last])
    states = {name: network.state_dict() for name, network in (networks | {"mean": mean}).items()}
    tensors = {f"{name}.{key}": tensor for name, state in states.items() for key, tensor in state.items()}
    return tensors | {f"value.{name}": value for name, value in zip(values, last, strict=True)}
