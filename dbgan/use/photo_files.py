"""Photographs read and written with all that belongs to them; for the pipeline data/photos.py reads the same files."""

import io
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import imagecodecs
import numpy as np
import tifffile
from PIL import ExifTags, Image
from PIL.JpegImagePlugin import get_sampling
from PIL.PngImagePlugin import putchunk

from dbgan.data import photos

# TIFF tags about the photograph and its camera; the others lay out the file, or hold layers of the blurred photograph.
DESCRIPTIVE = {270, 271, 272, 274, 282, 283, 296, 305, 306, 315, 316, 33432, ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo}
PNG_HEADER = 33  # bytes of the signature and of the chunk that must come first
JPEG2000_SIZE, DEPTH_AT = b"\xff\x4f\xff\x51", 42  # its header begins so; there is the first channel's depth less 1
DEEP = {"PNG", "TIFF", "PPM", "JPEG2000"}  # formats that keep 16 bits
OPAQUE = {"JPEG", "PPM", "BMP"}  # formats without transparency


class Photo(NamedTuple):
    """A photograph, upright, and what is kept of its file."""

    pixels: np.ndarray  # (H, W, 3) RGB or (H, W, 1) grey, uint8 or uint16
    alpha: np.ndarray  # (H, W, 1), or (H, W, 0) without transparency, the same type
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
    """A photograph; of several pictures the first. Raises ValueError also where its name's format cannot hold it."""
    form = Image.registered_extensions().get(written_as(path).suffix.lower(), "").replace("MPO", "JPEG")
    with photos.opened(path) as image:
        notes = [f"the first of {n} pictures"] if (n := getattr(image, "n_frames", 1)) > 1 else []
        pixels, icc = _sixteen_bits(image, path), image.info.get("icc_profile")
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
        pixels, alpha = np.split(pixels, [3 if pixels.shape[2] > 2 else 1], axis=2)
        if alpha.size and form in OPAQUE:
            alpha, notes = alpha[..., :0], [*notes, f"{form} files have no transparency, it is dropped"]
        if exif:
            exif[photos.ORIENTATION] = 1
        sampling = max(get_sampling(image), 0) if image.format in ("JPEG", "MPO") else 0
    if form not in Image.SAVE:
        raise ValueError(f"{path}: no photographs are written as {path.suffix or 'files without a suffix'}")
    if pixels.dtype == np.uint16 and form not in DEEP:
        raise ValueError(f"{path}: {form} files do not hold its 16 bits; give it the name of a PNG or TIFF file")
    return Photo(pixels, alpha, icc, exif.tobytes() if exif else b"", sampling, bool(turn), form, ", ".join(notes))


def _sixteen_bits(image: Any, path: Path) -> np.ndarray | None:
    """The levels, not turned, of a photograph whose 16 bits Pillow would read as 8; None of any other."""
    if image.mode not in ("RGB", "RGBA", "RGBX", "LA") or not image.tile:
        return None
    content = path.read_bytes()
    decoder, _, start, options = image.tile[0]
    if image.format == "PNG" and "16" in str(options):
        return imagecodecs.png_decode(content)
    if image.format == "JPEG2000" and content[content.find(JPEG2000_SIZE) + DEPTH_AT] & 0x7F == 15:
        return imagecodecs.jpeg2k_decode(content)
    if image.format == "PPM" and decoder == "ppm" and options[1] == 65535:  # its figures not as text
        levels = np.frombuffer(content, ">u2", image.height * image.width * 3, start)
        return levels.reshape(image.height, image.width, 3).astype(np.uint16)
    if image.format == "TIFF" and max(image.tag_v2.get(258, (8,))) == 16:
        page = tifffile.TiffFile(io.BytesIO(content)).pages.first
        levels = page.asarray() if page.axes.endswith("S") else np.moveaxis(page.asarray(), 0, -1)
        return _straight(levels, page.extrasamples)
    return None


