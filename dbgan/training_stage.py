"""What the training stages share beside their steps: how batches come, what a state belongs to, what is written."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.utils.data import Subset

from dbgan import checkpoint, distributed, outputs, settings, tracking, utils
from dbgan.data.batches import Batches, stream
from dbgan.models.build import GENERATORS
from dbgan.training import resume
from dbgan.training.distributed import Place
from dbgan.training.optim import OptimParams

HERE = Path(__file__).parents[1]
Deviation = Annotated[float, Field(ge=0)]  # what a Gaussian's can be, as `settings.value` takes it


def batches(
    data: Batches, p: OptimParams, place: Place, device: torch.device
) -> Callable[[int], Iterator[list[tuple[Tensor, ...]]]]:
    """What `loop.fit` asks for: this process's batches of each update after the one given."""
    ours, each = Subset(data, place.order(p.steps, p.accumulate)), len(place.batches(p.accumulate))
    return lambda start: stream(ours, range(start * each, p.steps * each), each, device)


def code(stage: str, network: str) -> dict[str, str]:
    """The digests of the files that the result of a stage depends on, as dvc.yaml lists them."""
    named = GENERATORS[network].__module__.rpartition(".")[2]
    listed = settings.read(HERE / "dvc.yaml")["stages"][stage]["deps"]
    paths = [re.sub(r"\$\{.*\}", named, dep) for dep in listed]
    return {path: utils.sha256(HERE / path) for path in paths if path.endswith(".py")}


@contextmanager
def unfinished(stage: str, values: dict[str, Any], network: str, determines: list) -> Iterator[resume.State]:
    """The state of a training of `network`, see `resume.state`; full memory ends it with the keys to lower."""
    section = f"scales.{values['scale']}.{stage.removeprefix('train_')}"
    less = f"lower {section}.batch (and raise {section}.accumulate) or {section}.patch"
    with (
        resume.state(utils.project_root(), stage, [code(stage, network), *determines], utils.log) as state,
        utils.out_of_memory(f"{less}, or set {section}.checkpointing: true"),
    ):
        yield state


def write(
    trained: nn.Module,
    recipe: tuple[str, dict],
    rows: list[resume.Row],
    paths: tuple[Path, Path, Path],
    log: tracking.Log,
    **figures: str,
) -> None:
    """The results of a training, by the first process: weights, metrics (the last row and `figures`) and curve, at
    `paths` in this order."""
    if not distributed.is_main():
        return
    out, metrics, curve = paths
    with utils.atomic_write(out) as part:
        checkpoint.save(part, trained, *recipe)
    outputs.write_csv(curve, rows)
    outputs.write_json(metrics, rows[-1] | figures)
    log.files(metrics, curve)
