"""The measurements of the evaluation, with toy networks and numbers checked by hand."""

import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage import data

from dbgan import metrics as evaluation
from dbgan import metrics as image
from dbgan import metrics as realism


def crops(sigma, count=3):
    photo = data.astronaut()
    cut = [photo[y : y + 64, 200:264] for y in range(20, 20 + 40 * count, 40)]
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


def test_restored_pairs_by_hand():
    """Blurred photographs 10 and 20 levels too dark; the pre-trained network adds 5 levels, the final one 9."""
    pairs = [("a", flat(90), flat(100)), ("b", flat(80), flat(100))]
    rows = [evaluation.restored_pair(*pair, brighter(5), brighter(9))[0] for pair in pairs]
    means = evaluation.means_of_pairs(rows)
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
    pairs = zip("ab", blurred, sharp, strict=True)
    rows = [evaluation.restored_pair(*pair, softer, brighter(0))[0] for pair in pairs]
    for row, b, s in zip(rows, blurred, sharp, strict=True):
        expected = {"frame": row["frame"], "delta_e": image.delta_e(b, s), "delta_e_blurred": image.delta_e(b, s)}
        expected |= image.scores(b, s) | image.scores(b, s, "_blurred") | image.scores(softer(b), s, "_pretrained")
        expected |= dict(zip(("color_shift_r", "color_shift_g", "color_shift_b"), image.color_shift(b, s), strict=True))
        assert row == expected
    means = evaluation.means_of_pairs(rows)
    assert means.keys() == rows[0].keys() - {"frame", *(f"color_shift_{c}" for c in "rgb")} | {"color_shift"}
    for name in means.keys() - {"color_shift"}:
        assert means[name] == pytest.approx((rows[0][name] + rows[1][name]) / 2), name


def test_a_restored_pair_gives_the_blurred_the_restored_and_the_sharp_photograph():
    _, images = evaluation.restored_pair("a", flat(90), flat(100), brighter(5), brighter(9))
    assert [photo[0, 0, 0] for photo in images] == [90, 99, 100]


def test_colour_shift_of_single_channels_keeps_its_order():
    row, _ = evaluation.restored_pair("a", flat(100), flat(100), brighter(0), brighter([3, 0, 1]))
    assert evaluation.means_of_pairs([row])["color_shift"] == [3, 0, 1]


def test_real_photographs_are_measured_before_and_after():
    photos = crops(1)
    rows, pairs = zip(*(evaluation.restored_real(photo, softer) for photo in photos), strict=True)
    found = evaluation.means_of_real(rows)
    assert found["blur_effect_real_before"] == pytest.approx(realism.blur_effects(photos).mean())
    after = realism.blur_effects([softer(photo) for photo in photos]).mean()
    assert found["blur_effect_real_after"] == pytest.approx(after)
    assert found["blur_effect_real_after"] > found["blur_effect_real_before"]
    for photo, (before, restored) in zip(photos, pairs, strict=True):
        assert (before == photo).all()
        assert (restored == softer(photo)).all()


@pytest.mark.parametrize("photos", [[], [flat(90)]])
def test_without_real_photographs_that_have_contrast_there_is_no_figure(photos):
    found = evaluation.means_of_real([evaluation.restored_real(photo, brighter(0))[0] for photo in photos])
    assert found == {"blur_effect_real_before": None, "blur_effect_real_after": None}


def test_a_known_photograph_is_measured_before_and_after_each_network():
    """10 and 20 levels too dark, as above."""
    rows = [evaluation.restored_known(flat(level), flat(100), brighter(5), brighter(9)) for level in (90, 80)]
    assert rows[0] == pytest.approx(
        {"psnr_real_blurred": decibels(10), "psnr_real_pretrained": decibels(5), "psnr_real": decibels(1)}
    )
    assert evaluation.means_of_known(rows) == pytest.approx(
        {"psnr_real_blurred": decibels(10, 20), "psnr_real_pretrained": decibels(5, 15), "psnr_real": decibels(1, 11)}
    )
    assert set(evaluation.means_of_known([]).values()) == {None}


def test_flat_deviation_is_the_largest_change_anywhere_to_any_flat_photograph():
    def rim(photo):
        changed = photo.copy()
        changed[-1, 0, 2] -= 7 if photo.shape == (7, 5, 3) else 2
        return changed

    assert evaluation.flat_deviation(brighter(0)) == 0
    assert evaluation.flat_deviation(brighter(3)) == 3
    assert evaluation.flat_deviation(rim) == 7


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
