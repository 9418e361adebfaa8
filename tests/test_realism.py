"""The measures of a blur's realism, against numbers worked out by hand and blurs whose truth is known."""

import io
import math

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import convolve, gaussian_filter
from skimage import data
from skimage.morphology import disk

from dbgan import realism
from dbgan.data import camera_shake

CAMERA = {"path": "walk", "rotation_deg": 0.0, "defocus_px": (0, 0), "blades": 0, "response_gamma": 2.2}
CAMERA |= {"contrast": 0.0, "headroom": 1.0, "noise": 0.005, "jpeg_quality": None}
GAUSSIAN = gaussian_filter(np.pad([[1.0]], 9), 2)
PHOTOS = {"astronaut": data.astronaut, "chelsea": data.chelsea, "coins": lambda: np.dstack([data.coins()] * 3)}


def grey(values):
    return np.dstack([np.clip(np.round(values), 0, 255).astype(np.uint8)] * 3)


def noise(kernel, falling=0, side=256):
    """Noise whose amplitudes fall as 1 / f**falling, 0 white, 1 as photographs', blurred; contrast 40 levels."""
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side))
    frequency[0, 0] = 1
    spectrum = np.fft.rfft2(np.random.default_rng(0).standard_normal((side, side))) / frequency**falling
    values = convolve(np.fft.irfft2(spectrum), kernel.astype(float), mode="wrap")
    return grey(128 + 40 * values / values.std())


def crops(photo, side=128):
    height, width, _ = photo.shape
    return [photo[y : y + side, x : x + side] for y in range(0, height - side, 64) for x in range(0, width - side, 64)]


def shaken(photo, length, seed):
    camera = camera_shake.ShakeParams(length_px=(length, length), **CAMERA)
    return camera_shake.blur(photo, camera, np.random.default_rng(seed))


def jpeg(photo, quality):
    memory = io.BytesIO()
    Image.fromarray(photo).save(memory, "JPEG", quality=quality)
    return np.asarray(Image.open(memory))


def axis_angle(a, b):
    """Between two directions modulo pi."""
    return abs((a - b + math.pi / 2) % math.pi - math.pi / 2)


def test_a_straight_shake_of_white_noise_is_as_worked_out_by_hand():
    # Of lag zero, 2/81 + 18/81, a lag j along x has 2 (9 - |j|)/81, so 0.9 - 0.1 |j|; 0.15 is taken off.
    weights = {j: 0.75 - 0.1 * abs(j) for j in range(-7, 8)} | {0: 0.85}
    moment = sum(w * j * j for j, w in weights.items()) / sum(weights.values())
    radius, anisotropy, direction = realism.blur_shape(noise(np.full((1, 9), 1 / 9)))
    assert radius == pytest.approx(math.sqrt(moment / 2) / 0.85, rel=0.02)
    assert radius == pytest.approx(math.sqrt((9**2 - 1) / 12), rel=0.05)  # the box's own
    assert anisotropy > 0.98
    assert axis_angle(direction, 0) < 0.02


@pytest.mark.parametrize(("kernel", "angle"), [(np.ones((9, 1)), 0.5), (np.eye(9), 0.25), (np.eye(9)[::-1], 0.75)])
def test_direction_runs_from_x_down_to_y(kernel, angle):
    assert axis_angle(realism.blur_shape(noise(kernel))[2], angle * math.pi) < 0.03


@pytest.mark.parametrize(("kernel", "rms"), [(disk(4), 4 / 2**0.5), (GAUSSIAN, 2 * 2**0.5)], ids=["disc", "gaussian"])
def test_round_kernels_have_no_anisotropy(kernel, rms):
    radius, anisotropy, _ = realism.blur_shape(noise(kernel, falling=1))
    assert anisotropy < 0.1
    assert 0.8 * rms < radius < rms


@pytest.mark.parametrize("name", PHOTOS)
def test_radius_grows_with_the_shake_on_photographs(name):
    photo = PHOTOS[name]()[:300, :300]
    blurs = [[photo], *([shaken(photo, length, seed) for seed in range(3)] for length in (3.0, 6.0, 10.0, 15.0))]
    radii = [np.mean([realism.blur_shape(crop)[0] for b in blur for crop in crops(b)]) for blur in blurs]
    assert radii == sorted(radii)
    assert radii[-1] > 2 * radii[0]


