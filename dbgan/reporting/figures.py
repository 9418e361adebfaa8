"""Tables of figures for the report: rounded sensibly, units named, the blurred input as the baseline."""

from dataclasses import dataclass
from typing import Any

SCORES = {  # of a restored photograph against the sharp one: label, digits, whether more is better
    "psnr": ("PSNR, dB", 2, True),
    "ssim": ("SSIM, tables' convention", 4, True),
    "ssim_2d": ("SSIM, 2-D window", 4, True),
    "delta_e": ("CIEDE2000, less is better", 2, False),
    "psnr_real": ("PSNR with the simulated real blur, dB", 2, True),
}
OTHERS = {  # label, digits
    "color_shift": ("Colour shift by the fine-tuned network (R, G, B), levels of 255", 2),
    "flat_deviation": ("Largest change to photographs of one colour, levels of 255", 2),
    "blur_effect_real_before": ("Blur of real photographs, before (0 sharp, 1 blurred)", 3),
    "blur_effect_real_after": ("Blur of real photographs, after", 3),
    "bgan_realism": ("Distance of BGAN's blur to real blur (0 alike, 1 as far as sharp photographs)", 3),
    "paired_realism": ("The same distance of the paired set's blur", 3),
    "bgan_diversity": ("Difference between two noise maps' blurs, levels of 255", 2),
    "bgan_color_shift": ("Colour shift by BGAN (R, G, B), levels of 255", 2),
    "blur_effect_sharp": ("Blur of sharp crops", 3),
    "blur_effect_bgan": ("Blur of the same crops after BGAN", 3),
    "blur_effect_paired": ("Blur of the same crops in the paired set", 3),
    "blur_effect_real": ("Blur of crops of real blurred photographs", 3),
}
NONE = "\N{EN DASH}"  # in place of a figure that is not there
EXTREMES = 5  # frames with the least and with the most gain that are named


@dataclass(frozen=True)
class Score:
    """A row of the main table; None where the evaluation left nothing."""

    label: str
    blurred: str
    pretrained: str | None
    restored: str
    difference: str  # restored - blurred
    verdict: str  # better, worse or equal: colour alone tells not everyone


def scores(metrics: dict[str, Any]) -> list[Score]:
    """The figures that evaluate.json gives for the input as well as for the result."""
    return [
        Score(
            label,
            text(metrics[f"{key}_blurred"], digits),
            text(metrics.get(f"{key}_pretrained"), digits),
            text(metrics[key], digits),
            *compared(metrics[f"{key}_blurred"], metrics[key], digits, more_is_better),
        )
        for key, (label, digits, more_is_better) in SCORES.items()
        if _with_baseline(metrics, key)
    ]


def _with_baseline(metrics: dict[str, Any], key: str) -> bool:
    return metrics.get(f"{key}_blurred") is not None and metrics.get(key) is not None


def compared(before: float, after: float, digits: int, more_is_better: bool) -> tuple[str, str]:
    """The signed difference, and whether it is for the better."""
    difference = round(after - before, digits)
    if difference == 0:
        return text(0.0, digits), "equal"
    return text(difference, digits, sign=True), "better" if (difference > 0) == more_is_better else "worse"


def others(metrics: dict[str, Any]) -> list[tuple[str, str]]:
    """Label and figure of everything else that a stage measured, known figures first, unknown ones if there are any."""
    ends = ("", "_blurred", "_pretrained")
    shown = {f"{key}{end}" for key in SCORES if _with_baseline(metrics, key) for end in ends}
    keys = [key for key in OTHERS if key in metrics]
    keys += [key for key in metrics if key not in OTHERS and key not in shown and metrics[key] is not None]
    known = {key: OTHERS.get(key, (key.replace("_", " "), None)) for key in keys}
    return [(label, text(metrics[key], digits)) for key, (label, digits) in known.items()]


def text(value: Any, digits: int | None = None, sign: bool = False) -> str:
    """A figure with `digits` decimals (None: six significant ones), a list of them, or a word as it is."""
    if value is None:
        return NONE
    if isinstance(value, list):
        return ", ".join(text(v, digits, sign=True) if isinstance(v, float) else text(v) for v in value)
    if not isinstance(value, float):
        return str(value)
    written = f"{value:.6g}" if digits is None else f"{value:.{digits}f}"
    written = written.removeprefix("-") if float(written) == 0 else written
    return (f"+{written}" if sign and float(written) > 0 else written).replace("-", "\N{MINUS SIGN}")


def digits(key: str) -> int | None:
    """Decimals that a figure of the evaluation is shown with; None for a key that is none of them."""
    base = key.removesuffix("_blurred").removesuffix("_pretrained")
    return SCORES[base][1] if base in SCORES else OTHERS.get(key, ("", None))[1]


def gain(row: dict[str, Any]) -> float | None:
    """PSNR of the restored frame less that of the blurred one, dB."""
    after, before = row.get("psnr"), row.get("psnr_blurred")
    return None if after is None or before is None else after - before


def extremes(frames: list[dict[str, Any]]) -> tuple[list[int], list[int]]:
    """Numbers of the frames that restoring served worst, and of those it served best, each the most extreme first."""
    measured = sorted((i for i, row in enumerate(frames) if gain(row) is not None), key=lambda i: gain(frames[i]))
    count = min(EXTREMES, len(measured) // 2)
    return measured[:count], measured[::-1][:count]
