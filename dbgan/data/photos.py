"""Finds, reads and writes photographs, and converts between uint8 images and float tensors (the value range)."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

# torch is imported where tensors are made: processes that only read photographs then need a fraction of the memory.
if TYPE_CHECKING:
    from torch import Tensor

# Everything Pillow reads that people keep photographs in; other files in a folder are not photographs.
SUFFIXES = {".png", ".jp2", ".webp", ".avif", ".tif", ".tiff", ".bmp", ".ppm", ".pgm", ".gif"}
SUFFIXES |= {".jpg", ".jpeg", ".jpe", ".jfif"}
FORMATS = ("PNG", "JPEG", "JPEG2000", "WEBP", "AVIF", "TIFF", "BMP", "PPM", "GIF")  # no others: EPS would run programs
NOT_READ = dict.fromkeys((".heic", ".heif"), "HEIC") | dict.fromkeys(
    (".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".rw2", ".orf", ".pef", ".srw"), "camera RAW"
)  # photographs that are found, to be refused by name
HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"}
JUNK = {"__MACOSX", "@eaDir", "$RECYCLE.BIN"}  # folders that systems leave; hidden files and folders likewise

MAX_MEGAPIXELS = 200  # a larger photograph is refused before it is decoded: decompression bombs declare more
ORIENTATION = 0x0112  # EXIF's tag
UPRIGHT = {  # by its value: what makes the picture, (H, W, C), upright
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: x.swapaxes(0, 1)[:, ::-1],
    7: lambda x: x[::-1, ::-1].swapaxes(0, 1),
    8: lambda x: x.swapaxes(0, 1)[::-1],
}
STRIP = 256  # rows that are copied at once
Image.MAX_IMAGE_PIXELS = None  # the limit above replaces Pillow's, which warns on the way and counts in its own way


class Unreadable(ValueError):
    """A photograph that cannot be read; `reason` says why without naming it."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.reason = reason


def to_float(image: np.ndarray | Tensor) -> Tensor:
    """(..., H, W, C) uint8, or an array of uint16 -> (..., C, H, W) float32 in [0, 1], channels last in memory, on the
    device that a tensor is on. With `to_levels` the owner of the range."""
    import torch

    if isinstance(image, torch.Tensor):
        return image.movedim(-1, -3).float() / 255
    # In NumPy: a thread that reads batches ahead must not start threads of torch beside those of the training.
    top = np.float32(np.iinfo(image.dtype).max)
    return torch.from_numpy(np.divide(image, top, dtype=np.float32)).movedim(-1, -3)


def to_levels(image: Tensor, dtype: np.dtype | type) -> np.ndarray:
    """(..., C, H, W) float -> (..., H, W, C) of `dtype`, uint8 or uint16: clamped to [0, 1], rounded to the nearest
    level."""
    import torch

    kind, top = getattr(torch, np.dtype(dtype).name), np.iinfo(dtype).max
    levels = (image.detach().float().clamp(0, 1) * top).round().to(kind)
    return levels.movedim(-3, -1).contiguous().cpu().numpy()


def to_uint8(image: Tensor) -> np.ndarray:
    """(..., 3, H, W) float -> (..., H, W, 3) uint8 RGB."""
    return to_levels(image, np.uint8)


