"""Curves as geometry: the line goes through the values, the ticks stand at their numbers."""

import pytest

from dbgan.reporting import charts

BOTTOM, TOP = charts.HEIGHT - charts.BOTTOM, charts.TOP
RIGHT = charts.WIDTH - charts.RIGHT


def test_the_line_runs_between_the_first_and_the_last_tick():
    drawn = charts.chart("content", [5, 10], [0.0, 1.0])
    assert drawn.line == f"M{charts.LEFT + (RIGHT - charts.LEFT) / 2:g} {BOTTOM}l0 0L{RIGHT} {TOP}"
    assert [label for _, label in drawn.y_ticks] == ["0", "0.25", "0.5", "0.75", "1"]
    assert (drawn.y_ticks[0][0], drawn.y_ticks[-1][0]) == (BOTTOM, TOP)
    assert (drawn.x_ticks[0], drawn.x_ticks[-1]) == ((charts.LEFT, "0"), (RIGHT, "10"))


@pytest.mark.parametrize("values", [[3.0, 3.0], [0.0, 0.0], [-2.0], [1e-12, 2e-12], [1e9, -1e9]])
def test_every_point_lies_within_the_axes(values):
    drawn = charts.chart("x", list(range(1, len(values) + 1)), values)
    assert len(drawn.hover) == len(values)
    assert all(charts.LEFT <= x <= RIGHT and TOP <= y <= BOTTOM for x, y, _ in drawn.hover)


def test_ticks_stand_where_the_line_has_their_value():
    drawn = charts.chart("x", [0, 1, 2, 3], [0.0, 25.0, 50.0, 100.0])
    heights = {label: y for y, label in drawn.y_ticks}
    assert [y for _, y, _ in drawn.hover] == [heights["0"], heights["25"], heights["50"], heights["100"]]


def test_a_lone_point_is_a_line_of_no_length():
    assert charts.chart("x", [5], [0.0]).line == f"M{RIGHT} {(TOP + BOTTOM) / 2:g}l0 0"


def test_the_summary_says_what_the_eye_sees():
    drawn = charts.chart("psnr", [10, 20, 30], [24.0, 31.5, 30.0])
    assert drawn.summary == "psnr, dB over steps 10 to 30: 24 at first, 30 at last, lowest 24, highest 31.5"


@pytest.mark.parametrize(("rows", "limit", "kept"), [(5, 5, 5), (6, 5, 3), (1000, 400, 334), (1, 400, 1)])
def test_thinning_keeps_at_most_so_many_rows_and_the_last_step(rows, limit, kept):
    table = {"step": [float(n) for n in range(rows)], "x": [1.0] * rows}
    thin = charts.thinned(table, limit)
    assert len(thin["step"]) == len(thin["x"]) == kept <= limit
    assert thin["step"][-1] == rows - 1


def test_thinning_takes_means_of_neighbours():
    table = {"step": [1.0, 2.0, 3.0, 4.0, 5.0], "x": [1.0, 3.0, 4.0, 5.0, 7.0]}
    assert charts.thinned(table, 3) == {"step": [2.0, 4.0, 5.0], "x": [2.0, 4.5, 7.0]}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (0.0, "0"), (3000.0, "3,000"), (123456.0, "123,500"), (0.0052231, "0.005223"), (0.00012, "0.00012"),
        (1e-6, "1e-06"), (30.146604, "30.15"), (-0.5, "-0.5"), (1e8, "1e+08"), (100.0, "100"),
    ],
)  # fmt: skip
def test_numbers_are_short(value, text):
    assert charts.number(value) == text
