"""The figures of the evaluation, against published code, libraries and numbers checked by hand."""

import hashlib
import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, uniform_filter1d
from skimage import data
from skimage.color import deltaE_ciede2000, lab2rgb, rgb2lab
from skimage.measure import blur_effect
from skimage.metrics import structural_similarity

from dbgan import metrics

GOLDEN = json.loads((Path(__file__).parent / "fixtures" / "image_metrics.json").read_text())


def noisy_uint8(photo, seed, level):
    values = photo + level * np.random.default_rng(seed).standard_normal(photo.shape)
    return values.round().clip(0, 255).astype(np.uint8)


def golden_pair(name):
    """The distorted photograph and its reference, made again as for the published figures."""
    if name == "p1":
        reference = data.astronaut()[100:260, 180:340]
        blurred = gaussian_filter(reference.astype(np.float64), (1.5, 1.5, 0), mode="reflect")
        return noisy_uint8(blurred, 11, 5), reference
    reference = data.coffee()[120:280, 220:380]
    blurred = uniform_filter1d(reference.astype(np.float64), 9, axis=1, mode="reflect")
    return noisy_uint8(blurred, 12, 2), reference


def crops(sigma, count=3):
    cut = [data.astronaut()[y : y + 64, 200:264] for y in range(20, 20 + 40 * count, 40)]
    return [gaussian_filter(c, (sigma, sigma, 0)) for c in cut] if sigma else cut


def flat(level, size=16):
    return np.full((size, size, 3), level, np.uint8)


def brighter(levels):
    return lambda photo: photo + np.asarray(levels, np.uint8)


def softer(photo):
    return gaussian_filter(photo, (2, 2, 0))


def decibels(*differences):
    """Mean PSNR of flat photographs that are so many levels off."""
    return sum(20 * math.log10(255 / d) for d in differences) / len(differences)


# ---- Two images ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["p1", "p2"])
def test_figures_equal_published_code(name):
    distorted, reference = golden_pair(name)
    assert hashlib.sha256(distorted.tobytes()).hexdigest() == GOLDEN[name]["sha256_distorted"]
    found = (metrics.psnr(distorted, reference), *metrics.ssims([distorted], reference)[0])
    assert found == pytest.approx([GOLDEN[name][measure] for measure in ("psnr", "ssim", "ssim_2d")], abs=1e-6)


def test_equal_and_flat_images_by_hand():
    photo, _ = golden_pair("p1")
    assert [metrics.psnr(photo, photo), *metrics.ssims([photo], photo)] == [math.inf, pytest.approx((1, 1))]
    assert metrics.psnr(flat(101), flat(100)) == pytest.approx(decibels(1))
    c1 = (0.01 * 255) ** 2
    luminance = (2 * 50 * 150 + c1) / (50**2 + 150**2 + c1)  # SSIM's other parts are 1 for flat images
    assert metrics.ssims([flat(50)], flat(150)) == [pytest.approx((luminance, luminance))]


def test_delta_e_is_the_mean_over_pixels_of_scikit_images_ciede2000():
    assert metrics.delta_es([flat(255)], flat(0)) == pytest.approx([100], abs=1e-3)
    yellow = (lab2rgb([[[60.0, 5.0, 40.0]]]) * 255).round().astype(np.uint8)
    orange = (lab2rgb([[[60.0, 25.0, 40.0]]]) * 255).round().astype(np.uint8)
    one_pixel = deltaE_ciede2000(rgb2lab(yellow), rgb2lab(orange)).item()
    half = np.concatenate([orange, yellow])
    assert metrics.delta_es([half], np.concatenate([yellow, yellow])) == pytest.approx([one_pixel / 2])


def test_color_shift_is_signed_and_per_channel():
    shifted = flat(100, 4)
    shifted[..., 0] += 10
    shifted[:, :2, 2] -= 40
    assert metrics.color_shift(shifted, flat(100, 4)).tolist() == [10, 0, -20]


