"""Tables in Markdown files that are otherwise written by hand."""

import re
from pathlib import Path

from dbgan import utils


def table(rows: list[list]) -> str:
    """Rows as a table, the first its head; None is a dash."""
    cells = [["-" if cell is None else str(cell) for cell in row] for row in rows]
    head, *lines = (f"| {' | '.join(row)} |" for row in cells)
    return "\n".join([head, "|---" * len(cells[0]) + "|", *lines])


def fill(path: Path, parts: dict[str, str]) -> None:
    """Replace what stands between the marks <!-- name --> and <!-- /name -->, each on a line, for each of `parts`."""
    text = path.read_text(encoding="utf-8")
    for name, part in parts.items():
        marks = re.compile(f"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        text, count = marks.subn(lambda m, part=part: f"{m[1]}{part}\n{m[2]}", text)
        if count != 1:
            raise ValueError(f"{path}: the marks <!-- {name} --> and <!-- /{name} -->, each on a line, are missing")
    with utils.atomic_write(path) as new:
        new.write_text(text, encoding="utf-8")
