"""A picture of the data: photographs of each kind, small, side by side, with their names."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from dbgan.data import manifest
from dbgan.data.manifest import Listing

COLUMNS = 4  # photographs of each kind, spread evenly over all
PHOTO = (320, 240)  # width and height at most, pixels
CELL = (326, 264)  # with the line below it and a gap


def save(path: Path, listing: Listing, root: Path, real_root: Path) -> None:
    """A row for each set of photographs in the listing, pairs one above the other, as PNG."""
    sets = ("train_blurred", "train_sharp", "test_blurred", "test_sharp", "real_blur")
    rows = [(name, getattr(listing, name)) for name in sets if getattr(listing, name)]
    columns = min(COLUMNS, max(len(frames) for _, frames in rows))
    sheet = Image.new("RGB", (CELL[0] * columns, CELL[1] * len(rows)), "white")
    for row, (name, frames) in enumerate(rows):
        shown = np.linspace(0, len(frames) - 1, min(columns, len(frames))).round().astype(int)
        for column, frame in enumerate(frames[k] for k in shown):
            small = Image.fromarray(manifest.load_frame(real_root if name == "real_blur" else root, frame))
            small.thumbnail(PHOTO, reducing_gap=4)
            cell = Image.new("RGB", CELL, "white")  # cuts off what a name has too much
            cell.paste(small, ((CELL[0] - small.width) // 2, (PHOTO[1] - small.height) // 2))
            label = frame.path[-46:].encode("utf-8", "replace").decode()  # as much of its end as fits
            ImageDraw.Draw(cell).text((3, PHOTO[1] + 2), label, fill="black", font_size=12)
            sheet.paste(cell, (column * CELL[0], row * CELL[1]))
    sheet.save(path, "PNG")
