"""The figures of the evaluation: PSNR, SSIM in both conventions, colour, and the realism of BGAN's blur.

Photographs are (H, W, 3) uint8 RGB. A network is a function from such a photograph to one of the same size.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from scipy.stats import wasserstein_distance
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.measure import blur_effect
from skimage.metrics import peak_signal_noise_ratio

Photo = np.ndarray
Network = Callable[[Photo], Photo]

SIGMA, TRUNCATE, RADIUS = 1.5, 3.5, 5  # SSIM's Gaussian window: 11 taps
ACROSS = gaussian_filter1d(np.eye(3), SIGMA, axis=0, mode="nearest", truncate=TRUNCATE)  # (3, 3): across the channels
STRIP = 64  # rows compared at once
COLOR_SHIFT = ("color_shift_r", "color_shift_g", "color_shift_b")
SIMULATED = ("psnr_real_blurred", "psnr_real_pretrained", "psnr_real")
REAL = ("blur_effect_real_before", "blur_effect_real_after")
FLAT_COLORS = ((128, 128, 128), (33, 25, 23))  # grey, and a dark one on which published networks draw patterns
FLAT_SIZES = ((64, 64), (61, 77), (7, 5))  # one that halves well, odd ones, and smaller than what networks pad to


# ---- Two images ------------------------------------------------------------------------------------------------------


def psnr(image: Photo, reference: Photo) -> float:
    """PSNR in dB over all channels; infinite for equal images."""
    with np.errstate(divide="ignore"):
        return float(peak_signal_noise_ratio(reference, image))


def ssims(images: Sequence[Photo], reference: Photo) -> list[tuple[float, float]]:
    """SSIM of each image in both conventions, which differ widely. First as the field's tables have it: MATLAB's ssim()
    on RGB, one 3-D 11x11x11 Gaussian window over the H x W x 3 volume, borders replicated, mean over all positions.
    Second: a 2-D 11x11 Gaussian window on each channel, valid region only, mean of the three.

    Both come from the same local means along rows and columns, the reference's taken once; by strips of rows, so that
    memory does not grow with the photograph."""
    height, width, _ = reference.shape
    sums = np.zeros((len(images), 2))
    for top in range(0, height, STRIP):
        start, bottom = max(top - RADIUS, 0), min(top + STRIP, height)
        rows = slice(start, bottom + RADIUS)
        local = partial(_local_means, kept=slice(top - start, bottom - start))
        y = _planes(reference[rows])
        of_y = local(y), local(y * y)
        inside = (..., slice(max(RADIUS - top, 0), max(height - RADIUS - top, 0)), slice(RADIUS, width - RADIUS))
        for k, image in enumerate(images):
            x = _planes(image[rows])
            means = (local(x), local(x * x), *of_y, local(x * y))
            sums[k, 0] += _similarity(*(np.tensordot(ACROSS, mean, 1) for mean in means)).sum()
            sums[k, 1] += _similarity(*means)[inside].sum()
    valid = 3 * max(height - 2 * RADIUS, 0) * max(width - 2 * RADIUS, 0)
    return [(of_all / reference.size, of_valid / valid if valid else math.nan) for of_all, of_valid in sums.tolist()]


def _planes(photo: Photo) -> np.ndarray:
    """(3, H, W) float64: filters and sums run along whole rows."""
    return np.ascontiguousarray(np.moveaxis(photo, 2, 0), dtype=np.float64)


def _local_means(planes: np.ndarray, kept: slice) -> np.ndarray:
    """The Gaussian window along rows and columns, borders replicated; of these rows."""
    means = gaussian_filter(planes, SIGMA, mode="nearest", truncate=TRUNCATE, axes=(1, 2))
    return means[:, kept]


def _similarity(x: np.ndarray, xx: np.ndarray, y: np.ndarray, yy: np.ndarray, xy: np.ndarray) -> np.ndarray:
    """SSIM at each position from the local means of two images, their squares and their product."""
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    squares, product = x * x + y * y, x * y
    return (2 * product + c1) * (2 * (xy - product) + c2) / ((squares + c1) * (xx + yy - squares + c2))


def delta_es(images: Sequence[Photo], reference: Photo) -> list[float]:
    """Mean CIEDE2000 colour difference of each sRGB image, about 1 is just noticeable; by strips of rows."""
    sums = np.zeros(len(images))
    for top in range(0, len(reference), STRIP):
        rows = slice(top, top + STRIP)
        lab = rgb2lab(reference[rows])
        sums += [deltaE_ciede2000(lab, rgb2lab(image[rows])).sum() for image in images]
    return (sums / reference[..., 0].size).tolist()


def color_shift(image: Photo, reference: Photo) -> np.ndarray:
    """(3,) mean of image - reference for each channel, in 8-bit levels."""
    return (image.astype(np.float64) - reference).mean(axis=(0, 1))


# ---- Realism of blur -------------------------------------------------------------------------------------------------


def blur_effects(images: Iterable[Photo]) -> np.ndarray:
    """scikit-image's blur_effect of each image, 0 sharp, 1 blurred; images without contrast have none and are left
    out."""
    values = [blur_effect(image, channel_axis=-1) for image in images if image.std() > 1]
    return np.asarray(values, dtype=np.float64)


def mean_shift(changed: list[Photo], original: list[Photo]) -> list[float]:
    """Mean change of each channel, 8-bit levels. Blur averages light, which alone makes stored values brighter."""
    return np.mean([color_shift(*pair) for pair in zip(changed, original, strict=True)], axis=0).tolist()


def closeness(made: np.ndarray, start: np.ndarray, goal: np.ndarray) -> float:
    """W1(made, goal) / W1(start, goal), Wasserstein-1 distances: 0 at the goal, 1 no closer than the start."""
    return float(wasserstein_distance(made, goal) / max(wasserstein_distance(start, goal), 1e-9))


def kinds(
    photographs: list[tuple[list[Photo], list[Photo], list[list[Photo]], list[Photo]]],
) -> tuple[list[Photo], list[Photo], list[list[Photo]]]:
    """The crops of all photographs: as they are, as the pairs blur them, and, for each noise map, as BGAN does."""
    sharp = [crop for photo, *_ in photographs for crop in photo]
    paired = [crop for _, photo, *_ in photographs for crop in photo]
    maps = zip(*(made for _, _, made, _ in photographs), strict=True)
    return sharp, paired, [[crop for made in photos for crop in made] for photos in maps]


def bgan_blurs(sharp: list[Photo], paired: list[Photo], blurs: list[list[Photo]], real: list[Photo]) -> dict:
    """BGAN's blurs of sharp crops of one size, for each noise map, compared with crops of real blur, perhaps none.

    bgan_realism = W1(BGAN, real) / W1(sharp, real) of blur_effect; paired_realism is the paired set's. Both are None
    without real photographs. bgan_diversity: mean absolute difference of two noise maps' blurs of one crop.
    bgan_color_shift: mean change of each channel. Both in 8-bit levels.
    """
    made = np.array(blurs, dtype=np.float64)  # (noise maps, crops, H, W, 3)
    effects = {
        "sharp": blur_effects(sharp),
        "paired": blur_effects(paired),
        "bgan": blur_effects(crop for blur in blurs for crop in blur),
        "real": blur_effects(real),
    }
    figures: dict = {f"blur_effect_{name}": mean(values) for name, values in effects.items()}
    comparable = all(len(values) for values in effects.values())
    for name in ("bgan", "paired"):
        start, goal = effects["sharp"], effects["real"]
        figures[f"{name}_realism"] = closeness(effects[name], start, goal) if comparable else None
    figures["bgan_diversity"] = float(np.abs(np.diff(made, axis=0)).mean())
    figures["bgan_color_shift"] = mean_shift([crop for blur in blurs for crop in blur], sharp * len(blurs))
    return figures


# ---- Photographs blurred, restored by the pre-trained network, and by the fine-tuned one -----------------------------


def pair(name: str, blurred: Photo, pretrained: Photo, restored: Photo, sharp: Photo) -> dict:
    """A test pair's row of figures."""
    states = {"_blurred": blurred, "_pretrained": pretrained, "": restored}
    row: dict = {"frame": name}
    for (suffix, image), both in zip(states.items(), ssims([*states.values()], sharp), strict=True):
        row |= {f"psnr{suffix}": psnr(image, sharp), f"ssim{suffix}": both[0], f"ssim_2d{suffix}": both[1]}
    row["delta_e_blurred"], row["delta_e"] = delta_es([blurred, restored], sharp)
    return row | dict(zip(COLOR_SHIFT, color_shift(restored, sharp).tolist(), strict=True))


