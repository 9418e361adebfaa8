"""Reads what the stages left, for the report: figures, curves, single frames, pictures. What is missing is empty."""

import csv
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CURVE = "_curve.csv"
PANEL = re.compile(r"(test|real|bgan)_(\d+)\.png")


@dataclass(frozen=True)
class Results:
    """All that the report shows of a run."""

    metrics: dict[str, dict[str, Any]]  # of each stage that wrote a JSON
    curves: dict[str, dict[str, list[float]]]  # of each training, by column, `step` among them
    frames: list[dict[str, Any]]  # a row for each test frame: its name under "frame", its figures
    panels: dict[str, dict[int, Path]]  # test, real and bgan: the pictures by number; a test's is its row in `frames`


def read(metrics: Path, panels: Path) -> Results:
    """The results in the folders `metrics` (JSON and CSV) and `panels` (PNG).

    Raises ValueError naming a file that cannot be read, or the folders when there is nothing in either.
    """
    found = Results(
        {path.stem: _json(path) for path in sorted(metrics.glob("*.json"))},
        {path.name.removesuffix(CURVE): curve(path) for path in sorted(metrics.glob(f"*{CURVE}"))},
        _table(metrics / "frames.csv") if (metrics / "frames.csv").is_file() else [],
        {kind: {} for kind in ("test", "real", "bgan")},
    )
    for path in sorted(panels.glob("*.png")):
        if name := PANEL.fullmatch(path.name):
            found.panels[name[1]][int(name[2])] = path
    if not (found.metrics or found.curves or found.frames or any(found.panels.values())):
        raise ValueError(f"{metrics} and {panels} hold no results to report: run `dvc repro` first")
    return found


def curve(path: Path) -> dict[str, list[float]]:
    """The columns of a training's curve, `step` among them. Raises ValueError naming a file that is none."""
    rows = _table(path)
    if not rows or "step" not in rows[0] or any(value is None for row in rows for value in row.values()):
        raise ValueError(f"{path}: a curve is needed: numbers, and a column 'step'")
    return {name: [row[name] for row in rows] for name in rows[0]}


def _json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: not valid JSON: {error}") from None
    if not isinstance(values, dict):
        raise ValueError(f"{path}: a JSON object is needed")
    return values


def _table(path: Path) -> list[dict[str, Any]]:
    """Rows of a CSV: numbers where the column holds nothing else, None where a figure was not finite."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file, strict=True))
        return [{key: text if key == "frame" else _number(text) for key, text in row.items()} for row in rows]
    except (ValueError, TypeError, csv.Error) as error:
        raise ValueError(f"{path}: not a table of figures: {error}") from None


def _number(text: str | None) -> float | None:
    if text is None:
        raise ValueError("a row is too short")
    return float(text) if text else None
