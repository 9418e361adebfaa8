"""How real a blur looks, where `blur_effect` is blind: the kernel's shape, patterns in the change, noise, JPEG blocks.

A crop is (H, W, 3) uint8 RGB. Luminance is rgb2gray's (Rec. 709 weights on stored values), in levels of 255.
"""

from collections.abc import Sequence

import numpy as np
from scipy import fft, ndimage
from scipy.spatial.distance import cdist
from scipy.stats import norm, wasserstein_distance
from skimage.color import rgb2gray

Crop = np.ndarray
Shape = tuple[float, float, float]

REACH = 15  # lags of the autocorrelation, pixels
FLOOR = 0.15  # share of lag zero below which an autocorrelation counts as none, for the scene's own never ends
CONTRAST = 5  # standard deviation of luminance, levels; below it a crop's derivatives are its noise's
DB2 = np.array([1 - 3**0.5, 3**0.5 - 3, 3 + 3**0.5, -1 - 3**0.5]) / 32**0.5  # Daubechies' wavelet of 4 taps
BLOCK = 8  # side of a JPEG block, pixels
DISTANCES = ("radius", "anisotropy", "direction", "kernel")


def luminance(crop: Crop) -> np.ndarray:
    return 255 * rgb2gray(crop)


def blur_shape(crop: Crop) -> Shape:
    """Radius, anisotropy and direction of a crop's blur kernel, as far as one crop tells.

    The spectra of both derivatives, summed, are flat for a photograph whose power falls as 1 / f**2, so their
    autocorrelation is the kernel's (the principle of Yitzhaky and Kopeika, 1997, and of Goldstein and Fattal, 2012).
    Its part above FLOOR around lag zero, less FLOOR, has a matrix of second moments, with the eigenvalues a >= b.

    radius: sqrt((a + b) / 2) / (1 - FLOOR), pixels; for an autocorrelation that falls linearly along a line, as a
    straight even shake's, the kernel's rms radius, at most 7.4; for round kernels 10 to 20 % less. anisotropy:
    (a - b) / (a + b), 0 for a disc, 1 for a line. direction: of the long axis, radians from x to y (down), modulo pi.
    """
    light = luminance(crop)
    size = [side + REACH for side in light.shape]  # padded, so that no lag wraps around
    slopes = np.diff(light, axis=0)[:, :-1], np.diff(light, axis=1)[:-1]
    power = sum(np.abs(fft.rfft2(slope - slope.mean(), size)) ** 2 for slope in slopes)
    lags = np.roll(fft.irfft2(power, size), (REACH, REACH), axis=(0, 1))[: 2 * REACH + 1, : 2 * REACH + 1]
    weight = np.clip(lags - FLOOR * lags[REACH, REACH], 0, None)
    labels, _ = ndimage.label(weight, np.ones((3, 3)))  # diagonal lags are neighbours, too
    weight[labels != labels[REACH, REACH]] = 0
    weight /= max(weight.sum(), 1e-9)
    y, x = np.mgrid[-REACH : REACH + 1, -REACH : REACH + 1]
    xx, yy, xy = (float((weight * product).sum()) for product in (x * x, y * y, x * y))
    anisotropy = float(np.hypot(xx - yy, 2 * xy)) / max(xx + yy, 1e-9)
    return ((xx + yy) / 2) ** 0.5 / (1 - FLOOR), anisotropy, float(np.arctan2(2 * xy, xx - yy) / 2 % np.pi)


def shape_distances(made: Sequence[Shape], real: Sequence[Shape]) -> dict[str, float]:
    """Distances of two sets of `blur_shape`, neither empty; each is 0 for equal sets.

    radius (pixels), anisotropy: Wasserstein-1. direction (radians, up to pi / 2): Wasserstein-1 on the circle modulo
    pi, the least over all cuts that make it a line (Rabin, Delon and Gousseau, 2011); a crop counts by its anisotropy.
    kernel (pixels): of all three at once, half the squared energy distance (Szekely and Rizzo, 2013) of radius *
    (1, anisotropy * cos 2 direction, anisotropy * sin 2 direction); of two single crops it is their distance.
    """
    (radius, thinness, angle), (radius_2, thinness_2, angle_2) = np.transpose(made), np.transpose(real)
    weights = thinness + 1e-9, thinness_2 + 1e-9
    cuts = np.concatenate([angle, angle_2])
    a, b = ([(r, r * t * np.cos(2 * d), r * t * np.sin(2 * d)) for r, t, d in shapes] for shapes in (made, real))
    return {
        "radius": float(wasserstein_distance(radius, radius_2)),
        "anisotropy": float(wasserstein_distance(thinness, thinness_2)),
        "direction": min(
            float(wasserstein_distance((angle - cut) % np.pi, (angle_2 - cut) % np.pi, *weights)) for cut in cuts
        ),
        "kernel": float(cdist(a, b).mean() - (cdist(a, a).mean() + cdist(b, b).mean()) / 2),
    }


