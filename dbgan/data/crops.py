"""Where crops lie in a frame."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class CropParams:
    """The grid of crops cut from every training frame."""

    size: int  # side of a crop, pixels
    stride: int  # distance from one crop to the next, pixels

    def __post_init__(self) -> None:
        if self.size < 1 or self.stride < 1:
            raise ValueError("crop.size and crop.stride must be at least 1")


def grid(height: int, width: int, p: CropParams) -> list[tuple[int, int]]:
    """Top-left corners (y, x) of the crops of a frame: every `stride` pixels, and a last row and column flush
    with the border, so that every pixel is in some crop. Empty for a frame smaller than a crop."""
    return [(y, x) for y in _starts(height, p) for x in _starts(width, p)]


def _starts(length: int, p: CropParams) -> list[int]:
    last = length - p.size
    return sorted({*range(0, last + 1, p.stride), last}) if last >= 0 else []


def cut(frame: np.ndarray, corners: list[tuple[int, int]], size: int) -> Iterator[np.ndarray]:
    """The crops (size, size, 3) of a frame (H, W, 3) at the corners given, as views."""
    return (frame[y : y + size, x : x + size] for y, x in corners)
