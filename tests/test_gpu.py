"""Half an hour on a GPU, here a few seconds on the CPU: every step ends well and its result is kept."""

import json
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks import gpu
from dbgan import settings
from dbgan.data import h5

STEPS = ("devices", "against the CPU", "updates", "peak", "sample run", "pre-training")


@pytest.fixture
def crops(tmp_path, photo):
    """Two photographs of two crops each."""
    with h5.create(tmp_path / "crops.h5") as file:
        for k in range(2):
            for half in ("sharp", "blurred"):
                file.write(f"paired/{half}/{k:06}", photo(k, 64, 64))
        file.crops("paired", np.array([[k, 0, 0] for k in (0, 0, 1, 1)]), 64, ["a.png", "b.png"])
    return tmp_path / "crops.h5"


@pytest.fixture
def run(tmp_path, monkeypatch, write_params, crops):
    path = write_params(tmp_path / "params.yaml", {"scales.sample.perceptual.divisor": 1.0})
    monkeypatch.setattr(gpu.measure, "params", lambda scale: settings.load(path))
    monkeypatch.setattr(gpu, "SIDE", 64)
    monkeypatch.setattr(gpu.measure, "RUNS", 2)
    monkeypatch.setattr(gpu, "FOLDER", tmp_path)

    def results(minutes):
        command = [str(crops), "--minutes", str(minutes), "--device", "cpu"]
        assert CliRunner().invoke(gpu.app, command).exit_code == 0
        return json.loads((tmp_path / "cpu.json").read_text())

    return results


def test_every_step_gives_its_result(run):
    found = run(0)
    assert [name for name in STEPS if "error" in found[name]] == []
    assert found["devices"]["updates"] == 27
    assert all(found["against the CPU"][name]["agree"] for name in ("train_bgan", "pretrain", "finetune"))
    assert len(found["updates"]) == 8 + 1
    assert all(
        row["launches"] > 100 and row["TFLOP"] > 0 < row["seconds"]
        for row in found["updates"].values()
        if isinstance(row, dict)
    )
    assert found["peak"]["share"].keys() == found["updates"].keys() - {"took, seconds"}
    assert found["sample run"]["pretrain"]["step"] == 4
    (minute,) = found["pre-training"]["minutes"]
    assert 5 < minute["psnr"] < 60


def test_a_step_that_fails_leaves_the_others_their_results(run, monkeypatch):
    def broken(*arguments):
        raise RuntimeError("no memory")

    for step in ("devices", "updates", "sample_run"):
        monkeypatch.setattr(gpu, step, broken)
    found = run(0)
    assert {name for name in STEPS if "error" in found[name]} == {"devices", "updates", "sample run"}
    assert found["updates"]["error"] == "RuntimeError: no memory"


def test_it_imports_neither_dvc_nor_mlflow_nor_what_fetches():
    missing = (
        "import sys; sys.modules.update(dict.fromkeys(['dvc', 'mlflow', 'gdown', 'pandas'])); import benchmarks.gpu"
    )
    subprocess.run([sys.executable, "-c", missing], check=True)
