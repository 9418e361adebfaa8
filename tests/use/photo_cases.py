"""Photographs with camera data, profiles and 16 bits, for the tests of what reads and writes them."""

import imagecodecs
import numpy as np
import tifffile
from PIL import Image, ImageCms

from dbgan.use import photo_files

MAKE, ORIENTATION, EXIF, EXPOSURE, THUMBNAIL = 0x010F, 0x0112, 0x8769, 0x829A, 1
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def again(path):
    """Read a file, write its pixels unchanged, and read that."""
    photo = photo_files.read(path)
    copy = path.with_name("copy" + photo_files.written_as(path).suffix)
    photo_files.write(copy, photo, photo.pixels)
    return photo, photo_files.read(copy)


def plain(pixels, form, icc=None, exif=b""):
    return photo_files.Photo(pixels, None, icc, exif, 0, False, form, "")


def camera(orientation=1):
    exif = Image.Exif()
    exif[MAKE], exif[ORIENTATION] = "Maker", orientation
    exif.get_ifd(EXIF)[EXPOSURE] = 0.25
    return exif


def fields(exif):
    read = Image.Exif()
    read.load(exif)
    assert not read.get_ifd(THUMBNAIL)
    return read[MAKE], read[ORIENTATION], read.get_ifd(EXIF)[EXPOSURE]


def deep(channels, seed=0):
    return np.random.default_rng(seed).integers(0, 65536, (5, 7, channels), np.uint16)


def write_deep(path, pixels):
    squeezed = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    if path.suffix == ".png":
        path.write_bytes(imagecodecs.png_encode(squeezed))
    elif path.suffix == ".jp2":
        path.write_bytes(imagecodecs.jpeg2k_encode(squeezed, level=0, reversible=True))
    elif path.suffix == ".ppm":
        path.write_bytes(b"P6 # a remark\n7 5\n65535\n" + pixels.astype(">u2").tobytes())
    else:
        extra = ["unassalpha"] if pixels.shape[2] in (2, 4) else None
        photometric = "rgb" if pixels.shape[2] > 2 else "minisblack"
        tifffile.imwrite(path, squeezed, photometric=photometric, extrasamples=extra, compression="lzw", planarconfig=1)
