"""Photographs read and written with all that belongs to them: 16 bits, transparency, colour profile, camera data.

What the pipeline trains on is read by `frames`, as 8-bit RGB. What is accepted and refused is the same here.
"""

import io
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from PIL.JpegImagePlugin import get_sampling
from torch import Tensor

from dbgan.data import deep

ORIENTATION, EXIF_IFD, EXIF_WIDTH, EXIF_HEIGHT = 0x0112, 0x8769, 0xA002, 0xA003  # tags
EXIF_SIGNS = (b"eXIf", b"Raw profile type", b"XML:com.adobe.xmp")  # of a PNG file that has some
TURNED = {  # by the orientation tag: what makes the picture upright
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: x.swapaxes(0, 1)[:, ::-1],
    7: lambda x: x[::-1, ::-1].swapaxes(0, 1),
    8: lambda x: x.swapaxes(0, 1)[::-1],
}
SUFFIX_OF = {".gif": ".png"}  # what is written for files of 256 colours
QUALITY = 95  # of JPEG and WebP
DEEP = ("PNG", "TIFF", "PPM")  # formats that keep 16 bits
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
    note: str  # what could not be kept; "" when all could


def to_float(pixels: np.ndarray) -> Tensor:
    """(H, W, 3) or (H, W, 1), uint8 or uint16 -> (1, 3, H, W) float32 in [0, 1]; grey is repeated."""
    image = torch.from_numpy(pixels.astype(np.float32)) / np.iinfo(pixels.dtype).max
    return image.movedim(2, 0)[None].expand(1, 3, -1, -1)


def to_levels(image: Tensor, like: np.ndarray) -> np.ndarray:
    """(1, 3, H, W) in [0, 1] -> (H, W, C) with the type and channels of `like`: clamped, rounded; grey is the mean."""
    image = image[0].mean(0, keepdim=True) if like.shape[2] == 1 else image[0]
    levels = (image.clamp(0, 1) * np.iinfo(like.dtype).max).round().movedim(0, 2)
    return levels.cpu().numpy().astype(like.dtype)


def read(path: Path) -> Photo:
    """A photograph of any format that Pillow reads; of several pages the first. Raises ValueError naming the file."""
    try:
        return _decode(path.read_bytes())
    except Image.DecompressionBombError as error:
        raise ValueError(f"{path}: {error}") from None
    except UnidentifiedImageError:
        raise ValueError(f"{path}: not a readable photograph (of no known format)") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise ValueError(f"{path}: not a readable photograph ({error})") from None


def _decode(content: bytes) -> Photo:
    with Image.open(io.BytesIO(content)) as image:
        notes = [f"the first of {n} pictures"] if (n := getattr(image, "n_frames", 1)) > 1 else []
        is_deep, form = deep.is_deep(image), image.format
        told = form != "PNG" or any(sign in content for sign in EXIF_SIGNS)
        exif, fault = _exif(image) if told else (Image.Exif(), "")  # to look for them, Pillow decodes all of a PNG file
        if not is_deep:
            image.load()
        sampling = get_sampling(image) if form in ("JPEG", "MPO") else 0
        icc, dpi = image.info.get("icc_profile"), image.info.get("dpi")
        if is_deep:
            pixels = deep.decode(content, form)
        else:
            pixels, changed = _levels(image)
            notes += [changed] if changed else []
            icc = None if changed else icc
        notes += [fault] if fault else []
    upright = form == "TIFF" and not is_deep  # Pillow turns TIFF files itself
    turn = TURNED.get(1 if upright else exif.get(ORIENTATION, 1), lambda x: x)
    pixels = np.ascontiguousarray(turn(pixels))
    colours = 3 if pixels.shape[2] > 2 else 1
    alpha = np.ascontiguousarray(pixels[..., colours:]) if pixels.shape[2] > colours else None
    pixels = np.ascontiguousarray(pixels[..., :colours])
    kept = _upright(exif, *pixels.shape[:2])
    return Photo(pixels, alpha, icc, kept, dpi, max(sampling, 0), ", ".join(notes))