def find(folder: Path) -> list[Path]:
    """The photographs in `folder` and its sub-folders, as sorted paths relative to it, those of a kind that is not
    read among them.

    Raises ValueError when there is no such folder or no photograph in it.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: there is no such folder")
    known = SUFFIXES | NOT_READ.keys()
    found = sorted(path.relative_to(folder) for path in files(folder) if path.suffix.lower() in known)
    if not found:
        raise ValueError(f"{folder}: no photographs in it (looked for {', '.join(sorted(SUFFIXES))})")
    return found


def files(folder: Path) -> Iterator[Path]:
    """All files below a folder, as paths that begin with it, but hidden ones; through links to folders too, but each
    folder once."""
    seen = set()
    for at, folders, names in os.walk(folder, followlinks=True):
        if os.path.realpath(at) in seen:
            folders.clear()
            continue
        seen.add(os.path.realpath(at))
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in JUNK)
        shown = (Path(at, name) for name in names if not name.startswith("."))
        yield from (path for path in shown if path.is_file())


@contextmanager
def opened(path: Path, content: bytes | None = None) -> Iterator[tuple[Image.Image, BinaryIO]]:
    """A photograph whose pixels are not decoded yet, and its file: that at `path`, or `content`, which faults call
    `path`.

    Any fault until it is closed becomes Unreadable, a ValueError: a file that is not there, of another kind, damaged or
    over MAX_MEGAPIXELS.
    """
    try:
        with path.open("rb") if content is None else io.BytesIO(content) as file:
            if kind := NOT_READ.get(path.suffix.lower()):
                raise Unreadable(path, f"{kind} is not read; convert it to JPEG or PNG")
            with Image.open(file, formats=FORMATS) as image:
                if image.width * image.height > MAX_MEGAPIXELS * 1e6:
                    size = f"{image.width}x{image.height}"
                    raise Unreadable(path, f"over {MAX_MEGAPIXELS} megapixels ({size} are declared)")
                yield image, file
    except Unreadable:
        raise
    except UnidentifiedImageError:
        raise Unreadable(path, _foreign(path.read_bytes() if content is None else content)) from None
    except Exception as error:  # decoders end on damaged files in errors of nearly every kind
        detail = getattr(error, "strerror", None) or error or type(error).__name__
        raise Unreadable(path, f"not a readable photograph ({detail})") from None


def _foreign(content: bytes) -> str:
    if not content:
        return "an empty file"
    if content[4:8] == b"ftyp" and content[8:12] in HEIC_BRANDS:
        return "HEIC is not read; convert it to JPEG or PNG"
    return "not a readable photograph (of no known format)"


def read(path: Path) -> tuple[np.ndarray, str, str]:
    """A photograph as (H, W, 3) uint8 RGB, what was converted on the way ("" for plain 8-bit RGB), and the file's
    SHA-256.

    Grey is repeated over the three channels, 16 bits become 8, transparency is dropped, EXIF rotation is
    applied. Raises Unreadable as `opened` does.
    """
    with opened(path) as (image, file):
        levels, note = _decode(image, file)
        file.seek(0)
        return levels, note, hashlib.file_digest(file, "sha256").hexdigest()


def decode(content: bytes, name: str) -> tuple[np.ndarray, str]:
    """`read`, from the bytes of a photograph that faults call `name`; without the SHA-256."""
    with opened(Path(name), content) as (image, file):
        return _decode(image, file)


def _decode(image: Image.Image, file: BinaryIO) -> tuple[np.ndarray, str]:
    depth = image.tile[0][3] if image.tile else ""
    if (image.format, image.mode, depth) == ("PNG", "RGB", "RGB") and (plain := _plain_png(file)) is not None:
        return plain, ""
    said = orientation(image)
    image.load()
    rgb, note = _to_rgb(image, str(depth))
    if turn := UPRIGHT.get(orientation(image)):  # none any more where the decoder turned it itself, as TIFF's does
        rgb = np.ascontiguousarray(turn(rgb))
    return rgb, ", ".join(filter(None, [note, "rotated as its EXIF says" if said in UPRIGHT else ""]))


def content_of(file: BinaryIO) -> bytes:
    """All of an opened photograph's file; Pillow goes on from where it was."""
    at = file.tell()
    file.seek(0)
    content = file.read()
    file.seek(at)
    return content


def _plain_png(file: BinaryIO) -> np.ndarray | None:
    """A PNG of 8-bit RGB without transparency or orientation, else None; also for a damaged one, of which Pillow says
    more. Data sets are PNG, which libpng decodes in three quarters of Pillow's time."""
    import imagecodecs

    content = content_of(file)
    if any(mark in content for mark in (b"tRNS", b"eXIf", b"XML:com.adobe.xmp")):
        return None
    with suppress(imagecodecs.PngError):
        return imagecodecs.png_decode(content)
    return None


def orientation(image: Image.Image) -> int:
    """What EXIF says of an opened photograph; 1, upright, where it is damaged or says nothing."""
    try:
        return image.getexif().get(ORIENTATION, 1)
    except Exception:  # as in `opened`; but the photograph itself may be whole
        return 1


def grey_levels(image: Image.Image) -> np.ndarray:
    """The (H, W) levels of a grey picture of more than 8 bits, Pillow's modes I and F: uint16, or uint8 where they are
    no more. Raises ValueError for values that are no levels."""
    levels = np.asarray(image)
    deep = levels.max() > 255 or image.mode.startswith("I;16")
    low, high = levels.min(), levels.max()
    if not 0 <= low <= high <= (65535 if deep else 255) or (image.mode == "F" and high <= 1):
        raise ValueError(f"{image.mode} values from {low:g} to {high:g} are no 8 or 16 bits")
    return np.rint(levels).astype(np.uint16 if deep else np.uint8)


def _to_rgb(image: Image.Image, depth: str) -> tuple[np.ndarray, str]:
    if image.mode.startswith("I") or image.mode == "F":
        levels = grey_levels(image)
        top = np.iinfo(levels.dtype).max
        grey = np.rint(np.arange(top + 1) * (255 / top)).astype(np.uint8)[levels]
        return np.repeat(grey[..., None], 3, axis=2), "16-bit grey read as 8-bit RGB"
    notes = ["16 bits read as 8"] if "16" in depth and image.mode.startswith("RGB") else []
    if image.mode != "RGB":
        alpha = image.has_transparency_data
        notes.append("transparency dropped" if alpha else f"{image.mode} read as RGB")
        image = image.convert("RGBA").convert("RGB") if alpha else image.convert("RGB")
    return _levels(image), ", ".join(notes)


def _levels(image: Image.Image) -> np.ndarray:
    """An RGB image as an array, strip by strip: at once it would be in memory three times."""
    levels = np.empty((image.height, image.width, 3), np.uint8)
    for top in range(0, image.height, STRIP):
        bottom = min(top + STRIP, image.height)
        levels[top:bottom] = image.crop((0, top, image.width, bottom))
    return levels


def write(path: Path, image: np.ndarray, **options) -> None:
    """(H, W, 3) uint8 RGB to a file of the format its name says; folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, **options)
