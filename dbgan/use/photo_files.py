"""Photographs read and written with all that belongs to them; for the pipeline data/photos.py reads the same files."""

import struct
import zlib
from pathlib import Path
from typing import Any, Literal, NamedTuple

import imagecodecs
import numpy as np
import pillow_heif
from PIL import Image
from PIL.PngImagePlugin import putchunk

from dbgan.data import photos
from dbgan.use import exif

PNG_HEADER = 33  # bytes of the signature and of the chunk that must come first
COLOURS = {b"cICP", b"gAMA", b"cHRM", b"sRGB", b"mDCV", b"mDCv", b"cLLI", b"cLLi"}  # PNG's numbers of colour
BITS = {"PNG": 16, "TIFF": 16, "PPM": 16, "JPEG2000": 16, "HEIF": 10}  # that a format keeps; others: 8
OPAQUE, BARE = {"JPEG", "PPM", "BMP"}, {"JPEG2000", "PPM", "BMP"}  # without transparency; without profile and EXIF
JPEG_EXIF = 65533  # bytes at most
Format = Literal["jpeg", "png", "tiff", "webp", "heic", "avif"]
SUFFIXES: dict[Format, str] = {"jpeg": ".jpg", "png": ".png", "tiff": ".tif"}
SUFFIXES |= {"webp": ".webp", "heic": ".heic", "avif": ".avif"}
INSTEAD: dict[str, Format] = {"GIF": "png", "HEIF": "jpeg"}  # unless a format is asked for


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
    chunks: tuple[tuple[bytes, bytes], ...] = ()  # of a PNG file: its colours told by numbers


def written_as(path: Path, form: Format | None = None) -> Path:
    """The name under which a photograph is written: its own, where the format is another with that format's suffix."""
    form = form or INSTEAD.get(_form(path.suffix))
    return path if not form or _form(SUFFIXES[form]) == _form(path.suffix) else path.with_suffix(SUFFIXES[form])


def read(path: Path, target: Path | None = None) -> Photo:
    """A photograph, to be written as `target`, by default `written_as`. Raises ValueError where that cannot be."""
    form = _form((target or written_as(path)).suffix)
    if form not in Image.SAVE:
        kind = path.suffix or "files without a suffix"
        raise ValueError(f"{path}: no photographs are written as {kind}; choose a --format")
    picture = photos.decode(path)
    icc, alpha, notes, chunks = picture.icc, picture.alpha, [*picture.notes], tuple[tuple[bytes, bytes], ...]()
    if picture.form == form == "PNG":
        icc = picture.info.get("icc_profile")
        with path.open("rb") as file:
            chunks = tuple(chunk for chunk in photos.png_chunks(file) if chunk[0] in COLOURS)
    elif picture.hdr and form == "PNG":
        chunks = ((b"cICP", picture.hdr + b"\0\1"),)
    elif picture.hdr:
        hdr = photos.HDR[picture.hdr[1]]
        raise ValueError(f"{path}: HDR colours by {hdr} are kept in PNG files alone; choose --format png")
    try:
        if picture.form == "TIFF":
            data, doubts = exif.of_tiff(path.read_bytes(), picture.info["ifd"])
            notes += doubts
        else:  # ImageMagick and others write them as text in PNG files
            text = "".join(picture.info.get("Raw profile type exif", "").split("\n")[3:])
            data = picture.info.get("exif") or bytes.fromhex(text)
        data = exif.upright(data) if data else b""
    except ValueError:
        data, notes = b"", [*notes, exif.DAMAGED]
    bits, too_long = BITS.get(form, 8), form == "JPEG" and len(data) > JPEG_EXIF
    lost = {
        f"more than {bits} bits": picture.pixels.dtype == np.uint16 and picture.info.get("bit_depth", 16) > bits,
        "transparency": alpha.size and form in OPAQUE,
        "colour profile": icc and form in BARE,
        "EXIF data": (data and form in BARE) or too_long,
    }
    if any(lost.values()):
        names = ", ".join(name for name, happens in lost.items() if happens)
        kind = form.replace("HEIF", "HEIC")
        notes.append(f"not kept in {kind}: {names}; --format png or tiff keeps them")
    return Photo(
        pixels=picture.pixels,
        alpha=alpha[..., :0] if form in OPAQUE else alpha,
        icc=icc,
        exif=b"" if too_long else data,
        sampling=picture.sampling,
        turned=picture.turned,
        form=form,
        note=", ".join(notes),
        chunks=chunks,
    )


