"""Pictures inside the page: panels cut into their photographs, which are made small enough together."""

import base64
import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

GAP = 8  # white pixels between two photographs of a panel, as dbgan/metrics/pictures.py leaves
QUALITY = 90  # WebP's; fine detail that blur and restoration differ in stays visible
LONGEST, SHORTEST = 1280, 128  # longer side of a picture in the page, pixels


def photographs(panel: Path, count: int) -> list[Image.Image]:
    """The `count` equally wide photographs of a panel, none longer than LONGEST. Raises ValueError naming
    a panel that is no picture of that many."""
    with _no_limit(), _opened(panel) as image:
        width, rest = divmod(image.width - GAP * (count - 1), count)
        lefts = [i * (width + GAP) for i in range(count)]
        gaps = [np.asarray(image)[:, left - GAP : left] for left in lefts[1:]]
        if rest or width < 1 or any(gap.min() < 255 for gap in gaps):
            raise ValueError(f"{panel}: not {count} photographs of one width side by side with white gaps")
        cut = [image.crop((left, 0, left + width, image.height)) for left in lefts]
        return [_fitted(photo.convert("RGB"), LONGEST) for photo in cut]


@contextmanager
def _no_limit() -> Iterator[None]:
    """Pillow refuses pictures of very many pixels, in case a stranger sent them; these are the evaluation's own."""
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _opened(panel: Path) -> Image.Image:
    try:
        image = Image.open(panel)
        image.load()
        return image
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"{panel}: not a picture that can be read: {error}") from None


def data_uris(pictures: list[Image.Image], budget: int) -> list[str]:
    """The pictures as WebP in data URIs, made smaller until all take at most `budget` bytes together, or none is longer
    than SHORTEST."""
    side = max((max(picture.size) for picture in pictures), default=SHORTEST)
    while True:
        uris = [_data_uri(_fitted(picture, side)) for picture in pictures]
        taken = sum(map(len, uris))
        if taken <= budget or side <= SHORTEST:
            return uris
        side = max(SHORTEST, int(0.95 * side * math.sqrt(budget / taken)))  # bytes grow with the area, or slower


def evenly(numbers: list[int], limit: int) -> list[int]:
    """At most `limit` of the numbers, spread evenly, the first and the last among them."""
    kept = np.linspace(0, len(numbers) - 1, min(limit, len(numbers))).round().astype(int)
    return [numbers[k] for k in kept]


def _fitted(picture: Image.Image, side: int) -> Image.Image:
    if max(picture.size) <= side:
        return picture
    small = picture.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    return small


def _data_uri(picture: Image.Image) -> str:
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=QUALITY, method=4)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
