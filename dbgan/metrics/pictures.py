"""Pictures of results: photographs side by side, and the curves of the trainings."""

import csv
from pathlib import Path

import numpy as np
from PIL import Image

GAP = 8  # white pixels between two photographs
PLOTS_A_ROW = 5


def side_by_side(images: list[np.ndarray]) -> np.ndarray:
    """(H, W, 3) uint8 images, cut to the smallest height, in a row with white gaps."""
    height = min(len(image) for image in images)
    gap = np.full((height, GAP, 3), 255, np.uint8)
    row = [part for image in images for part in (image[:height], gap)]
    return np.concatenate(row[:-1], axis=1)


def save_panel(path: Path, images: list[np.ndarray]) -> None:
    """Write `side_by_side(images)` as PNG; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(side_by_side(images)).save(path)


def save_curves(path: Path, curves: dict[str, Path]) -> None:
    """Draw curve CSVs, {title: file}: a plot for every column over the column `step`, all in one PNG.

    `dvc plots show` needs a network for its curves; this does not.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    tables = {title: _columns(file) for title, file in curves.items()}
    plots = [(title, name, table) for title, table in tables.items() for name in table if name != "step"]
    rows = -(-len(plots) // PLOTS_A_ROW)
    figure = Figure(figsize=(2.8 * PLOTS_A_ROW, 2.2 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    axes = list(figure.subplots(rows, PLOTS_A_ROW, squeeze=False).flat)
    for axis, (title, name, table) in zip(axes, plots, strict=False):
        axis.plot(table["step"], table[name])
        axis.set_title(f"{title}: {name}", fontsize=8)
        axis.tick_params(labelsize=7)
    for axis in axes[len(plots) :]:
        axis.set_axis_off()
    figure.savefig(path, dpi=80, metadata={"Software": None})


def _columns(path: Path) -> dict[str, list[float]]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows] for name in rows[0]}
