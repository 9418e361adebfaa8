"""How close a restored photograph is to the sharp one: PSNR, both conventions of SSIM, colour."""

import numpy as np
from scipy.ndimage import gaussian_filter
from skimage.color import deltaE_ciede2000, rgb2lab
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
