"""`make ablations` through DVC's queue, on a copy of the project with tiny settings."""

import sys
from pathlib import Path

import pytest
from whole_project import committed, run


@pytest.fixture(scope="module")
def project(tmp_path_factory, write_photos, write_params) -> Path:
    return committed(tmp_path_factory.mktemp("clone") / "project", write_photos, write_params)


def change_plan(project: Path, lines: str) -> None:
    """`lines` at the end of what the ablations' plan sets, before its functions."""
    path = project / "ablations" / "plan.py"
    before, end, after = path.read_text().partition("\n\n\ndef ")
    path.write_text(f"{before}\n{lines}{end}{after}")


def experiments(project: Path) -> set[str]:
    """DVC's experiments by commit and name, without the notes of its queue."""
    listed = run(project, "git", "for-each-ref", "refs/exps").splitlines()
    return {line for line in listed if "refs/exps/celery/" not in line}


def test_ablations_are_queued_run_and_written_and_not_run_again(project):
    """One that fails costs a line, and its figures alone; mended, it runs."""
    bad = 'Variant("mended", "group", "label", {"critic": "none"})'
    change_plan(project, f"SEEDS, VARIANTS = (7,), (*VARIANTS[6:7], {bad})")
    waits = project / "ablations" / "run.py"
    waits.write_text(waits.read_text().replace("POLL = 30", "POLL = 2"))
    (project / "docs").mkdir()
    page = project / "docs" / "ablations.md"
    page.write_text("<!-- claims -->\n<!-- /claims -->\n<!-- settings -->\n<!-- /settings -->\n")
    command = (sys.executable, "-m", "ablations.run", "--jobs", "1")
    said = run(project, *command, code=1)
    assert "2 of 3 experiments" in said
    assert said.splitlines()[-1].startswith("run: ablation-mended-7 failed; `dvc queue logs NAME` says why")
    lines = (project / "docs" / "ablations.csv").read_text().splitlines()
    assert [line.split(",")[:2] for line in lines[1:]] == [["baseline", "7"], ["alpha-0.001", "7"]]
    assert "| 0.001 | 1 |" in page.read_text()
    before = experiments(project)
    change_plan(project, 'VARIANTS = (*VARIANTS[:1], VARIANTS[1]._replace(changes={"critic": "patch"}))')
    assert "3 of 3 experiments" in run(project, *command)
    assert "| label | 1 |" in page.read_text()
    after = experiments(project)
    assert before < after
    assert "3 of 3 experiments" in run(project, *command)
    assert experiments(project) == after
    run(project, "git", "reset", "-q", "--hard")
