"""Photographs read and written with all that belongs to them: 16 bits, transparency, colour profile, camera data.

The pipeline itself reads photographs as 8-bit RGB, see data/photos.py. Both accept and refuse the same files.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import ExifTags, Image
from PIL.JpegImagePlugin import get_sampling

from dbgan.data import photos
from dbgan.use import sixteen_bit

EXIF_WIDTH, EXIF_HEIGHT = 0xA002, 0xA003  # tags
# TIFF tags about the photograph and its camera; the others lay out the file, or hold layers of the blurred photograph.
DESCRIPTIVE = {270, 271, 272, 274, 282, 283, 296, 305, 306, 315, 316, 33432, ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo}
LOSSY = {"JPEG", "WEBP", "AVIF", "HEIF"}
DEEP = {"PNG", "TIFF", "PPM", "JPEG2000"}  # formats that keep 16 bits
OPAQUE = {"JPEG", "PPM", "BMP"}  # formats without transparency


@dataclass(frozen=True)
class Photo:
    """A photograph, upright, and what is kept of its file."""

    pixels: np.ndarray  # (H, W, 3) RGB or (H, W, 1) grey, uint8 or uint16
    alpha: np.ndarray | None  # (H, W, 1), the same type
    icc: bytes | None  # colour profile
    exif: bytes  # camera data with orientation 1 and no thumbnail; empty when there are none
    sampling: int  # of a JPEG's colours, as Pillow numbers it
    turned: bool  # to stand upright: the file's own pixels lie another way
    form: str  # Pillow's name of the format in which it is written
    note: str  # what could not be kept; "" when all could


def written_as(path: Path) -> Path:
    """The name under which a photograph is written: its own, but PNG's for files of 256 colours."""
    return path.with_suffix(".png") if path.suffix.lower() == ".gif" else path


def read(path: Path) -> Photo:
    """A photograph of any format that the pipeline takes; of several pictures the first.

    Raises ValueError naming the file when it cannot be read, or when the format of its name cannot hold it: before any
    work is done.
    """
    form = Image.registered_extensions().get(written_as(path).suffix.lower(), "")
    form = form.replace("MPO", "JPEG")  # several JPEG pictures
    with photos.opened(path) as (image, file):
        photo = _decode(image, file, form)
    if form not in Image.SAVE:
        raise ValueError(f"{path}: no photographs are written as {path.suffix or 'files without a suffix'}")
    if photo.pixels.dtype == np.uint16 and form not in DEEP:
        raise ValueError(f"{path}: {form} files do not hold its 16 bits; give it the name of a PNG or TIFF file")
    return photo


def _decode(image: Image.Image, file: BinaryIO, form: str) -> Photo:
    notes = [f"the first of {n} pictures"] if (n := getattr(image, "n_frames", 1)) > 1 else []
    pixels, icc = sixteen_bit.decode(image, file), image.info.get("icc_profile")
    exif = Image.Exif()
    try:  # before the pixels, with which Pillow turns a TIFF file and drops its orientation
        kept = image.getexif()
        for tag in set(kept) - DESCRIPTIVE if image.format == "TIFF" else ():
            del kept[tag]
        exif.load(kept.tobytes() if kept else b"")
    except Exception:  # of nearly every kind
        exif, notes = Image.Exif(), [*notes, "damaged EXIF data are left out"]
    turn = photos.UPRIGHT.get(exif.get(photos.ORIENTATION, 1))
    if pixels is not None:
        pixels = turn(pixels) if turn else pixels
    else:
        image.load()
        pixels = turn(_levels(image)) if turn and image.format != "TIFF" else _levels(image)
        if image.mode in ("CMYK", "YCbCr", "LAB", "HSV"):
            icc, notes = None, [*notes, f"{image.mode} written as RGB"]
    colours = 3 if pixels.shape[2] > 2 else 1
    alpha = np.ascontiguousarray(pixels[..., colours:]) if pixels.shape[2] > colours else None
    if alpha is not None and form in OPAQUE:
        alpha, notes = None, [*notes, f"{form} files have no transparency, it is dropped"]
    pixels = np.ascontiguousarray(pixels[..., :colours])
    sampling = max(get_sampling(image), 0) if image.format in ("JPEG", "MPO") else 0
    return Photo(pixels, alpha, icc, _upright(exif, *pixels.shape[:2]), sampling, bool(turn), form, ", ".join(notes))


def _levels(image: Image.Image) -> np.ndarray:
    """(H, W, C) in the picture's own depth: grey or RGB, with alpha where there is transparency."""
    if image.mode[0] == "I" or image.mode == "F":
        return photos.grey_levels(image)[..., None]
    mode = "L" if image.mode in ("1", "L", "LA", "La") else "RGB"
    mode += "A" if image.has_transparency_data else ""
    return np.atleast_3d(image if image.mode == mode else image.convert(mode))


def _upright(exif: Image.Exif, height: int, width: int) -> bytes:
    if not exif:
        return b""
    exif[photos.ORIENTATION] = 1
    if ExifTags.IFD.Exif in exif:  # looking for it would make one
        camera = exif.get_ifd(ExifTags.IFD.Exif)
        if EXIF_WIDTH in camera and EXIF_HEIGHT in camera:
            camera[EXIF_WIDTH], camera[EXIF_HEIGHT] = width, height
    return exif.tobytes()


def write(path: Path, photo: Photo, pixels: np.ndarray) -> None:
    """Write `pixels`, made of those of `photo`, in its format with all that belongs to it.

    JPEG, WebP, AVIF and HEIC in quality 95, a JPEG's colours sampled as in its original; other formats lose nothing.
    """
    if photo.alpha is not None:
        pixels = np.concatenate([pixels, photo.alpha], axis=2)
    if photo.form in ("PNG", "TIFF"):
        writer = sixteen_bit.write_png if photo.form == "PNG" else sixteen_bit.write_tiff
        return writer(path, pixels, photo.icc, photo.exif)
    if pixels.dtype == np.uint16 and (photo.form == "JPEG2000" or pixels.shape[2] > 1):
        return sixteen_bit.write_bare(path, pixels, photo.form)
    options: dict[str, Any] = {"icc_profile": photo.icc} if photo.icc else {}
    options |= {"exif": photo.exif} if photo.exif else {}
    options |= {"quality": 95} if photo.form in LOSSY else {}
    options |= {"subsampling": photo.sampling} if photo.form == "JPEG" and pixels.shape[2] == 3 else {}
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(path, format=photo.form, **options)
