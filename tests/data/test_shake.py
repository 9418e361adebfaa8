"""The camera-shake simulator: what it must leave alone, and what it must not."""

import numpy as np
import pytest
import torch
from scipy.ndimage import center_of_mass, gaussian_filter1d, shift

from dbgan.data import camera_shake
from dbgan.data.camera_shake import ShakeParams

STILL = ShakeParams(
    **{"path": "walk", "length_px": (0.0, 0.0), "rotation_deg": 0.0, "defocus_px": (0.0, 0.0), "blades": 0},
    **{"response_gamma": 1.0, "contrast": 0.0, "headroom": 1.0, "noise": 0.0, "jpeg_quality": None},
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


@pytest.mark.parametrize("kind", ["walk", "tremor"])
def test_a_camera_path_is_centred_and_as_long_as_asked(kind):
    extents = []
    for seed in range(40):
        path = camera_shake.camera_path(replace(SHAKEN, path=kind), 32, rng(seed))
        assert path.shape == (32, 3)
        assert np.abs(path.mean(axis=0)).max() < 1e-9
        extents.append(float(np.linalg.norm(np.ptp(path[:, :2], axis=0))))
    assert 4.0 - 1e-6 <= min(extents) < 6
    assert 10 < max(extents) <= 12.0 + 1e-6


@pytest.mark.parametrize(("gamma", "contrast", "headroom"), [(1.0, 0, 1), (2.2, 0, 1), (2.2, 0.8, 1), (1.8, 1, 4)])
def test_a_still_camera_changes_nothing_and_a_plain_wall_stays_plain(photo, gamma, contrast, headroom):
    still = replace(STILL, response_gamma=gamma, contrast=contrast, headroom=headroom)
    assert np.abs(camera_shake.blur(photo(0), still, rng()).astype(int) - photo(0)).max() <= 1
    wall = np.full((40, 30, 3), [40, 128, 250], np.uint8)
    camera = replace(still, length_px=(4.0, 12.0), rotation_deg=0.3, defocus_px=(2.0, 3.0), blades=6)
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
    disc = camera_shake._defocused(point, radius, 0)
    assert disc.sum(dim=(2, 3)).flatten().tolist() == pytest.approx([1, 1, 1])
    assert disc.min() >= 0
    assert torch.allclose(disc, disc.flip(2)) and torch.allclose(disc, disc.transpose(2, 3))
    assert (disc[0, 0, 10] > 0).sum() == (1 if radius < 0.5 else 2 * np.ceil(radius - 0.5) + 1)


@pytest.mark.parametrize("blades", [3, 6, 9])
def test_an_aperture_of_blades_makes_the_polygon_around_the_disc(blades):
    """Its light is even, so its area is 1 over the light of a pixel, and it is nowhere cut off."""
    point = torch.zeros(1, 3, 161, 161)
    point[..., 80, 80] = 1
    disc, polygon = (camera_shake._defocused(point, 30.0, kind)[0, 0] for kind in (0, blades))
    assert polygon.sum().item() == pytest.approx(1)
    for shape, area in ((disc, np.pi), (polygon, blades * np.tan(np.pi / blades))):
        assert 1 / shape[80, 80].item() == pytest.approx(area * 30**2, rel=0.01)
    assert ((disc > 0.5 * disc.max()) <= (polygon > 0)).all()
    for few in (1, 2):
        with pytest.raises(ValueError, match="3 blades or more"):
            replace(STILL, blades=few)


def test_without_new_options_a_camera_is_the_plain_one(photo):
    """The mean of moved photographs' light, written out; a walk from the same random numbers."""
    camera = replace(STILL, length_px=(6.0, 6.0), response_gamma=2.2)
    state = rng(3)
    walk = np.cumsum(np.cumsum(state.standard_normal((32, 3)), 0) + 2 * state.standard_normal(3), 0)
    path = gaussian_filter1d(walk, 2, axis=0, mode="nearest")
    path -= path.mean(0)
    path[:, :2] *= 6 / np.linalg.norm(np.ptp(path[:, :2], axis=0))
    assert camera_shake.camera_path(camera, 32, rng(3))[:, :2] == pytest.approx(path[:, :2])
    light = (photo(0) / 255) ** 2.2
    moved = [shift(light, (-dy, -dx, 0), order=1, mode="reflect") for dx, dy, _ in path]
    expected = 255 * np.mean(moved, 0) ** (1 / 2.2)
    assert np.abs(camera_shake.blur(photo(0), camera, rng(3)) - expected).max() < 1


@pytest.mark.parametrize("contrast", [0.0, 0.5, 1.0])
def test_light_is_what_the_response_curve_stores(contrast):
    """stored = c + contrast * (3 c^2 - 2 c^3 - c) with c = light ** (1 / gamma)."""
    camera = replace(STILL, response_gamma=2.2, contrast=contrast)
    light = torch.linspace(0, 1, 101).expand(1, 3, 1, -1)
    curve = light ** (1 / 2.2)
    stored = curve + contrast * (3 * curve**2 - 2 * curve**3 - curve)
    torch.testing.assert_close(camera_shake.to_light(stored, camera), light, atol=1e-3, rtol=0)


@pytest.mark.parametrize("contrast", [0.0, 1.0])
def test_headroom_brightens_white_alone(contrast):
    """Pixels of which every colour is stored as 250 or more of 255."""
    stored = (
        torch.tensor([[250, 250, 250], [255, 255, 255], [249, 255, 255], [0, 255, 255]]).T.reshape(1, 3, 1, 4) / 255
    )
    camera = replace(STILL, response_gamma=2.0, contrast=contrast, headroom=4.0)
    factor = camera_shake.to_light(stored, camera) / camera_shake.to_light(stored, replace(camera, headroom=1.0))
    assert factor[0, 1, 0].tolist() == pytest.approx([4, 4, 1, 1])
    lamp = np.zeros((41, 41, 3), np.uint8)
    lamp[18:23, 18:23] = 255
    dim, bright = (
        camera_shake.blur(lamp, replace(STILL, headroom=headroom, defocus_px=(6.0, 6.0)), rng()).astype(float)
        for headroom in (1.0, 4.0)
    )
    assert bright[20, 20, 0] == pytest.approx(4 * dim[20, 20, 0], abs=2)
