"""The figures of the evaluation: PSNR, both conventions of SSIM, colour, and how realistic BGAN's blur is.

Photographs are (H, W, 3) uint8; a network is a function from such a photograph to one of the same size.
"""

from collections.abc import Callable, Iterable

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.stats import wasserstein_distance
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.measure import blur_effect
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

SIGMA, TRUNCATE = 1.5, 3.5  # SSIM's Gaussian window: 11 taps


def psnr(image: np.ndarray, reference: np.ndarray) -> float:
    """PSNR in dB over all channels of two (H, W, 3) uint8 images; infinite for equal ones."""
    with np.errstate(divide="ignore"):
        return float(peak_signal_noise_ratio(reference, image))


def ssim(image: np.ndarray, reference: np.ndarray) -> float:
    """SSIM as the field's tables have it: MATLAB's ssim() on RGB, one 3-D 11x11x11 Gaussian window over the
    H x W x 3 volume, borders replicated, mean over all positions. uint8 images of equal size."""
    x, y = image.astype(np.float64), reference.astype(np.float64)

    def local_mean(volume: np.ndarray) -> np.ndarray:
        return gaussian_filter(volume, SIGMA, mode="nearest", truncate=TRUNCATE)

    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mean_x, mean_y = local_mean(x), local_mean(y)
    var_x, var_y = local_mean(x * x) - mean_x**2, local_mean(y * y) - mean_y**2
    covariance = local_mean(x * y) - mean_x * mean_y
    top = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    return float((top / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))).mean())


def ssim_2d(image: np.ndarray, reference: np.ndarray) -> float:
    """SSIM of each channel with a 2-D 11x11 Gaussian window, valid region only, mean of the three."""
    return float(
        structural_similarity(
            reference, image, channel_axis=-1, gaussian_weights=True, sigma=SIGMA, use_sample_covariance=False
        )
    )


def delta_e(image: np.ndarray, reference: np.ndarray) -> float:
    """Mean CIEDE2000 colour difference of two (H, W, 3) uint8 sRGB images; about 1 is just noticeable."""
    return float(deltaE_ciede2000(rgb2lab(reference), rgb2lab(image)).mean())


