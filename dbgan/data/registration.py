"""The shift between the two sides of a pair."""

import numpy as np
from PIL import Image
from skimage.registration import phase_cross_correlation

REACH = 1280  # pixels of the middle that are compared; a shift of up to half of that can be seen
COARSER = 4  # compared at a quarter of the resolution, in tenths of a pixel of the photograph


def shift(sharp: np.ndarray, blurred: np.ndarray) -> float:
    """The distance, in pixels, by which `blurred` would have to be moved to lie on `sharp`; (H, W, 3) uint8 both.

    The peak of the cross-correlation of the luminance in the middle, faded out to its rim. Phase correlation fails:
    linear blur turns the sign of whole bands of frequencies, and the peak lies up to half its length from the truth.
    """
    sides = [_middle(photo) for photo in (sharp, blurred)]
    if not all(side.any() for side in sides):
        return 0.0
    offset, *_ = phase_cross_correlation(*sides, upsample_factor=10 * COARSER, normalization=None)
    return float(COARSER * np.hypot(*offset))


def _middle(photo: np.ndarray) -> np.ndarray:
    top, left = (max(0, (length - REACH) // 2) for length in photo.shape[:2])
    window = Image.fromarray(photo[top : top + REACH, left : left + REACH]).convert("L").reduce(COARSER)
    light = np.asarray(window, np.float32)
    return (light - light.mean()) * np.outer(*(np.hanning(length).astype(np.float32) for length in light.shape))
