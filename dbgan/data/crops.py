"""The grid of crops in a frame, those worth learning from, and how they come into crops.h5."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
from PIL import Image
from pydantic import Field, PositiveInt

from dbgan.data import match_color, registration
from dbgan.data.h5 import Writer
from dbgan.data.manifest import Frame, load_frame
from dbgan.settings import Params
from dbgan.utils import ordered, progress


class CropParams(Params):
    side: PositiveInt  # of a crop, pixels
    stride: PositiveInt  # distance from one crop to the next, pixels
    min_texture: Annotated[float, Field(ge=0, lt=128)]  # least standard deviation of a crop's luminance, 8-bit levels
    match_color: bool  # real blurred photographs get the mean colour of the sharp ones, see match_color.py


def grid(height: int, width: int, p: CropParams) -> list[tuple[int, int]]:
    """Top-left corners (y, x) of a frame's crops: every `stride` pixels, and a last row and column flush with the
    border, so that every pixel is in some crop. Empty for a frame smaller than a crop."""
    if min(height, width) < p.side:
        return []
    rows, columns = (sorted({*range(0, length - p.side, p.stride), length - p.side}) for length in (height, width))
    return [(y, x) for y in rows for x in columns]


def cut(frame: np.ndarray, corners: list[tuple[int, int]], side: int) -> Iterator[np.ndarray]:
    """The crops of a frame (H, W, ...) at these corners, as views."""
    return (frame[y : y + side, x : x + side] for y, x in corners)


def textured(frame: np.ndarray, p: CropParams) -> list[tuple[int, int]]:
    """The corners of `grid` whose crops of the frame (H, W, 3) uint8 have the least texture; all for 0."""
    corners = grid(frame.shape[0], frame.shape[1], p)
    crops = cut(np.asarray(Image.fromarray(frame).convert("L")), corners, p.side)
    return [corner for corner, crop in zip(corners, crops, strict=True) if crop.std() >= p.min_texture]


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
    counts, shifts = [], []
    loaded = progress(ordered(load, items, workers), desc=group, unit="frame", total=len(items))
    for images, corners, shift in loaded:
        counts.append(len(corners))
        shifts.append(shift)
        if corners:
            for side, image in zip(sides, images, strict=True):
                file.write(f"{group}/{side}/{len(windows):06}", image)
            windows.append(np.insert(corners, 0, len(windows), axis=1))
    if not windows:
        raise ValueError(f"crop.min_texture, {p.min_texture:g}: no crop of the {group} photographs has as much")
    names = [frames[0].path for frames, count in zip(items, counts, strict=True) if count]
    file.crops(group, np.concatenate(windows), p.side, names)
    every = sum(len(grid(frames[0].height, frames[0].width, p)) for frames in items)
    figures = {f"{group}_crops": sum(counts), f"{group}_crops_left_out": every - sum(counts)}
    mean = np.average([frames[-1].mean for frames in items], axis=0, weights=counts).tolist()
    if "sharp" not in sides:
        return figures | {f"mean_{group}": mean}
    # Motion that is uneven over the exposure may shift a blur by a little more than a pixel.
    worst = int(np.argmax(shifts))
    shifted = {"shift_mean": float(np.mean(shifts)), "shift_max": shifts[worst], "shift_worst": items[worst][0].path}
    return figures | {"mean_sharp": mean, **shifted, "shift_over_1px": sum(shift > 1 for shift in shifts)}


def matching_curves(
    root: Path, frames: list[Frame], mean: list[float], p: CropParams, workers: int
) -> tuple[np.ndarray, list[float]]:
    """The curves that give the photographs' crops this mean colour, and the mean after them."""

    def measure(frame: Frame) -> tuple[np.ndarray, int]:
        image = load_frame(root, frame)
        return match_color.levels(image), len(textured(image, p))

    measured = progress(ordered(measure, frames, workers), desc="colors", unit="frame", total=len(frames))
    levels, counts = zip(*measured, strict=True)
    shares = np.average(levels, axis=0, weights=counts if any(counts) else None)
    curves = match_color.matching(shares, np.array(mean))
    return curves, (shares * curves).sum(axis=1).tolist()
