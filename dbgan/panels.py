"""Pictures of results: photographs side by side, and the curves of the trainings."""

from pathlib import Path

import numpy as np
from PIL import Image

GAP = 8  # white pixels between two photographs
PLOTS_A_ROW = 5
QUALITY = 95  # of JPEG, colours at full resolution


def side_by_side(images: list[np.ndarray]) -> np.ndarray:
    """(H, W, 3) uint8 images, cut to the smallest height, in a row with white gaps."""
    height = min(len(image) for image in images)
    gap = np.full((height, GAP, 3), 255, np.uint8)
    row = [part for image in images for part in (image[:height], gap)]
    return np.concatenate(row[:-1], axis=1)


def stacked(rows: list[np.ndarray]) -> np.ndarray:
    """Rows of one width below each other, with white gaps."""
    return side_by_side([row.swapaxes(0, 1) for row in rows]).swapaxes(0, 1)


def save_jpeg(path: Path, image: np.ndarray) -> None:
    """Write an image as JPEG, whatever the file is called."""
    Image.fromarray(image).save(path, "JPEG", quality=QUALITY, subsampling=0)


def save_panel(path: Path, images: list[np.ndarray]) -> None:
    """Write `side_by_side(images)` as PNG; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(side_by_side(images)).save(path)


def save_curves(path: Path, curves: dict[str, dict[str, list[float]]]) -> None:
    """Draw the columns of curves by title: a plot for every column over the column `step`, all in one PNG.

    `dvc plots show` needs a network for its curves; this does not.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    plots = [(title, name, columns) for title, columns in curves.items() for name in columns if name != "step"]
    rows = -(-len(plots) // PLOTS_A_ROW)
    figure = Figure(figsize=(2.8 * PLOTS_A_ROW, 2.2 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    axes = list(figure.subplots(rows, PLOTS_A_ROW, squeeze=False).flat)
    for axis, (title, name, columns) in zip(axes, plots, strict=False):
        axis.plot(columns["step"], columns[name])
        axis.set_title(f"{title}: {name}", fontsize=8)
        axis.tick_params(labelsize=7)
    for axis in axes[len(plots) :]:
        axis.set_axis_off()
    figure.savefig(path, dpi=80, metadata={"Software": None})
