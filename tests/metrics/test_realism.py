"""The statistics of blur, on numbers checked by hand and on toy photographs."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage import data
from skimage.measure import blur_effect

from dbgan import metrics as realism


def crops(sigma, count=3):
    photo = data.astronaut()
    cut = [photo[y : y + 64, 200:264] for y in range(20, 20 + 40 * count, 40)]
    return [gaussian_filter(c, (sigma, sigma, 0)) for c in cut] if sigma else cut


def test_distance_of_shifted_samples_is_the_shift():
    assert realism.distance(np.array([0.0, 0.4]), np.array([0.1, 0.5])) == pytest.approx(0.1)


def test_distance_moves_the_mass_that_differs_and_ignores_order():
    """Half of the mass goes from 0 to 0.5 and half stays; the samples may differ in size."""
    assert realism.distance(np.array([0.0, 1.0]), np.array([1.0, 0.5])) == pytest.approx(0.25)
    assert realism.distance(np.array([0.2, 0.2]), np.array([0.2])) == 0


@pytest.mark.parametrize(
    ("count", "limit", "expected"),
    [(0, 4, []), (1, 4, [0]), (3, 4, [0, 1, 2]), (5, 3, [0, 2, 4]), (9, 1, [0]), (9, 0, [])],
)
def test_evenly_spreads_indices_from_first_to_last(count, limit, expected):
    assert realism.evenly(count, limit) == expected


def test_evenly_gives_as_many_different_indices_as_asked_for():
    for count in range(1, 40):
        for limit in range(1, 40):
            found = realism.evenly(count, limit)
            assert len(set(found)) == min(count, limit)
            assert set(found) <= set(range(count))


def test_blur_effects_are_scikit_images_and_rise_with_blur():
    sharp, blurred = crops(0), crops(2)
    assert realism.blur_effects(sharp) == pytest.approx([blur_effect(c, channel_axis=-1) for c in sharp])
    assert (realism.blur_effects(blurred) > realism.blur_effects(sharp)).all()


def test_blur_effects_leave_out_images_without_contrast():
    flat = np.full((64, 64, 3), 90, np.uint8)
    assert len(realism.blur_effects([flat, *crops(0), flat])) == 3
    assert len(realism.blur_effects([flat])) == 0


def test_closeness_is_0_at_the_goal_1_at_the_start_and_more_beyond():
    start, goal = np.array([0.2, 0.4]), np.array([0.6, 0.8])
    assert realism.closeness(goal, start, goal) == 0
    assert realism.closeness(start, start, goal) == pytest.approx(1)
    assert realism.closeness(start + 0.1, start, goal) == pytest.approx(0.75)
    assert realism.closeness(start - 0.1, start, goal) == pytest.approx(1.25)
    assert realism.closeness(goal + 0.1, start, goal) == pytest.approx(0.25)


def test_closeness_stays_finite_when_the_start_is_the_goal():
    same = np.array([0.5])
    assert realism.closeness(same, same, same) == 0
    assert np.isfinite(realism.closeness(same + 0.1, same, same))