def _levels(image: Image.Image) -> tuple[np.ndarray, str]:
    """(H, W, C) in the picture's own depth, and what had to be converted, which makes its colour profile void."""
    if image.mode[0] == "I" or image.mode == "F":
        levels = np.asarray(image).astype(np.float64)
        deep_grey = image.mode.startswith("I;16") or levels.max() > 255
        top = 65535 if deep_grey else 255
        if levels.min() < 0 or levels.max() > top or (image.mode == "F" and levels.max() <= 1):
            raise ValueError(f"{image.mode} values from {levels.min():g} to {levels.max():g} are no 8 or 16 bits")
        return np.rint(levels).astype(np.uint16 if deep_grey else np.uint8)[..., None], ""
    alpha = image.has_transparency_data
    grey = image.mode in ("1", "L", "LA", "La")
    mode = ("LA" if alpha else "L") if grey else ("RGBA" if alpha else "RGB")
    changed = f"{image.mode} written as RGB" if image.mode in ("CMYK", "YCbCr", "LAB", "HSV") else ""
    levels = np.array(image if image.mode == mode else image.convert(mode))
    return levels if levels.ndim == 3 else levels[..., None], changed


def _exif(image: Image.Image) -> tuple[Image.Exif, str]:
    """Camera data without tags that say how a TIFF file lies on disk; none, and a note, when they are damaged.

    Read before the pixels, with which a TIFF file is closed; the copy needs no file.
    """
    try:
        exif = image.getexif()
        for tag in deep.LAYOUT & set(exif) if image.format == "TIFF" else ():
            del exif[tag]
        copy = Image.Exif()
        copy.load(exif.tobytes() if exif else b"")
        return copy, ""
    except (struct.error, ValueError, TypeError, KeyError, AttributeError, SyntaxError, OverflowError):
        return Image.Exif(), "damaged EXIF data are left out"


def _upright(exif: Image.Exif, height: int, width: int) -> bytes:
    if not exif:
        return b""
    exif[ORIENTATION] = 1
    camera = exif.get_ifd(EXIF_IFD)
    if EXIF_WIDTH in camera and EXIF_HEIGHT in camera:
        camera[EXIF_WIDTH], camera[EXIF_HEIGHT] = width, height
    return exif.tobytes()


def written_as(path: Path) -> Path:
    """The name under which a photograph is written: its own, or that of a format that holds it."""
    return path.with_suffix(SUFFIX_OF.get(path.suffix.lower(), path.suffix))


def write(path: Path, photo: Photo, pixels: np.ndarray, form: str) -> None:
    """Write `pixels`, made of those of `photo`, in Pillow's format `form` with all that belongs to it.

    JPEG and WebP in quality 95, the colours of a JPEG sampled as in its original; other formats lose nothing. Raises
    ValueError for what the format cannot hold.
    """
    if photo.alpha is not None and form not in OPAQUE:
        pixels = np.concatenate([pixels, photo.alpha], axis=2)
    if pixels.dtype == np.uint16 and form not in DEEP:
        raise ValueError(f"a {form} file cannot hold its 16 bits; give it the name of a PNG or TIFF file")
    if form in ("PNG", "TIFF"):
        write = deep.write_png if form == "PNG" else deep.write_tiff
        return write(path, pixels, photo.icc, photo.exif, photo.dpi)
    if pixels.dtype == np.uint16 and pixels.shape[2] > 1:
        return deep.write_ppm(path, pixels)
    options = {"icc_profile": photo.icc, "exif": photo.exif, "dpi": photo.dpi}
    options = {key: value for key, value in options.items() if value}
    if form in ("JPEG", "WEBP"):
        options["quality"] = QUALITY
    if form == "JPEG" and pixels.shape[2] == 3:
        options["subsampling"] = photo.sampling
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(path, format=form, **options)
