"""Stages as several processes, by torchrun itself: the same files, one voice, and an end when one process fails."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from commands import STAGES, files
from safetensors.torch import load_file

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
ONE_THREAD = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "DBGAN_TRACKING": "off"}


def start(folder: Path, stage: str, options: str, **environment: str) -> subprocess.CompletedProcess:
    """A stage's command of dvc.yaml in `folder`, with DBGAN_TORCHRUN."""
    _, *command = STAGES[stage]["cmd"].split()
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=os.environ | ONE_THREAD | {"DVC_ROOT": str(folder), "DBGAN_TORCHRUN": options} | environment,
        capture_output=True,
        text=True,
        timeout=240,
    )


def said(result: subprocess.CompletedProcess, stage: str) -> list[str]:
    return [line for line in result.stderr.splitlines() if line.startswith(stage)]


def curve(path: Path) -> list[list[float]]:
    """Step, loss and PSNR of each row."""
    return [[float(value) for value in line.split(",")[:3]] for line in path.read_text().splitlines()[1:]]


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory, chain, write_params):
    """The finished chain, pre-trained anew with two accumulated batches: by one process and by two; what these said."""
    folders = [shutil.copytree(chain, tmp_path_factory.mktemp(name) / "repository") for name in ("one", "two")]
    results = []
    for folder, options in zip(folders, ("", "--nproc-per-node=2"), strict=True):
        # By Adam: SOAP's axes for directions that no gradient has had yet hang on the last bit.
        adam = {"optimizer": "adam", "content": "l1", "clip": 0.0, "accumulate": 2}
        write_params(folder / "params.yaml", {f"scales.sample.pretrain.{key}": adam[key] for key in adam})
        (folder / "models" / "dbgan_pretrained.safetensors").unlink()
        results.append(start(folder, "pretrain", options))
    return *folders, results[1]


def test_two_processes_pretrain_as_one_does(pretrained):
    """Here blurred pixels equal sharp ones at random, where the gradient of L1 hangs on the last bit: the weights of
    these photographs are alike, those of tests/training/test_distributed.py the same."""
    one, two, result = pretrained
    assert result.returncode == 0, result.stderr
    found, expected = (load_file(root / "models" / "dbgan_pretrained.safetensors") for root in (two, one))
    assert found.keys() == expected.keys()
    assert all(found[key].allclose(expected[key], rtol=0, atol=2e-3) for key in expected)
    rows, wanted = (curve(root / "metrics" / "pretrain_curve.csv") for root in (two, one))
    assert rows == [pytest.approx(row, rel=1e-5) for row in wanted]


def test_they_leave_the_files_of_one_and_speak_with_one_voice(pretrained):
    one, two, result = pretrained
    assert files(two).keys() == files(one).keys()
    assert not list(two.glob(".state/*/*/state.pt"))
    assert "Traceback" not in result.stderr
    assert result.stderr.count("time: an update") == 1


def test_two_processes_synthesize_the_bytes_of_one(copied, chain):
    (copied / "data" / "synthetic.h5").unlink()
    result = start(copied, "synthesize", "--nproc-per-node=2")
    assert result.returncode == 0, result.stderr
    assert files(copied) == files(chain)


def test_two_processes_evaluate_to_the_figures_and_pictures_of_one(copied, chain):
    shutil.rmtree(copied / "results" / "panels")
    (copied / "metrics" / "evaluate.json").unlink()
    result = start(copied, "evaluate", "--nproc-per-node=2")
    assert result.returncode == 0, result.stderr
    assert files(copied) == files(chain)


def test_a_fault_that_all_have_in_common_is_told_once(copied):
    (copied / "data" / "synthetic.h5").write_bytes(b"torn")
    before = files(copied)
    result = start(copied, "pretrain", "--nproc-per-node=2")
    assert result.returncode == 1
    (line,) = said(result, "pretrain")
    assert "synthetic.h5" in line
    assert "Traceback" not in result.stderr
    assert files(copied) == before


FAILING = """
import sys
from pathlib import Path
from dbgan import distributed
from stages import synthesize
from dbgan.data import photos
if distributed.rank() == 1:
    def broken(images): raise OSError("the disk of this machine is broken")
    photos.to_uint8 = broken
synthesize.app()
"""


def test_a_fault_of_one_process_ends_all_with_its_line(copied):
    """The others wait for it in a message that never comes."""
    (copied / "failing.py").write_text(FAILING)
    (copied / "data" / "synthetic.h5").unlink()
    before = files(copied)
    _, _, _, *arguments = STAGES["synthesize"]["cmd"].split()
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    result = subprocess.run(
        [*torchrun, "failing.py", *arguments],
        cwd=copied,
        env=os.environ | ONE_THREAD | {"DVC_ROOT": str(copied)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert result.returncode != 0
    assert said(result, "synthesize") == ["synthesize, process 1: the disk of this machine is broken"]
    assert files(copied) == before


def test_processes_that_do_not_fit_the_batch_are_told_what_fits(copied):
    result = start(copied, "train_bgan", "--nproc-per-node=3")
    assert result.returncode == 1
    (line,) = said(result, "train_bgan")
    assert "3 processes" in line
    assert "start 1, or raise" in line


def test_a_stage_of_one_process_refuses_torchrun(copied):
    result = start(
        copied, "build_h5", "--nproc-per-node=2", TORCHELASTIC_RUN_ID="x", RANK="0", WORLD_SIZE="2", LOCAL_RANK="0"
    )
    assert result.returncode == 1
    assert "without torchrun" in result.stderr
