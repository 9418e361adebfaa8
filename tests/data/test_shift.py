"""Shifts put into pairs on purpose are measured."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, uniform_filter1d

from dbgan.data.registration import shift


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    fine = np.random.default_rng(0).integers(0, 256, (460, 500, 3)).astype(float)
    coarse = gaussian_filter(fine, (4, 4, 0)) * 8 + gaussian_filter(fine, (1, 1, 0))
    return np.clip((coarse - coarse.mean()) / coarse.std() * 50 + 128, 0, 255)


def window(scene: np.ndarray, y: int, x: int, height: int = 430, width: int = 470) -> np.ndarray:
    return scene[10 + y : 10 + y + height, 10 + x : 10 + x + width].astype(np.uint8)


@pytest.mark.parametrize(("y", "x"), [(0, 0), (3, 0), (5, 8)])
@pytest.mark.parametrize("blur", [1, 15])
@pytest.mark.parametrize("size", [(430, 470), (120, 90)])
def test_the_distance_of_a_shift_is_measured_under_blur(scene, y, x, blur, size):
    """Linear blur, the kind that misleads phase correlation."""
    blurred = uniform_filter1d(scene, blur, axis=1)
    assert shift(window(scene, 0, 0, *size), window(blurred, y, x, *size)) == pytest.approx(np.hypot(y, x), abs=1)


def test_half_a_pixel_is_seen_and_photographs_of_one_level_are_not_shifted(scene):
    between = (window(scene, 0, 0).astype(float) + window(scene, 0, 1)) / 2
    assert shift(window(scene, 0, 0), between.astype(np.uint8)) == pytest.approx(0.5, abs=0.2)
    assert shift(window(scene, 0, 0, 200, 200), np.full((200, 200, 3), 99, np.uint8)) == 0
