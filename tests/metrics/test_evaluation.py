"""The three measurements of the evaluation, with toy networks and numbers checked by hand."""

import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage import data

from dbgan.metrics import evaluation, image, realism


def crops(sigma, count=3):
    photo = data.astronaut()
    cut = [photo[y : y + 64, 200:264] for y in range(20, 20 + 40 * count, 40)]
    return [gaussian_filter(c, (sigma, sigma, 0)) for c in cut] if sigma else cut


def flat(level, size=16):
    return np.full((size, size, 3), level, np.uint8)


def brighter(levels):
    return lambda photo: photo + np.uint8(levels)


def softer(photo):
    return gaussian_filter(photo, (2, 2, 0))


class Shown:
    """Keeps what is given to it as worth a picture."""

    def __init__(self):
        self.pictures = []

    def __call__(self, number, images):
        self.pictures.append((number, images))


def restored_pairs(pairs, pretrained, final, show):
    """Rows and means of (name, blurred, sharp), and `show` given the photographs."""
    rows = []
    for number, pair in enumerate(pairs):
        row, images = evaluation.restored_pair(*pair, pretrained, final)
        rows.append(row)
        show(number, images)
    return rows, evaluation.means_of_pairs(rows)


def restored_real(photos, final, show):
    """Means of photographs, and `show` given them."""
    rows = []
    for number, photo in enumerate(photos):
        row, images = evaluation.restored_real(photo, final)
        rows.append(row)
        show(number, images)
    return evaluation.means_of_real(rows)


def decibels(*differences):
    """Mean PSNR of flat photographs that are so many levels off."""
    return sum(20 * math.log10(255 / d) for d in differences) / len(differences)


def test_restored_pairs_by_hand():
    """Blurred photographs 10 and 20 levels too dark; the pre-trained network adds 5 levels, the final one 9."""
    pairs = [("a", flat(90), flat(100)), ("b", flat(80), flat(100))]
    rows, means = restored_pairs(iter(pairs), brighter(5), brighter(9), Shown())
    assert [row["frame"] for row in rows] == ["a", "b"]
    assert [row["psnr_blurred"] for row in rows] == pytest.approx([decibels(10), decibels(20)])
    assert [row["psnr_pretrained"] for row in rows] == pytest.approx([decibels(5), decibels(15)])
    assert [row["psnr"] for row in rows] == pytest.approx([decibels(1), decibels(11)])
    assert means["psnr_blurred"] == pytest.approx(decibels(10, 20))
    assert means["psnr_pretrained"] == pytest.approx(decibels(5, 15))
    assert means["psnr"] == pytest.approx(decibels(1, 11))
    assert means["color_shift"] == pytest.approx([-6, -6, -6])
    assert means["delta_e"] < means["delta_e_blurred"]


def test_restored_pairs_give_every_figure_of_every_state_and_its_mean():
    sharp, blurred = crops(0, 2), crops(2, 2)
    rows, means = restored_pairs(zip("ab", blurred, sharp, strict=True), softer, brighter(0), Shown())
    for row, b, s in zip(rows, blurred, sharp, strict=True):
        expected = {"frame": row["frame"], "delta_e": image.delta_e(b, s), "delta_e_blurred": image.delta_e(b, s)}
        expected |= image.scores(b, s) | image.scores(b, s, "_blurred") | image.scores(softer(b), s, "_pretrained")
        expected |= dict(zip(("color_shift_r", "color_shift_g", "color_shift_b"), image.color_shift(b, s), strict=True))
        assert row == expected
    assert means.keys() == rows[0].keys() - {"frame", *(f"color_shift_{c}" for c in "rgb")} | {"color_shift"}
    for name in means.keys() - {"color_shift"}:
        assert means[name] == pytest.approx((rows[0][name] + rows[1][name]) / 2), name


