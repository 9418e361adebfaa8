"""Finds, reads and writes photographs, and converts between uint8 images and float tensors (the value range)."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

# torch is imported where tensors are made: processes that only read photographs then need a fraction of the memory.
if TYPE_CHECKING:
    from torch import Tensor

# Everything Pillow reads that people keep photographs in; other files in a folder are not photographs.
SUFFIXES = {".png", ".jpg", ".jpeg", ".jpe", ".jp2", ".webp", ".avif", ".tif", ".tiff", ".bmp", ".ppm", ".pgm", ".gif"}
FORMATS = ("PNG", "JPEG", "JPEG2000", "WEBP", "AVIF", "TIFF", "BMP", "PPM", "GIF")  # no others: EPS would run programs
NOT_READ = dict.fromkeys((".heic", ".heif"), "HEIC") | dict.fromkeys(
    (".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".rw2", ".orf", ".pef", ".srw"), "camera RAW"
)  # photographs that are found, to be refused by name
HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"}
JUNK = {"__MACOSX", "@eaDir", "$RECYCLE.BIN"}  # folders that systems leave; hidden files and folders likewise

MAX_MEGAPIXELS = 200  # a larger photograph is refused before it is decoded: decompression bombs declare more
TURNS = {  # by EXIF's orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
STRIP = 256  # rows that are copied at once
Image.MAX_IMAGE_PIXELS = None  # the limit above replaces Pillow's, which warns on the way and counts in its own way


class Unreadable(ValueError):
    """A photograph that cannot be read; `reason` says why without naming it."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.reason = reason


def to_float(image: np.ndarray | Tensor) -> Tensor:
    """(..., H, W, 3) uint8 RGB -> (..., 3, H, W) float32 in [0, 1], channels last in memory, on the device that a
    tensor is on. With `to_uint8` the owner of the range."""
    import torch

    if isinstance(image, torch.Tensor):
        return image.movedim(-1, -3).float() / 255
    # In NumPy: a thread that reads batches ahead must not start threads of torch beside those of the training.
    return torch.from_numpy(np.divide(image, np.float32(255), dtype=np.float32)).movedim(-1, -3)


def to_uint8(image: Tensor) -> np.ndarray:
    """(..., 3, H, W) float -> (..., H, W, 3) uint8 RGB: clamped to [0, 1], rounded to the nearest level."""
    import torch

    levels = (image.detach().float().clamp(0, 1) * 255).round().to(torch.uint8)
    return levels.movedim(-3, -1).contiguous().cpu().numpy()


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


def read(path: Path) -> tuple[np.ndarray, str, str]:
    """A photograph as (H, W, 3) uint8 RGB, what was converted on the way ("" for plain 8-bit RGB), and the file's
    SHA-256.

    Grey is repeated over the three channels, 16 bits become 8, transparency is dropped, EXIF rotation is
    applied. Raises Unreadable, a ValueError, for a file that is of another kind, damaged or over MAX_MEGAPIXELS.
    """
    if kind := NOT_READ.get(path.suffix.lower()):
        raise Unreadable(path, f"{kind} is not read; convert it to JPEG or PNG")
    try:
        with path.open("rb") as file:
            image, note = _checked(path, file)
            file.seek(0)
            return image, note, hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise Unreadable(path, f"not a readable photograph ({error.strerror or error})") from None


def decode(content: bytes, name: str) -> tuple[np.ndarray, str]:
    """`read`, from the bytes of a photograph that faults call `name`; without the SHA-256."""
    return _checked(Path(name), io.BytesIO(content))


def _checked(path: Path, file: BinaryIO) -> tuple[np.ndarray, str]:
    try:
        return _decode(path, file)
    except Unreadable:
        raise
    except UnidentifiedImageError:
        raise Unreadable(path, _foreign(file)) from None
    except Exception as error:  # decoders end on damaged files in errors of nearly every kind
        detail = getattr(error, "strerror", None) or error or type(error).__name__
        raise Unreadable(path, f"not a readable photograph ({detail})") from None


def _foreign(file: BinaryIO) -> str:
    file.seek(0)
    head = file.read(12)
    if not head:
        return "an empty file"
    if head[4:8] == b"ftyp" and head[8:12] in HEIC_BRANDS:
        return "HEIC is not read; convert it to JPEG or PNG"
    return "not a readable photograph (of no known format)"


def _decode(path: Path, file: BinaryIO) -> tuple[np.ndarray, str]:
    with Image.open(file, formats=FORMATS) as image:
        if image.width * image.height > MAX_MEGAPIXELS * 1e6:
            raise Unreadable(path, f"over {MAX_MEGAPIXELS} megapixels ({image.width}x{image.height} are declared)")
        depth = image.tile[0][3] if image.tile else ""
        if (image.format, image.mode, depth) == ("PNG", "RGB", "RGB") and (plain := _plain_png(file)) is not None:
            return plain, ""
        said = _orientation(image)
        image.load()
        turn = TURNS.get(_orientation(image))  # none any more where the decoder turned it itself, as TIFF's does
        rgb, note = _to_rgb(image.transpose(turn) if turn is not None else image, str(depth))
        return rgb, ", ".join(filter(None, [note, "rotated as its EXIF says" if said in TURNS else ""]))


def _plain_png(file: BinaryIO) -> np.ndarray | None:
    """A PNG of 8-bit RGB without transparency or orientation, else None; also for a damaged one, of which Pillow says
    more. Data sets are PNG, which libpng decodes in three quarters of Pillow's time."""
    import imagecodecs

    at = file.tell()  # Pillow goes on from there
    file.seek(0)
    content = file.read()
    file.seek(at)
    if any(mark in content for mark in (b"tRNS", b"eXIf", b"XML:com.adobe.xmp")):
        return None
    with suppress(imagecodecs.PngError):
        return imagecodecs.png_decode(content)
    return None


def _orientation(image: Image.Image) -> int:
    try:
        return image.getexif().get(0x0112, 1)
    except Exception:  # as in `read`; but the photograph itself may be whole
        return 1


def _to_rgb(image: Image.Image, depth: str) -> tuple[np.ndarray, str]:
    if image.mode.startswith("I") or image.mode == "F":
        levels = np.asarray(image)
        top = 65535 if levels.max() > 255 or image.mode.startswith("I;16") else 255
        if not 0 <= levels.min() <= levels.max() <= top or (image.mode == "F" and levels.max() <= 1):
            raise ValueError(f"{image.mode} values from {levels.min():g} to {levels.max():g} are no 8 or 16 bits")
        table = np.rint(np.arange(top + 1) * (255 / top)).astype(np.uint8)
        grey = table[levels if image.mode != "F" else np.rint(levels).astype(np.uint16)]
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
