"""The command part that all training stages share: parameters, device, tracking, resuming, writing."""

import copy
import time
from pathlib import Path
from typing import Any

import torch

from dbgan import checkpoint, distributed, outputs, settings, tracking, utils
from dbgan.data.batches import Batches, stream
from dbgan.training.loop import Training, TrainParams, autocast, distributed_shard, fit, new_optimizer, ready, update
from dbgan.training.state import Row, code, unfinished


class Job:
    """A training stage: all of params.yaml, the device, and the files for weights, metrics and curve."""

    def __init__(self, stage: str, params: Path, out: Path, metrics: Path, curve: Path) -> None:
        self.stage, self.out, self.metrics, self.curve = stage, out, metrics, curve
        self.values = settings.load(params)
        self.common = settings.top(self.values, settings.Common)
        self.device = outputs.device(self.common.threads, self.values["scale"])

    def train(
        self,
        training: Training,
        p: TrainParams,
        data: Batches,
        recipe: tuple[str, Any],
        used: list[str],
        **figures: str,
    ) -> Row:
        """Fit `training` and write weights, curve and metrics: the curve's last row, which is returned, and `figures`.

        recipe: name and config of the trained network; used: the keys of params.yaml that the result depends on.
        Full memory ends it with the keys to lower.
        """
        batch = f"{self.stage}.batch (or scales.{self.values['scale']}.{self.stage}.patch)"
        advice = f"lower {batch}, raise accumulate instead, or set {self.stage}.checkpointing: true"
        if hasattr(p, "one_forward"):
            advice += f", {self.stage}.one_forward: false"
        # Where VGG's weights come from does not count: their digest, one of the figures, does.
        values = {key: self.values[key] for key in used if key != "archives"}
        if "perceptual" in values:
            values["perceptual"] = {key: value for key, value in values["perceptual"].items() if key != "weights"}
        outputs.log_device(self.device, precision(p, self.device))
        weights = 4 * sum(weight.numel() for net in training.networks.values() for weight in net.parameters())
        utils.enough_disk({"state of the training": 2 * 5 * weights}, utils.project_root())  # 5: SOAP's and the mean's
        determines = [code(self.stage, recipe[0]), values, data.digests, figures]
        determines += [self.device.type, precision(p, self.device)]
        with (
            tracking.run(self.stage, self.values, used) as log,
            unfinished(self.stage, determines) as state,
            utils.out_of_memory(advice),
        ):
            try_update(training, p, data, self.device)
            trained = fit(training, data, p, self.common.seed, self.device, state, log.metrics)
            if distributed.is_main():
                with utils.atomic_write(self.out) as part:
                    checkpoint.save(part, trained, *recipe)
                columns = dict.fromkeys(name for row in state.rows for name in row)
                outputs.write_csv(self.curve, [dict.fromkeys(columns, 0.0) | row for row in state.rows])
                outputs.write_json(self.metrics, state.rows[-1] | figures)
                log.files(self.metrics, self.curve)
        return state.rows[-1]


def precision(p: TrainParams, device: torch.device) -> str:
    """Of the convs: p.precision, or what stands in for it on this machine."""
    with autocast(p, device):
        enabled = torch.is_autocast_enabled(device.type)
        return str(torch.get_autocast_dtype(device.type) if enabled else torch.float32).removeprefix("torch.")


def try_update(training: Training, p: TrainParams, data: Batches, device: torch.device) -> None:
    """One update by a copy of the training, so that memory that is too small shows now, and says how long all may take:
    the last update's kind, as the first ones may lack networks (`pixel_steps`). A GPU does another, which counts: its
    first one chooses the algorithms and takes up to fifty times as long."""
    trial, shard = copy.deepcopy(training), distributed_shard(p.accumulate)
    optimizers = {name: new_optimizer(ready(network, p, device), p, name) for name, network in trial.networks.items()}
    group = next(stream(data, shard, len(shard), device))
    gpu = device.type == "cuda"
    for _ in range(1 + gpu):
        begin = time.monotonic()
        terms = update(trial, optimizers, group, list(shard), p.steps, p)
        float(next(iter(terms.values())))  # waits for a GPU
        seconds = time.monotonic() - begin
    hours = f"at that pace {p.steps} take {seconds * p.steps / 3600:.2g} h"
    utils.log(f"time: an update that was tried took {seconds:.2g} s{'' if gpu else ', warm-up included'}; {hours}")
