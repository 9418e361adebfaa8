"""What Pillow cannot do, or not as fast: colour photographs of 16 bits, PNG files, TIFF files with all camera data."""

import io
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import imagecodecs
import numpy as np
import tifffile
from PIL import Image
from PIL.PngImagePlugin import putchunk

from dbgan.data import photos

PNG_HEADER = 33  # bytes of the signature and of the chunk that must come first
JPEG2000_SIZE, DEPTH_AT = b"\xff\x4f\xff\x51", 42  # its header begins so; there is the first channel's depth less 1


def decode(image: Any, file: BinaryIO) -> np.ndarray | None:
    """(H, W, C) uint16 of a photograph, opened by Pillow and not loaded yet, that has 16 bits which Pillow would read
    as 8; None of any other. Not turned. Raises an error when it is damaged."""
    if image.mode not in ("RGB", "RGBA", "RGBX", "LA") or not image.tile:
        return None
    content = photos.content_of(file)
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
    """Colours and, where there is one, the alpha that they are not multiplied by, of a TIFF file's channels. Of its
    `extra` channels one that is no alpha, a mask for example, is left out."""
    levels, alpha = np.split(levels, [levels.shape[2] - len(extra)], axis=2)
    if not extra or extra[0] == tifffile.EXTRASAMPLE.UNSPECIFIED:
        return levels
    alpha = alpha[..., :1]
    if extra[0] == tifffile.EXTRASAMPLE.ASSOCALPHA:
        levels = np.rint((levels * (np.float32(65535) / np.maximum(alpha, 1))).clip(0, 65535)).astype(np.uint16)
    return np.concatenate([levels, alpha], axis=2)


def write_png(path: Path, pixels: np.ndarray, icc: bytes | None, exif: bytes) -> None:
    """(H, W, C) uint8 or uint16 with C of 1 to 4: grey, grey and alpha, RGB, RGB and alpha; with its metadata.

    Photographs are too noisy to repeat themselves: run lengths pack them as small as a full search, in a third of the
    time.
    """
    levels = np.squeeze(pixels, 2) if pixels.shape[2] == 1 else pixels
    encoded = imagecodecs.png_encode(levels, strategy=zlib.Z_RLE, filter=imagecodecs.PNG.FILTER.PAETH)
    with path.open("wb") as file:
        file.write(encoded[:PNG_HEADER])
        if icc:
            putchunk(file, b"iCCP", b"ICC Profile\0\0" + zlib.compress(icc))
        if exif:
            putchunk(file, b"eXIf", exif.removeprefix(b"Exif\0\0"))
        file.write(memoryview(encoded)[PNG_HEADER:])


def write_tiff(path: Path, pixels: np.ndarray, icc: bytes | None, exif: bytes) -> None:
    """(H, W, C) as in `write_png`. Without pixels a TIFF file is what EXIF data are: one strip follows, of deflated
    differences of neighbours."""
    height, width, channels = pixels.shape
    strip = imagecodecs.deflate_encode(imagecodecs.delta_encode(pixels, axis=1).astype(pixels.dtype.newbyteorder("<")))
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


def write_bare(path: Path, pixels: np.ndarray, form: str) -> None:
    """(H, W, C) uint16 as JPEG 2000 without loss, or (H, W, 3) as PPM; no metadata."""
    if form == "JPEG2000":
        levels = np.squeeze(pixels, 2) if pixels.shape[2] == 1 else pixels
        path.write_bytes(imagecodecs.jpeg2k_encode(levels, level=0, reversible=True))
    else:
        path.write_bytes(b"P6\n%d %d\n65535\n" % pixels.shape[1::-1] + pixels.astype(">u2").tobytes())
