"""What a state of a training belongs to: the code that its stage needs, and no other."""

import shutil
from pathlib import Path

import pytest
import yaml

from dbgan import training_stage

ROOT = Path(__file__).parents[1]


@pytest.fixture
def repository(tmp_path, monkeypatch) -> Path:
    """A copy of the code, as that of the stages."""
    root = tmp_path / "repository"
    for name in ("dbgan", "stages"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "dvc.yaml", root)
    monkeypatch.setattr(training_stage, "HERE", root)
    return root


def edit(path: Path) -> None:
    path.write_text(path.read_text() + "\n# a comment\n")


@pytest.mark.parametrize(
    "path", ["stages/pretrain.py", "dbgan/training_stage.py", "dbgan/training/loop.py", "dbgan/models/dbgan.py"]
)
def test_a_state_is_not_that_of_other_code(repository, path):
    before = training_stage.code("pretrain", "dbgan")
    edit(repository / path)
    assert training_stage.code("pretrain", "dbgan") != before


@pytest.mark.parametrize(
    "path", ["stages/finetune.py", "dbgan/reporting/page.py", "dbgan/serving.py", "dbgan/models/nafnet.py"]
)
def test_code_that_the_stage_does_not_need_may_change(repository, path):
    before = training_stage.code("pretrain", "dbgan")
    edit(repository / path)
    assert training_stage.code("pretrain", "dbgan") == before


@pytest.mark.parametrize("stage", ["train_bgan", "pretrain", "finetune"])
def test_the_network_is_that_of_the_training(stage):
    """dvc.yaml names its file by the parameter that chooses it."""
    listed = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"][stage]["deps"]
    for network in ("sftnet_blur", "sftnet_deblur"):
        found = training_stage.code(stage, network)
        plain = {path for path in listed if path.endswith(".py") and "$" not in path}
        assert found.keys() == plain | {"dbgan/models/sftnet.py"}
