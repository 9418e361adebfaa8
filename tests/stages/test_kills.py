"""A training, or BGAN's blurring, that is killed at any moment goes on and ends with the same bytes; one that is
interrupted says so.

Each runs in a process of its own; processes are forked from a server that has torch loaded.
"""

import importlib
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import STAGES, TOLD, dotted, promised, run
from typer.testing import CliRunner

from stages import pretrain

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
TRAININGS = ["train_bgan", "pretrain", "finetune"]
KILLED = [*TRAININGS, "synthesize"]
PRELOADED = ["torch._dynamo", "h5py", "pytest", *(f"stages.{stage}" for stage in KILLED)]
WRITING = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir"}  # what Python's audit hooks hear of


def train(stage: str, folder: Path, die_at: tuple[str, int] | None, seen) -> None:
    """The stage, in a process that kills itself before it makes a change to a file for the nth time."""
    os.chdir(folder)
    os.environ |= {"DVC_ROOT": str(folder), "DBGAN_TRACKING": "off"}
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    changes = []

    def watch(event: str, arguments: tuple) -> None:
        if event not in WRITING or not str(arguments[0]).startswith(
            (str(folder), "data", "models", "metrics", "state.")
        ):
            return
        if event == "open" and not set(str(arguments[1])) & set("wxa"):
            return
        changes.append(f"{event} {Path(str(arguments[0])).name}")
        if die_at and changes.count(die_at[0]) == die_at[1]:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    _, _, module, *arguments = STAGES[stage]["cmd"].split()
    importlib.import_module(module).app(arguments, standalone_mode=False)
    seen.put(changes)


@pytest.fixture(scope="module")
def place(tmp_path_factory, chain, write_params):
    """place(stage): a new folder with all that the training needs, few updates and a state after each."""

    def make(stage: str, steps: int = 6) -> Path:
        root = tmp_path_factory.mktemp(stage)
        options = {"steps": steps, "log_every": 1, "save_every": 1, "ema": 0.5, "clip": 1.0}
        changes = {dotted(stage, key): value for key, value in options.items()} if stage in TRAININGS else {}
        write_params(root / "params.yaml", changes or {"synthesize.batch": 1})
        for name in STAGES[stage]["deps"]:
            if not name.endswith(".py"):
                (root / name).parent.mkdir(exist_ok=True)
                shutil.copy(chain / name, root / name)
        return root

    return make


@pytest.fixture(scope="module")
def fork():
    """fork(stage, folder): the training, to its end, or killed after some seconds or at some change of a file: its exit
    code and the changes of files up to the end. Only a fork of a process that never computed is safe."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)

        def go(stage, folder, seconds=None, die_at=None):
            seen = context.SimpleQueue()
            process = context.Process(target=train, args=(stage, folder, die_at, seen))
            process.start()
            if seconds is not None:
                process.join(seconds)
                process.kill()
            process.join()
            return process.exitcode, seen.get() if process.exitcode == 0 else None

        yield go


@pytest.fixture(scope="module")
def uninterrupted(place, fork):
    """uninterrupted(stage): its results, the seconds it took, and each change it made to a file."""
    done = {}

    def get(stage):
        if stage not in done:
            folder = place(stage)
            fork(stage, place(stage))  # the first one waits for imports
            begun = time.monotonic()
            code, changes = fork(stage, folder)
            assert code == 0
            done[stage] = results(folder, stage), time.monotonic() - begun, changes
        return done[stage]

    return get


def results(folder: Path, stage: str) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in promised(stage)}


def assert_clean(folder: Path) -> None:
    """Nothing is left of the work but its lock."""
    assert [path.name for path in folder.rglob("*") if path.suffix in (".part", ".pt")] == []
    assert {path.suffix for path in folder.glob(".state/*/*")} <= {".lock"}


@pytest.mark.parametrize("stage", KILLED)
def test_killed_at_random_moments_a_stage_ends_the_same(place, fork, uninterrupted, stage):
    """Again and again, until it is done."""
    expected, seconds, _ = uninterrupted(stage)
    folder, draw = place(stage), random.Random(stage)
    for _ in range(3):
        fork(stage, folder, seconds=draw.uniform(0.3, 0.9) * seconds)
    assert fork(stage, folder)[0] == 0
    assert results(folder, stage) == expected
    assert_clean(folder)


@pytest.mark.parametrize("stage", TRAININGS)
def test_killed_at_any_change_of_a_file_a_training_ends_the_same(place, fork, uninterrupted, stage):
    """One training, killed at each of them in turn: while states are saved, results written, and the state removed."""
    expected, _, changes = uninterrupted(stage)
    saving = ["open state.pt.part", "os.rename state.pt.part"]
    ending = changes[changes.index(saving[1]) + 1 :]
    ending = [change for change in dict.fromkeys(ending) if change not in saving]
    assert {f"os.rename {Path(name).name}.part" for name in promised(stage)} <= {*ending}
    assert "os.remove state.pt" in ending
    folder = place(stage)
    for die_at in [*((change, 2) for change in saving), *((change, 1) for change in ending)]:
        assert fork(stage, folder, die_at=die_at)[0] == -signal.SIGKILL
    assert fork(stage, folder)[0] == 0
    assert results(folder, stage) == expected
    assert_clean(folder)


def test_killed_at_any_change_of_a_file_blurring_ends_the_same(place, fork, uninterrupted):
    """While the file is laid out and made whole, while results are written and the state is removed."""
    expected, _, changes = uninterrupted("synthesize")
    assert {"open synthetic.h5", "os.rename synthetic.h5.part", "os.remove synthetic.h5"} <= {*changes}
    folder = place("synthesize")
    for change in dict.fromkeys(changes):
        assert fork("synthesize", folder, die_at=(change, 1))[0] == -signal.SIGKILL, change
    assert fork("synthesize", folder)[0] == 0
    assert results(folder, "synthesize") == expected
    assert_clean(folder)


def test_an_interrupted_training_ends_with_one_line_and_a_second_one_is_refused(place, monkeypatch):
    folder = place("pretrain", steps=600)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DVC_ROOT", str(folder))
    # A parent that runs in the background makes its children ignore SIGINT; this undoes it.
    listening = "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    command = [sys.executable, "-c", listening + "runpy.run_module('stages.pretrain', run_name='__main__')"]
    arguments = STAGES["pretrain"]["cmd"].split()[3:]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([*command, *arguments], env=environment, stderr=subprocess.PIPE, text=True)
    while not list(folder.glob(".state/pretrain/*/state.pt")):
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.02)
    process.send_signal(signal.SIGSTOP)
    second = CliRunner().invoke(pretrain.app, arguments)
    assert (second.exit_code, "another process" in second.stderr) == (1, True)
    process.send_signal(signal.SIGCONT)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    lines = [line for line in stderr.splitlines() if line and "[00:" not in line and not line.startswith(TOLD)]
    assert len(lines) == 1, stderr
    assert lines[0].startswith("pretrain: interrupted")
    assert not (folder / "models").exists()
    assert list(folder.glob(".state/pretrain/*/state.pt"))
    assert run("pretrain").exit_code == 0
