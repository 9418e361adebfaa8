"""Photographs with all that belongs to them: nothing is lost between reading and writing."""

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from dbgan.use import photo_files

INTEROP, INTEROP_INDEX = 0xA005, 1
MAKE, ORIENTATION, EXIF, EXPOSURE, THUMBNAIL = 0x010F, 0x0112, 0x8769, 0x829A, 1
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def again(path):
    """Read a file, write its pixels unchanged, and read that."""
    photo = photo_files.read(path)
    copy = path.with_name("copy" + photo_files.written_as(path).suffix)
    photo_files.write(copy, photo, photo.pixels)
    return photo, photo_files.read(copy)


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


@pytest.mark.parametrize("suffix", [".tif", ".png", ".jpg"])
def test_where_there_are_no_camera_data_none_are_written(tmp_path, photo, suffix):
    Image.fromarray(photo(0, 5, 7)).save(tmp_path / f"a{suffix}", dpi=(300, 300))
    again(tmp_path / f"a{suffix}")
    with Image.open(tmp_path / f"copy{suffix}") as image:
        assert EXIF not in image.getexif()


def test_layers_of_the_blurred_photograph_are_left_out(tmp_path, photo):
    tags = [(tag, 7, 4, b"8BIM", True) for tag in (34377, 37724)]
    tifffile.imwrite(tmp_path / "a.tif", photo(0), photometric="rgb", extratags=tags)
    again(tmp_path / "a.tif")
    with tifffile.TiffFile(tmp_path / "copy.tif") as file:
        assert not {34377, 37724} & {tag.code for tag in file.pages[0].tags}


@pytest.mark.parametrize(
    ("suffix", "form"), [(".jpg", "JPEG"), (".png", "PNG"), (".tif", "JPEG"), (".png", "TIFF"), (".webp", "WEBP")]
)
def test_camera_data_and_profile_are_kept_and_the_picture_is_upright(tmp_path, photo, suffix, form):
    """Also in another format, which the name tells, and a directory within that of the camera."""
    path = tmp_path / f"a{suffix}"
    image = Image.fromarray(photo(0, 5, 7))
    exif = camera(6)
    if form != "TIFF":  # in which Pillow writes no inner one
        exif.get_ifd(EXIF)[INTEROP] = {INTEROP_INDEX: "R98"}
        exif.get_ifd(THUMBNAIL).update({0x0201: 100, 0x0202: 10})
    image.save(path, form, exif=exif.tobytes(), icc_profile=ICC)
    for found in again(path):
        assert found.pixels.shape == (7, 5, 3)
        assert found.icc == ICC
        assert fields(found.exif) == ("Maker", 1, 0.25)
        assert form == "TIFF" or b"R98" in found.exif
        assert found.note == ""
    assert photo_files.read(path).turned
    assert not found.turned


@pytest.mark.parametrize(
    ("mode", "shape", "alpha", "word"),
    [
        ("L", 1, False, ""),
        ("1", 1, False, ""),
        ("LA", 1, True, ""),
        ("RGBA", 3, True, ""),
        ("P", 3, False, ""),
        ("CMYK", 3, False, "CMYK"),
    ],
)
def test_grey_stays_grey_and_transparency_stays(tmp_path, photo, mode, shape, alpha, word):
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    image = Image.fromarray(photo(0, 6, 8)).convert("RGBA" if mode == "RGBA" else "RGB").convert(mode)
    if alpha:
        image.putalpha(Image.fromarray(photo(1, 6, 8)[..., 0]))
    image.save(path, icc_profile=ICC)
    first, second = again(path)
    assert first.pixels.shape == (6, 8, shape)
    assert first.alpha.shape[2] == alpha
    assert word in first.note
    assert first.icc == (None if word else ICC)
    assert np.array_equal(first.pixels, second.pixels)
    assert np.array_equal(first.alpha, second.alpha)


def test_transparency_that_a_format_has_not_is_noted(tmp_path, photo):
    image = Image.fromarray(np.concatenate([photo(0), photo(1)[..., :1]], axis=2))
    image.save(tmp_path / "a.jpg", "PNG")
    first, second = again(tmp_path / "a.jpg")
    assert first.note == "JPEG files have no transparency, it is dropped"
    assert not first.alpha.size and second.pixels.shape == photo(0).shape


@pytest.mark.parametrize(
    ("suffix", "form"), [(".webp", "WEBP"), (".avif", "AVIF"), (".heic", "HEIF"), (".mpo", "JPEG"), (".jfif", "JPEG")]
)
def test_formats_that_lose_something_lose_little(tmp_path, photo, suffix, form):
    more = {"subsampling": 1} if form == "JPEG" else {}  # kept
    Image.fromarray(photo(0)).save(tmp_path / f"a{suffix}", form, **more)
    first, _ = again(tmp_path / f"a{suffix}")
    Image.fromarray(first.pixels).save(tmp_path / "expected", form, quality=95, **more)
    assert (tmp_path / f"copy{suffix}").read_bytes() == (tmp_path / "expected").read_bytes()


@pytest.mark.parametrize("kind", ["unassalpha", "assocalpha", "unspecified"])
def test_the_fourth_channel_of_a_tiff_file_is_what_it_says(tmp_path, kind):
    pixels = np.full((5, 7, 4), (20000, 10000, 0, 32768), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=[kind])
    photo = photo_files.read(tmp_path / "a.tif")
    colours = (40000, 20000, 0) if kind == "assocalpha" else (20000, 10000, 0)
    assert np.abs(photo.pixels - np.array(colours)).max() <= 1
    assert photo.alpha.shape[2] == (kind != "unspecified")
    assert np.all(photo.alpha == 32768)
