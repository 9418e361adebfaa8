"""Queues through DVC what the plan still lacks, runs the queue, and writes the page: python -m ablations.run

What is done is not done again, so an interrupted run goes on; DVC's workers go on by themselves meanwhile.
"""

import time
from pathlib import Path
from typing import Annotated

import typer

from ablations import page, plan, records
from dbgan import runtime

POLL = 30  # seconds between two looks at the queue


def main(
    jobs: Annotated[int, typer.Option(help="Experiments at the same time, each on one thread.")] = 2,
    csv: Path = Path("docs/ablations.csv"),
    out: Path = Path("docs/ablations.md"),
) -> None:
    """Run all experiments of the plan and write their figures to CSV and OUT."""
    if not 1 <= jobs <= len(plan.SEEDS):
        raise ValueError(f"--jobs {jobs}: 1 to {len(plan.SEEDS)}, as many baselines as can run side by side")
    root = runtime.root()
    found = records.experiments(root)
    for variant, seed in plan.experiments():
        name = plan.experiment(variant, seed)
        if name in found and found[name].state == "failed":
            records.dvc(root, "queue", "remove", name)
        if name not in found or found[name].state == "failed":
            changes = [part for key, value in plan.settings(variant, seed).items() for part in ("-S", f"{key}={value}")]
            records.dvc(root, "exp", "run", "--queue", "--quiet", "--name", name, *changes)
    records.dvc(root, "queue", "start", "--jobs", str(jobs))
    found = wait(root)
    page.update(records.collected(found), csv, out)
    if failed := [name for name, one in found.items() if one.state == "failed"]:
        raise ValueError(f"{', '.join(failed)} failed; `dvc queue logs NAME` says why; the others are in {out}")


def wait(root: Path) -> dict[str, records.Experiment]:
    """Wait until none of the plan's experiments is queued or running; all of them."""
    names = [plan.experiment(*one) for one in plan.experiments()]
    with runtime.progress(None, total=len(names), desc="ablations", unit="experiment") as bar:
        while True:
            found = records.experiments(root)
            busy = [name for name, one in found.items() if one.state in ("queued", "running")]
            bar.update(len(found) - len(busy) - bar.n)
            if not busy:
                return found
            time.sleep(POLL)


app = runtime.app(main)

if __name__ == "__main__":
    app()
