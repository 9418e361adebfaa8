"""Where crops lie, and that a pair is cut and mirrored as one."""

import numpy as np
import pytest

from dbgan.data import augment, crops


def corners(height: int, width: int, size: int, stride: int) -> list[tuple[int, int]]:
    return crops.grid(height, width, crops.CropParams(size, stride, 0.0, False))


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
        crops.CropParams(size, stride, 0.0, False)


def coordinates(height: int, width: int) -> np.ndarray:
    """An image whose pixels say where they are: (y, x, 0)."""
    y, x = np.mgrid[:height, :width]
    return np.stack([y, x, 0 * y], axis=-1).astype(np.uint8)


def drawn(seed: int, count: int, patch: int = 8) -> np.ndarray:
    return augment.places(np.random.default_rng(seed), count, 20, patch)


def test_both_images_of_a_pair_are_cut_and_mirrored_alike():
    here, at = coordinates(20, 20), drawn(0, 20)
    first, second = (augment.patches([image] * 20, at, 8) for image in (here, here + 100))
    assert first.shape == (20, 8, 8, 3)
    assert np.array_equal(first + 100, second)


def test_a_patch_is_the_one_that_slicing_gives():
    images = np.random.default_rng(1).integers(0, 256, (30, 20, 20, 3), dtype=np.uint8)
    at = drawn(2, 30)
    for image, patch, (y, x, down, sideways) in zip(images, augment.patches(images, at, 8), at, strict=True):
        wanted = image[y : y + 8, x : x + 8][:: 1 - 2 * down, :: 1 - 2 * sideways]
        assert np.array_equal(patch, wanted)


def test_patches_lie_everywhere_in_all_four_orientations_evenly():
    at = drawn(0, 4000)
    for column, values in zip(at.T, (13, 13, 2, 2), strict=True):
        counts = np.bincount(column)
        assert len(counts) == values
        assert counts.min() > 0.7 * len(at) / values
    assert len(np.unique(at[:, 2:], axis=0)) == 4
    assert np.abs(np.corrcoef(at.T) - np.eye(4)).max() < 0.1


def test_a_patch_may_be_the_whole_image():
    at = drawn(0, 5, patch=20)
    assert not at[:, :2].any()
    assert augment.patches([coordinates(20, 20)] * 5, at, 20).shape == (5, 20, 20, 3)


def test_luminance_is_that_of_the_eye():
    red, green, white = ([[[255, 0, 0]]], [[[0, 255, 0]]], [[[255, 255, 255]]])
    levels = [int(crops.luminance(np.array(color, np.uint8))[0, 0]) for color in (red, green, white)]
    assert levels == [76, 150, 255]


@pytest.mark.parametrize(("least", "kept"), [(0, [0, 4, 8]), (1, [4, 8]), (70, [8]), (127, [8])])
def test_crops_with_less_texture_than_asked_for_are_left_out(least, kept):
    """Flat, a step of 100 levels (deviation 50), black and white (127.5)."""
    frame = np.full((4, 12, 3), 90, np.uint8)
    frame[:2, 4:8] += 100
    frame[:2, 8:], frame[2:, 8:] = 0, 255
    p = crops.CropParams(4, 4, least, False)
    assert crops.textured(frame, p) == [(0, x) for x in kept]


@pytest.mark.parametrize("least", [-1.0, 128.0])
def test_a_senseless_texture_is_refused(least):
    with pytest.raises(ValueError, match="min_texture must"):
        crops.CropParams(4, 4, least, False)
