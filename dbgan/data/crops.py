"""Where crops lie in a frame, and which are worth learning from."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class CropParams:
    """The grid of crops cut from every training frame."""

    size: int  # side of a crop, pixels
    stride: int  # distance from one crop to the next, pixels
    min_texture: float  # crops whose luminance varies less, standard deviation in 8-bit levels, are left out
    match_color: bool  # real blurred photographs get the mean colour of the sharp ones, see color.py

    def __post_init__(self) -> None:
        if self.size < 1 or self.stride < 1:
            raise ValueError("size and stride must be at least 1")
        if not 0 <= self.min_texture < 128:
            raise ValueError("min_texture must be from 0 to below 128 levels")


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


def textured(frame: np.ndarray, p: CropParams) -> list[tuple[int, int]]:
    """The corners of `grid` whose crops of the frame (H, W, 3) uint8 have the texture asked for; all for 0."""
    corners = grid(*frame.shape[:2], p)
    if not p.min_texture:
        return corners
    crops = cut(luminance(frame), corners, p.size)
    return [corner for corner, crop in zip(corners, crops, strict=True) if crop.std() >= p.min_texture]


def luminance(frame: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB -> (H, W) uint8 (ITU-R 601)."""
    return np.asarray(Image.fromarray(frame).convert("L"))
