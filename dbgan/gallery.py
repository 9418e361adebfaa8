"""The README's gallery, cut from the evaluation's pictures at their own size:
python -m dbgan.gallery results/panels docs/gallery
"""

from pathlib import Path

import numpy as np
from PIL import Image

from dbgan import utils
from dbgan.panels import save_jpeg, side_by_side, stacked
from dbgan.reporting import images

# Each picture's file and rows: a panel of the evaluation, how many photographs it shows, and the corner (y, x) and size
# (height, width) of what is cut out of each of them.
PICTURES = {
    "deblurred.jpg": [
        ("test_0000", 3, (10, 110), (216, 288)),
        ("test_0007", 3, (80, 120), (216, 288)),
        ("test_0011", 3, (60, 130), (216, 288)),
    ],
    "real.jpg": [
        ("real_0000", 2, (120, 10), (280, 432)),
        ("real_0010", 2, (230, 60), (280, 432)),
    ],
    "bgan.jpg": [
        ("bgan_0000", 4, (290, 90), (214, 214)),
        ("bgan_0004", 4, (60, 110), (214, 214)),
        ("bgan_0011", 4, (60, 130), (214, 214)),
    ],
}


def cut(photos: list[Image.Image], corner: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """The same part of photographs of one size, side by side. Raises ValueError when they are too small."""
    (y, x), (high, wide) = corner, size
    parts = [np.asarray(photo)[y : y + high, x : x + wide] for photo in photos]
    if parts[0].shape[:2] != size:
        raise ValueError(f"photographs of {photos[0].width} x {photos[0].height} pixels have no {size} at {corner}")
    return side_by_side(parts)


def main(panels: Path, out: Path) -> None:
    """Cut the gallery's pictures out of those in PANELS and write them to OUT."""
    made = {}
    for name, rows in PICTURES.items():
        shown = [(images.photographs(panels / f"{panel}.png", count), *place) for panel, count, *place in rows]
        made[name] = stacked([cut(*row) for row in shown])
    out.mkdir(parents=True, exist_ok=True)
    for name, picture in made.items():
        with utils.atomic_write(out / name) as part:
            save_jpeg(part, picture)


app = utils.app(main)

if __name__ == "__main__":
    app()