def test_restored_pairs_show_blurred_restored_and_sharp():
    shown, pairs = Shown(), [("a", flat(90), flat(100)), ("b", flat(80), flat(120))]
    restored_pairs(pairs, brighter(5), brighter(9), shown)
    assert [number for number, _ in shown.pictures] == [0, 1]
    levels = [[photo[0, 0, 0] for photo in images] for _, images in shown.pictures]
    assert levels == [[90, 99, 100], [80, 89, 120]]


def test_colour_shift_of_single_channels_keeps_its_order():
    sharp = flat(100)
    _, means = restored_pairs(
        [("a", sharp, sharp)], brighter(0), lambda photo: photo + np.array([3, 0, 1], np.uint8), Shown()
    )
    assert means["color_shift"] == [3, 0, 1]


def test_real_photographs_are_measured_before_and_after():
    photos, shown = crops(1), Shown()
    found = restored_real(iter(photos), softer, shown)
    assert found["blur_effect_real_before"] == pytest.approx(realism.blur_effects(photos).mean())
    after = realism.blur_effects([softer(photo) for photo in photos]).mean()
    assert found["blur_effect_real_after"] == pytest.approx(after)
    assert found["blur_effect_real_after"] > found["blur_effect_real_before"]
    assert [number for number, _ in shown.pictures] == [0, 1, 2]
    before_and_after = [photos[1], softer(photos[1])]
    assert all((a == b).all() for a, b in zip(shown.pictures[1][1], before_and_after, strict=True))


@pytest.mark.parametrize("photos", [[], [flat(90)]])
def test_without_real_photographs_that_have_contrast_there_is_no_figure(photos):
    found = restored_real(photos, brighter(0), Shown())
    assert found == {"blur_effect_real_before": None, "blur_effect_real_after": None}


def test_bgan_that_blurs_like_the_real_camera_has_realism_0():
    sharp, real = crops(0), crops(2)
    found = evaluation.blurs_of_bgan(sharp, [real, real], crops(1), real)
    assert found["bgan_realism"] == pytest.approx(0)
    assert 0 < found["paired_realism"] < 1
    assert found["blur_effect_sharp"] < found["blur_effect_paired"] < found["blur_effect_real"]
    assert found["blur_effect_bgan"] == pytest.approx(found["blur_effect_real"])


def test_bgan_that_does_nothing_has_realism_1_and_no_diversity():
    sharp = crops(0)
    found = evaluation.blurs_of_bgan(sharp, [sharp, sharp], crops(1), crops(2))
    assert found["bgan_realism"] == pytest.approx(1)
    assert found["bgan_diversity"] == 0
    assert found["bgan_color_shift"] == [0, 0, 0]


def test_diversity_and_color_shift_by_hand():
    sharp = [np.minimum(c, 200) for c in crops(0)]
    redder = [c + np.array([20, 0, 0], np.uint8) for c in sharp]
    brighter = [c + np.uint8(6) for c in sharp]
    found = evaluation.blurs_of_bgan(sharp, [redder, brighter], crops(1), crops(2))
    assert found["bgan_diversity"] == pytest.approx((14 + 6 + 6) / 3)
    assert found["bgan_color_shift"] == pytest.approx([13, 3, 3])


def test_without_real_photographs_realism_is_none_and_the_rest_is_there():
    sharp = crops(0)
    found = evaluation.blurs_of_bgan(sharp, [crops(1), crops(2)], crops(1), [])
    assert found["bgan_realism"] is None
    assert found["paired_realism"] is None
    assert found["blur_effect_real"] is None
    assert found["blur_effect_bgan"] > found["blur_effect_sharp"]
    assert found["bgan_diversity"] > 0


def test_extremes_are_the_least_and_the_largest_gain():
    rows = [{"psnr_blurred": 20.0, "psnr": psnr} for psnr in (20.5, 19.0, math.inf, 23.0, math.nan)]
    assert evaluation.extremes(rows) == [1, 3]
    assert evaluation.extremes(rows[:1]) == [0]
    assert evaluation.extremes(rows[2:3]) == []
