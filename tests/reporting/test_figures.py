"""Tables of figures: rounded, signed, and compared with the blurred input."""

import pytest

from dbgan.reporting import figures


def test_scores_stand_beside_their_baseline():
    found = figures.scores({"psnr_blurred": 29.276, "psnr_pretrained": 30.182, "psnr": 30.1466})
    assert found == [figures.Score("PSNR, dB", "29.28", "30.18", "30.15", "+0.87", "better")]


@pytest.mark.parametrize(
    ("before", "after", "more_is_better", "expected"),
    [
        (2.0, 2.5, True, ("+0.50", "better")),
        (2.5, 2.0, True, ("\N{MINUS SIGN}0.50", "worse")),
        (2.5, 2.0, False, ("\N{MINUS SIGN}0.50", "better")),
        (2.0, 2.004, True, ("0.00", "equal")),
        (2.0, 1.997, True, ("0.00", "equal")),
    ],
)
def test_a_difference_is_judged_as_it_is_shown(before, after, more_is_better, expected):
    assert figures.compared(before, after, 2, more_is_better) == expected


def test_every_figure_is_shown_once():
    metrics = {
        "ssim_blurred": 0.8, "ssim": 0.9, "psnr_blurred": None, "psnr": 30.0, "delta_e": 2.0, "new_one": 1.23456789,
        "bgan_realism": None, "color_shift": [0.4, -0.25, 0.0], "test_pairs": 12, "weights": "random",
    }  # fmt: skip
    assert [score.label for score in figures.scores(metrics)] == ["SSIM, tables' convention"]
    shown = dict(figures.others(metrics))
    assert shown.pop(figures.OTHERS["color_shift"][0]) == "+0.40, \N{MINUS SIGN}0.25, 0.00"
    assert shown.pop(figures.OTHERS["bgan_realism"][0]) == figures.NONE
    assert shown == {
        "psnr": "30", "delta e": "2", "new one": "1.23457", "test pairs": "12",
        "weights": "random",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "digits", "sign", "expected"),
    [
        (-0.004, 2, False, "0.00"), (-0.004, 2, True, "0.00"), (0.005, None, False, "0.005"),
        (True, None, False, "True"),
        (1e-6, None, False, "1e\N{MINUS SIGN}06"), (12, 2, False, "12"), ([1, 28], None, False, "1, 28"),
    ],
)  # fmt: skip
def test_text_of_a_figure(value, digits, sign, expected):
    assert figures.text(value, digits, sign) == expected


@pytest.mark.parametrize(
    ("key", "digits"), [("psnr", 2), ("ssim_blurred", 4), ("bgan_realism", 3), ("alpha", None), ("psnr_margin", None)]
)
def test_a_known_figure_has_its_digits(key, digits):
    assert figures.digits(key) == digits


def frames(*gains):
    return [
        {"frame": str(i), "psnr_blurred": 20.0, "psnr": None if g is None else 20.0 + g} for i, g in enumerate(gains)
    ]


@pytest.mark.parametrize(
    ("gains", "worst", "best"),
    [
        ([], [], []),
        ([1.0], [], []),
        ([2.0, 1.0], [1], [0]),
        ([2.0, None, -1.0, 0.5], [2], [0]),
        (list(range(20)), [0, 1, 2, 3, 4], [19, 18, 17, 16, 15]),
    ],
)
def test_worst_and_best_are_those_of_least_and_most_gain_and_never_the_same(gains, worst, best):
    assert figures.extremes(frames(*gains)) == (worst, best)
