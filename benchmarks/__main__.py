"""Measure what is named, else all, and write the tables into benchmarks/README.md:
python -m benchmarks [photograph] [steps] [networks]
"""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import measure, networks, photograph, steps
from dbgan import markdown, utils

README = Path(__file__).parent / "README.md"
BENCHMARKS = {
    "photograph": photograph.rows,
    "steps": partial(measure.rows, "update", steps.PARAMS, steps.update),
    "networks": partial(measure.rows, "network", networks.NETWORKS, networks.frame),
}


def main(names: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """Run the benchmarks of these NAMES: photograph, steps, networks; without any, all."""
    if unknown := sorted(set(names or []) - BENCHMARKS.keys()):
        raise ValueError(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    for name in names or BENCHMARKS:
        rows = []
        for row in BENCHMARKS[name]():
            rows.append(row)
            utils.log(", ".join(f"{key}: {value}" for key, value in row.items()))
        columns = list(dict.fromkeys(column for row in rows for column in row))
        table = markdown.table([columns, *([row.get(column) for column in columns] for row in rows)])
        markdown.fill(README, name, f"{measure.machine()}\n\n{table}")


app = utils.app(main)

if __name__ == "__main__":
    app()
