"""Where crops lie, and that a pair is cut and mirrored as one."""

import numpy as np
import pytest

from dbgan.data import crops
from dbgan.data.augment import patch_and_flip


def corners(height: int, width: int, size: int, stride: int) -> list[tuple[int, int]]:
    return crops.grid(height, width, crops.CropParams(size, stride))


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


@pytest.mark.parametrize(("size", "stride"), [(0, 1), (1, 0), (-1, 4)])
def test_a_senseless_grid_is_refused(size, stride):
    with pytest.raises(ValueError, match="at least 1"):
        crops.CropParams(size, stride)


def coordinates(height: int, width: int) -> np.ndarray:
    """An image whose pixels say where they are: (y, x, 0)."""
    y, x = np.mgrid[:height, :width]
    return np.stack([y, x, 0 * y], axis=-1).astype(np.uint8)


def test_both_images_of_a_pair_are_cut_and_mirrored_alike():
    here = coordinates(20, 30)
    for seed in range(20):
        first, second = patch_and_flip([here, here + 100], 8, np.random.default_rng(seed))
        assert first.shape == (8, 8, 3)
        assert np.array_equal(first + 100, second)


def test_a_patch_is_a_connected_piece_in_all_four_orientations_anywhere():
    here = coordinates(20, 30)
    flips, tops, lefts = set(), set(), set()
    for seed in range(300):
        (patch,) = patch_and_flip([here], 8, np.random.default_rng(seed))
        y, x = patch[..., 0].astype(int), patch[..., 1].astype(int)
        down, right = np.unique(np.diff(y, axis=0)), np.unique(np.diff(x, axis=1))
        assert len(down) == len(right) == 1
        assert not np.diff(y, axis=1).any()
        assert not np.diff(x, axis=0).any()
        flips.add((down[0], right[0]))
        tops.add(y.min())
        lefts.add(x.min())
    assert flips == {(1, 1), (1, -1), (-1, 1), (-1, -1)}
    assert tops == set(range(13))
    assert lefts == set(range(23))


def test_the_same_random_state_gives_the_same_patch():
    here = coordinates(20, 30)
    first, second = (patch_and_flip([here], 8, np.random.default_rng(5))[0] for _ in range(2))
    assert np.array_equal(first, second)
