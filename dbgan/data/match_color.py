"""Gives the mean colour of one domain of photographs to another, so that a network does not learn the difference: the
same three curves for all, one for each channel, each a power v ** g of levels v in [0, 1]."""

import numpy as np
from PIL import Image

STEEPEST = 3.0  # curves are v ** 3 at most and v ** (1 / 3) at least; a colour further off is no cast
EXPONENTS = np.geomspace(1 / STEEPEST, STEEPEST, 2001)
CURVES = np.rint(255 * (np.arange(256) / 255) ** EXPONENTS[:, None])  # (2001, 256)


def levels(photo: np.ndarray) -> np.ndarray:
    """The histograms of a photograph (H, W, 3) uint8: (3, 256), each row summing to 1."""
    return np.array(Image.fromarray(photo).histogram()).reshape(3, 256) / (photo.shape[0] * photo.shape[1])


def matching(shares: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The curves, (3, 256) uint8, that bring a domain with these histograms (3, 256) nearest to the mean (3,)."""
    means = shares @ CURVES.T
    return CURVES[np.abs(means - target[:, None]).argmin(axis=1)].astype(np.uint8)


def apply(photo: np.ndarray, curves: np.ndarray) -> np.ndarray:
    """A photograph (H, W, 3) uint8 with each channel changed by its curve."""
    return np.asarray(Image.fromarray(photo).point(curves.ravel().tolist()))
