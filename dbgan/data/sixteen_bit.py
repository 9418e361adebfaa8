"""What Pillow cannot do, or not as fast: colour photographs of 16 bits, PNG files, TIFF files with all camera data."""

import io
import zlib
from pathlib import Path
from typing import BinaryIO

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
# Tags that say how a TIFF file lies on disk, not what its photograph shows.
LAYOUT = {*range(254, 260), 262, 266, 273, *range(277, 282), 284, 317, *range(320, 326), 330, 338, 339, 347, 529, 530}
LAYOUT |= {531, 532, 34675}
LAYOUT |= {700, 34377, 37724}  # XMP, and Photoshop's own data: layers, a thumbnail of the blurred photograph
DIRECTORIES = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)  # of tags, within the tags
JPEG2000_SIZE, DEPTH_AT = (
    b"\xff\x4f\xff\x51",
    42,
)  # how its header begins; where the first channel's depth less 1 stands


def is_deep(image: Image.Image, file: BinaryIO) -> bool:
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


def decode(content: bytes, form: str) -> np.ndarray:
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
        page = file.pages[0]
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


def write_png(path: Path, pixels: np.ndarray, icc: bytes | None, exif: bytes, dpi: tuple | None) -> None:
    """(H, W, C) uint8 or uint16 with C of 1 to 4: grey, grey and alpha, RGB, RGB and alpha; with its metadata."""
    levels = np.squeeze(pixels, 2) if pixels.shape[2] == 1 else pixels
    encoded = imagecodecs.png_encode(levels, strategy=STRATEGY, filter=FILTER)
    with path.open("wb") as file:
        file.write(encoded[:PNG_HEADER])
        if icc:
            putchunk(file, b"iCCP", b"ICC Profile\0\0" + zlib.compress(icc))
        if dpi:
            per_metre = (round(float(value) / 0.0254).to_bytes(4, "big") for value in dpi)
            putchunk(file, b"pHYs", b"".join(per_metre) + b"\1")
        if exif:
            putchunk(file, b"eXIf", exif.removeprefix(b"Exif\0\0"))
        file.write(memoryview(encoded)[PNG_HEADER:])


def write_jpeg2000(path: Path, pixels: np.ndarray) -> None:
    """(H, W, C) uint16 as in `write_png`, without loss and metadata."""
    levels = np.squeeze(pixels, 2) if pixels.shape[2] == 1 else pixels
    path.write_bytes(imagecodecs.jpeg2k_encode(levels, level=0, reversible=True))


def write_ppm(path: Path, pixels: np.ndarray) -> None:
    """(H, W, 3) uint16; the format has no metadata."""
    height, width, _ = pixels.shape
    with path.open("wb") as file:
        file.write(b"P6\n%d %d\n65535\n" % (width, height))
        file.write(pixels.astype(">u2").tobytes())


def write_tiff(path: Path, pixels: np.ndarray, icc: bytes | None, exif: bytes, dpi: tuple | None) -> None:
    """(H, W, C) as in `write_png`, uint8 or uint16; one strip, deflated differences of neighbours.

    With tags by Pillow's class for them: neither its own TIFF files nor tifffile's hold the camera's (Exif and GPS)
    beside deflated pixels.
    """
    height, width, channels = pixels.shape
    packer = zlib.compressobj(strategy=STRATEGY)
    data = packer.compress(imagecodecs.delta_encode(pixels, axis=1)) + packer.flush()
    tags = ImageFileDirectory_v2(prefix=b"II")
    kept = Image.Exif()
    kept.load(exif)
    for tag in kept:
        tags[tag] = dict(kept.get_ifd(tag)) if tag in DIRECTORIES else kept[tag]
    if ExifTags.IFD.Interop in (camera := tags.get(ExifTags.IFD.Exif, {})):
        camera[ExifTags.IFD.Interop] = kept.get_ifd(ExifTags.IFD.Interop)
    tags[256], tags[257], tags[258] = width, height, (8 * pixels.itemsize,) * channels
    tags[259], tags[317] = 8, 2  # deflate, of differences
    tags[262] = 2 if channels > 2 else 1
    tags[273], tags[277], tags[278], tags[279] = 0, channels, height, len(data)
    tags[284] = 1
    if channels in (2, 4):
        tags[338] = 2  # alpha that the colours are not multiplied by
    if dpi:
        tags[282], tags[283], tags[296] = float(dpi[0]), float(dpi[1]), 2
    if icc:
        tags[34675] = icc
    with path.open("wb") as file:
        tags.save(file)
        file.write(data)