# ---- Realism of blur -------------------------------------------------------------------------------------------------


def test_closeness_is_0_at_the_goal_1_at_the_start_and_more_beyond():
    start, goal = np.array([0.2, 0.4]), np.array([0.6, 0.8])
    for made, expected in ((goal, 0), (start, 1), (start + 0.1, 0.75), (start - 0.1, 1.25), (goal + 0.1, 0.25)):
        assert metrics.closeness(made, start, goal) == pytest.approx(expected)
    assert metrics.closeness(goal, goal, goal) == 0
    assert np.isfinite(metrics.closeness(start, goal, goal))


def test_blur_effects_are_scikit_images_and_leave_out_images_without_contrast():
    sharp, blurred = crops(0), crops(2)
    found = metrics.blur_effects([flat(90), *sharp, flat(7)])
    assert found == pytest.approx([blur_effect(c, channel_axis=-1) for c in sharp])
    assert (metrics.blur_effects(blurred) > found).all()


def test_bgan_that_blurs_like_the_real_camera_has_realism_0():
    found = metrics.bgan_blurs(crops(0), crops(1), [crops(2), crops(2)], crops(2))
    assert found["bgan_realism"] == pytest.approx(0)
    assert 0 < found["paired_realism"] < 1
    assert found["blur_effect_sharp"] < found["blur_effect_paired"] < found["blur_effect_real"]
    assert found["blur_effect_bgan"] == pytest.approx(found["blur_effect_real"])


def test_bgan_that_does_nothing_has_realism_1_and_no_diversity():
    found = metrics.bgan_blurs(crops(0), crops(1), [crops(0), crops(0)], crops(2))
    assert found["bgan_realism"] == pytest.approx(1)
    assert (found["bgan_diversity"], found["bgan_color_shift"]) == (0, [0, 0, 0])


def test_diversity_and_color_shift_by_hand_over_two_photographs():
    sharp = [np.minimum(c, 200) for c in crops(0)]
    redder = [c + np.array([20, 0, 0], np.uint8) for c in sharp]
    lighter = [c + np.uint8(6) for c in sharp]
    photographs = [
        (sharp[:1], crops(1)[:1], [redder[:1], lighter[:1]], []),
        (sharp[1:], crops(1)[1:], [redder[1:], lighter[1:]], []),
    ]
    found = metrics.bgan_blurs(*metrics.kinds(photographs), crops(2))
    assert found["bgan_diversity"] == pytest.approx((14 + 6 + 6) / 3)
    assert found["bgan_color_shift"] == pytest.approx([13, 3, 3])


def test_without_real_photographs_realism_is_none_and_the_rest_is_there():
    found = metrics.bgan_blurs(crops(0), crops(1), [crops(1), crops(2)], [])
    assert {name for name in found if found[name] is None} == {"bgan_realism", "paired_realism", "blur_effect_real"}
    assert found["bgan_diversity"] > 0


# ---- Restored photographs --------------------------------------------------------------------------------------------


def test_pairs_and_simulated_blur_by_hand():
    """Blurred photographs 10 and 20 levels too dark; the pre-trained network adds 5 levels, the final one 9."""
    states = [(flat(level), flat(level + 5), flat(level + 9), flat(100)) for level in (90, 80)]
    means = metrics.means(
        [metrics.pair("a", *images) for images in states], [metrics.simulated(*images) for images in states], []
    )
    for kind in ("psnr", "psnr_real"):
        assert means[f"{kind}_blurred"] == pytest.approx(decibels(10, 20))
        assert means[f"{kind}_pretrained"] == pytest.approx(decibels(5, 15))
        assert means[kind] == pytest.approx(decibels(1, 11))
    assert means["color_shift"] == pytest.approx([-6, -6, -6])
    assert means["delta_e"] < means["delta_e_blurred"]


