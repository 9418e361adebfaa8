"""`make ablations` through DVC's queue, on a copy of the project with tiny settings."""

import shutil
import sys
from pathlib import Path

import pytest
from whole_project import committed, run

pytestmark = pytest.mark.slow


def change_plan(project: Path, line: str) -> None:
    """`line` below what the ablations' plan sets, before its functions."""
    path = project / "ablations" / "plan.py"
    before, end, after = path.read_text().partition("\n\n\ndef ")
    path.write_text(f"{before}\n{line}{end}{after}")


def test_ablations_are_queued_run_and_written_and_not_run_again(tmp_path, write_photos, write_params):
    """One that fails costs a line, and its figures alone; mended, it runs."""
    project = committed(tmp_path / "project", write_photos, write_params)
    variants = '{"baseline": (), "first": ("alpha=0.001",), "mended": ("finetune.critic=none",)}'
    change_plan(project, f"SEEDS, MORE, VARIANTS = (7,), (), {variants}")
    waits = project / "ablations" / "run.py"
    waits.write_text(waits.read_text().replace("POLL = 30", "POLL = 2"))
    (project / "docs").mkdir()
    page = project / "docs" / "ablations.md"
    parts = ("shares", "claims", "settings")
    page.write_text("".join(f"<!-- {part} -->\n<!-- /{part} -->\n" for part in parts))
    shutil.copy(page, project / "README.md")
    command, table = ((sys.executable, "-m", f"ablations.{name}") for name in ("run", "table"))
    said = run(project, *command, "--jobs", "1", code=1)
    assert said.splitlines()[-1].startswith("run: ablation-mended-7 failed; `dvc queue logs NAME` says why")
    assert "2 of 3 experiments" in run(project, *table)
    lines = (project / "docs" / "ablations.csv").read_text().splitlines()
    assert [line.split(",")[:2] for line in lines[1:]] == [["baseline", "7"], ["first", "7"]]
    change_plan(project, 'VARIANTS["mended"] = ("finetune.critic=patch",)')
    before = run(project, "git", "for-each-ref", "refs/exps").splitlines()
    run(project, *command)
    assert "3 of 3 experiments" in run(project, *table)
    assert "| `finetune.critic=patch` | 1 |" in page.read_text()
    after = run(project, "git", "for-each-ref", "refs/exps").splitlines()
    assert {line for line in before if "celery" not in line} < set(after)
    run(project, *command)
    assert run(project, "git", "for-each-ref", "refs/exps").splitlines() == after
    run(project, sys.executable, "-m", "dbgan", "report")  # which lists experiments from DVC's own table
    html = (project / "reports" / "report.html").read_text()
    assert '<th scope="row">ablation-first-7</th>' in html
    assert '<th scope="col">alpha</th>' in html
