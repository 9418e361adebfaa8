"""Tables in Markdown files that are otherwise written by hand."""

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
        before, opening, rest = text.partition(f"<!-- {name} -->\n")
        _, closing, after = rest.partition(f"<!-- /{name} -->")
        text = f"{before}{opening}{part}\n{closing}{after}"
        if not closing:
            raise ValueError(f"{path}: the marks <!-- {name} --> and <!-- /{name} -->, each on a line, are missing")
    with utils.atomic_write(path) as new:
        new.write_text(text, encoding="utf-8")
