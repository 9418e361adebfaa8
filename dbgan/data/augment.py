"""One random patch and flip for all images of a pair (paper: random 128 x 128 crops and flips)."""

import numpy as np


def patch_and_flip(images: list[np.ndarray], patch: int, rng: np.random.Generator) -> list[np.ndarray]:
    """The same random patch, mirrored or not in each direction, of every image of one size (H, W, 3)."""
    height, width = images[0].shape[:2]
    y = rng.integers(height - patch + 1)
    x = rng.integers(width - patch + 1)
    down, right = (-1 if rng.integers(2) else 1 for _ in range(2))
    return [image[y : y + patch, x : x + patch][::down, ::right] for image in images]
