"""The grid of crops, and which of them have texture."""

import numpy as np
import pytest

from dbgan.data import crops


def params(side: int, stride: int, min_texture: float = 0.0) -> crops.CropParams:
    return crops.CropParams(side=side, stride=stride, min_texture=min_texture, match_color=False)


def corners(height: int, width: int, size: int, stride: int) -> list[tuple[int, int]]:
    return crops.grid(height, width, params(size, stride))


def test_the_grid_by_hand():
    assert corners(8, 12, size=4, stride=4) == [(0, 0), (0, 4), (0, 8), (4, 0), (4, 4), (4, 8)]


def test_a_last_row_and_column_lie_flush_with_the_border():
    assert corners(10, 4, size=4, stride=4) == [(0, 0), (4, 0), (6, 0)]
    assert corners(4, 11, size=4, stride=3) == [(0, 0), (0, 3), (0, 6), (0, 7)]


def test_a_frame_as_large_as_a_crop_is_one_crop():
    assert corners(4, 4, size=4, stride=3) == [(0, 0)]


@pytest.mark.parametrize(("height", "width"), [(3, 9), (9, 3), (0, 9)])
def test_a_frame_smaller_than_a_crop_gives_none(height, width):
    assert corners(height, width, size=4, stride=4) == []


def test_every_pixel_is_in_some_crop_and_none_beyond_the_border():
    seen = np.zeros((23, 31), int)
    for y, x in corners(23, 31, size=7, stride=5):
        assert seen[y : y + 7, x : x + 7].shape == (7, 7)
        seen[y : y + 7, x : x + 7] += 1
    assert seen.min() >= 1


def test_cut_takes_the_pixels_of_its_corner():
    frame = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
    first, second = crops.cut(frame, [(0, 0), (2, 4)], 3)
    assert np.array_equal(first, frame[:3, :3])
    assert np.array_equal(second, frame[2:5, 4:7])


@pytest.mark.parametrize(("least", "kept"), [(0, [0, 4, 8]), (1, [4, 8]), (70, [8]), (127, [8])])
def test_crops_with_less_texture_than_asked_for_are_left_out(least, kept):
    """Flat, a step of 100 levels (deviation 50), black and white (127.5)."""
    frame = np.full((4, 12, 3), 90, np.uint8)
    frame[:2, 4:8] += 100
    frame[:2, 8:], frame[2:, 8:] = 0, 255
    p = params(4, 4, least)
    assert crops.textured(frame, p) == [(0, x) for x in kept]
