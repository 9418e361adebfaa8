"""Run one benchmark, or all, and write the tables into benchmarks/README.md:
python -m benchmarks [photograph|steps|networks]
"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from benchmarks import measure, networks, photograph
from dbgan import markdown, utils

README = Path(__file__).parent / "README.md"
BENCHMARKS = {
    "photograph": photograph.rows,
    "steps": networks.steps,
    "networks": networks.frames,
}


def main(
    only: Annotated[Literal["photograph", "steps", "networks"] | None, typer.Argument()] = None,
) -> None:
    """Run one benchmark, or all."""
    for name in [only] if only else BENCHMARKS:
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
