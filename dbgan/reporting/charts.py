"""Curves as SVG geometry: where the line, the ticks and the labels of a chart stand. The template draws them."""

import math
from dataclasses import dataclass
from statistics import fmean

WIDTH, HEIGHT = 360, 190  # of a chart, SVG units
LEFT, RIGHT, TOP, BOTTOM = 50, 12, 10, 26  # of its margins, in which the labels stand
UNITS = {"psnr": "psnr, dB"}
POINTS = 400  # of a drawn line, at most


@dataclass(frozen=True)
class Chart:
    """One curve, ready to draw."""

    name: str
    line: str  # the path's `d`
    hover: list[tuple[float, float, str]]  # of each step: where its point stands, and its value
    x_ticks: list[tuple[float, str]]  # position and label
    y_ticks: list[tuple[float, str]]
    summary: str  # the curve in one sentence, for those who do not see it


def thinned(table: dict[str, list[float]], limit: int = POINTS) -> dict[str, list[float]]:
    """At most `limit` rows of a curve's columns: means of equally many neighbours (the last block may hold fewer), at
    the block's last step."""
    size = math.ceil(len(table["step"]) / limit)
    blocks = range(0, len(table["step"]), size)
    return {
        name: [values[i : i + size][-1] if name == "step" else fmean(values[i : i + size]) for i in blocks]
        for name, values in table.items()
    }


def chart(name: str, steps: list[float], values: list[float]) -> Chart:
    """A curve over the steps of a training."""
    x_high = max(steps) or 1
    x_ticks = [tick for tick in _ticks(0, x_high) if 0 <= tick <= x_high]
    y_ticks = _ticks(min(values), max(values))
    y_low, y_high = y_ticks[0], y_ticks[-1]

    def x(step: float) -> float:
        return round(LEFT + step / x_high * (WIDTH - LEFT - RIGHT), 1)

    def y(value: float) -> float:
        return round(HEIGHT - BOTTOM - (value - y_low) / (y_high - y_low) * (HEIGHT - TOP - BOTTOM), 1)

    points = [(x(step), y(value)) for step, value in zip(steps, values, strict=True)]
    return Chart(
        name=UNITS.get(name, name),
        line=_path(points),
        hover=[(*point, number(value)) for point, value in zip(points, values, strict=True)],
        x_ticks=[(x(tick), number(tick)) for tick in x_ticks],
        y_ticks=[(y(tick), number(tick)) for tick in y_ticks],
        summary=_summary(name, steps, values),
    )


def number(value: float) -> str:
    """A figure of a curve: four significant digits, no exponent where it can be read without."""
    if value != 0 and not 1e-4 <= abs(value) < 1e7:
        return f"{value:.3g}"
    return f"{float(f'{value:.4g}'):,.8f}".rstrip("0").rstrip(".") if value else "0"


def _summary(name: str, steps: list[float], values: list[float]) -> str:
    first, last, low, high = map(number, (values[0], values[-1], min(values), max(values)))
    over = f"{UNITS.get(name, name)} over steps {number(steps[0])} to {number(steps[-1])}"
    return f"{over}: {first} at first, {last} at last, lowest {low}, highest {high}"


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers around a range, from at most `low` to at least `high`."""
    from matplotlib.ticker import MaxNLocator

    if high - low <= 1e-9 * max(abs(low), abs(high)):
        low, high = low - (abs(low) / 10 or 1), high + (abs(high) / 10 or 1)
    return [float(tick) for tick in MaxNLocator(nbins=4, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)]


def _path(points: list[tuple[float, float]]) -> str:
    """Lines between neighbours; a lone point is a line of no length, which round caps show."""
    first, *rest = (f"{x:g} {y:g}" for x, y in points)
    return f"M{first}l0 0" + "".join(f"L{point}" for point in rest)
