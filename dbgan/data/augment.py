"""One random patch and flip for all images of a pair (paper: random 128 x 128 crops and flips)."""

from collections.abc import Iterable

import numpy as np


def places(rng: np.random.Generator, batch: int, size: int, patch: int) -> np.ndarray:
    """Where the patches of a batch lie in images of `size` pixels: (batch, 4) of y, x and whether they are mirrored
    downwards and sideways."""
    room = size - patch + 1
    return rng.integers([room, room, 2, 2], size=(batch, 4))


def patches(images: Iterable[np.ndarray], at: np.ndarray, patch: int) -> np.ndarray:
    """Of each image (H, W, 3) uint8 the patch at its row of `places`: (batch, patch, patch, 3) uint8."""
    batch = np.empty((len(at), patch, patch, 3), np.uint8)
    for out, image, (y, x, down, sideways) in zip(batch, images, at.tolist(), strict=True):
        window = image[y : y + patch, x : x + patch]
        if down:
            window = window[::-1]
        if sideways:  # from a near copy, channel by channel: NumPy mirrors RGB pixels five times more slowly
            near = window.copy()
            for channel in range(3):
                out[..., channel] = near[:, ::-1, channel]
        else:
            out[:] = window
    return batch