def periodic_peak(changes: np.ndarray) -> tuple[float, float]:
    """The strongest hatch or grid that changes have in common: a ratio of power, and its period, 16 pixels at most.

    changes: (N, H, W, 3), changed minus original, levels. Geometric mean over the crops of their spectra (Hann window,
    channels summed): neither one scene's own pattern nor one strong crop decides. Each frequency is compared with the
    largest of four medians, of 15 frequencies along x, y and both diagonals around it, since edges make lines in a
    spectrum. Blur alone gives about 1.5 for a hundred crops, more for fewer.
    """
    _, height, width, _ = changes.shape
    window = np.outer(np.hanning(height), np.hanning(width))[..., None]
    log_power = np.zeros((height, width))
    for change in changes:
        spectrum = fft.fft2((change - change.mean(axis=(0, 1))) * window, axes=(0, 1))
        log_power += np.log((np.abs(spectrum) ** 2).sum(axis=-1) + 1e-3) / len(changes)
    lines = np.ones((1, 15)), np.ones((15, 1)), np.eye(15), np.eye(15)[::-1]
    around = np.max([ndimage.median_filter(log_power, footprint=line, mode="wrap") for line in lines], axis=0)
    frequency = np.hypot(fft.fftfreq(height)[:, None], fft.fftfreq(width))
    ratio = np.where(frequency >= 1 / 16, np.exp(log_power - around), 0)
    return float(ratio.max()), float(1 / frequency.flat[ratio.argmax()])


def noise_level(crop: Crop) -> float:
    """Standard deviation of the noise, levels: from the median of the finest diagonal wavelet coefficients (Donoho and
    Johnstone, 1994), as scikit-image's estimate_sigma, which would need PyWavelets. Fine texture counts as noise."""
    details = ndimage.convolve1d(ndimage.convolve1d(luminance(crop), DB2, axis=0), DB2, axis=1)[::2, ::2]
    details = np.abs(details[np.abs(details) > 1e-9])  # not those of saturated parts
    return float(np.median(details) / norm.ppf(0.75)) if details.size else 0.0


def blocking(crop: Crop) -> float:
    """Strength of the edges of JPEG's 8 x 8 blocks: 1 without, 2 where a step there is twice one elsewhere.

    A step is the absolute difference of two neighbours less the mean of the differences on either side (Minami and
    Zakhor, 1995). A crop starts anywhere, so the offset with the largest ratio counts; the mean of columns and rows.
    """
    ratios = []
    for light in (luminance(crop), luminance(crop).T):
        slopes = np.diff(light, axis=1)
        steps = np.abs(slopes[:, 1:-1] - (slopes[:, :-2] + slopes[:, 2:]) / 2).mean(axis=0) + 0.05  # flat: ratio 1
        at = np.array([steps[offset::BLOCK].mean() for offset in range(BLOCK)])
        ratios.append((at / ((at.sum() - at) / (BLOCK - 1))).max())
    return float(np.mean(ratios))


def compare(
    sharp: Sequence[Crop],
    paired: Sequence[Crop],
    bgan: Sequence[Crop],
    real: Sequence[Crop],
    real_sharp: Sequence[Crop] = (),
) -> dict[str, float | None]:
    """Every measure of four kinds of crops of one size, means over the crops, and distances from real blur.

    paired, bgan: blurs of `sharp` in its order, bgan's perhaps several times over. real_sharp: what real blur was made
    from, if that is known. What cannot be measured is None. Crops without CONTRAST have no shape of blur.
    """
    kinds = {"sharp": sharp, "paired": paired, "bgan": bgan, "real": real}
    figures: dict[str, float | None] = {}
    shapes = {}
    for kind, crops in kinds.items():
        shapes[kind] = found = [blur_shape(crop) for crop in crops if luminance(crop).std() > CONTRAST]
        radius, anisotropy = np.mean(found, axis=0)[:2].tolist() if found else (None, None)
        figures |= {f"blur_radius_{kind}": radius, f"blur_anisotropy_{kind}": anisotropy}
        for measure in (noise_level, blocking):
            figures[f"{measure.__name__}_{kind}"] = float(np.mean([*map(measure, crops)])) if len(crops) else None
    for kind in ("sharp", "paired", "bgan"):
        distances = shape_distances(shapes[kind], shapes["real"]) if shapes[kind] and shapes["real"] else {}
        figures |= {f"{name}_distance_{kind}": distances.get(name) for name in DISTANCES}
    for kind, blurs, before in (("paired", paired, sharp), ("bgan", bgan, sharp), ("real_blur", real, real_sharp)):
        figures[f"periodic_peak_{kind}"] = figures[f"periodic_peak_period_{kind}"] = None
        if len(blurs) and len(before):
            changes = np.stack(blurs).astype(float) - np.concatenate([before] * (len(blurs) // len(before)))
            figures[f"periodic_peak_{kind}"], figures[f"periodic_peak_period_{kind}"] = periodic_peak(changes)
    return figures
