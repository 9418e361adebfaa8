"""Queue what the plan still lacks and run it through DVC, whose workers outlive this: python -m ablations.run"""

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from ablations import plan
from dbgan import utils
from dbgan.report import output

POLL = 30  # seconds between two looks at the queue
BUSY = {"Queued", "Running"}  # states of DVC's queue


def main(jobs: Annotated[int, typer.Option(min=1, help="Experiments at once, each on one thread.")] = 2) -> None:
    """Run all experiments of the plan that are not done."""
    root, plans = utils.project_root(), plan.experiments()
    done, states = revisions(root), queue(root)
    for name in [name for name in plans if name not in done and states.get(name) not in BUSY]:
        if name in states:  # failed, or its result was removed
            dvc(root, "queue", "remove", name)
        dvc(root, "exp", "run", "--queue", "--quiet", "--name", name, *(f"-S{change}" for change in plans[name]))
    dvc(root, "queue", "start", "--jobs", str(min(jobs, len(plan.SEEDS))))  # more baselines cannot run side by side
    with utils.progress(total=len(plans), desc="ablations", unit="experiment") as bar:
        while BUSY & set(queue(root).values()):
            time.sleep(POLL)
            bar.update(len(revisions(root)) - bar.n)
    if failed := ", ".join(name for name in plans if name not in revisions(root)):
        raise ValueError(f"{failed} failed; `dvc queue logs NAME` says why; `python -m ablations.table` shows the rest")


def revisions(root: Path) -> dict[str, str]:
    """The commits of the plan's experiments that are done, whatever commit they started from, by name."""
    # Not from `dvc exp show`, which may wait forever for an experiment that ends meanwhile.
    refs = output(root, "git", "for-each-ref", "--format=%(objectname) %(refname:lstrip=-1)", "refs/exps").splitlines()
    found = {name: revision for revision, name in map(str.split, refs)}
    return {name: found[name] for name in plan.experiments() if name in found}


def queue(root: Path) -> dict[str, str]:
    """The states of the plan's experiments in DVC's queue, by name."""
    rows = [line.split() for line in dvc(root, "queue", "status").splitlines()]
    return {row[1]: row[-1] for row in rows if len(row) > 2 and row[1] in plan.experiments()}


def dvc(root: Path, *arguments: str) -> str:
    return output(root, sys.executable, "-m", "dvc", *arguments)


app = utils.app(main)

if __name__ == "__main__":
    app()
