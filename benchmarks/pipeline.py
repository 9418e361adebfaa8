"""What evaluation and a pipeline that has nothing to do cost: python -m benchmarks.pipeline"""

import subprocess
import sys
import time
from typing import Any

import typer

from benchmarks.networks import in_own_process, took
from benchmarks.steps import SEED, params_of
from benchmarks.training import WAYS
from dbgan import outputs, utils

FRAME = (720, 1280)
RUNS = 5


def evaluation() -> dict[str, float]:
    """Megapixels a second of whole frames through the sample scale's network, as `evaluate` restores them, and in
    contiguous tensors; the median of RUNS in turn."""
    import statistics
    from dataclasses import asdict

    import numpy as np
    import torch

    from dbgan import settings
    from dbgan.data import photos
    from dbgan.models.build import new_generator
    from dbgan.models.dbgan import DeblurConfig
    from dbgan.use import inference as restore

    device = outputs.device(torch.get_num_threads())
    values = params_of("sample")
    config = asdict(settings.section(values, "dbgan", DeblurConfig))
    layouts = {"shipped": torch.channels_last, "plain": torch.contiguous_format}
    networks = {
        way: new_generator("dbgan", SEED, values["init_std"], **config).eval().to(device, memory_format=layouts[way])
        for way in WAYS
    }
    photo = np.random.default_rng(SEED).integers(0, 256, (*FRAME, 3), np.uint8)
    margin = values["evaluate"]["margin"]

    def restored(way: str) -> np.ndarray:
        frame = photos.to_float(photo)
        frame = frame if way == "shipped" else frame.contiguous()
        return photos.to_uint8(restore.whole_frame(networks[way], frame, margin, device))

    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    for run in range(RUNS + 1):
        for way in WAYS:
            found = took(lambda way=way: restored(way), device.type)
            seconds[way] += [found] if run else []  # the first warms up
    speeds = {way: FRAME[0] * FRAME[1] / 1e6 / statistics.median(found) for way, found in seconds.items()}
    return speeds | {"ratio": speeds["shipped"] / speeds["plain"]}


def nothing_to_do() -> dict[str, float | None]:
    """Seconds of a `dvc repro` that runs no stage, beside those of `dvc version`, which only starts; None where the
    pipeline has not been run or DVC is not installed. A dry run comes first, so that nothing is ever trained here."""

    def dvc(*arguments: str) -> tuple[str, float]:
        start = time.perf_counter()
        ended = subprocess.run(
            [sys.executable, "-m", "dvc", *arguments],
            cwd=utils.project_root(),
            capture_output=True,
            text=True,
            check=False,
        )
        return ended.stdout + ended.stderr if not ended.returncode else "Running stage", time.perf_counter() - start

    none = {"stages": None, "shipped": None, "plain": None, "ratio": None}
    if "Running stage" in dvc("repro", "--dry")[0]:
        utils.log("dvc repro has something to do, or there is no DVC; it is not measured")
        return none
    _, plain = dvc("version")
    text, seconds = dvc("repro")
    return {"stages": text.count("didn't change"), "shipped": seconds, "plain": plain, "ratio": seconds / plain}


def measure() -> dict[str, dict[str, Any]]:
    """The figures of both."""
    return {"evaluation": in_own_process(evaluation), "nothing_to_do": nothing_to_do()}


def main() -> None:
    """Measure whole frames of the evaluation, and `dvc repro` after everything has run."""
    for what, found in measure().items():
        figures = ", ".join(f"{name} {value:.3g}" for name, value in found.items() if value is not None)
        typer.echo(f"{what}: {figures or 'not measured'}")


app = utils.app(main)

if __name__ == "__main__":
    app()
