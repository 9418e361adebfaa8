"""The grid of crops, and which of them have texture."""

import numpy as np
import pytest

from dbgan.data import crops


def params(side: int, stride: int, min_texture: float = 0.0) -> crops.CropParams:
    return crops.CropParams(side=side, stride=stride, min_texture=min_texture, real_short_side=None)


@pytest.mark.parametrize(
    ("height", "width", "stride", "expected"),
    [
        (8, 12, 4, [(0, 0), (0, 4), (0, 8), (4, 0), (4, 4), (4, 8)]),
        (10, 4, 4, [(0, 0), (4, 0), (6, 0)]),  # the last row lies flush with the border
        (4, 11, 3, [(0, 0), (0, 3), (0, 6), (0, 7)]),
        (4, 4, 3, [(0, 0)]),
        (3, 9, 4, []),
    ],
)
def test_the_grid_by_hand(height, width, stride, expected):
    assert crops.grid(height, width, params(4, stride)) == expected


def test_every_pixel_is_in_some_crop_and_none_beyond_the_border():
    seen = np.zeros((23, 31), int)
    for crop in crops.cut(seen, crops.grid(23, 31, params(7, 5)), 7):
        assert crop.shape == (7, 7)
        crop += 1
    assert seen.min() >= 1


@pytest.mark.parametrize(("least", "kept"), [(0, [0, 4, 8]), (1, [4, 8]), (70, [8]), (127, [8])])
def test_crops_with_less_texture_than_asked_for_are_left_out(least, kept):
    """Flat, a step of 100 levels (deviation 50), black and white (127.5)."""
    frame = np.full((4, 12, 3), 90, np.uint8)
    frame[:2, 4:8] += 100
    frame[:2, 8:], frame[2:, 8:] = 0, 255
    assert crops.textured(frame, params(4, 4, least)) == [(0, x) for x in kept]
