"""One domain's mean colour given to another: exactly in the mean, and gently to each pixel."""

import numpy as np
import pytest

from dbgan.data import match_color

RNG = np.random.default_rng(0)
PHOTOS = [RNG.integers(low, 256, (40, 30, 3), dtype=np.uint8) for low in (0, 60, 120)]
SHARES = np.average([match_color.levels(photo) for photo in PHOTOS], axis=0, weights=[1, 2, 3])
MEAN = (SHARES * np.arange(256)).sum(axis=1)


@pytest.mark.parametrize("target", [(120.0, 140.0, 180.0), (200.0, 100.0, 150.0)])
def test_the_domain_gets_the_mean_asked_for_and_black_and_white_stay(target):
    curves = match_color.matching(SHARES, np.array(target))
    matched = [match_color.apply(photo, curves) for photo in PHOTOS]
    means = np.average([photo.mean((0, 1)) for photo in matched], axis=0, weights=[1, 2, 3])
    assert means == pytest.approx(target, abs=0.3)
    assert curves[:, [0, 255]].tolist() == [[0, 255]] * 3
    assert (np.diff(curves.astype(int), axis=1) >= 0).all()


def test_a_domain_of_that_mean_stays_as_it_is():
    assert np.array_equal(match_color.matching(SHARES, MEAN), [np.arange(256)] * 3)


def test_highlights_keep_their_detail_where_a_gain_would_clip_them():
    for curve in match_color.matching(SHARES, MEAN * 1.2):
        assert len(np.unique(curve[215:])) > 20


def test_a_colour_out_of_reach_is_approached_no_further_than_the_steepest_curve():
    for target, power in ((0.0, match_color.STEEPEST), (255.0, 1 / match_color.STEEPEST)):
        (curve, *_) = match_color.matching(SHARES, np.full(3, target))
        assert np.array_equal(curve, np.rint(255 * (np.arange(256) / 255) ** power))