def test_a_pair_gives_every_figure_of_every_state():
    (sharp,), (blurred,) = crops(0, 1), crops(2, 1)
    states = {"_blurred": blurred, "_pretrained": softer(blurred), "": brighter([3, 0, 1])(blurred)}
    row = metrics.pair("a", *states.values(), sharp)
    expected = {"frame": "a"}
    for suffix, image in states.items():
        (both,) = metrics.ssims([image], sharp)
        expected |= {f"psnr{suffix}": metrics.psnr(image, sharp), f"ssim{suffix}": both[0], f"ssim_2d{suffix}": both[1]}
    expected |= {f"delta_e{suffix}": metrics.delta_es([states[suffix]], sharp)[0] for suffix in ("_blurred", "")}
    expected |= zip(metrics.COLOR_SHIFT, metrics.color_shift(states[""], sharp), strict=True)
    assert row == expected
    means = metrics.means([row], [], [])
    assert means["color_shift"] == [row[name] for name in metrics.COLOR_SHIFT]
    assert {name: means[name] for name in row.keys() & means} == {name: row[name] for name in row.keys() & means}
    assert {name for name in means if means[name] is None} == {*metrics.SIMULATED, *metrics.REAL}


@pytest.mark.parametrize("shape", [(64, 40), (65, 12), (200, 11), (11, 64), (138, 130)])
def test_photographs_of_any_height_are_compared_as_a_whole(photo, shape):
    """By strips of 64 rows, but as scikit-image and scipy do it at once."""
    reference, image = photo(1, *shape), photo(2, *shape)

    def mean(volume):
        return gaussian_filter(volume, 1.5, mode="nearest", truncate=3.5)

    x, y = image.astype(float), reference.astype(float)
    covariance, squares = 2 * (mean(x * y) - mean(x) * mean(y)), mean(x) ** 2 + mean(y) ** 2
    top = (2 * mean(x) * mean(y) + 2.55**2) * (covariance + 7.65**2)
    whole = (top / ((squares + 2.55**2) * (mean(x * x) + mean(y * y) - squares + 7.65**2))).mean()
    keys = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    valid = structural_similarity(reference, image, channel_axis=-1, **keys)
    assert metrics.ssims([reference, image], reference) == [pytest.approx((1, 1)), pytest.approx((whole, valid))]
    of_all = deltaE_ciede2000(rgb2lab(reference), rgb2lab(image)).mean()
    assert metrics.delta_es([reference, image], reference) == pytest.approx([0, of_all])


def test_real_photographs_are_measured_before_and_after():
    photos = [*crops(1), flat(90)]  # the last has no contrast
    rows = [metrics.real(photo, softer(photo)) for photo in photos]
    means = metrics.means([{"frame": "a"} | dict.fromkeys(metrics.COLOR_SHIFT, 0)], [], rows)
    assert means["blur_effect_real_before"] == pytest.approx(metrics.blur_effects(photos).mean())
    assert means["blur_effect_real_after"] == pytest.approx(metrics.blur_effects(map(softer, photos)).mean())
    assert rows[3] == {"blur_effect_real_before": None, "blur_effect_real_after": None}


def test_flat_deviation_is_the_largest_change_anywhere_to_any_flat_photograph():
    def rim(photo):
        changed = photo.copy()
        changed[-1, 0, 2] -= 7 if photo.shape == (7, 5, 3) else 2
        return changed

    assert [metrics.flat_deviation(network) for network in (brighter(0), brighter(3), rim)] == [0, 3, 7]


@pytest.mark.parametrize(
    ("gains", "order"),
    [([], []), ([math.inf], []), ([2, math.nan, -1, 0.5, math.inf], [2, 3, 0]), ([3, 3, 1], [2, 0, 1])],
)
def test_frames_are_ordered_by_their_gain(gains, order):
    assert metrics.by_gain([{"psnr_blurred": 20.0, "psnr": 20.0 + gain} for gain in gains]) == order
    assert metrics.by_gain([{"frame": "a"}]) == []
