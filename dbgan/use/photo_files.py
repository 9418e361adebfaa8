"""Photographs read and written with all that belongs to them: 16 bits, transparency, colour profile, camera data.

What the pipeline trains on is read by `frames`, as 8-bit RGB. What is accepted and refused is the same here.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image
from PIL.JpegImagePlugin import get_sampling
from torch import Tensor

from dbgan.data import photos, sixteen_bit

EXIF_WIDTH, EXIF_HEIGHT = 0xA002, 0xA003  # tags
EXIF_SIGNS = (b"eXIf", b"Raw profile type", b"XML:com.adobe.xmp")  # of a PNG file that has some
MOST_DPI = 1e6  # no camera or scanner has more; damaged files say anything
SUFFIX_OF = {".gif": ".png"}  # what is written for files of 256 colours
FORM_OF = {"MPO": "JPEG"}  # what is written for files of several pictures
QUALITY = 95  # of the formats that lose something
LOSSY = ("JPEG", "WEBP", "AVIF")
DEEP = ("PNG", "TIFF", "PPM", "JPEG2000")  # formats that keep 16 bits
OPAQUE = ("JPEG", "PPM", "BMP")  # formats without transparency


@dataclass(frozen=True)
class Photo:
    """A photograph, upright, and what is to be kept of its file."""

    pixels: np.ndarray  # (H, W, 3) RGB or (H, W, 1) grey, uint8 or uint16
    alpha: np.ndarray | None  # (H, W, 1), the same type
    icc: bytes | None  # colour profile
    exif: bytes  # camera data with orientation 1 and no thumbnail; empty when there are none
    dpi: tuple | None  # dots per inch
    sampling: int  # of a JPEG's colours, as Pillow numbers it
    turned: bool  # to stand upright: the file's own pixels lie another way
    form: str  # Pillow's name of the format in which it is written
    note: str  # what could not be kept; "" when all could


def to_image(pixels: np.ndarray) -> Tensor:
    """(H, W, 3) or (H, W, 1), uint8 or uint16 -> (1, 3, H, W) float32 in [0, 1]; grey is repeated."""
    return photos.to_float(pixels)[None].expand(1, 3, -1, -1)


def to_pixels(image: Tensor, like: np.ndarray) -> np.ndarray:
    """(1, 3, H, W) in [0, 1] -> (H, W, C) with the type and channels of `like`; grey is the mean."""
    image = image[0].mean(0, keepdim=True) if like.shape[2] == 1 else image[0]
    return photos.to_levels(image, like.dtype)


def read(path: Path) -> Photo:
    """A photograph of any format that the pipeline takes; of several pictures the first.

    Raises ValueError naming the file when it cannot be read (photos.Unreadable), or when what is written under its name
    cannot hold it: known before any work is done.
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
    """The name under which a photograph is written: its own, or that of a format that holds it."""
    return path.with_suffix(SUFFIX_OF.get(path.suffix.lower(), path.suffix))


def _form(path: Path) -> str:
    """Pillow's name of the format in which a photograph is written; "" for none."""
    form = Image.registered_extensions().get(written_as(path).suffix.lower(), "")
    return FORM_OF.get(form, form) if form in Image.SAVE else ""


def _decode(image: Image.Image, file: BinaryIO, form: str) -> Photo:
    notes = [f"the first of {n} pictures"] if (n := getattr(image, "n_frames", 1)) > 1 else []
    is_deep = sixteen_bit.is_deep(image, file)
    # To look for camera data, Pillow decodes all of a PNG file.
    may_have_exif = image.format != "PNG" or any(sign in photos.content_of(file) for sign in EXIF_SIGNS)
    exif, fault = _exif(image) if may_have_exif else (Image.Exif(), "")
    sampling = get_sampling(image) if image.format in ("JPEG", "MPO") else 0
    icc, dpi = image.info.get("icc_profile"), _dpi(image)
    if is_deep:
        pixels, changed = sixteen_bit.decode(photos.content_of(file), image.format), ""
    else:
        image.load()
        pixels, changed = _levels(image)
    said = exif.get(photos.ORIENTATION, 1)
    upright = image.format == "TIFF" and not is_deep  # Pillow turns TIFF files itself
    pixels = photos.UPRIGHT.get(1 if upright else said, np.asarray)(pixels)
    colours = 3 if pixels.shape[2] > 2 else 1
    alpha = np.ascontiguousarray(pixels[..., colours:]) if pixels.shape[2] > colours else None
    if alpha is not None and form in OPAQUE:
        alpha, notes = None, [*notes, f"{form} files have no transparency, it is dropped"]
    pixels = np.ascontiguousarray(pixels[..., :colours])
    return Photo(
        pixels,
        alpha,
        None if changed else icc,
        _upright(exif, *pixels.shape[:2]),
        dpi,
        max(sampling, 0),
        said in photos.UPRIGHT,
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


def _dpi(image: Image.Image) -> tuple | None:
    dpi = image.info.get("dpi")
    return dpi if dpi and all(0 < float(value) < MOST_DPI for value in dpi) else None


def _exif(image: Image.Image) -> tuple[Image.Exif, str]:
    """Camera data without tags that say how a TIFF file lies on disk; none, and a note, when they are damaged.

    Read before the pixels, with which Pillow turns a TIFF file and drops its orientation.
    """
    try:
        exif = image.getexif()
        for tag in sixteen_bit.LAYOUT & set(exif) if image.format == "TIFF" else ():
            del exif[tag]
        copy = Image.Exif()
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
    if photo.form in ("PNG", "TIFF"):
        write = sixteen_bit.write_png if photo.form == "PNG" else sixteen_bit.write_tiff
        return write(path, pixels, photo.icc, photo.exif, photo.dpi)
    if pixels.dtype == np.uint16 and photo.form == "JPEG2000":
        return sixteen_bit.write_jpeg2000(path, pixels)
    if pixels.dtype == np.uint16 and pixels.shape[2] > 1:
        return sixteen_bit.write_ppm(path, pixels)
    options = {"icc_profile": photo.icc, "exif": photo.exif, "dpi": photo.dpi}
    options = {key: value for key, value in options.items() if value}
    if photo.form in LOSSY:
        options["quality"] = QUALITY
    if photo.form == "JPEG" and pixels.shape[2] == 3:
        options["subsampling"] = photo.sampling
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(path, format=photo.form, **options)
