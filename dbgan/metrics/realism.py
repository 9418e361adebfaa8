"""How blurred photographs are, and how alike two sets of them are in that."""

from collections.abc import Iterable

import numpy as np
from scipy.stats import wasserstein_distance
from skimage.measure import blur_effect


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
