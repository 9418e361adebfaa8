"""Gives the mean colour of one domain of photographs to another, so that a network does not learn the difference.

All photographs of a domain go through the same three curves, one for each channel, so they differ among each other as
before. A curve is a power, v ** g of levels v in [0, 1]: black stays black, white stays white, nothing is clipped and
no two levels change places.
"""

import numpy as np
from PIL import Image

STEEPEST = 3.0  # curves are v ** 3 at most and v ** (1 / 3) at least; a colour further off is no cast


def levels(photo: np.ndarray) -> np.ndarray:
    """The histograms of a photograph (H, W, 3) uint8: (3, 256), each row summing to 1."""
    counts = Image.fromarray(photo).histogram()
    return np.array(counts).reshape(3, 256) / (photo.shape[0] * photo.shape[1])


def matching(shares: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The curves, (3, 256) uint8, that give a domain with these histograms (3, 256) the mean `target` (3,).

    By bisection: the mean falls with the exponent.
    """
    low, high = np.full((2, 3, 1), np.log(STEEPEST)) * [[[-1]], [[1]]]
    for _ in range(50):
        middle = (low + high) / 2
        bright = (mean(shares, _powers(middle)) > target)[:, None]
        low, high = np.where(bright, middle, low), np.where(bright, high, middle)
    return np.rint(_powers(low)).astype(np.uint8)


def _powers(log_exponents: np.ndarray) -> np.ndarray:
    """(3, 1) -> (3, 256) levels from 0 to 255."""
    every = np.arange(256.0)
    return every[-1] * (every / every[-1]) ** np.exp(log_exponents)


def mean(shares: np.ndarray, curves: np.ndarray) -> np.ndarray:
    """The mean of each channel, 8-bit levels, of a domain with these histograms after the curves."""
    return (shares * curves).sum(axis=1)


def apply(photo: np.ndarray, curves: np.ndarray) -> np.ndarray:
    """A photograph (H, W, 3) uint8 with each channel changed by its curve."""
    return np.asarray(Image.fromarray(photo).point(curves.ravel().tolist()))
