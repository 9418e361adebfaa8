"""A picture of what the data are: photographs of each kind, small, side by side, with their names."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

CELL = (320, 240)  # width and height of a photograph's place, pixels
LABEL = 18  # height of the line below it, pixels
GAP = 6


def thumbnail(photo: np.ndarray) -> Image.Image:
    """A photograph (H, W, 3) uint8 made to fit a place of the sheet, never enlarged."""
    small = Image.fromarray(photo)
    small.thumbnail(CELL, reducing_gap=4)
    return small


def save(path: Path, rows: list[list[tuple[str, Image.Image]]]) -> None:
    """Write rows of labelled thumbnails as PNG; the folder is made."""
    width, height = CELL[0] + GAP, CELL[1] + LABEL + GAP
    sheet = Image.new("RGB", (GAP + width * max(map(len, rows)), GAP + height * len(rows)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=12)
    for y, row in enumerate(rows):
        for x, (label, small) in enumerate(row):
            left, top = GAP + x * width, GAP + y * height
            sheet.paste(small, (left + (CELL[0] - small.width) // 2, top + (CELL[1] - small.height) // 2))
            draw.text((left, top + CELL[1] + 2), _fitting(label, font), fill="black", font=font)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, "PNG")


def _fitting(label: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """The label, its middle left out where it is too long, with ? for what cannot be printed."""
    shown = label = "".join(c if c.isprintable() else "?" for c in label)
    kept = len(label)
    while kept > 8 and font.getlength(shown) > CELL[0]:
        kept -= 2
        shown = f"{label[: kept // 2]}...{label[len(label) - kept // 2 :]}"
    return shown
