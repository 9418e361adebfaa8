"""The figures of the evaluation: PSNR, SSIM in both conventions, colour, and the realism of BGAN's blur.

Photographs are (H, W, 3) uint8 RGB. A network is a function from such a photograph to one of the same size.
"""

from collections.abc import Callable, Iterable

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.stats import wasserstein_distance
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.measure import blur_effect
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

Photo = np.ndarray
Network = Callable[[Photo], Photo]

SIGMA, TRUNCATE = 1.5, 3.5  # SSIM's Gaussian window: 11 taps
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


def ssim(image: Photo, reference: Photo) -> float:
    """SSIM as the field's tables have it: MATLAB's ssim() on RGB, one 3-D 11x11x11 Gaussian window over the
    H x W x 3 volume, borders replicated, mean over all positions."""
    x, y = image.astype(np.float64), reference.astype(np.float64)

    def local_mean(volume: np.ndarray) -> np.ndarray:
        return gaussian_filter(volume, SIGMA, mode="nearest", truncate=TRUNCATE)

    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mean_x, mean_y = local_mean(x), local_mean(y)
    var_x, var_y = local_mean(x * x) - mean_x**2, local_mean(y * y) - mean_y**2
    covariance = local_mean(x * y) - mean_x * mean_y
    top = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    return float((top / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))).mean())


def ssim_2d(image: Photo, reference: Photo) -> float:
    """SSIM in its other convention: a 2-D 11x11 Gaussian window on each channel, valid region only, mean of the three.
    It differs widely from `ssim`."""
    return float(
        structural_similarity(
            reference, image, channel_axis=-1, gaussian_weights=True, sigma=SIGMA, use_sample_covariance=False
        )
    )


def delta_e(image: Photo, reference: Photo) -> float:
    """Mean CIEDE2000 colour difference of two sRGB images; about 1 is just noticeable."""
    return float(deltaE_ciede2000(rgb2lab(reference), rgb2lab(image)).mean())


def color_shift(image: Photo, reference: Photo) -> np.ndarray:
    """(3,) mean of image - reference for each channel, in 8-bit levels."""
    return (image.astype(np.float64) - reference).mean(axis=(0, 1))


def scores(image: Photo, reference: Photo, suffix: str = "") -> dict[str, float]:
    """PSNR and both SSIMs, their names ending in `suffix`."""
    return {f"{measure.__name__}{suffix}": measure(image, reference) for measure in (psnr, ssim, ssim_2d)}


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


# ---- Photographs restored by the pre-trained and the fine-tuned network ----------------------------------------------


def restored_pair(
    name: str, blurred: Photo, sharp: Photo, pretrained: Network, final: Network
) -> tuple[dict, list[Photo]]:
    """A test pair: its row of figures, and the blurred, the restored and the sharp photograph."""
    restored = final(blurred)
    row: dict = {"frame": name, **scores(blurred, sharp, "_blurred")}
    row |= scores(pretrained(blurred), sharp, "_pretrained") | scores(restored, sharp)
    row |= {"delta_e_blurred": delta_e(blurred, sharp), "delta_e": delta_e(restored, sharp)}
    row |= zip(COLOR_SHIFT, color_shift(restored, sharp).tolist(), strict=True)
    return row, [blurred, restored, sharp]


def restored_simulated(blurred: Photo, sharp: Photo, pretrained: Network, final: Network) -> tuple[dict, list[Photo]]:
    """A photograph with simulated real blur, which alone among real blurs has a sharp partner; as `restored_pair`."""
    images = [blurred, pretrained(blurred), restored := final(blurred)]
    return dict(zip(SIMULATED, (psnr(image, sharp) for image in images), strict=True)), [blurred, restored, sharp]


def restored_real(photo: Photo, final: Network) -> tuple[dict, list[Photo]]:
    """A real blurred photograph: its blur_effect before and after, None without contrast; both images."""
    images = [photo, final(photo)]
    return {name: mean(blur_effects([image])) for name, image in zip(REAL, images, strict=True)}, images


def mean(values: Iterable[float | None]) -> float | None:
    """The mean of those that are numbers; None without any."""
    numbers = [value for value in values if value is not None]
    return float(np.mean(numbers)) if numbers else None


def means(pairs: list[dict], simulated: list[dict], real: list[dict]) -> dict:
    """Means of the rows of `restored_pair`, `restored_simulated` and `restored_real`."""
    figures: dict = {name: mean(row[name] for row in pairs) for name in pairs[0] if name != "frame"}
    figures["color_shift"] = [figures.pop(name) for name in COLOR_SHIFT]
    figures |= {name: mean(row[name] for row in simulated) for name in SIMULATED}
    return figures | {name: mean(row[name] for row in real) for name in REAL}


def by_gain(rows: list[dict]) -> list[int]:
    """Numbers of the rows whose gain of PSNR is finite, the least gain first."""
    gains = [row.get("psnr", np.nan) - row.get("psnr_blurred", np.nan) for row in rows]
    return sorted(np.flatnonzero(np.isfinite(gains)).tolist(), key=gains.__getitem__)


def flat_deviation(final: Network) -> float:
    """The largest change, in 8-bit levels, that a network makes to photographs of one colour: no pattern, no rim."""
    photos = [np.full((*size, 3), color, np.uint8) for color in FLAT_COLORS for size in FLAT_SIZES]
    return float(max(np.abs(final(photo).astype(int) - photo).max() for photo in photos))
