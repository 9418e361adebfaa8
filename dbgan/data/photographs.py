"""The photographs inside scikit-image's own package, split so that none is in two sets, blurred by `shake`."""

from pathlib import Path

import numpy as np
import skimage.data

from dbgan.data import photos

# Files of skimage/data that come with the package itself. Each is in exactly one set: the paired training set
# (blurred by the averaging simulator), the held-out test photographs, or the unpaired real-blur set.
TRAIN = ("motorcycle_left.png", "coffee.png", "coins.png", "gravel.png", "page.png")
TEST = ("astronaut.png", "chelsea.png", "camera.png")
REAL = ("rocket.jpg", "ihc.png", "brick.png", "grass.png", "text.png")


def load(name: str) -> np.ndarray:
    """A bundled photograph, (H, W, 3) uint8 RGB; no network is used."""
    return photos.read(Path(skimage.data.__file__).parent / name)[0]