def test_a_crop_without_detail_has_no_shape():
    assert realism.blur_shape(np.full((64, 64, 3), 90, np.uint8)) == (0, 0, 0)


def test_distances_of_shapes_by_hand():
    one, other = [(1.0, 0.5, 0.1)], [(3.0, 0.5, math.pi - 0.1)]
    found = realism.shape_distances(one, other)
    assert found["radius"] == pytest.approx(2)
    assert found["anisotropy"] == 0
    assert found["direction"] == pytest.approx(0.2)  # over pi, which is 0
    points = [(r, r * a * math.cos(2 * d), r * a * math.sin(2 * d)) for r, a, d in one + other]
    assert found["kernel"] == pytest.approx(math.dist(*points))
    assert realism.shape_distances(one + other, other + one) == pytest.approx(dict.fromkeys(found, 0), abs=1e-9)
    faint = [(1.0, 0.5, 0.1), (1.0, 0.0, 1.5)]  # a round blur has no direction
    assert realism.shape_distances(one, faint)["direction"] == pytest.approx(0, abs=1e-6)


def test_a_hatch_of_one_level_stands_out_of_a_blurs_change():
    photos = [photo() for photo in PHOTOS.values()]
    sharp = [crop for photo in photos for crop in crops(photo)]
    blurred = [crop for photo in photos for crop in crops(shaken(photo, 5.0, 1))]
    y, x = np.mgrid[:128, :128]
    hatch = ((x + y) % 3 == 0)[..., None]
    change = np.stack(blurred).astype(float) - np.stack(sharp)
    (plain, _), (hatched, period) = realism.periodic_peak(change), realism.periodic_peak(change + hatch)
    assert plain < 2.5
    assert hatched > 5 * plain
    assert period == pytest.approx(3 / math.sqrt(2), rel=0.02)
    assert realism.periodic_peak(np.zeros((2, 64, 64, 3)))[0] == pytest.approx(1)


def test_noise_level_is_that_of_noise_and_not_of_a_ramp():
    ramp = np.tile(np.linspace(60, 190, 128), (128, 1))
    rough = ramp + np.random.default_rng(3).normal(0, 5, ramp.shape)
    assert realism.noise_level(grey(rough)) == pytest.approx(5, rel=0.05)
    assert realism.noise_level(grey(ramp)) < 0.5  # of rounding
    assert realism.noise_level(grey(np.full((64, 64), 90))) == 0


@pytest.mark.parametrize("name", PHOTOS)
def test_blocks_are_found_wherever_the_crop_starts(name):
    photo = PHOTOS[name]()[:296, :296]
    coarse = jpeg(photo, 30)
    plain, blocky, shifted = map(realism.blocking, (photo, coarse, coarse[3:, 5:]))
    assert plain < 1.2 < 1.6 < blocky
    assert shifted == pytest.approx(blocky, rel=0.02)
    assert realism.blocking(np.full((64, 64, 3), 90, np.uint8)) == pytest.approx(1)


def test_compare_names_every_figure_and_leaves_out_what_it_cannot_know():
    sharp = crops(data.astronaut()[:200, :300])
    paired, real = (crops(shaken(data.astronaut()[:200, :300], length, 1)) for length in (4.0, 12.0))
    found = realism.compare(sharp, paired, real + paired, real, sharp)
    kinds = ("sharp", "paired", "bgan", "real", "real_blur")
    parts = [("blur_radius blur_anisotropy noise_level blocking", kinds[:4])]
    parts += [("radius_distance anisotropy_distance direction_distance kernel_distance", kinds[:3])]
    parts += [("periodic_peak periodic_peak_period", (*kinds[1:3], kinds[4]))]
    names = {f"{name}_{kind}" for part, of in parts for name in part.split() for kind in of}
    assert found.keys() == names
    assert all(isinstance(value, float) for value in found.values())
    assert found["kernel_distance_bgan"] < found["kernel_distance_paired"] < found["kernel_distance_sharp"]
    unknown = {name for name in names if "real" in name or "distance" in name}
    assert realism.compare(sharp, paired, real + paired, []) == found | dict.fromkeys(unknown)