def write(path: Path, photo: Photo, pixels: np.ndarray) -> None:
    """Write `pixels`, made of those of `photo`, in its format with all that belongs to it."""
    pixels = np.ascontiguousarray(np.concatenate([pixels, photo.alpha], axis=2))
    if pixels.dtype == np.uint16 and photo.form not in BITS:
        pixels = photos.to_8_bits(pixels)
    levels = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    if photo.form == "PNG":
        _write_png(path, levels, photo)
    elif photo.form == "TIFF":
        _write_tiff(path, pixels, photo)
    elif photo.form == "JPEG2000" and levels.dtype == np.uint16:
        path.write_bytes(imagecodecs.jpeg2k_encode(levels, level=0, reversible=True))
    elif photo.form == "PPM" and levels.dtype == np.uint16 and levels.ndim == 3:
        path.write_bytes(b"P6\n%d %d\n65535\n" % levels.shape[1::-1] + levels.astype(">u2").tobytes())
    else:
        options: dict[str, Any] = {"subsampling": photo.sampling} if photo.form == "JPEG" else {}
        data = exif.upright(photo.exif, drop=True) if photo.form == "AVIF" and photo.exif else photo.exif
        options |= {key: value for key, value in {"icc_profile": photo.icc, "exif": data}.items() if value}
        if levels.dtype == np.uint16 and photo.form == "HEIF":
            mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[pixels.shape[2]]
            deep = pillow_heif.from_bytes(f"{mode};16", pixels.shape[1::-1], pixels.tobytes())
            deep.save(path, quality=95, **options)
        else:
            Image.fromarray(levels).save(path, format=photo.form, quality=95, **options)


def _form(suffix: str) -> str:
    """Pillow's name of the format that a suffix means, or ""."""
    return Image.registered_extensions().get(suffix.lower(), "").replace("MPO", "JPEG")


def _write_png(path: Path, levels: np.ndarray, photo: Photo) -> None:
    """By libpng, for 16 bits. Run lengths pack noisy photographs as small as a full search, in a third of the time."""
    encoded = imagecodecs.png_encode(levels, strategy=zlib.Z_RLE, filter=imagecodecs.PNG.FILTER.PAETH)
    with path.open("wb") as file:
        file.write(encoded[:PNG_HEADER])
        for name, content in photo.chunks:
            putchunk(file, name, content)
        if photo.icc:
            putchunk(file, b"iCCP", b"ICC Profile\0\0" + zlib.compress(photo.icc))
        if photo.exif:
            putchunk(file, b"eXIf", photo.exif.removeprefix(exif.MARK))
        file.write(memoryview(encoded)[PNG_HEADER:])


def _write_tiff(path: Path, pixels: np.ndarray, photo: Photo) -> None:
    """EXIF data are a TIFF file without pixels, which Pillow and tifffile cannot deflate beside them: they stay where
    they are, as their offsets count from the file's start, and one strip and another first directory follow."""
    height, width, channels = pixels.shape
    data = photo.exif.removeprefix(exif.MARK) or exif.header("<", 8) + exif.directory({}, "<", 8)
    data += bytes(len(data) % 2)
    order: Literal["<", ">"] = "<" if data[:2] == b"II" else ">"
    differences = imagecodecs.delta_encode(pixels, axis=1).astype(pixels.dtype.newbyteorder(order))
    strip = imagecodecs.deflate_encode(differences.tobytes())
    strip += bytes(len(strip) % 2)
    tags = exif.read(data, struct.unpack_from(order + "I", data, 4)[0], [], exif.DESCRIPTIVE | exif.INNER.keys(), {})
    longs = {256: width, 257: height, 273: len(data), 278: height, 279: len(strip)}
    shorts = {259: 8, 317: 2, 277: channels, 284: 1, 262: 2 if channels > 2 else 1}
    shorts |= {338: 2} if channels in (2, 4) else {}  # alpha that the colours are not multiplied by
    tags |= {tag: (4, 1, struct.pack(order + "I", value)) for tag, value in longs.items()}
    tags |= {tag: (3, 1, struct.pack(order + "H", value)) for tag, value in shorts.items()}
    tags[258] = 3, channels, struct.pack(order + "H", 8 * pixels.itemsize) * channels
    if photo.icc:
        tags[34675] = 7, len(photo.icc), photo.icc
    end = len(data) + len(strip)
    path.write_bytes(exif.header(order, end) + data[8:] + strip + exif.directory(tags, order, end))
