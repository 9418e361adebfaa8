"""One random patch and flip for all images of a pair (paper: random 128 x 128 crops and flips)."""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor


def places(rng: np.random.Generator, batch: int, size: int, patch: int) -> np.ndarray:
    """Where the patches of a batch lie in images of `size` pixels: (batch, 4) of y, x and whether they are mirrored
    downwards and sideways."""
    corners = rng.integers(size - patch + 1, size=(batch, 2))
    return np.hstack([corners, rng.integers(2, size=(batch, 2))])


def patches(images: Iterable[np.ndarray], at: np.ndarray, patch: int) -> Tensor:
    """Of each image (H, W, 3) uint8 the patch at its row of `places`: (batch, patch, patch, 3) uint8."""
    batch = torch.empty((len(at), patch, patch, 3), dtype=torch.uint8)
    for k, (image, (y, x, down, sideways)) in enumerate(zip(images, at.tolist(), strict=True)):
        window = image[y : y + patch, x : x + patch]
        batch[k].numpy()[:] = window[::-1] if down else window
        if sideways:  # by torch: NumPy mirrors RGB pixels ten times more slowly
            batch[k] = batch[k].flip(1)
    return batch
