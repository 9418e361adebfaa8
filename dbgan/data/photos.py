"""Finds, reads and writes photographs, and converts between uint8 images and float tensors (the value range)."""

import glob
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pillow_heif
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from dbgan.utils import sha256

SUFFIXES = {".png", ".jp2", ".webp", ".avif", ".tif", ".tiff", ".bmp", ".ppm", ".pgm", ".gif", ".heic", ".heif"}
SUFFIXES |= {".jpg", ".jpeg", ".jpe", ".jfif"}
FORMATS = ("PNG", "JPEG", "JPEG2000", "WEBP", "AVIF", "TIFF", "BMP", "PPM", "GIF", "HEIF")  # EPS would run programs
RAW = {".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".rw2", ".orf", ".pef", ".srw"}  # refused by name
JUNK = {"__MACOSX", "@eaDir", "$RECYCLE.BIN"}  # folders that systems leave

MAX_MEGAPIXELS = 200  # a larger photograph is refused before it is decoded: decompression bombs declare more
Image.MAX_IMAGE_PIXELS = None  # Pillow's limit, which warns first and refuses at twice its value
ORIENTATION = 0x0112  # EXIF's tag
UPRIGHT = {  # by its value: what turns an image (H, W, C) upright
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: x.swapaxes(0, 1)[:, ::-1],
    7: lambda x: x[::-1, ::-1].swapaxes(0, 1),
    8: lambda x: x.swapaxes(0, 1)[::-1],
}
pillow_heif.register_heif_opener()


class Unreadable(ValueError):
    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path, self.reason = path, reason


def to_float(image: np.ndarray | Tensor) -> Tensor:
    """(..., H, W, C) uint8 or an array of uint16 -> (..., C, H, W) float32 in [0, 1], channels last in memory."""
    if isinstance(image, torch.Tensor):
        return image.movedim(-1, -3).float() / 255
    # In NumPy: a thread that reads batches ahead must not start threads of torch beside those of the training.
    top = np.float32(np.iinfo(image.dtype).max)
    return torch.from_numpy(np.divide(image, top, dtype=np.float32)).movedim(-1, -3)


def to_levels(image: Tensor, dtype: np.dtype | type) -> np.ndarray:
    """(..., C, H, W) float -> (..., H, W, C) uint8 or uint16: clamped to [0, 1], rounded to the nearest level."""
    levels = (image.detach().float().clamp(0, 1) * np.iinfo(dtype).max).round().to(getattr(torch, np.dtype(dtype).name))
    return levels.movedim(-3, -1).contiguous().cpu().numpy()


def to_uint8(image: Tensor) -> np.ndarray:
    return to_levels(image, np.uint8)


def find(folder: Path) -> list[Path]:
    """The photographs below a folder, camera RAW too, sorted, relative to it; through links, not in hidden folders."""
    if not folder.is_dir():
        raise ValueError(f"{folder}: there is no such folder")
    paths = map(Path, glob.iglob("**", root_dir=folder, recursive=True))  # noqa: PTH207 - rglob follows no links
    images = [path for path in paths if path.suffix.lower() in SUFFIXES | RAW and not JUNK.intersection(path.parts)]
    if not (images := sorted(path for path in images if (folder / path).is_file())):
        raise ValueError(f"{folder}: no photographs in it (looked for {', '.join(sorted(SUFFIXES))})")
    return images


@contextmanager
def opened(path: Path, content: bytes | None = None) -> Iterator[Image.Image]:
    """A photograph, of the file or of `content` in its place, whose pixels are not decoded yet. Any error until it is
    closed becomes Unreadable: no file, another kind of file, damage, too large."""
    try:
        if path.suffix.lower() in RAW:
            raise Unreadable(path, "camera RAW is not read; convert it to JPEG or PNG")
        with Image.open(path if content is None else io.BytesIO(content), formats=FORMATS) as image:
            if image.width * image.height > MAX_MEGAPIXELS * 1e6:
                size = f"{image.width}x{image.height}"
                raise Unreadable(path, f"over {MAX_MEGAPIXELS} megapixels ({size} are declared)")
            yield image
    except Unreadable:
        raise
    except UnidentifiedImageError:
        empty = not (path.stat().st_size if content is None else content)
        raise Unreadable(path, "an empty file" if empty else "not a readable photograph (of no known format)") from None
    except Exception as error:  # decoders raise errors of nearly every kind for damaged files
        detail = getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
        raise Unreadable(path, f"not a readable photograph ({detail})") from None


def read(path: Path) -> tuple[np.ndarray, str, str]:
    """A photograph as (H, W, 3) uint8 RGB, what was converted on the way ("" for plain 8-bit RGB), and its SHA-256."""
    with opened(path) as image:
        return *_decode(image), sha256(path)


def decode(content: bytes, name: str) -> tuple[np.ndarray, str]:
    with opened(Path(name), content) as image:
        return _decode(image)


def write(path: Path, image: np.ndarray, **options) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, **options)


def grey_levels(image: Image.Image) -> np.ndarray:
    """The (H, W) levels of a grey image in Pillow's modes I and F: uint16, or uint8 where all fit."""
    levels = np.asarray(image)
    low, high = levels.min(), levels.max()
    deep = high > 255 or image.mode.startswith("I;16")
    if not 0 <= low <= high <= (65535 if deep else 255) or (image.mode == "F" and high <= 1):
        raise ValueError(f"{image.mode} values from {low:g} to {high:g} are no 8 or 16 bits")
    return np.rint(levels).astype(np.uint16 if deep else np.uint8)


def _decode(image: Image.Image) -> tuple[np.ndarray, str]:
    tile = getattr(image, "tile", None)  # how its pixels lie in the file
    notes = ["16 bits read as 8"] if image.mode.startswith("RGB") and tile and "16" in str(tile[0][3]) else []
    turned = _orientation(image) in UPRIGHT
    image.load()
    if image.mode.startswith("I") or image.mode == "F":
        levels = grey_levels(image)
        grey = (levels + np.uint32(128)) // 257 if levels.dtype == np.uint16 else levels
        rgb, notes = np.dstack([grey.astype(np.uint8)] * 3), ["16-bit grey read as 8-bit RGB"]
    else:
        alpha = image.has_transparency_data
        if alpha or image.mode != "RGB":
            notes.append("transparency dropped" if alpha else f"{image.mode} read as RGB")
        rgb = np.asarray((image.convert("RGBA") if alpha else image).convert("RGB"))
    if turn := UPRIGHT.get(_orientation(image)):  # none any more where the decoder turned it itself, as TIFF's does
        rgb = np.ascontiguousarray(turn(rgb))
    return rgb, ", ".join([*notes, "rotated as its EXIF says"] if turned else notes)


def _orientation(image: Image.Image) -> int:
    try:
        return image.getexif().get(ORIENTATION, 1)
    except Exception:  # of nearly every kind, for damaged data; the pixels may be intact
        return 1
