"""What Pillow cannot do, or not as fast: colour photographs of 16 bits, PNG files, TIFF files with all camera data."""

import io
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import imagecodecs
import numpy as np
import tifffile
from PIL import ExifTags, Image
from PIL.PngImagePlugin import putchunk
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from dbgan.data import photos

# Photographs are too noisy to repeat themselves: run lengths alone pack them as small as a full search does, in a third
# of the time.
STRATEGY, FILTER = zlib.Z_RLE, imagecodecs.PNG.FILTER.PAETH
PNG_HEADER = 33  # bytes of the signature and of the chunk that must come first
# TIFF tags about the photograph and its camera; the others lay out the file, or hold layers of the blurred photograph.
DESCRIPTIVE = {270, 271, 272, 274, 282, 283, 296, 305, 306, 315, 316, 33432, ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo}
DIRECTORIES = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)  # tags that hold tags
JPEG2000_SIZE, DEPTH_AT = b"\xff\x4f\xff\x51", 42  # its header begins so; there is the first channel's depth less 1


def is_deep(image: Any, file: BinaryIO) -> bool:
    """Whether a photograph, opened by Pillow and not loaded yet, has 16 bits that Pillow would read as 8."""
    if image.mode not in ("RGB", "RGBA", "RGBX", "LA") or not image.tile:
        return False
    if image.format == "TIFF":
        return max(image.tag_v2.get(258, (8,))) == 16
    if image.format == "JPEG2000":
        content = photos.content_of(file)
        at = content.find(JPEG2000_SIZE) + DEPTH_AT
        return (content[at] & 0x7F) + 1 == 16
    decoder, _, _, options = image.tile[0]
    if image.format == "PNG":
        return "16" in str(options)
    return image.format == "PPM" and decoder == "ppm" and options[1] == 65535  # its figures not as text


def decode(content: bytes, form: str | None) -> np.ndarray:
    """The first image of such a file, (H, W, C) uint16, not turned. Raises ValueError when it is damaged."""
    if form == "PNG":
        return imagecodecs.png_decode(content)
    if form == "JPEG2000":
        return imagecodecs.jpeg2k_decode(content)
    if form == "PPM":
        with Image.open(io.BytesIO(content)) as image:
            height, width, start = image.height, image.width, image.tile[0][2]
        levels = np.frombuffer(content, ">u2", height * width * 3, start)
        return levels.reshape(height, width, 3).astype(np.uint16)
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        page = file.pages.first
        levels = page.asarray()
        levels = levels if page.axes.endswith("S") else np.moveaxis(levels, 0, -1)
        return _straight(levels, page.extrasamples)


def _straight(levels: np.ndarray, extra: tuple[int, ...]) -> np.ndarray:
    """Colours and, where there is one, the alpha that they are not multiplied by, of a TIFF file's channels.

    `extra` says what the last channels are; one that is no alpha, a mask for example, is left out.
    """
    colours = levels.shape[2] - len(extra)
    if not extra or extra[0] == tifffile.EXTRASAMPLE.UNSPECIFIED:
        return levels[..., :colours]
    alpha = levels[..., colours : colours + 1]
    levels = levels[..., :colours]
    if extra[0] == tifffile.EXTRASAMPLE.ASSOCALPHA:
        straight = levels * (np.float32(65535) / np.maximum(alpha, 1))
        levels = np.rint(straight.clip(0, 65535)).astype(np.uint16)
    return np.concatenate([levels, alpha], axis=2)


def write_png(path: Path, pixels: np.ndarray, icc: bytes | None, exif: bytes) -> None:
    """(H, W, C) uint8 or uint16 with C of 1 to 4: grey, grey and alpha, RGB, RGB and alpha; with its metadata."""
    levels = np.squeeze(pixels, 2) if pixels.shape[2] == 1 else pixels
    encoded = imagecodecs.png_encode(levels, strategy=STRATEGY, filter=FILTER)
    with path.open("wb") as file:
        file.write(encoded[:PNG_HEADER])
        if icc:
            putchunk(file, b"iCCP", b"ICC Profile\0\0" + zlib.compress(icc))
        if exif:
            putchunk(file, b"eXIf", exif.removeprefix(b"Exif\0\0"))
        file.write(memoryview(encoded)[PNG_HEADER:])


def write_bare(path: Path, pixels: np.ndarray, form: str) -> None:
    """(H, W, C) uint16 as JPEG 2000 without loss, or (H, W, 3) as PPM; no metadata."""
    height, width, channels = pixels.shape
    if form == "JPEG2000":
        levels = np.squeeze(pixels, 2) if channels == 1 else pixels
        path.write_bytes(imagecodecs.jpeg2k_encode(levels, level=0, reversible=True))
    else:
        path.write_bytes(b"P6\n%d %d\n65535\n" % (width, height) + pixels.astype(">u2").tobytes())


def write_tiff(path: Path, pixels: np.ndarray, icc: bytes | None, exif: bytes) -> None:
    """(H, W, C) as in `write_png`, uint8 or uint16; one strip, deflated differences of neighbours.

    With tags by Pillow's class for them: neither its own TIFF files nor tifffile's hold the camera's (Exif and GPS)
    beside deflated pixels.
    """
    height, width, channels = pixels.shape
    packer = zlib.compressobj(strategy=STRATEGY)
    data = packer.compress(imagecodecs.delta_encode(pixels, axis=1).tobytes()) + packer.flush()
    tags = ImageFileDirectory_v2(prefix=b"II")
    kept = Image.Exif()
    kept.load(exif)
    for tag in kept:
        tags[tag] = dict(kept.get_ifd(tag)) if tag in DIRECTORIES else kept[tag]
    if ExifTags.IFD.Interop in (camera := tags.get(ExifTags.IFD.Exif, {})):
        camera[ExifTags.IFD.Interop] = kept.get_ifd(ExifTags.IFD.Interop)
    tags[256], tags[257], tags[258] = width, height, (8 * pixels.itemsize,) * channels
    tags[259], tags[317] = 8, 2  # deflate, of differences
    tags[262], tags[277] = 2 if channels > 2 else 1, channels
    tags[273], tags[278], tags[279], tags[284] = 0, height, len(data), 1
    if channels in (2, 4):
        tags[338] = 2  # alpha that the colours are not multiplied by
    if icc:
        tags[34675] = icc
    with path.open("wb") as file:
        tags.save(file)
        file.write(data)
