"""One domain's mean colour given to another: exactly in the mean, and gently to each pixel."""

import numpy as np
import pytest

from dbgan.data import match_color

RNG = np.random.default_rng(0)
PHOTOS = [RNG.integers(low, 256, (40, 30, 3), dtype=np.uint8) for low in (0, 60, 120)]
SHARES = np.average([match_color.levels(photo) for photo in PHOTOS], axis=0, weights=[1, 2, 3])


def test_levels_are_counted_for_each_channel():
    photo = np.array([[[0, 1, 2], [0, 1, 255]]], np.uint8)
    shares = match_color.levels(photo)
    assert shares.shape == (3, 256)
    assert [shares[0, 0], shares[1, 1], shares[2, 2], shares[2, 255]] == [1, 1, 0.5, 0.5]
    assert shares.sum(axis=1).tolist() == [1, 1, 1]


@pytest.mark.parametrize("target", [(120.0, 140.0, 180.0), (200.0, 100.0, 150.0)])
def test_the_domain_gets_the_mean_asked_for(target):
    curves = match_color.matching(SHARES, np.array(target))
    matched = [match_color.apply(photo, curves) for photo in PHOTOS]
    means = np.average([photo.mean((0, 1)) for photo in matched], axis=0, weights=[1, 2, 3])
    assert means == pytest.approx(target, abs=0.3)
    assert match_color.mean(SHARES, curves) == pytest.approx(means)


def test_a_domain_of_that_mean_stays_as_it_is():
    curves = match_color.matching(SHARES, match_color.mean(SHARES, np.arange(256)))
    assert np.array_equal(curves, [np.arange(256)] * 3)


@pytest.mark.parametrize("target", [(120.0, 140.0, 180.0), (0.0, 255.0, 128.0)])
def test_black_and_white_stay_and_no_two_levels_change_places(target):
    """Nothing is clipped: a highlight that is not white does not become so."""
    curves = match_color.matching(SHARES, np.array(target))
    assert curves[:, 0].tolist() == [0, 0, 0]
    assert curves[:, 255].tolist() == [255, 255, 255]
    assert (np.diff(curves.astype(int), axis=1) >= 0).all()


def test_highlights_keep_their_detail_where_a_gain_would_clip_them():
    curves = match_color.matching(SHARES, match_color.mean(SHARES, np.arange(256)) * 1.2)
    highlights = np.arange(215, 256)
    assert len(np.unique(np.minimum(np.rint(highlights * 1.2), 255))) == 1
    for curve in curves:
        assert len(np.unique(curve[highlights])) > 20


def test_photographs_differ_from_each_other_as_before():
    curves = match_color.matching(SHARES, match_color.mean(SHARES, np.arange(256)) + np.array([10, 0, -10]))
    before = [photo.mean((0, 1)) for photo in PHOTOS]
    after = [match_color.apply(photo, curves).mean((0, 1)) for photo in PHOTOS]
    assert np.diff(after, axis=0) == pytest.approx(np.diff(before, axis=0), rel=0.25)


def test_a_colour_out_of_reach_is_approached_no_further_than_the_steepest_curve():
    for target, power in ((0.0, match_color.STEEPEST), (255.0, 1 / match_color.STEEPEST)):
        (curve, *_) = match_color.matching(SHARES, np.full(3, target))
        assert np.array_equal(curve, np.rint(255 * (np.arange(256) / 255) ** power))
