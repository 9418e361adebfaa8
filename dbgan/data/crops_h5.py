"""Fills crops.h5: every training photograph once, and the windows of its crops."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from dbgan.data import h5, match_color, registration
from dbgan.data.crops import CropParams, grid, textured
from dbgan.data.manifest import Frame, load_frame
from dbgan.utils import ordered, progress


def check_sizes(root: Path, frames: Iterable[Frame], side: int) -> None:
    """Raises ValueError for a photograph that is smaller than a crop."""
    for frame in frames:
        if min(frame.height, frame.width) < side:
            size = f"{frame.width}x{frame.height} pixels"
            raise ValueError(
                f"{root / frame.path}: {size} are less than a crop; remove it or lower crop.side, now {side}"
            )


def write_pairs(
    file: h5.Writer, root: Path, blurred: list[Frame], sharp: list[Frame], p: CropParams, workers: int
) -> dict:
    """Store the training pairs; counts of crops, mean colour of the sharp photographs, shifts between the sides."""
    shifts: dict[str, float] = {}

    def load(pair: tuple[Frame, Frame]) -> tuple[dict, list]:
        images = {side: load_frame(root, frame) for side, frame in zip(("blurred", "sharp"), pair, strict=True)}
        shifts[pair[0].path] = registration.shift(images["sharp"], images["blurred"])
        return images, textured(images["sharp"], p)

    pairs = list(zip(blurred, sharp, strict=True))
    counts = _store(file, "paired", blurred, _each(load, pairs, "paired", workers), p)
    figures = _figures("paired", "sharp", sharp, counts, p)
    return figures | registration.summary({frame.path: shifts[frame.path] for frame in blurred})


def write_real(
    file: h5.Writer, root: Path, real: list[Frame], p: CropParams, mean_sharp: list[float], workers: int
) -> dict:
    """Store the real blurred photographs, in the mean colour of the sharp ones where `match_color` asks for it."""
    curves, matched = None, {}
    if p.match_color:

        def measure(frame: Frame) -> tuple[np.ndarray, int]:
            image = load_frame(root, frame)
            return match_color.levels(image), len(textured(image, p))

        levels, counts = zip(*_each(measure, real, "colors", workers), strict=True)
        shares = _mean(levels, counts)
        curves = match_color.matching(shares, np.array(mean_sharp))
        matched = {"mean_real_matched": match_color.mean(shares, curves).tolist()}

    def load(frame: Frame) -> tuple[dict, list]:
        image = load_frame(root, frame)
        corners = textured(image, p)  # before the curves, which depend on the crops that are left out
        return {"blurred": image if curves is None else match_color.apply(image, curves)}, corners

    counts = _store(file, "real", real, _each(load, real, "real", workers), p)
    return _figures("real", "real", real, counts, p) | matched


def _each(function: Callable, items: list, name: str, workers: int) -> Iterable:
    """function(item) of every item, in order, some made ahead."""
    return progress(ordered(function, items, workers), desc=name, unit="frame", total=len(items))


def _store(file: h5.Writer, group: str, frames: list[Frame], loaded: Iterable, p: CropParams) -> list[int]:
    """Write the photographs that have crops, and the windows of these; the number of crops of each photograph."""
    windows, kept, counts = [], [], []
    for frame, (images, corners) in zip(frames, loaded, strict=True):
        counts.append(len(corners))
        if corners:
            for side, image in images.items():
                file.write(f"{group}/{side}/{len(kept):06}", image)
            windows.append(np.insert(corners, 0, len(kept), axis=1))
            kept.append(frame.path)
    if not kept:
        raise ValueError(f"crop.min_texture, {p.min_texture:g}: no crop of the {group} photographs has as much")
    file.crops(group, np.concatenate(windows), p.side)
    file.names(f"{group}/frames", kept)
    return counts


def _figures(group: str, name: str, frames: list[Frame], counts: list[int], p: CropParams) -> dict:
    """Crops, those left out, and the mean colour of photographs that count as often as they have crops."""
    total = sum(len(grid(frame.height, frame.width, p)) for frame in frames)
    mean = _mean([frame.mean for frame in frames], counts).tolist()
    return {f"{group}_crops": sum(counts), f"{group}_crops_left_out": total - sum(counts), f"mean_{name}": mean}


def _mean(values: Sequence, counts: Sequence[int]) -> np.ndarray:
    """The mean over photographs, each counted as often as it has crops."""
    return np.average(values, axis=0, weights=counts if any(counts) else None)