def color_shift(image: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """(3,) mean of image - reference for each channel, in 8-bit levels (units of 1/255)."""
    return (image.astype(np.float64) - reference).mean(axis=(0, 1))


def scores(image: np.ndarray, reference: np.ndarray, suffix: str = "") -> dict[str, float]:
    """The field's three figures of one (H, W, 3) uint8 image, their names ending in `suffix`."""
    return {f"{measure.__name__}{suffix}": measure(image, reference) for measure in (psnr, ssim, ssim_2d)}


def blur_effects(images: Iterable[np.ndarray]) -> np.ndarray:
    """scikit-image's blur_effect of each (H, W, 3) uint8 image: 0 is sharp, 1 fully blurred. Images without any
    contrast have none and are left out."""
    values = [blur_effect(image, channel_axis=-1) for image in images if image.std() > 1]
    return np.asarray(values, dtype=np.float64)


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """Wasserstein-1 distance of two samples of `blur_effect`: how far one distribution must be moved."""
    return float(wasserstein_distance(a, b))


def evenly(count: int, limit: int) -> list[int]:
    """At most `limit` indices out of `count`, spread evenly."""
    return sorted({round(i) for i in np.linspace(0, count - 1, min(count, limit))}) if count else []


def closeness(made: np.ndarray, start: np.ndarray, goal: np.ndarray) -> float:
    """Distance of `made` to `goal` over that of `start` to `goal`: 0 has arrived, 1 has gained nothing."""
    return distance(made, goal) / max(distance(start, goal), 1e-9)


Photo = np.ndarray
Network = Callable[[Photo], Photo]


def restored_pair(
    name: str, blurred: Photo, sharp: Photo, pretrained: Network, final: Network
) -> tuple[dict, list[Photo]]:
    """A test photograph restored by both networks: its row of figures, and the blurred, restored and sharp one.

    PSNR and both SSIMs of the blurred, the pre-trained and the fine-tuned result; CIEDE2000 and the mean colour
    shift of the fine-tuned one, each channel in 8-bit levels.
    """
    result = final(blurred)
    row: dict = {"frame": name}
    row |= scores(blurred, sharp, "_blurred")
    row |= scores(pretrained(blurred), sharp, "_pretrained")
    row |= scores(result, sharp)
    row |= {"delta_e_blurred": delta_e(blurred, sharp), "delta_e": delta_e(result, sharp)}
    shift = color_shift(result, sharp)
    row |= {f"color_shift_{channel}": float(v) for channel, v in zip("rgb", shift, strict=True)}
    return row, [blurred, result, sharp]


def extremes(rows: list[dict]) -> list[int]:
    """Numbers of the rows of the least and of the largest gain of PSNR; none where no gain is finite."""
    gains = {k: row["psnr"] - row["psnr_blurred"] for k, row in enumerate(rows)}
    gains = {k: gain for k, gain in gains.items() if np.isfinite(gain)}
    return sorted({min(gains, key=gains.get), max(gains, key=gains.get)}) if gains else []


def means_of_pairs(rows: list[dict]) -> dict:
    """The means of such rows."""
    means: dict = {key: float(np.mean([row[key] for row in rows])) for key in rows[0] if key != "frame"}
    means["color_shift"] = [means.pop(f"color_shift_{channel}") for channel in "rgb"]
    return means


def restored_real(photo: Photo, final: Network) -> tuple[dict, list[Photo]]:
    """`blur_effect` of a real blurred photograph, which has no sharp partner, before and after, each a list that is
    empty if there is none; and both photographs."""
    result = final(photo)
    before, after = blur_effects([photo]).tolist(), blur_effects([result]).tolist()
    return {"blur_effect_real_before": before, "blur_effect_real_after": after}, [photo, result]


def means_of_real(rows: list[dict]) -> dict:
    """The means of such figures; None without any."""
    names = ("blur_effect_real_before", "blur_effect_real_after")
    values = {name: [value for row in rows for value in row[name]] for name in names}
    return {name: float(np.mean(found)) if found else None for name, found in values.items()}


def restored_known(blurred: Photo, sharp: Photo, pretrained: Network, final: Network) -> dict[str, float]:
    """PSNR of a photograph that the real blur's camera blurred, and of it restored by both networks.

    A sharp partner is there only where that camera is simulated.
    """
    return {
        "psnr_real_blurred": psnr(blurred, sharp),
        "psnr_real_pretrained": psnr(pretrained(blurred), sharp),
        "psnr_real": psnr(final(blurred), sharp),
    }


def means_of_known(rows: list[dict[str, float]]) -> dict[str, float | None]:
    """The means of such figures; None without any."""
    names = ("psnr_real_blurred", "psnr_real_pretrained", "psnr_real")
    return {name: float(np.mean([row[name] for row in rows])) if rows else None for name in names}


FLAT_COLORS = ((128, 128, 128), (33, 25, 23))  # grey, and a dark one on which published networks draw patterns
FLAT_SIZES = ((64, 64), (61, 77), (7, 5))  # one that halves well, odd ones, and smaller than what networks pad to


def flat_deviation(final: Network) -> float:
    """The largest change, in 8-bit levels, that a network makes to photographs of one colour: no pattern, no rim."""
    deviation = 0
    for color in FLAT_COLORS:
        for height, width in FLAT_SIZES:
            flat = np.full((height, width, 3), color, np.uint8)
            deviation = max(deviation, np.abs(final(flat).astype(int) - flat).max())
    return float(deviation)


def blurs_of_bgan(
    sharp: list[Photo], blurs: list[list[Photo]], paired: list[Photo], real: list[Photo]
) -> dict[str, float | list[float] | None]:
    """What BGAN makes of sharp crops, compared with real blur.

    sharp: crops of one size; blurs: for each noise map BGAN's blurs of all of them; paired: crops of the paired
    set's blurred photographs; real: crops of real blurred photographs, perhaps none.
    bgan_realism: distance BGAN to real over distance sharp to real (0: alike, 1: BGAN did nothing), and
    paired_realism the same of the paired set's blur; both None without real photographs. bgan_diversity: mean
    absolute difference of two noise maps' blurs of one crop; bgan_color_shift: mean change of each channel; both
    in 8-bit levels.
    """
    made = np.stack([np.stack(blur) for blur in blurs]).astype(np.float64)  # (noise maps, crops, H, W, 3)
    effects = {
        "sharp": blur_effects(sharp),
        "paired": blur_effects(paired),
        "bgan": blur_effects(crop for blur in blurs for crop in blur),
        "real": blur_effects(real),
    }
    found: dict = {f"blur_effect_{name}": float(e.mean()) if len(e) else None for name, e in effects.items()}
    comparable = all(len(e) for e in effects.values())
    for name in ("bgan", "paired"):
        found[f"{name}_realism"] = closeness(effects[name], effects["sharp"], effects["real"]) if comparable else None
    found["bgan_diversity"] = float(np.abs(np.diff(made, axis=0)).mean())
    found["bgan_color_shift"] = [float(v) for v in (made - np.stack(sharp)).mean(axis=(0, 1, 2, 3))]
    return found
