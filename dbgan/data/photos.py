"""Finds, reads and writes photographs, and converts between uint8 images and float tensors (the value range)."""

import io
import logging
import math
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

import imagecodecs
import numpy as np
import pillow_heif
import tifffile
import torch
from PIL import Image, ImageCms, PngImagePlugin, UnidentifiedImageError
from PIL.JpegImagePlugin import get_sampling
from torch import Tensor

from dbgan.utils import log, sha256

SUFFIXES = {".png", ".webp", ".avif", ".tif", ".tiff", ".bmp", ".ppm", ".pgm", ".pnm", ".gif", ".heic", ".heif", ".hif"}
SUFFIXES |= {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"}
FORMATS = ("PNG", "JPEG", "JPEG2000", "WEBP", "AVIF", "TIFF", "BMP", "PPM", "GIF", "HEIF")  # EPS would run programs
RAW = {".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".rw2", ".orf", ".pef", ".srw"}  # refused by name
OTHERS = {".jxl", ".psd", ".psb", ".exr", ".hdr", ".jxr", ".tga", ".xcf", ".svg", ".eps", ".ico", ".qoi"}  # counted
JUNK = {"__MACOSX", "@eaDir", "$RECYCLE.BIN"}  # folders that systems leave

MAX_MEGAPIXELS = 200  # a larger photograph is refused before it is decoded: decompression bombs declare more
Image.MAX_IMAGE_PIXELS = None  # Pillow's limit, which warns first and refuses at twice its value
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY = 1 << 26  # bytes of text, which is not kept anyway
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
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # how such files begin
JPEG2000_SIZE, DEPTH_AT = b"\xff\x4f\xff\x51", 42  # its header begins so; there is the first channel's depth less 1
AVIF_BITS = (8, 8, 10, 12)  # by two flags among its decoder's settings
PLAIN = (0, 1, 2)  # TIFF's kinds of colour that are grey or RGB
NO_RGB = ("CMYK", "YCbCr", "LAB", "HSV")
GAIN_MAP = (b"hdrgm:", b"HDRGainMap", b":ts:21496", b"tmap", b"hdrgainmap")  # signs of a second picture for HDR screens

SAME = 2  # levels: two makers' sRGB differ by less

# Colours told by the numbers of ITU-T H.273 instead of by a profile. Video's curves are shown by sRGB's.
D65 = (0.3127, 0.329)
PRIMARIES = {  # x and y of red, green and blue
    1: (0.64, 0.33, 0.3, 0.6, 0.15, 0.06),
    9: (0.708, 0.292, 0.17, 0.797, 0.131, 0.046),
    12: (0.68, 0.32, 0.265, 0.69, 0.15, 0.06),
}
SRGB_CURVES, GAMMAS, HDR = (1, 2, 6, 13, 14, 15), {4: 2.2, 5: 2.8, 8: 1.0}, {16: "PQ", 18: "HLG"}
pillow_heif.register_heif_opener()
logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what it cannot read, it raises


class Picture(NamedTuple):
    """A photograph, upright, as deep as its file, and what the file says of it."""

    pixels: np.ndarray  # (H, W, 3) RGB or (H, W, 1) grey, uint8 or uint16 over its whole range
    alpha: np.ndarray  # (H, W, 1), or (H, W, 0) without transparency, the same type
    icc: bytes | None  # colour profile, also one made of numbers that the file gives; without: sRGB
    hdr: bytes  # primaries and curve by H.273's numbers, where the curve is PQ or HLG, which no profile describes
    turned: bool  # to stand upright
    notes: list[str]  # what is left out or changed
    form: str  # Pillow's name of the file's format
    mode: str  # Pillow's name of the pixels' kind in the file
    sampling: int  # of a JPEG's colours, as Pillow numbers it
    info: dict[Any, Any]  # Pillow's; of AVIF too "bit_depth", of TIFF "ifd", where the picture's directory is


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


def to_8_bits(levels: np.ndarray) -> np.ndarray:
    """uint16 -> uint8, to the nearest level."""
    return ((levels + np.uint32(128)) // 257).astype(np.uint8)


def find(folder: Path) -> list[Path]:
    """The photographs below a folder, camera RAW too, sorted, relative to it; not in hidden folders; through links, but
    not to a folder that the link lies in. Says what is left out."""
    if not folder.is_dir():
        raise ValueError(f"{folder}: there is no such folder")
    images, closed, others = list[Path](), list[str](), Counter[str]()
    for at, folders, names in os.walk(folder, onerror=lambda error: closed.append(error.filename), followlinks=True):
        loops = {name for name in folders if Path(at).resolve().is_relative_to(Path(at, name).resolve())}
        folders[:] = [name for name in folders if not name.startswith(".") and name not in JUNK | loops]
        for path in (Path(at, name) for name in names if not name.startswith(".")):
            if (suffix := path.suffix.lower()) in OTHERS:
                others[suffix] += 1
            elif suffix in SUFFIXES | RAW:
                if os.path.isfile(path):  # noqa: PTH113 - Path.is_file fails where folders may not be entered
                    images.append(path.relative_to(folder))
                else:
                    closed.append(str(path))
    if others:
        kinds = ", ".join(f"{count} {suffix}" for suffix, count in others.most_common())
        log(f"{folder}: files of kinds that are not read are left out: {kinds}; convert them to PNG or JPEG")
    if closed:
        log(f"{folder}: {len(closed)} folders or links cannot be read and are left out, such as {min(closed)}")
    if not images:
        raise ValueError(f"{folder}: no photographs in it (looked for {', '.join(sorted(SUFFIXES))})")
    return sorted(images)


def decode(path: Path, content: bytes | None = None) -> Picture:
    """The photograph of a file, or of `content` in its place; of several the first, of a TIFF file the first that is no
    thumbnail. Any error but of memory becomes Unreadable: no file, another kind of file, damage, too large."""
    try:
        if path.suffix.lower() in RAW:
            raise Unreadable(path, "camera RAW is not read; convert it to JPEG or PNG")
        with path.open("rb") if content is None else io.BytesIO(content) as file:
            return _decode(path, file)
    except (Unreadable, MemoryError):  # too little memory is no fault of the file
        raise
    except UnidentifiedImageError:
        empty = not (path.stat().st_size if content is None else content)
        raise Unreadable(path, "an empty file" if empty else "not a readable photograph (of no known format)") from None
    except Exception as error:  # decoders raise errors of nearly every kind for damaged files
        detail = getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
        raise Unreadable(path, f"not a readable photograph ({detail})") from None


def read(path: Path) -> tuple[np.ndarray, str, str]:
    """A photograph as (H, W, 3) uint8 sRGB, what was converted on the way ("" for plain 8-bit RGB), and its SHA-256."""
    return *to_srgb(path, decode(path)), sha256(path)


def to_srgb(path: Path, picture: Picture) -> tuple[np.ndarray, str]:
    """What networks see of a photograph, (H, W, 3) uint8, and a note of what was converted."""
    pixels, notes = picture.pixels, [*picture.notes]
    if picture.hdr:
        raise Unreadable(path, f"HDR colours by {HDR[picture.hdr[1]]} are not read; convert it to sRGB")
    grey, deep = pixels.shape[2] == 1, pixels.dtype == np.uint16
    if deep:
        pixels = to_8_bits(pixels)
        notes.append("16-bit grey read as 8-bit RGB" if grey else "16 bits read as 8")
    if picture.alpha.size:
        notes.append("transparency dropped")
    elif picture.mode not in ("RGB", *NO_RGB) and not (grey and deep):
        notes.append(f"{picture.mode} read as RGB")
    rgb = np.repeat(pixels, 3, axis=2) if grey else np.ascontiguousarray(pixels)
    if picture.icc:
        try:
            converted = _converted(rgb, picture.icc)
            if converted is not rgb:
                rgb = converted
                notes.append("colours converted to sRGB")
        except (ImageCms.PyCMSError, OSError):
            notes.append("its damaged colour profile is ignored")
    return rgb, ", ".join([*notes, "rotated as its EXIF says"] if picture.turned else notes)


def _converted(rgb: np.ndarray, icc: bytes) -> np.ndarray:
    """(H, W, 3) in sRGB, or `rgb` itself where the profile shows colours as sRGB does: names tell nothing, there is a
    "linear sRGB"."""
    profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    grey = profile.profile.xcolor_space.strip() == "GRAY"
    transform = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), "L" if grey else "RGB", "RGB")

    def shown(image: np.ndarray) -> np.ndarray:
        return np.asarray(ImageCms.applyTransform(Image.fromarray(image[..., 0] if grey else image), transform))

    steps = np.arange(0, 256, 51, dtype=np.uint8)
    some = np.stack([steps] * 3 if grey else np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
    return rgb if np.abs(shown(some).astype(int) - some).max() <= SAME else shown(rgb)


def write(path: Path, image: np.ndarray, **options) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, **options)


def png_chunks(file: IO[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Names and contents of what stands before a PNG file's pixels."""
    file.seek(8)
    while len(head := file.read(8)) == 8 and head[4:] != b"IDAT":
        yield head[4:], file.read(int.from_bytes(head[:4]))
        file.seek(4, io.SEEK_CUR)


def _decode(path: Path, file: IO[bytes]) -> Picture:
    page = _tiff_page(file)
    image: Any = None
    file.seek(0)
    with suppress(UnidentifiedImageError) if page else nullcontext():  # Pillow knows no TIFF of floats, for one
        image = Image.open(file, formats=FORMATS)
    width, height = (page.imagewidth, page.imagelength) if page else image.size
    if width * height > MAX_MEGAPIXELS * 1e6:
        raise Unreadable(path, f"over {MAX_MEGAPIXELS} megapixels ({width}x{height} are declared)")
    count = sum(not one.is_reduced for one in page.parent.pages) if page else getattr(image, "n_frames", 1)
    notes = [f"the first of {count} pictures"] if count > 1 else []
    bits = max(np.ravel(page.bitspersample)) if page else image.info.get("bit_depth", 8)
    deep = page and (page.compression == tifffile.COMPRESSION.WEBP or (bits > 8 and page.photometric in PLAIN))
    if image is None or deep:
        grey = page.samplesperpixel - len(page.extrasamples) == 1
        image = Image.new("L" if grey else "RGB", (1, 1))  # for what belongs to the pixels alone
        image.format, image.info = "TIFF", {"icc_profile": page.tags.valueof(34675)}
        orientation, own = page.tags.valueof(ORIENTATION, 1), False
        levels, note = _tiff_levels(page)
    else:
        if page:
            image.seek(page.index)
        tile = next(iter(getattr(image, "tile", [])), ("", (), 0, ()))  # lost where Pillow looks for EXIF at the end
        orientation, own = _orientation(image), page is not None  # Pillow turns a TIFF file itself
        levels, note = _levels(image, file, *tile)
    turn = UPRIGHT.get(orientation)
    pixels, alpha = np.split(turn(levels) if turn and not own else levels, [3 if levels.shape[2] > 2 else 1], axis=2)
    icc, hdr, doubt = _colours(image, file)
    if image.mode in NO_RGB:
        icc = None
    notes += filter(None, (_cut(image, bits, levels, file), note, doubt))
    form = image.format.replace("MPO", "JPEG")
    sampling = max(get_sampling(image), 0) if form == "JPEG" else 0
    info = image.info | ({"ifd": page.offset} if page else {})
    if form == "AVIF":  # Pillow writes them anew where the file tells its turn elsewhere, too
        info["exif"] = image._decoder.get_info()[4]
    return Picture(pixels, alpha, icc, hdr, bool(turn), notes, form, image.mode, sampling, info)


def _cut(image: Any, bits: int, levels: np.ndarray, file: IO[bytes]) -> str:
    """What a photograph has beyond its levels: more bits, and a second picture for HDR screens."""
    parts = [image.info.get("xmp"), *(content for _, content in getattr(image, "applist", []))]
    if image.format in ("AVIF", "HEIF"):
        parts += [_content(file)[:64], repr(image.info.get("aux")).encode()]
    gain_map = any(sign in part for part in parts if isinstance(part, bytes) for sign in GAIN_MAP)
    cut = f"{bits} bits cut to 8" if bits > 8 and levels.dtype == np.uint8 else ""
    return ", ".join(filter(None, (cut, "its HDR gain map is left out" if gain_map else "")))


def _content(file: IO[bytes]) -> bytes:
    at = file.tell()
    file.seek(0)
    content = file.read()
    file.seek(at)  # where Pillow goes on
    return content


def _orientation(image: Image.Image) -> int:
    try:
        return image.getexif().get(ORIENTATION, 1)
    except Exception:  # of nearly every kind, for damaged data; the pixels may be intact
        return 1


def _tiff_page(file: IO[bytes]) -> Any:
    """Of a TIFF file the first picture that is no smaller version of another; None of any other file."""
    if file.read(4) not in TIFF:
        return None
    file.seek(0)
    pages: Any = tifffile.TiffFile(file).pages
    return next((page for page in pages if not page.is_reduced), pages.first)


def _tiff_levels(page: tifffile.TiffPage) -> tuple[np.ndarray, str]:
    """(H, W, C) with alpha that the colours are not multiplied by; other channels are left out."""
    if page.photometric not in PLAIN or page.axes not in ("YX", "YXS", "SYX"):
        raise ValueError(f"TIFF of kind {page.photometric!s}, {page.axes}, {page.compression!s}")
    levels = page.asarray()
    levels = np.atleast_3d(np.moveaxis(levels, 0, -1) if page.axes == "SYX" else levels)
    levels, note = _scaled(levels, 2**page.bitspersample - 1)
    if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        levels = np.iinfo(levels.dtype).max - levels
    colours = 1 if page.photometric < tifffile.PHOTOMETRIC.RGB else 3
    levels, alpha, extra = levels[..., :colours], levels[..., colours : colours + 1], page.extrasamples[:1]
    if not alpha.size or extra in ((), (tifffile.EXTRASAMPLE.UNSPECIFIED,)):
        return levels, note
    if extra == (tifffile.EXTRASAMPLE.ASSOCALPHA,):
        top = np.iinfo(levels.dtype).max
        levels = np.rint((levels * (np.float32(top) / np.maximum(alpha, 1))).clip(0, top)).astype(levels.dtype)
    return np.concatenate([levels, alpha], axis=2), note


def _scaled(levels: np.ndarray, top: int) -> tuple[np.ndarray, str]:
    """Levels up to `top` as uint8, or as uint16 over its whole range; of floats and 32 bits their values tell."""
    if levels.dtype == np.uint8 or (levels.dtype == np.uint16 and top == 65535):
        return levels, ""
    if levels.dtype == np.uint16:
        return ((levels * np.uint64(65535) + top // 2) // top).astype(np.uint16), ""
    low, high = levels.min(), levels.max()
    top = 1 if levels.dtype.kind == "f" and high <= 1 else 255 if high <= 255 else 65535
    if not 0 <= low <= high <= top:
        raise ValueError(f"{levels.dtype} values from {low:g} to {high:g} are no 8 or 16 bits")
    dtype = np.uint8 if top == 255 else np.uint16
    note = f"{levels.dtype} values up to {top} read as {8 * dtype().itemsize} bits"
    return np.rint(levels * (65535 / top if top == 1 else 1)).astype(dtype), note


def _levels(image: Any, file: IO[bytes], decoder: str, _: Any, start: int, options: Any) -> tuple[np.ndarray, str]:
    """(H, W, C), not turned, and a note. Where Pillow would cut colours of more than 8 bits, by imagecodecs."""
    if image.format == "PNG" and "16" in str(options):
        return np.atleast_3d(imagecodecs.png_decode(_content(file))), ""
    if image.format == "JPEG2000":
        content = _content(file)
        if (bits := (content[content.find(JPEG2000_SIZE) + DEPTH_AT] & 127) + 1) > 8:
            return _scaled(np.atleast_3d(imagecodecs.jpeg2k_decode(content)), 2**bits - 1)
    if image.format == "AVIF":
        content = _content(file)
        image.info["bit_depth"] = bits = AVIF_BITS[content[content.find(b"av1C") + 6] >> 5 & 3]
        if bits > 8:
            return _scaled(np.atleast_3d(imagecodecs.avif_decode(content, index=0)), 2**bits - 1)
    if image.format == "HEIF" and (bits := image.info["bit_depth"]) > 8 and image.mode != "RGBa":
        deep = pillow_heif.open_heif(file, convert_hdr_to_8bit=False, hdr_to_16bit=False)
        return _scaled(np.atleast_3d(np.asarray(deep)), 2**bits - 1)
    if image.format == "PPM" and image.mode == "RGB" and isinstance(options, tuple) and options[-1] > 255:
        content, shape = _content(file)[start:], (image.height, image.width, 3)
        plain = decoder == "ppm_plain"  # figures as text
        levels = np.array(content.split()) if plain else np.frombuffer(content, ">u2", math.prod(shape))
        return _scaled(levels.astype(np.uint16).reshape(shape), options[-1])
    image.load()
    if image.mode[0] == "I":
        return np.atleast_3d(np.asarray(image).astype(np.uint16)), ""
    if image.mode == "F":
        return _scaled(np.atleast_3d(np.asarray(image)), 1)
    if image.mode == "CMYK" and (icc := image.info.get("icc_profile")):
        with suppress(ImageCms.PyCMSError, OSError):  # a profile of other colours, or a damaged one
            profile, srgb = ImageCms.ImageCmsProfile(io.BytesIO(icc)), ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(image, profile, srgb, outputMode="RGB")
            return np.asarray(converted), "CMYK read as RGB by its profile"
    mode = "L" if image.mode in ("1", "L", "LA", "La") else "RGB"
    mode += "A" if image.has_transparency_data else ""
    levels = np.atleast_3d(np.asarray(image if image.mode == mode else image.convert(mode)))
    return levels, f"{image.mode} read as RGB" if image.mode in NO_RGB else ""


def _colours(image: Any, file: IO[bytes]) -> tuple[bytes | None, bytes, str]:
    """A photograph's profile, HDR colours' numbers, and a doubt. Without a profile the file's numbers make one."""
    icc, chunks, codes = image.info.get("icc_profile"), {}, b""
    if image.format == "PNG":
        chunks = dict(png_chunks(file))
        codes = chunks.get(b"cICP", b"")[:2]
    elif image.format in ("AVIF", "HEIF"):
        content = _content(file)
        if (at := content.find(b"colrnclx") + 8) > 7:
            codes = content[at + 1 : at + 4 : 2]
    elif image.format == "JPEG2000":  # Pillow reads no profile of such files
        header = (content := _content(file))[: content.find(JPEG2000_SIZE)]
        if (at := header.find(b"colr")) > 0 and header[at + 4] in (2, 3):
            icc = header[at + 7 : at - 4 + int.from_bytes(header[at - 4 : at])]
    if len(codes) == 2 and codes[1] in HDR:
        return icc, codes, ""
    if icc or image.mode not in ("RGB", "RGBA", "P"):
        return icc, b"", ""
    white, primaries, curve, doubt = D65, PRIMARIES[1], 2.2, ""
    if len(codes) == 2:
        if {codes[0]} - {2, *PRIMARIES} or {codes[1]} - {*SRGB_CURVES, *GAMMAS}:
            doubt = f"colours of numbers {codes[0]} and {codes[1]} are taken for sRGB"
        else:
            primaries, curve = PRIMARIES.get(codes[0], primaries), GAMMAS.get(codes[1], 2.2)
    elif b"sRGB" not in chunks:
        curve = 1 / (image.info.get("gamma") or 1 / 2.2)
        if numbers := image.info.get("chromaticity"):
            white, primaries = numbers[:2], numbers[2:]
    if np.allclose((*white, *primaries, curve / 10), (*D65, *PRIMARIES[1], 0.22), atol=0.003):
        return None, b"", doubt
    points = np.linspace(0, 1, 256, dtype=np.float32)
    levels = np.where(points > 0.04045, ((points + 0.055) / 1.055) ** 2.4, points / 12.92)  # sRGB's curve, called 2.2
    levels = levels if abs(curve - 2.2) < 0.03 else points**curve
    xyz = [*primaries[:2], 1, *primaries[2:4], 1, *primaries[4:], 1]
    return imagecodecs.cms_profile("rgb", whitepoint=(*white, 1), primaries=xyz, transferfunction=levels), b"", doubt
