"""Queues through DVC what the plan still lacks, runs the queue, and writes the page: python -m ablations.run

What is done is not done again, so an interrupted run goes on; DVC's workers go on by themselves meanwhile.
"""

import time
from pathlib import Path
from typing import Annotated

import typer

from ablations import page, plan, records
from dbgan import utils

POLL = 30  # seconds between two looks at the queue
BUSY = {"Queued", "Running"}  # states of DVC's queue


def main(
    jobs: Annotated[int, typer.Option(help="Experiments at the same time, each on one thread.")] = 2,
    csv: Path = Path("docs/ablations.csv"),
    out: Path = Path("docs/ablations.md"),
) -> None:
    """Run all experiments of the plan and write their figures to CSV and OUT."""
    if not 1 <= jobs <= len(plan.SEEDS):
        raise ValueError(f"--jobs {jobs}: 1 to {len(plan.SEEDS)}, as many baselines as can run side by side")
    root = utils.project_root()
    ready, states = records.done(root), records.states(root)
    for variant, seed in plan.experiments():
        name = plan.experiment(variant, seed)
        if name in ready or states.get(name) in BUSY:
            continue
        if name in states:  # failed, or its result was removed
            records.dvc(root, "queue", "remove", name)
        changes = [part for key, value in plan.settings(variant, seed).items() for part in ("-S", f"{key}={value}")]
        records.dvc(root, "exp", "run", "--queue", "--quiet", "--name", name, *changes)
    records.dvc(root, "queue", "start", "--jobs", str(jobs))
    wait(root)
    ready = records.done(root)
    if ready:
        page.update(records.collected(ready), csv, out)
    names = [plan.experiment(*one) for one in plan.experiments()]
    if failed := [name for name in names if name not in ready]:
        others = f"the others are in {out}" if ready else f"{out} stays as it is"
        raise ValueError(f"{', '.join(failed)} failed; `dvc queue logs NAME` says why; {others}")


def wait(root: Path) -> None:
    """Wait until none of the plan's experiments is queued or running."""
    with utils.progress(None, total=len(plan.experiments()), desc="ablations", unit="experiment") as bar:
        busy = True
        while busy:
            time.sleep(POLL)
            busy = BUSY & set(records.states(root).values())
            bar.update(len(records.done(root)) - bar.n)


app = utils.app(main)

if __name__ == "__main__":
    app()
