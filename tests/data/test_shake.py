"""The camera-shake simulator: what it must leave alone, and what it must not."""

import numpy as np
import pytest
import torch
from scipy.ndimage import center_of_mass

from dbgan.data import camera_shake
from dbgan.data.camera_shake import ShakeParams

STILL = ShakeParams(
    length_px=(0.0, 0.0), rotation_deg=0.0, defocus_px=(0.0, 0.0), response_gamma=1.0, noise=0.0, jpeg_quality=None
)


def replace(camera: ShakeParams, **changes) -> ShakeParams:
    return ShakeParams(**camera.model_dump() | changes)


SHAKEN = replace(STILL, length_px=(4.0, 12.0), rotation_deg=0.3)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_limits_ascend_and_the_disc_fits_into_the_photograph(photo):
    for key in ("length_px", "defocus_px"):
        with pytest.raises(ValueError, match="smaller number comes first"):
            replace(STILL, **{key: (3.0, 2.0)})
    camera_shake.blur(photo(0, 40, 50), replace(STILL, defocus_px=(39.0, 39.0)), rng())
    with pytest.raises(ValueError, match=r"defocus_px, 39\.1: .*50x40"):
        camera_shake.blur(photo(0, 40, 50), replace(STILL, defocus_px=(0.0, 39.1)), rng())


def test_a_camera_path_is_centred_and_as_long_as_asked():
    extents = []
    for seed in range(40):
        path = camera_shake.camera_path(SHAKEN, 32, rng(seed))
        assert path.shape == (32, 3)
        assert np.abs(path.mean(axis=0)).max() < 1e-9
        extents.append(float(np.linalg.norm(np.ptp(path[:, :2], axis=0))))
    assert 4.0 - 1e-6 <= min(extents) < 6
    assert 10 < max(extents) <= 12.0 + 1e-6


@pytest.mark.parametrize("gamma", [1.0, 2.2])
def test_a_still_camera_changes_nothing_and_a_plain_wall_stays_plain(photo, gamma):
    still = replace(STILL, response_gamma=gamma)
    assert np.abs(camera_shake.blur(photo(0), still, rng()).astype(int) - photo(0)).max() <= 1
    wall = np.full((40, 30, 3), [40, 128, 250], np.uint8)
    camera = replace(SHAKEN, response_gamma=gamma, defocus_px=(2.0, 3.0))
    assert np.abs(camera_shake.blur(wall, camera, rng()).astype(int) - wall).max() <= 1


def test_noise_is_as_strong_as_asked_and_has_no_bias():
    wall = np.full((100, 100, 3), 204, np.uint8)
    difference = camera_shake.blur(wall, replace(STILL, noise=0.02), rng()).astype(float) - 204
    assert abs(difference.mean()) < 0.2
    assert difference.std() == pytest.approx(0.02 * np.sqrt(0.8) * 255, rel=0.1)


def test_a_blurred_dot_stays_in_its_place():
    dot = np.zeros((61, 61, 3), np.uint8)
    dot[29:32, 29:32] = 255
    for seed in range(8):
        blurred = camera_shake.blur(dot, SHAKEN, rng(seed))
        assert np.abs(np.subtract(center_of_mass(blurred[..., 1]), 30)).max() < 0.3
        assert blurred.max() < 200


def test_light_is_averaged_not_stored_values():
    """Half black, half white in fine stripes: half the light, which a camera stores as 0.5 ** (1 / gamma)."""
    stripes = np.zeros((40, 40, 3), np.uint8)
    stripes[::2] = 255
    camera = replace(STILL, defocus_px=(6.0, 6.0), response_gamma=2.2)
    middle = camera_shake.blur(stripes, camera, rng())[15:25, 15:25]
    assert middle.mean() == pytest.approx(255 * 0.5 ** (1 / 2.2), abs=6)


def test_a_blur_is_a_function_of_the_random_state(photo):
    camera = replace(SHAKEN, noise=0.01, defocus_px=(0.0, 2.0), jpeg_quality=80)
    first, again, other = (camera_shake.blur(photo(0), camera, rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.shape == photo(0).shape
    assert first.dtype == np.uint8


@pytest.mark.parametrize("radius", [0.0, 0.5, 1.0, 2.5, 4.0])
def test_defocus_spreads_a_point_over_a_disc_and_loses_no_light(radius):
    point = torch.zeros(1, 3, 21, 21)
    point[..., 10, 10] = 1
    disc = camera_shake._defocused(point, radius)
    assert disc.sum(dim=(2, 3)).flatten().tolist() == pytest.approx([1, 1, 1])
    assert disc.min() >= 0
    assert torch.allclose(disc, disc.flip(2)) and torch.allclose(disc, disc.transpose(2, 3))
    assert (disc[0, 0, 10] > 0).sum() == (1 if radius < 0.5 else 2 * np.ceil(radius - 0.5) + 1)
