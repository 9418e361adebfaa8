"""A picture of the data: photographs of each kind, small, side by side, with their names."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dbgan.data import manifest
from dbgan.data.manifest import Listing

COLUMNS = 4  # photographs of each kind, spread evenly over all
CELL = (320, 240)  # width and height of a photograph's place, pixels
LABEL = 18  # height of the line below it, pixels
GAP = 6


def save(path: Path, listing: Listing, root: Path, real_root: Path) -> None:
    """A row for each set of photographs in the listing, pairs one above the other, as PNG."""
    sets = ("train_blurred", "train_sharp", "test_blurred", "test_sharp", "real_blur")
    rows = [(name, getattr(listing, name)) for name in sets if getattr(listing, name)]
    width, height = CELL[0] + GAP, CELL[1] + LABEL + GAP
    columns = min(COLUMNS, max(len(frames) for _, frames in rows))
    sheet = Image.new("RGB", (GAP + width * columns, GAP + height * len(rows)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=12)
    for row, (name, frames) in enumerate(rows):
        shown = np.linspace(0, len(frames) - 1, min(COLUMNS, len(frames))).round().astype(int)
        for column, frame in enumerate(frames[k] for k in shown):
            small = Image.fromarray(manifest.load_frame(real_root if name == "real_blur" else root, frame))
            small.thumbnail(CELL, reducing_gap=4)
            left, top = GAP + column * width, GAP + row * height
            sheet.paste(small, (left + (CELL[0] - small.width) // 2, top + (CELL[1] - small.height) // 2))
            label = f"{name.replace('_', ' ')}: {frame.path}"
            draw.text((left, top + CELL[1] + 2), _fitting(label, font), fill="black", font=font)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, "PNG")


def _fitting(label: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """The label, its middle left out where it is too long, with ? for characters that cannot be printed."""
    shown = label = "".join(c if c.isprintable() else "?" for c in label)
    kept = len(label)
    while kept > 8 and font.getlength(shown) > CELL[0]:
        kept -= 2
        shown = f"{label[: kept // 2]}...{label[len(label) - kept // 2 :]}"
    return shown
