"""Photographs read and written with all that belongs to them: 16 bits, transparency, colour profile, camera data.

The pipeline itself reads photographs as 8-bit RGB, see data/photos.py. Both accept and refuse the same files.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image
from PIL.JpegImagePlugin import get_sampling

from dbgan.data import photos
from dbgan.use import sixteen_bit

EXIF_WIDTH, EXIF_HEIGHT = 0xA002, 0xA003  # tags
QUALITY = 95  # of the formats that lose something
LOSSY = ("JPEG", "WEBP", "AVIF")
DEEP = ("PNG", "TIFF", "PPM", "JPEG2000")  # formats that keep 16 bits
OPAQUE = ("JPEG", "PPM", "BMP")  # formats without transparency


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


def read(path: Path) -> Photo:
    """A photograph of any format that the pipeline takes; of several pictures the first.

    Raises ValueError naming the file when it cannot be read, or when the format of its name cannot hold it: before any
    work is done.
    """
    form = _form(path)
    with photos.opened(path) as (image, file):
        photo = _decode(image, file, form)
    if not form:
        raise ValueError(f"{path}: no photographs are written as {path.suffix or 'files without a suffix'}")
    if photo.pixels.dtype == np.uint16 and form not in DEEP:
        raise ValueError(f"{path}: {form} files do not hold its 16 bits; give it the name of a PNG or TIFF file")
    return photo


def written_as(path: Path) -> Path:
    """The name under which a photograph is written: its own, but PNG's for files of 256 colours."""
    return path.with_suffix(".png") if path.suffix.lower() == ".gif" else path


def _form(path: Path) -> str:
    """Pillow's name of the format in which a photograph is written; "" for none."""
    form = Image.registered_extensions().get(written_as(path).suffix.lower(), "")
    return form.replace("MPO", "JPEG") if form in Image.SAVE else ""  # MPO: several JPEG pictures


def _decode(image: Image.Image, file: BinaryIO, form: str) -> Photo:
    notes = [f"the first of {n} pictures"] if (n := getattr(image, "n_frames", 1)) > 1 else []
    deep = sixteen_bit.is_deep(image, file)
    exif, fault = _exif(image)
    sampling = get_sampling(image) if image.format in ("JPEG", "MPO") else 0
    icc = image.info.get("icc_profile")
    if deep:
        pixels, changed = sixteen_bit.decode(photos.content_of(file), image.format), ""
    else:
        image.load()
        pixels, changed = _levels(image)
    orientation = exif.get(photos.ORIENTATION, 1)
    if deep or image.format != "TIFF":  # which Pillow has turned itself
        pixels = photos.UPRIGHT.get(orientation, np.asarray)(pixels)
    colours = 3 if pixels.shape[2] > 2 else 1
    alpha = np.ascontiguousarray(pixels[..., colours:]) if pixels.shape[2] > colours else None
    if alpha is not None and form in OPAQUE:
        alpha, notes = None, [*notes, f"{form} files have no transparency, it is dropped"]
    return Photo(
        np.ascontiguousarray(pixels[..., :colours]),
        alpha,
        None if changed else icc,
        _upright(exif, *pixels.shape[:2]),
        max(sampling, 0),
        orientation in photos.UPRIGHT,
        form,
        ", ".join(filter(None, [*notes, changed, fault])),
    )


def _levels(image: Image.Image) -> tuple[np.ndarray, str]:
    """(H, W, C) in the picture's own depth, and what had to be converted, which makes its colour profile void."""
    if image.mode[0] == "I" or image.mode == "F":
        return photos.grey_levels(image)[..., None], ""
    alpha = image.has_transparency_data
    grey = image.mode in ("1", "L", "LA", "La")
    mode = ("LA" if alpha else "L") if grey else ("RGBA" if alpha else "RGB")
    changed = f"{image.mode} written as RGB" if image.mode in ("CMYK", "YCbCr", "LAB", "HSV") else ""
    levels = np.array(image if image.mode == mode else image.convert(mode))
    return levels if levels.ndim == 3 else levels[..., None], changed


def _exif(image: Image.Image) -> tuple[Image.Exif, str]:
    """Camera data; none, and a note, when they are damaged. Read before the pixels, with which Pillow turns a TIFF file
    and drops its orientation."""
    copy = Image.Exif()
    try:
        exif = image.getexif()
        for tag in set(exif) - sixteen_bit.DESCRIPTIVE if image.format == "TIFF" else ():
            del exif[tag]
        copy.load(exif.tobytes() if exif else b"")
        return copy, ""
    except (struct.error, ValueError, TypeError, KeyError, AttributeError, SyntaxError, OverflowError):
        return Image.Exif(), "damaged EXIF data are left out"


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

    JPEG, WebP and AVIF in quality 95, the colours of a JPEG sampled as in its original; other formats lose nothing.
    """
    if photo.alpha is not None:
        pixels = np.concatenate([pixels, photo.alpha], axis=2)
    if photo.form == "PNG":
        return sixteen_bit.write_png(path, pixels, photo.icc, photo.exif)
    if photo.form == "TIFF":
        return sixteen_bit.write_tiff(path, pixels, photo.icc, photo.exif)
    if pixels.dtype == np.uint16 and (photo.form == "JPEG2000" or pixels.shape[2] > 1):
        return sixteen_bit.write_bare(path, pixels, photo.form)
    options = {"quality": QUALITY} if photo.form in LOSSY else {}
    if photo.form == "JPEG" and pixels.shape[2] == 3:
        options["subsampling"] = photo.sampling
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    image.save(path, format=photo.form, icc_profile=photo.icc, exif=photo.exif, **options)
