"""Fills crops.h5: every training photograph once, and the windows of its crops."""

from pathlib import Path

import numpy as np

from dbgan.data import match_color, registration
from dbgan.data.crops import CropParams, grid, textured
from dbgan.data.h5 import Writer
from dbgan.data.manifest import Frame, load_frame
from dbgan.utils import ordered, progress


def check_sizes(root: Path, frames: list[Frame], side: int) -> None:
    """Raises ValueError for a photograph that is smaller than a crop."""
    for frame in frames:
        if min(frame.height, frame.width) < side:
            size = f"{frame.width}x{frame.height} pixels, less than a crop"
            raise ValueError(f"{root / frame.path}: {size}; remove it or lower crop.side, now {side}")


def write(
    file: Writer, group: str, root: Path, sides: dict[str, list[Frame]], p: CropParams, workers: int, curves=None
) -> dict:
    """Store a group of photographs with their crops, chosen by the texture of the last side; the group's counts, the
    mean colour of that side, and for pairs the shifts between the sides. `curves`: see match_color.py."""

    def load(frames: tuple[Frame, ...]) -> tuple[list[np.ndarray], list[tuple[int, int]], float]:
        images = [load_frame(root, frame) for frame in frames]
        shift = registration.shift(images[1], images[0]) if len(images) == 2 else 0.0
        corners = textured(images[-1], p)  # before the curves, which depend on the crops that are left out
        return [image if curves is None else match_color.apply(image, curves) for image in images], corners, shift

    items = list(zip(*sides.values(), strict=True))
    windows: list[np.ndarray] = []
    names: list[str] = []
    counts, shifts, every = [], [], 0
    loaded = progress(ordered(load, items, workers), desc=group, unit="frame", total=len(items))
    for frames, (images, corners, shift) in zip(items, loaded, strict=True):
        every += len(grid(frames[0].height, frames[0].width, p))
        counts.append(len(corners))
        shifts.append(shift)
        if corners:
            for side, image in zip(sides, images, strict=True):
                file.write(f"{group}/{side}/{len(names):06}", image)
            windows.append(np.insert(corners, 0, len(names), axis=1))
            names.append(frames[0].path)
    if not names:
        raise ValueError(f"crop.min_texture, {p.min_texture:g}: no crop of the {group} photographs has as much")
    file.crops(group, np.concatenate(windows), p.side, names)
    figures: dict = {f"{group}_crops": sum(counts), f"{group}_crops_left_out": every - sum(counts)}
    figures[f"mean_{'sharp' if 'sharp' in sides else group}"] = _mean(
        [item[-1].mean for item in items], counts
    ).tolist()
    if "sharp" in sides:  # motion that is uneven over the exposure may shift a blur by a little more than a pixel
        figures |= {"shift_mean": float(np.mean(shifts)), "shift_max": max(shifts)}
        figures["shift_worst"] = items[int(np.argmax(shifts))][0].path
        figures["shift_over_1px"] = sum(shift > 1 for shift in shifts)
    return figures


def matching_curves(
    root: Path, frames: list[Frame], mean: list[float], p: CropParams, workers: int
) -> tuple[np.ndarray, list[float]]:
    """The curves that give the photographs' crops this mean colour, and the mean after them."""

    def measure(frame: Frame) -> tuple[np.ndarray, int]:
        image = load_frame(root, frame)
        return match_color.levels(image), len(textured(image, p))

    measured = progress(ordered(measure, frames, workers), desc="colors", unit="frame", total=len(frames))
    shares = _mean(*zip(*measured, strict=True))
    curves = match_color.matching(shares, np.array(mean))
    return curves, (shares * curves).sum(axis=1).tolist()


def _mean(values, counts) -> np.ndarray:
    """The mean over photographs, each counted as often as it has crops."""
    return np.average(values, axis=0, weights=counts if any(counts) else None)
