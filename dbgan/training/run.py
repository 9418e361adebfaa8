"""The command part that all training stages share: data to the device, tracking, resuming, writing."""

import re
from pathlib import Path
from typing import Any

import torch

from dbgan import checkpoint, distributed, outputs, settings, tracking, utils
from dbgan.data.batches import Batches
from dbgan.settings import Params
from dbgan.training.loop import Training, TrainParams, fit
from dbgan.training.state import unfinished

PROJECT = Path(__file__).parents[2]


def train(
    stage: str,
    values: dict[str, Any],
    used: list[str],
    inputs: list[str],
    training: Training,
    recipe: tuple[str, Params | dict[str, Any]],
    data: Batches,
    p: TrainParams,
    device: torch.device,
    paths: tuple[Path, Path, Path],
    **figures: str,
) -> None:
    """Fit `training` and write its weights, metrics (the last row of the curve and `figures`) and curve to `paths`.

    values: all of params.yaml; used: its keys that the result depends on; inputs: digests of the files that it depends
    on; recipe: name and config of the network that is trained. Full memory ends it with the keys to lower.
    """
    out, metrics, curve = paths
    section = f"{stage}.batch (or scales.{values['scale']}.{stage}.patch)"
    advice = f"lower {section}, raise accumulate instead, or set {stage}.checkpointing: true"
    # The sections that say where weights come from are left out: their digest is among the inputs.
    determines = [
        code(stage, recipe[0]),
        {key: values[key] for key in used if key not in ("perceptual", "archives")},
        *inputs,
    ]
    with (
        tracking.run(stage, values, used) as log,
        unfinished(stage, determines) as state,
        utils.out_of_memory(advice),
    ):
        trained = fit(training, data, p, values["seed"], device, state, log.metrics)
        if distributed.is_main():
            with utils.atomic_write(out) as part:
                checkpoint.save(part, trained, *recipe)
            columns = dict.fromkeys(name for row in state.rows for name in row)
            outputs.write_csv(curve, [dict.fromkeys(columns, 0.0) | row for row in state.rows])
            outputs.write_json(metrics, state.rows[-1] | figures)
            log.files(metrics, curve)


def code(stage: str, network: str) -> dict[str, str]:
    """The digests of the source files that the result of a stage depends on, as dvc.yaml lists them."""
    listed = settings.read(PROJECT / "dvc.yaml")["stages"][stage]["deps"]
    paths = [re.sub(r"\$\{.*\}", network, dep) for dep in listed]
    return {path: utils.sha256(PROJECT / path) for path in paths if path.endswith(".py")}
