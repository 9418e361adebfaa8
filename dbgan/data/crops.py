"""The crop rule: the grid of crops in a frame, and which of them have enough texture to learn from."""

import math
from collections.abc import Iterator
from typing import Annotated

import numpy as np
from PIL import Image
from pydantic import Field, PositiveInt, model_validator

from dbgan.settings import Params


class CropParams(Params):
    side: PositiveInt  # of a crop, pixels
    stride: PositiveInt  # distance from one crop to the next, pixels
    min_texture: Annotated[float, Field(ge=0, lt=128)]  # least standard deviation of a crop's luminance, 8-bit levels
    real_short_side: PositiveInt | None  # real photographs are reduced to that many pixels on it; null: to none

    @model_validator(mode="after")
    def _holds_a_crop(self) -> "CropParams":
        if self.real_short_side and self.real_short_side < self.side:
            raise ValueError(f"real_short_side must be at least side, {self.side}")
        return self


def grid(height: int, width: int, p: CropParams) -> list[tuple[int, int]]:
    """Top-left corners (y, x) of a frame's crops: every `stride` pixels, and a last row and column flush with the
    border, so that every pixel is in some crop. Empty for a frame smaller than a crop."""
    if min(height, width) < p.side:
        return []
    rows, columns = (sorted({*range(0, length - p.side, p.stride), length - p.side}) for length in (height, width))
    return [(y, x) for y in rows for x in columns]


def reduced_size(height: int, width: int, p: CropParams) -> tuple[int, int]:
    """A real photograph's at the scale of the sharp ones: the short side is `real_short_side` at most."""
    share = min(1, (p.real_short_side or math.inf) / min(height, width))
    return round(share * height), round(share * width)


def reduced(photograph: np.ndarray, p: CropParams) -> np.ndarray:
    """A real photograph (H, W, 3) uint8 in its `reduced_size`."""
    height, width = reduced_size(photograph.shape[0], photograph.shape[1], p)
    if (height, width) == photograph.shape[:2]:
        return photograph
    return np.asarray(Image.fromarray(photograph).resize((width, height), Image.Resampling.HAMMING))


def cut(frame: np.ndarray, corners: list[tuple[int, int]], side: int) -> Iterator[np.ndarray]:
    """The crops of a frame (H, W, ...) at these corners, as views."""
    return (frame[y : y + side, x : x + side] for y, x in corners)


def textured(frame: np.ndarray, p: CropParams) -> list[tuple[int, int]]:
    """The corners of `grid` whose crops of the frame (H, W, 3) uint8 have at least `min_texture`."""
    corners = grid(frame.shape[0], frame.shape[1], p)
    crops = cut(np.asarray(Image.fromarray(frame).convert("L")), corners, p.side)
    return [corner for corner, crop in zip(corners, crops, strict=True) if crop.std() >= p.min_texture]
