"""A training that is killed goes on as if nothing had happened; one that is interrupted says so."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from dbgan.data import h5
from dbgan.training.pretrain import PretrainStep
from stages import pretrain

ROOT = Path(__file__).parents[2]
ARGUMENTS = ["crops.h5", "synthetic.h5", "out.safetensors"]
STEPS = 60
# A parent that runs in the background makes its children ignore SIGINT; this undoes it.
LISTENING = "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
COMMAND = [sys.executable, "-c", LISTENING + "runpy.run_module('stages.pretrain', run_name='__main__')", *ARGUMENTS]


@pytest.fixture
def place(tmp_path, monkeypatch, photo, write_params):
    """place(name): a folder with crops, blurs and parameters, as current folder and repository."""

    def make(name: str) -> Path:
        root = tmp_path / name
        root.mkdir()
        changes = {"steps": STEPS, "log_every": 1, "save_every": 1}
        write_params(root / "params.yaml", {f"scales.sample.pretrain.{key}": v for key, v in changes.items()})
        crops = np.stack([photo(i, 40, 40) for i in range(4)])
        with h5.create(root / "crops.h5") as file:
            file.write("paired/sharp", crops)
            file.write("paired/blurred", crops[:, ::-1])
        with h5.create(root / "synthetic.h5") as file:
            file.made_of(h5.Reader(root / "crops.h5"))
            file.write("synthetic/blurred", crops[:, :, ::-1])
            file.write("synthetic/source", np.arange(4))
        monkeypatch.setenv("DVC_ROOT", str(root))
        monkeypatch.chdir(root)
        return root

    return make


@pytest.fixture
def updates(monkeypatch) -> list[int]:
    """The updates that trainings in this process do."""
    done: list[int] = []
    step = PretrainStep.__call__
    monkeypatch.setattr(PretrainStep, "__call__", lambda self, n, batches: done.append(n) or step(self, n, batches))
    return done


def started(root: Path) -> tuple[subprocess.Popen, Path]:
    """A training in its own process, and the file of its state, as soon as that is there."""
    process = subprocess.Popen(
        COMMAND, cwd=root, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, text=True
    )
    for _ in range(3000):
        if states := list(root.glob(".state/pretrain/*/state.pt")):
            return process, states[0]
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.02)
    process.kill()
    raise AssertionError("no state was saved within a minute")


def train() -> None:
    result = CliRunner().invoke(pretrain.app, ARGUMENTS)
    assert result.exit_code == 0, result.stderr


def results(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in [root / "out.safetensors", *sorted((root / "metrics").iterdir())]}


def test_a_killed_training_goes_on_where_it_was_and_ends_the_same(place, updates):
    whole = place("whole")
    train()
    assert updates == list(range(1, STEPS + 1))
    updates.clear()

    root = place("killed")
    process, state = started(root)
    process.kill()
    process.communicate()
    assert not (root / "out.safetensors").exists()
    saved = torch.load(state, weights_only=True)["updates"]
    assert 1 <= saved < STEPS

    train()
    assert updates == list(range(saved + 1, STEPS + 1))
    assert results(root) == results(whole)
    assert not state.parent.exists()


def test_an_interrupted_training_ends_with_one_line_and_can_go_on(place):
    root = place("interrupted")
    process, state = started(root)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in stderr
    lines = [line for line in stderr.splitlines() if line and "%|" not in line]
    assert len(lines) == 1, stderr
    assert lines[0].startswith("pretrain: interrupted")
    assert not (root / "out.safetensors").exists()
    assert not list(root.glob("*.part"))
    assert state.exists()


def test_a_second_training_of_the_same_result_is_refused(place):
    root = place("twice")
    process, _ = started(root)
    process.send_signal(signal.SIGSTOP)
    try:
        result = CliRunner().invoke(pretrain.app, ARGUMENTS)
    finally:
        process.kill()
        process.communicate()
    assert result.exit_code == 1
    assert "another process" in result.stderr
