"""Markdown that is partly made: what is made stands between marks, all else is written by hand."""

from pathlib import Path


def filled(path: Path, parts: dict[str, str]) -> str:
    """The text of the file at `path`, each of `parts` between the marks <!-- name --> and <!-- /name -->. Raises
    ValueError naming marks that are missing."""
    text = path.read_text(encoding="utf-8")
    for name, part in parts.items():
        before, opening, rest = text.partition(f"<!-- {name} -->\n")
        _, closing, after = rest.partition(f"<!-- /{name} -->")
        if not closing:
            raise ValueError(f"{path}: the marks <!-- {name} --> and <!-- /{name} -->, each on a line, are missing")
        text = f"{before}{opening}{part}\n{closing}{after}"
    return text
