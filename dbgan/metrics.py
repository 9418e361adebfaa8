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


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """Wasserstein-1 distance of two samples of `blur_effect`: how far one distribution must be moved."""
    return float(wasserstein_distance(a, b))


def closeness(made: np.ndarray, start: np.ndarray, goal: np.ndarray) -> float:
    """W1(made, goal) / W1(start, goal): 0 at the goal, 1 no closer than the start."""
    return distance(made, goal) / max(distance(start, goal), 1e-9)


def bgan_blurs(crops: list[tuple[list[Photo], list[Photo], list[list[Photo]]]], real: list[Photo]) -> dict:
    """BGAN's blurs of sharp crops, compared with real blur.

    crops: for each photograph crops of one size, as they are, as the paired set blurs them, and, for each noise map, as
    BGAN blurs them. real: crops of real blurred photographs, perhaps none.

    bgan_realism = W1(BGAN, real) / W1(sharp, real) of blur_effect; paired_realism is the paired set's. Both are None
    without real photographs. bgan_diversity: mean absolute difference of two noise maps' blurs of one crop.
    bgan_color_shift: mean change of each channel. Both in 8-bit levels.
    """
    sharp = [crop for photo, _, _ in crops for crop in photo]
    paired = [crop for _, photo, _ in crops for crop in photo]
    maps = range(len(crops[0][2]))
    blurs = [[crop for _, _, made in crops for crop in made[k]] for k in maps]
    made = np.stack([np.stack(blur) for blur in blurs]).astype(np.float64)  # (noise maps, crops, H, W, 3)
    effects = {
        "sharp": blur_effects(sharp),
        "paired": blur_effects(paired),
        "bgan": blur_effects(crop for blur in blurs for crop in blur),
        "real": blur_effects(real),
    }
    figures: dict = {f"blur_effect_{name}": mean(values) for name, values in effects.items()}
    comparable = all(len(values) for values in effects.values())
    for name in ("bgan", "paired"):
        realism = closeness(effects[name], effects["sharp"], effects["real"]) if comparable else None
        figures[f"{name}_realism"] = realism
    figures["bgan_diversity"] = float(np.abs(np.diff(made, axis=0)).mean())
    figures["bgan_color_shift"] = [float(v) for v in (made - np.stack(sharp)).mean(axis=(0, 1, 2, 3))]
    return figures


# ---- Photographs restored by the pre-trained and the fine-tuned network ----------------------------------------------


def restored_pair(
    name: str, blurred: Photo, sharp: Photo, pretrained: Network, final: Network
) -> tuple[dict, list[Photo]]:
    """A test pair: its row of figures, and the blurred, the restored and the sharp photograph."""
    restored = final(blurred)
    row: dict = {"frame": name}
    row |= scores(blurred, sharp, "_blurred")
    row |= scores(pretrained(blurred), sharp, "_pretrained")
    row |= scores(restored, sharp)
    row |= {"delta_e_blurred": delta_e(blurred, sharp), "delta_e": delta_e(restored, sharp)}
    shift = color_shift(restored, sharp)
    row |= {f"color_shift_{channel}": float(v) for channel, v in zip("rgb", shift, strict=True)}
    return row, [blurred, restored, sharp]


def restored_simulated(blurred: Photo, sharp: Photo, pretrained: Network, final: Network) -> tuple[dict, list[Photo]]:
    """A photograph with simulated real blur, which alone among real blurs has a sharp partner; as `restored_pair`."""
    restored = final(blurred)
    row = {
        "psnr_real_blurred": psnr(blurred, sharp),
        "psnr_real_pretrained": psnr(pretrained(blurred), sharp),
        "psnr_real": psnr(restored, sharp),
    }
    return row, [blurred, restored, sharp]


def restored_real(photo: Photo, final: Network) -> tuple[dict, list[Photo]]:
    """A real blurred photograph: its blur_effect before and after, in lists, empty without contrast; both images."""
    restored = final(photo)
    before, after = blur_effects([photo]).tolist(), blur_effects([restored]).tolist()
    return {"blur_effect_real_before": before, "blur_effect_real_after": after}, [photo, restored]


def mean(values) -> float | None:
    """The mean of numbers; None without any."""
    return float(np.mean(values)) if len(values) else None


def pair_means(rows: list[dict]) -> dict:
    """Means of the rows of `restored_pair`."""
    means: dict = {key: mean([row[key] for row in rows]) for key in rows[0] if key != "frame"}
    means["color_shift"] = [means.pop(f"color_shift_{channel}") for channel in "rgb"]
    return means


def simulated_means(rows: list[dict]) -> dict[str, float | None]:
    """Means of the rows of `restored_simulated`."""
    names = ("psnr_real_blurred", "psnr_real_pretrained", "psnr_real")
    return {name: mean([row[name] for row in rows]) for name in names}


def real_means(rows: list[dict]) -> dict[str, float | None]:
    """Means of the rows of `restored_real`."""
    names = ("blur_effect_real_before", "blur_effect_real_after")
    return {name: mean([value for row in rows for value in row[name]]) for name in names}


def extremes(rows: list[dict]) -> list[int]:
    """Numbers of the rows with the least and with the largest gain of PSNR; none where no gain is finite."""
    gains = {k: row["psnr"] - row["psnr_blurred"] for k, row in enumerate(rows)}
    gains = {k: gain for k, gain in gains.items() if np.isfinite(gain)}
    return sorted({min(gains, key=gains.__getitem__), max(gains, key=gains.__getitem__)}) if gains else []


def flat_deviation(final: Network) -> float:
    """The largest change, in 8-bit levels, that a network makes to photographs of one colour: no pattern, no rim."""
    deviation = 0
    for color in FLAT_COLORS:
        for height, width in FLAT_SIZES:
            flat = np.full((height, width, 3), color, np.uint8)
            deviation = max(deviation, np.abs(final(flat).astype(int) - flat).max())
    return float(deviation)
