"""What Pillow cannot do, or not as fast: colour photographs of 16 bits, PNG files, TIFF files with all camera data."""

import io
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile
from PIL import Image
from PIL.PngImagePlugin import putchunk
from PIL.TiffImagePlugin import ImageFileDirectory_v2

# A photograph becomes no larger than by a search for repetitions, of which noise leaves none, in a third of the time.
STRATEGY, FILTER = zlib.Z_RLE, imagecodecs.PNG.FILTER.PAETH
PNG_HEADER = 33  # bytes of the signature and of the chunk that must come first
# Tags that say how a TIFF file lies on disk, not what its photograph shows.
LAYOUT = {*range(254, 260), 262, 266, 273, *range(277, 282), 284, 317, *range(320, 326), 330, 338, 339, 347, 529, 530}
LAYOUT |= {531, 532, 700, 34675}


def is_deep(image: Image.Image) -> bool:
    """Whether a file opened by Pillow, and not loaded yet, has more than 8 bits in each of several channels."""
    if image.mode not in ("RGB", "RGBA", "RGBX", "LA") or not image.tile:
        return False
    if image.format == "TIFF":
        return max(image.tag_v2.get(258, (8,))) == 16
    options = image.tile[0][3]
    return "16" in str(options) if image.format == "PNG" else image.format == "PPM" and options[1] == 65535


def decode(content: bytes, form: str) -> np.ndarray:
    """The first image of such a file, (H, W, C) uint16, not turned. Raises ValueError when it is damaged."""
    try:
        if form == "PNG":
            return imagecodecs.png_decode(content)
        if form == "PPM":
            with Image.open(io.BytesIO(content)) as image:
                height, width, start = image.height, image.width, image.tile[0][2]
            levels = np.frombuffer(content, ">u2", height * width * 3, start)
            return levels.reshape(height, width, 3).astype(np.uint16)
        with tifffile.TiffFile(io.BytesIO(content)) as file:
            page = file.pages[0]
            levels = page.asarray()
            return levels if page.axes.endswith("S") else np.moveaxis(levels, 0, -1)
    except (RuntimeError, tifffile.TiffFileError, KeyError, IndexError, zlib.error) as error:
        raise ValueError(f"16-bit {form}: {error}") from None


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
        tags[tag] = kept.get_ifd(tag) or kept[tag]
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