def simulated(blurred: Photo, pretrained: Photo, restored: Photo, sharp: Photo) -> dict:
    """The row of simulated real blur, which alone among real blurs has a sharp partner."""
    return dict(zip(SIMULATED, (psnr(image, sharp) for image in (blurred, pretrained, restored)), strict=True))


def real(photo: Photo, restored: Photo) -> dict:
    """The row of a real blurred photograph: its blur_effect before and after, None without contrast."""
    return {name: mean(blur_effects([image])) for name, image in zip(REAL, (photo, restored), strict=True)}


def mean(values: Iterable[float | None]) -> float | None:
    """The mean of those that are numbers; None without any."""
    numbers = [value for value in values if value is not None]
    return float(np.mean(numbers)) if numbers else None


def means(pairs: list[dict], simulated_rows: list[dict], real_rows: list[dict]) -> dict:
    """Means of the rows of `pair`, `simulated` and `real`."""
    figures: dict = {name: mean(row[name] for row in pairs) for name in pairs[0] if name != "frame"}
    figures["color_shift"] = [figures.pop(name) for name in COLOR_SHIFT]
    figures |= {name: mean(row[name] for row in simulated_rows) for name in SIMULATED}
    return figures | {name: mean(row[name] for row in real_rows) for name in REAL}


def by_gain(rows: list[dict]) -> list[int]:
    """Numbers of the rows whose gain of PSNR is finite, the least gain first."""
    gains = [row.get("psnr", np.nan) - row.get("psnr_blurred", np.nan) for row in rows]
    return sorted(np.flatnonzero(np.isfinite(gains)).tolist(), key=gains.__getitem__)


def flat_deviation(final: Network) -> float:
    """The largest change, in 8-bit levels, that a network makes to photographs of one colour: no pattern, no rim."""
    photos = [np.full((*size, 3), color, np.uint8) for color in FLAT_COLORS for size in FLAT_SIZES]
    return float(max(np.abs(final(photo).astype(int) - photo).max() for photo in photos))
