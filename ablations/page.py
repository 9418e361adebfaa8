"""The ablations' tables in docs/ablations.md, between marks, from their figures: python -m ablations.page

A setting is compared with the baseline of the same seed, since a seed draws the test photographs' blurs, too, and these
differ more than the settings do. The interval is Student's for the mean of these differences.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.stats import ttest_1samp

from ablations import plan, records
from dbgan import utils
from dbgan.reporting import markdown

LEVEL = 0.95  # of the intervals


class Figure(NamedTuple):
    """A figure that settings are compared by."""

    label: str
    digits: int
    better: int  # 1: more is better, -1: less is
    matters: float  # smaller differences are of no account, however sure


COMPARED = {
    "psnr": Figure("PSNR, dB", 3, 1, 0.05),  # the field's tables have two digits and call tenths a gain
    "psnr_real": Figure("PSNR on real blur, dB", 3, 1, 0.05),
    "blur_effect_real_after": Figure("blur left in real photographs", 3, -1, 0.005),
    "bgan_realism": Figure("BGAN's distance to real blur", 3, -1, 0.05),
}


class Difference(NamedTuple):
    """Of two settings, over the seeds that both have."""

    mean: float
    deviation: float  # standard deviation; NaN for one seed
    interval: tuple[float, float]  # of the mean; NaN for one seed
    count: int  # of seeds

    @property
    def sure(self) -> bool:
        """Whether the interval leaves 0 out."""
        low, high = self.interval
        return low > 0 or high < 0


def values(rows: records.Rows, variant: str, figure: str) -> dict[int, float]:
    """One figure of a setting by seed, without those that the data do not allow."""
    found = {seed: figures[figure] for (name, seed), figures in rows.items() if name == variant}
    return {seed: value for seed, value in found.items() if not np.isnan(value)}


def difference(rows: records.Rows, variant: str, other: str, figure: str) -> Difference | None:
    """`variant` less `other`, seed by seed; None when no seed has both."""
    one, two = values(rows, variant, figure), values(rows, other, figure)
    found = np.array([one[seed] - two[seed] for seed in one if seed in two])
    if not len(found):
        return None
    mean = float(found.mean())
    if len(found) == 1:
        return Difference(mean, np.nan, (np.nan, np.nan), 1)
    return Difference(mean, float(found.std(ddof=1)), ttest_1samp(found, 0).confidence_interval(LEVEL), len(found))


def answer(found: Difference | None, figure: Figure) -> str:
    """Whether a claimed gain by `figure` is in the records."""
    if found is None or found.count < 2:
        return "not tried often enough"
    gain = found.mean * figure.better
    if not found.sure:
        return "too small to tell"
    if abs(gain) < figure.matters:
        return "sure, but too small to matter"
    return "seen" if gain > 0 else "not seen: the opposite is"


def settings_table(rows: records.Rows) -> list[str]:
    """Every setting: mean and standard deviation, and its differences from the baseline."""
    heads = ["setting", "seeds", *(f"{f.label} | difference" for f in COMPARED.values())]
    lines = [_line(heads), "|---" * (2 + 2 * len(COMPARED)) + "|"]
    lines.append(_line(["blurred, not restored", *_not_restored(rows)]))
    group = None
    for variant in (plan.BASELINE, *plan.VARIANTS):
        count = len(values(rows, variant.name, "psnr"))
        if not count:
            continue
        if variant.group and variant.group != group:
            group = variant.group
            lines.append(_line([f"**{group}**", "", *["", ""] * len(COMPARED)]))
        cells = []
        for key, figure in COMPARED.items():
            cells.append(_spread(list(values(rows, variant.name, key).values()), figure.digits))
            found = difference(rows, variant.name, plan.BASELINE.name, key)
            cells.append("" if variant is plan.BASELINE or found is None else _signed(found, figure.digits))
        lines.append(_line([variant.label, str(count), *cells]))
    return lines


BEFORE = {"psnr": "psnr_blurred", "psnr_real": "psnr_real_blurred", "blur_effect_real_after": "blur_effect_real_before"}


def _not_restored(rows: records.Rows) -> list[str]:
    """The figures of the photographs that the baseline restores, as they are."""
    cells = [str(len(values(rows, plan.BASELINE.name, "psnr_blurred")))]
    for key, figure in COMPARED.items():
        found = values(rows, plan.BASELINE.name, BEFORE[key]) if key in BEFORE else {}
        cells += [_spread(list(found.values()), figure.digits), ""]
    return cells


CLAIMS = (  # who is claimed to gain over whom, by which figures
    (
        "BGAN helps",
        [("baseline", "mix-0"), ("mix-0.5", "mix-0"), ("mix-1", "mix-0")],
        ["psnr", "psnr_real"],
    ),
    (
        "relativistic beats traditional",
        [("baseline", "vanilla"), ("baseline", "lsgan"), ("baseline", "wgan-gp")],
        ["psnr", "psnr_real", "bgan_realism"],
    ),
)


def claims_table(rows: records.Rows) -> list[str]:
    """The paper's claims, each with its comparisons and what they say."""
    lines = [_line(["claim", "compared", "figure", "difference", f"{LEVEL:.0%} interval", "seeds", "answer"])]
    lines.append("|---" * 7 + "|")
    for claim, pairs, figures in CLAIMS:
        for one, two in pairs:
            for key in figures:
                figure, found = COMPARED[key], difference(rows, one, two, key)
                if found is None:
                    continue
                interval = " to ".join(f"{end:+.{figure.digits}f}" for end in found.interval) if found.count > 1 else ""
                mean = f"{found.mean:+.{figure.digits}f}"
                names = f"{_named(one)} less {_named(two)}"
                lines.append(
                    _line([claim, names, figure.label, mean, interval, str(found.count), answer(found, figure)])
                )
    return lines


