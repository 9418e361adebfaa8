"""Tables in Markdown files that are otherwise written by hand."""

import re
from pathlib import Path

from dbgan import utils


def table(rows: list[list]) -> str:
    """Rows as a table, the first its head; None is a dash."""
    head, *lines = (f"| {' | '.join('-' if cell is None else str(cell) for cell in row)} |" for row in rows)
    return "\n".join([head, "|---" * len(rows[0]) + "|", *lines])


def fill(path: Path, name: str, part: str) -> None:
    """Replace the lines between the marks <!-- name --> and <!-- /name -->, each on a line."""
    first, last = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    text = path.read_text(encoding="utf-8")
    new, count = re.subn(f"(?s){first}.*?{last}", lambda _: f"{first}{part}\n{last}", text)
    if not count:
        raise ValueError(f"{path}: the marks {first.strip()} and {last}, each on a line, are missing")
    with utils.atomic_write(path) as file:
        file.write_text(new, encoding="utf-8")
