"""Photographs of 16 bits, and what other programs read of the files that are written."""

import imagecodecs
import numpy as np
import pytest
import tifffile
from photo_cases import EXIF, EXPOSURE, ICC, MAKE, ORIENTATION, again, camera, deep, plain, write_deep
from PIL import Image

from dbgan.use import photo_files

DEEP = {".png": (1, 2, 3, 4), ".tif": (1, 3, 4), ".jp2": (1, 3, 4), ".ppm": (3,)}  # channels


@pytest.mark.parametrize(("suffix", "channels"), [(suffix, n) for suffix, kinds in DEEP.items() for n in kinds])
def test_16_bits_are_kept_to_the_last(tmp_path, suffix, channels):
    pixels = deep(channels)
    write_deep(tmp_path / f"a{suffix}", pixels)
    for photo in again(tmp_path / f"a{suffix}"):
        colours = 3 if channels > 2 else 1
        assert np.array_equal(photo.pixels, pixels[..., :colours])
        assert photo.pixels.dtype == np.uint16
        assert (photo.alpha is None) == (channels in (1, 3))
        assert photo.alpha is None or np.array_equal(photo.alpha, pixels[..., colours:])


def test_colour_planes_and_deflated_files_are_read(tmp_path):
    pixels = deep(3)
    planes = np.moveaxis(pixels, 2, 0)
    tifffile.imwrite(tmp_path / "a.tif", planes, photometric="rgb", planarconfig="separate", compression="zlib")
    assert np.array_equal(photo_files.read(tmp_path / "a.tif").pixels, pixels)


@pytest.mark.parametrize("kind", ["unassalpha", "assocalpha", "unspecified"])
def test_the_fourth_channel_of_a_tiff_file_is_what_it_says(tmp_path, kind):
    pixels = np.full((5, 7, 4), (20000, 10000, 0, 32768), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=[kind])
    photo = photo_files.read(tmp_path / "a.tif")
    colours = (40000, 20000, 0) if kind == "assocalpha" else (20000, 10000, 0)
    assert np.abs(photo.pixels - np.array(colours)).max() <= 1
    assert (photo.alpha is None) == (kind == "unspecified")
    assert photo.alpha is None or np.all(photo.alpha == 32768)


def test_figures_of_16_bits_as_text_are_no_bytes(tmp_path):
    (tmp_path / "a.ppm").write_text("P3 1 1 65535 65535 32896 0\n")
    assert photo_files.read(tmp_path / "a.ppm").pixels.tolist() == [[[255, 128, 0]]]


def test_16_bits_under_a_name_that_cannot_hold_them_are_refused_at_once(tmp_path):
    write_deep(tmp_path / "a.png", deep(3))
    path = (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    with pytest.raises(ValueError, match=r"a\.jpg: JPEG files do not hold its 16 bits"):
        photo_files.read(path)


@pytest.mark.parametrize(("suffix", "form"), [(".png", "PNG"), (".tif", "TIFF")])
@pytest.mark.parametrize("depth", [8, 16])
def test_other_programs_read_what_is_written(tmp_path, suffix, form, depth):
    pixels = deep(3) if depth == 16 else deep(3).astype(np.uint8)
    path = tmp_path / f"a{suffix}"
    photo_files.write(path, plain(pixels, form, ICC, camera().tobytes(), (300, 300)), pixels)
    read = tifffile.imread(path) if suffix == ".tif" else imagecodecs.png_decode(path.read_bytes())
    assert np.array_equal(read, pixels)
    with Image.open(path) as image:
        image.load()
        assert image.info["icc_profile"] == ICC
        assert image.getexif()[MAKE] == "Maker"
        assert image.getexif().get_ifd(EXIF)[EXPOSURE] == 0.25
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_16_bits_are_turned_too(tmp_path, orientation):
    pixels = deep(3)
    turned = {"extratags": [(ORIENTATION, 3, 1, orientation, True)]}
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", **turned)
    photo_files.write(tmp_path / "a.png", plain(pixels, "PNG", exif=camera(orientation).tobytes()), pixels)
    for name in ("a.tif", "a.png"):
        found = photo_files.read(tmp_path / name)
        assert np.array_equal(found.pixels, np.rot90(pixels, {1: 0, 3: 2, 6: -1}[orientation]))


@pytest.mark.parametrize("suffix", [".png", ".tif", ".ppm"])
def test_16_bits_cut_short_are_refused_by_name(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    write_deep(path, deep(3))
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(ValueError, match=f"a{suffix}: not a readable photograph"):
        photo_files.read(path)