def _named(name: str) -> str:
    if name == plan.BASELINE.name:
        return "baseline"
    return next(
        " ".join(f"`{key}={value}`" for key, value in variant.changes.items())
        for variant in plan.VARIANTS
        if variant.name == name
    )


def _spread(found: list[float], digits: int) -> str:
    if not found:
        return ""
    spread = f" ± {np.std(found, ddof=1):.{digits}f}" if len(found) > 1 else ""
    return f"{np.mean(found):.{digits}f}{spread}"


def _signed(found: Difference, digits: int) -> str:
    if found.mean == 0 and not found.deviation > 0:
        return "same"  # what the setting does not reach
    if abs(found.mean) < (least := 0.5 * 10**-digits):
        return f"under {least:.{digits + 1}f}"
    spread = f" ± {found.deviation:.{digits}f}" if found.count > 1 else ""
    text = f"{found.mean:+.{digits}f}{spread}"
    return f"**{text}**" if found.sure else text


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def written(out: Path, rows: records.Rows) -> str:
    """The page at `out` with both tables made anew."""
    tables = {"claims": claims_table(rows), "settings": settings_table(rows)}
    return markdown.filled(out, {name: "\n".join(lines) for name, lines in tables.items()})


def update(rows: records.Rows, csv: Path, out: Path) -> None:
    """Keep the figures in `csv` and write the tables of `out`. Raises ValueError, and leaves both, without figures."""
    if not rows:
        raise ValueError("no experiment of the plan is done here; `make ablations` runs them")
    text = written(out, rows)
    records.write(csv, rows)
    with utils.atomic_write(out) as part:
        part.write_text(text, encoding="utf-8")
    utils.log(f"{out}: {len(rows)} of {len(plan.experiments())} experiments")


def main(csv: Path = Path("docs/ablations.csv"), out: Path = Path("docs/ablations.md")) -> None:
    """Collect the experiments that are done, without running any, and write their figures to CSV and OUT."""
    update(records.collected(records.done(utils.project_root())), csv, out)


app = utils.app(main)

if __name__ == "__main__":
    app()
