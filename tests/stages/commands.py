"""The stages of dvc.yaml as commands in the current folder, and what they leave."""

import importlib
import json
from pathlib import Path

import yaml
from typer.testing import CliRunner

from dbgan import settings

TOLD = ("device: ", "disk: ", "time: ")  # how the lines begin that a stage says before its work
ROOT = Path(__file__).parents[2]
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
PARAMS = settings.read(ROOT / "params.yaml")


def run(stage: str):
    """A stage in the current folder, by its command in dvc.yaml."""
    _, _, module, *arguments = STAGES[stage]["cmd"].split()
    return CliRunner().invoke(importlib.import_module(module).app, arguments)


def run_well(*stages: str) -> None:
    for stage in stages:
        result = run(stage)
        assert result.exit_code == 0, result.stderr


def promised(stage: str) -> set[str]:
    entries = [entry for kind in ("outs", "metrics", "plots") for entry in STAGES[stage].get(kind, [])]
    return {path for entry in entries for path in ([entry] if isinstance(entry, str) else entry)}


def files(root: Path) -> dict[str, bytes]:
    """All that lies in a folder, except the locks and unfinished states of trainings."""
    found = (path for path in root.rglob("*") if path.is_file())
    return {
        name: path.read_bytes()
        for path in found
        if not (name := path.relative_to(root).as_posix()).startswith(".state/")
    }


def evaluated(root: Path) -> dict:
    return json.loads((root / "metrics" / "evaluate.json").read_text())


def ends_in_one_line(root: Path, stage: str, *said: str) -> None:
    """The stage ends with code 1 and one line that holds `said`; nothing in the folder has changed."""
    before = files(root)
    result = run(stage)
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert result.stdout == ""
    lines = [line for line in result.stderr.splitlines() if line and "[00:" not in line]  # without those of progress,
    lines = [line for line in lines if not line.startswith(TOLD)]  # and what is said first
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith(f"{stage}: ")
    for text in said:
        assert text in lines[0]
    assert files(root) == before
    assert not list(root.rglob("*.part"))


def dotted(stage: str, key: str) -> str:
    """The key of a training, where params.yaml has it."""
    return f"{stage}.{key}" if key in PARAMS[stage] else f"scales.sample.{stage}.{key}"
