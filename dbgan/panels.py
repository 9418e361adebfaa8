"""Panels: photographs of one size side by side in one picture; the evaluation joins them, the report splits them."""

from pathlib import Path

import numpy as np
from PIL import Image

from dbgan import utils

GAP = 8  # white pixels between two photographs


def join(images: list[np.ndarray], axis: int = 1) -> np.ndarray:
    """(H, W, 3) uint8 images with white gaps, in a row (axis 1) or a column (axis 0), cut to the smallest of the other
    side."""
    images = [image.swapaxes(0, axis) for image in images]
    shortest = min(image.shape[1] for image in images)
    gap = np.full((GAP, shortest, 3), 255, np.uint8)
    parts = [part for image in images for part in (image[:, :shortest], gap)]
    return np.concatenate(parts[:-1]).swapaxes(0, axis)


def split(panel: np.ndarray, count: int) -> list[np.ndarray]:
    """The `count` photographs of a row made by `join`. Raises ValueError for any other picture."""
    width, rest = divmod(panel.shape[1] - GAP * (count - 1), count)
    lefts = [i * (width + GAP) for i in range(count)]
    if rest or width < 1 or any(panel[:, left - GAP : left].min(initial=255) < 255 for left in lefts[1:]):
        raise ValueError(f"not {count} photographs of one width side by side with white gaps")
    return [panel[:, left : left + width] for left in lefts]


def evenly(count: int, limit: int) -> list[int]:
    """At most `limit` indices out of `count`, spread evenly from the first to the last."""
    return sorted({round(i) for i in np.linspace(0, count - 1, min(count, limit))}) if count else []


def save_grid(rows: list[list[np.ndarray]], path: Path) -> None:
    """Rows of photographs, one below the other, as a JPEG."""
    with utils.atomic_write(path) as part:
        Image.fromarray(join([join(row) for row in rows], axis=0)).save(part, "JPEG", quality=95, subsampling=0)
