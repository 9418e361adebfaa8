"""SIGKILL at any moment of any training: the same command goes on, and ends with the same bytes."""

import importlib
import multiprocessing
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest
from commands import STAGES, promised

ROOT = Path(__file__).parents[2]
TRAININGS = ["train_bgan", "pretrain", "finetune"]
SECTIONS = {"train_bgan": "bgan", "pretrain": "pretrain", "finetune": "finetune"}
MOMENTS = 7  # random ones, of each training
PRELOADED = ["torch._dynamo", "h5py", "pytest", "dbgan.training.bgan_paired", "dbgan.training.finetune"]
PRELOADED += ["dbgan.training.pretrain", "dbgan.models.vgg", "dbgan.models.grad_checkpoint", "dbgan.data.batches"]
WRITING = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir"}  # what Python tells its audit hooks


def train(stage: str, folder: Path, repository: Path, die_at: tuple[str, int] | None, seen) -> None:
    """The stage, in a process of its own that kills itself before it makes a change to a file for the nth time."""
    os.chdir(folder)
    os.environ |= {"DVC_ROOT": str(repository), "DBGAN_TRACKING": "off"}
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 2)
    changes = []

    def watch(event: str, arguments: tuple) -> None:
        if event not in WRITING or not str(arguments[0]).startswith((str(repository), "models", "metrics", "state.")):
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
def processes():
    """Starts processes that have torch already; only a fork of one that never computed is safe."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        yield context


@pytest.fixture(scope="module")
def place(tmp_path_factory, chain, write_params):
    """place(stage): a new folder with all that the training needs, few updates and a state after each."""

    def make(stage: str) -> Path:
        root = tmp_path_factory.mktemp(stage)
        changes = {"steps": 6, "log_every": 1, "save_every": 1, "ema": 0.5, "clip": 1.0}
        write_params(root / "params.yaml", {f"scales.sample.{SECTIONS[stage]}.{k}": v for k, v in changes.items()})
        for name in STAGES[stage]["deps"]:
            if not name.endswith(".py"):
                (root / name).parent.mkdir(exist_ok=True)
                shutil.copy(chain / name, root / name)
        return root

    return make


@pytest.fixture(scope="module")
def run(processes):
    """run(stage, folder): the training, to its end, or killed after some seconds or at some change of a file.

    Gives its exit code and the changes of files up to the end."""

    def go(stage, folder, repository=None, seconds=None, die_at=None):
        seen = processes.SimpleQueue()
        process = processes.Process(target=train, args=(stage, folder, repository or folder, die_at, seen))
        process.start()
        if seconds is not None:
            process.join(seconds)
            process.kill()
        process.join()
        return process.exitcode, seen.get() if process.exitcode == 0 else None

    return go


@pytest.fixture(scope="module")
def uninterrupted(place, run):
    """uninterrupted(stage): its results, the seconds it took, and each change it made to a file."""
    done = {}

    def get(stage):
        if stage not in done:
            folder = place(stage)
            run(stage, folder)  # the first one waits for imports
            begun = time.monotonic()
            code, changes = run(stage, folder)
            assert code == 0
            done[stage] = results(folder, stage), time.monotonic() - begun, changes
        return done[stage]

    return get


def results(folder: Path, stage: str) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in promised(stage)}


def assert_clean(folder: Path) -> None:
    """Nothing is left of the training but its lock."""
    assert [path.name for path in folder.rglob("*") if path.suffix in (".part", ".pt", ".damaged")] == []


@pytest.mark.parametrize("moment", range(MOMENTS))
@pytest.mark.parametrize("stage", TRAININGS)
def test_killed_at_a_random_moment_a_training_ends_the_same(tmp_path, place, run, uninterrupted, stage, moment):
    """Half of the trainings go on in another folder of the same repository, as `dvc exp run --temp` does."""
    expected, seconds, _ = uninterrupted(stage)
    share = (moment + random.Random(f"{stage} {moment}").random()) / MOMENTS
    killed = place(stage)
    code, _ = run(stage, killed, tmp_path, seconds=share * seconds)
    assert code in (-signal.SIGKILL, 0)
    went_on = place(stage) if moment % 2 else killed
    assert run(stage, went_on, tmp_path)[0] == 0
    assert results(went_on, stage) == expected
    assert_clean(tmp_path)
    assert_clean(went_on)


@pytest.mark.parametrize("stage", TRAININGS)
def test_killed_at_any_change_of_a_file_a_training_ends_the_same(place, run, uninterrupted, stage):
    """One training, killed at each of them in turn: while states are saved, results written, and the state removed."""
    expected, _, changes = uninterrupted(stage)
    saving, ending = ["open state.part", "os.rename state.part"], changes[changes.index("os.rename state.part") + 1 :]
    ending = [change for change in dict.fromkeys(ending) if change not in saving]
    assert {f"os.rename {Path(name).name}.part" for name in promised(stage)} <= {*ending}
    assert "os.remove state.pt" in ending
    folder = place(stage)
    for die_at in [*((change, 2) for change in saving), *((change, 1) for change in ending)]:
        assert run(stage, folder, die_at=die_at)[0] == -signal.SIGKILL
    assert run(stage, folder)[0] == 0
    assert results(folder, stage) == expected
    assert_clean(folder)