def _straight(levels: np.ndarray, extra: tuple[int, ...]) -> np.ndarray:
    """A TIFF file's colours and the alpha that they are not multiplied by; other `extra` channels are left out."""
    levels, alpha = np.split(levels, [levels.shape[2] - len(extra)], axis=2)
    if not extra or extra[0] == tifffile.EXTRASAMPLE.UNSPECIFIED:
        return levels
    alpha = alpha[..., :1]
    if extra[0] == tifffile.EXTRASAMPLE.ASSOCALPHA:
        levels = np.rint((levels * (np.float32(65535) / np.maximum(alpha, 1))).clip(0, 65535)).astype(np.uint16)
    return np.concatenate([levels, alpha], axis=2)


def _levels(image: Image.Image) -> np.ndarray:
    """(H, W, C) in the picture's own depth: grey or RGB, with alpha where there is transparency."""
    if image.mode[0] == "I" or image.mode == "F":
        return photos.grey_levels(image)[..., None]
    mode = "L" if image.mode in ("1", "L", "LA", "La") else "RGB"
    mode += "A" if image.has_transparency_data else ""
    return np.atleast_3d(np.asarray(image if image.mode == mode else image.convert(mode)))


def write(path: Path, photo: Photo, pixels: np.ndarray) -> None:
    """Write `pixels`, made of those of `photo`, in its format with all that belongs to it."""
    pixels = np.ascontiguousarray(np.concatenate([pixels, photo.alpha], axis=2))
    levels = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    if photo.form == "PNG":
        _write_png(path, levels, photo.icc, photo.exif)
    elif photo.form == "TIFF":
        _write_tiff(path, pixels, photo.icc, photo.exif)
    elif photo.form == "JPEG2000" and levels.dtype == np.uint16:
        path.write_bytes(imagecodecs.jpeg2k_encode(levels, level=0, reversible=True))
    elif photo.form == "PPM" and levels.dtype == np.uint16 and levels.ndim == 3:
        path.write_bytes(b"P6\n%d %d\n65535\n" % levels.shape[1::-1] + levels.astype(">u2").tobytes())
    else:
        options: dict[str, Any] = {"subsampling": photo.sampling} if photo.form == "JPEG" else {}
        options |= {key: value for key, value in {"icc_profile": photo.icc, "exif": photo.exif}.items() if value}
        Image.fromarray(levels).save(path, format=photo.form, quality=95, **options)


def _write_png(path: Path, levels: np.ndarray, icc: bytes | None, exif: bytes) -> None:
    """By libpng, for 16 bits. Run lengths pack noisy photographs as small as a full search, in a third of the time."""
    encoded = imagecodecs.png_encode(levels, strategy=zlib.Z_RLE, filter=imagecodecs.PNG.FILTER.PAETH)
    with path.open("wb") as file:
        file.write(encoded[:PNG_HEADER])
        if icc:
            putchunk(file, b"iCCP", b"ICC Profile\0\0" + zlib.compress(icc))
        if exif:
            putchunk(file, b"eXIf", exif.removeprefix(b"Exif\0\0"))
        file.write(memoryview(encoded)[PNG_HEADER:])


def _write_tiff(path: Path, pixels: np.ndarray, icc: bytes | None, exif: bytes) -> None:
    """EXIF data are a TIFF file without pixels, which Pillow and tifffile cannot deflate beside them: add one strip."""
    height, width, channels = pixels.shape
    differences = imagecodecs.delta_encode(pixels, axis=1).astype(pixels.dtype.newbyteorder("<"))
    strip = imagecodecs.deflate_encode(differences.tobytes())
    tags = Image.Exif()
    tags.load(exif)
    tags.endian = "<"
    tags.update({256: width, 257: height, 258: (8 * pixels.itemsize,) * channels, 262: 2 if channels > 2 else 1})
    tags.update({259: 8, 317: 2, 273: 0, 277: channels, 278: height, 279: len(strip), 284: 1})
    if channels in (2, 4):
        tags[338] = 2  # alpha that the colours are not multiplied by
    if icc:
        tags[34675] = icc
    path.write_bytes(tags.tobytes().removeprefix(b"Exif\0\0") + strip)
