"""PSNR, both SSIMs and colour, against published code, libraries and by hand."""

import hashlib
import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, uniform_filter1d
from skimage import data
from skimage.color import deltaE_ciede2000, lab2rgb, rgb2lab

from dbgan import metrics as image

GOLDEN = json.loads((Path(__file__).parents[1] / "fixtures" / "image_metrics.json").read_text())


def noisy_uint8(photo, seed, level):
    values = photo + level * np.random.default_rng(seed).standard_normal(photo.shape)
    return values.round().clip(0, 255).astype(np.uint8)


def pair(name):
    """The distorted photograph and its reference, made again as for the published figures."""
    if name == "p1":
        reference = data.astronaut()[100:260, 180:340]
        blurred = gaussian_filter(reference.astype(np.float64), (1.5, 1.5, 0), mode="reflect")
        return noisy_uint8(blurred, 11, 5), reference
    reference = data.coffee()[120:280, 220:380]
    blurred = uniform_filter1d(reference.astype(np.float64), 9, axis=1, mode="reflect")
    return noisy_uint8(blurred, 12, 2), reference


@pytest.mark.parametrize("name", ["p1", "p2"])
def test_the_pairs_are_those_of_the_published_figures(name):
    distorted, _ = pair(name)
    assert hashlib.sha256(distorted.tobytes()).hexdigest() == GOLDEN[name]["sha256_distorted"]


@pytest.mark.parametrize("measure", ["psnr", "ssim", "ssim_2d"])
@pytest.mark.parametrize("name", ["p1", "p2"])
def test_figures_equal_published_code(name, measure):
    assert getattr(image, measure)(*pair(name)) == pytest.approx(GOLDEN[name][measure], abs=1e-6)


def test_one_level_everywhere_is_48_13_db():
    grey = np.full((4, 5, 3), 100, np.uint8)
    assert image.psnr(grey + 1, grey) == pytest.approx(20 * math.log10(255))


def test_equal_images_score_best():
    photo, _ = pair("p1")
    assert image.psnr(photo, photo) == math.inf
    assert image.ssim(photo, photo) == pytest.approx(1)
    assert image.ssim_2d(photo, photo) == pytest.approx(1)
    assert image.delta_e(photo, photo) == 0


def test_ssim_of_two_flat_images_is_its_luminance_part():
    dark, light = np.full((16, 16, 3), 50, np.uint8), np.full((16, 16, 3), 150, np.uint8)
    c1 = (0.01 * 255) ** 2
    expected = (2 * 50 * 150 + c1) / (50**2 + 150**2 + c1)
    assert image.ssim(dark, light) == pytest.approx(expected)
    assert image.ssim_2d(dark, light) == pytest.approx(expected)


def test_delta_e_of_black_and_white_is_100():
    black, white = np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 255, np.uint8)
    assert image.delta_e(white, black) == pytest.approx(100, abs=1e-3)


def test_delta_e_is_the_mean_over_pixels_of_scikit_images_ciede2000():
    yellow = (lab2rgb([[[60.0, 5.0, 40.0]]]) * 255).round().astype(np.uint8)
    orange = (lab2rgb([[[60.0, 25.0, 40.0]]]) * 255).round().astype(np.uint8)
    one_pixel = deltaE_ciede2000(rgb2lab(yellow), rgb2lab(orange)).item()
    half = np.concatenate([orange, yellow])
    assert image.delta_e(half, np.concatenate([yellow, yellow])) == pytest.approx(one_pixel / 2)


def test_color_shift_is_signed_and_per_channel():
    reference = np.full((3, 4, 3), 100, np.uint8)
    shifted = reference.copy()
    shifted[..., 0] += 10
    shifted[:, :2, 2] -= 40
    assert image.color_shift(shifted, reference).tolist() == [10, 0, -20]


def test_scores_carry_the_suffix_and_the_three_figures():
    distorted, reference = pair("p2")
    found = image.scores(distorted, reference, "_blurred")
    assert set(found) == {"psnr_blurred", "ssim_blurred", "ssim_2d_blurred"}
    assert found["ssim_blurred"] == image.ssim(distorted, reference)
