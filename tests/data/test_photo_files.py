"""Photographs with all that belongs to them: nothing is lost between reading and writing."""

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from dbgan.data import frames, photo_files

MAKE, ORIENTATION, EXIF, EXPOSURE, WIDTH, HEIGHT, THUMBNAIL = 0x010F, 0x0112, 0x8769, 0x829A, 0xA002, 0xA003, 1
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
FORMS = {
    ".png": "PNG",
    ".tif": "TIFF",
    ".jpg": "JPEG",
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".ppm": "PPM",
    ".jp2": "JPEG2000",
}


def again(path, **changes):
    """Read a file, write its pixels unchanged, and read that."""
    photo = photo_files.read(path)
    copy = path.with_name("copy" + path.suffix)
    photo_files.write(copy, photo, photo.pixels, FORMS[path.suffix])
    return photo, photo_files.read(copy)


def camera(orientation=1):
    exif = Image.Exif()
    exif[MAKE], exif[ORIENTATION] = "Maker", orientation
    exif.get_ifd(EXIF).update({EXPOSURE: 0.25, WIDTH: 7, HEIGHT: 5})
    return exif


def fields(exif):
    read = Image.Exif()
    read.load(exif)
    return read[MAKE], read[ORIENTATION], *(read.get_ifd(EXIF)[tag] for tag in (EXPOSURE, WIDTH, HEIGHT))


def deep(channels, seed=0):
    return np.random.default_rng(seed).integers(0, 65536, (5, 7, channels), np.uint16)


def write_deep(path, pixels):
    squeezed = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    if path.suffix == ".png":
        path.write_bytes(imagecodecs.png_encode(squeezed))
    elif path.suffix == ".ppm":
        path.write_bytes(b"P6 # a remark\n7 5\n65535\n" + pixels.astype(">u2").tobytes())
    else:
        extra = ["unassalpha"] if pixels.shape[2] in (2, 4) else None
        photometric = "rgb" if pixels.shape[2] > 2 else "minisblack"
        tifffile.imwrite(path, squeezed, photometric=photometric, extrasamples=extra, compression="lzw", planarconfig=1)


@pytest.mark.parametrize(
    ("suffix", "channels"),
    [(".png", 1), (".png", 2), (".png", 3), (".png", 4), (".tif", 1), (".tif", 3), (".tif", 4), (".ppm", 3)],
)
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


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("depth", [8, 16])
def test_other_programs_read_what_is_written(tmp_path, suffix, depth):
    pixels = deep(3) if depth == 16 else deep(3).astype(np.uint8)
    photo = photo_files.Photo(pixels, None, ICC, camera().tobytes(), (300, 300), 0, "")
    path = tmp_path / f"a{suffix}"
    photo_files.write(path, photo, pixels, FORMS[suffix])
    read = tifffile.imread(path) if suffix == ".tif" else imagecodecs.png_decode(path.read_bytes())
    assert np.array_equal(read, pixels)
    with Image.open(path) as image:
        image.load()
        assert image.info["icc_profile"] == ICC
        assert image.getexif()[MAKE] == "Maker"
        assert image.getexif().get_ifd(EXIF)[EXPOSURE] == 0.25
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_camera_data_and_profile_are_kept_and_the_picture_is_upright(tmp_path, photo, suffix):
    path = tmp_path / f"a{suffix}"
    image = Image.fromarray(photo(0, 5, 7))
    image.save(path, exif=camera(6).tobytes(), icc_profile=ICC, dpi=(300, 300))
    for found in again(path):
        assert found.pixels.shape == (7, 5, 3)
        assert found.icc == ICC
        assert fields(found.exif) == ("Maker", 1, 0.25, 5, 7)
        assert suffix == ".webp" or found.dpi == pytest.approx((300, 300), abs=0.1)
        assert found.note == ""


@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_orientations_are_turned_as_the_pipeline_does(tmp_path, photo, orientation):
    path = tmp_path / "a.png"
    Image.fromarray(photo(0, 5, 7)).save(path, exif=camera(orientation))
    assert np.array_equal(photo_files.read(path).pixels, frames.read(path)[0])


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_16_bits_are_turned_too(tmp_path, orientation):
    pixels = deep(3)
    turned = {"extratags": [(ORIENTATION, 3, 1, orientation, True)]}
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", **turned)
    photo = photo_files.Photo(pixels, None, None, camera(orientation).tobytes(), None, 0, "")
    photo_files.write(tmp_path / "a.png", photo, pixels, "PNG")
    for name in ("a.tif", "a.png"):
        found = photo_files.read(tmp_path / name)
        assert np.array_equal(found.pixels, np.rot90(pixels, {1: 0, 3: 2, 6: -1}[orientation]))


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
    assert (first.alpha is not None) == alpha
    assert word in first.note
    assert first.icc == (None if word else ICC)
    assert np.array_equal(first.pixels, second.pixels)
    assert not alpha or np.array_equal(first.alpha, second.alpha)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp", ".ppm", ".jp2"])
def test_lossless_formats_lose_nothing(tmp_path, photo, suffix):
    Image.fromarray(photo(0)).save(tmp_path / f"a{suffix}")
    first, second = again(tmp_path / f"a{suffix}")
    assert np.array_equal(first.pixels, photo(0))
    assert np.array_equal(second.pixels, photo(0))


@pytest.mark.parametrize("sampling", [0, 1, 2])
def test_colours_of_a_jpeg_are_sampled_as_before(tmp_path, photo, sampling):
    Image.fromarray(photo(0)).save(tmp_path / "a.jpg", subsampling=sampling)
    assert [found.sampling for found in again(tmp_path / "a.jpg")] == [sampling, sampling]


def test_of_several_pictures_the_first_is_taken_and_said(tmp_path, photo):
    first, second = (Image.fromarray(photo(n)) for n in (0, 1))
    first.save(tmp_path / "a.tif", save_all=True, append_images=[second])
    found = photo_files.read(tmp_path / "a.tif")
    assert np.array_equal(found.pixels, photo(0))
    assert found.note == "the first of 2 pictures"


def test_the_thumbnail_of_the_blurred_photograph_is_left_out(tmp_path, photo):
    path = tmp_path / "a.jpg"
    Image.fromarray(photo(0)).save(path, exif=camera())
    with Image.open(path) as image:
        exif = image.getexif()
        exif.get_ifd(THUMBNAIL).update({0x0201: 100, 0x0202: 10})
    first, _ = again(path)
    read = Image.Exif()
    read.load(first.exif)
    assert not read.get_ifd(THUMBNAIL)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
def test_levels_survive_the_way_through_floats(dtype, channels):
    top = np.iinfo(dtype).max
    every = np.arange(top + 1, dtype=dtype).reshape(-1, 16, 1).repeat(channels, 2)
    image = photo_files.to_float(every)
    assert image.shape == (1, 3, *every.shape[:2])
    assert image.max() == 1
    assert np.array_equal(photo_files.to_levels(image, every), every)


def test_floats_are_those_of_the_pipeline(photo):
    assert photo_files.to_float(photo(0))[0].equal(frames.to_float(photo(0)))


def test_grey_is_the_mean_and_levels_are_clamped():
    image = photo_files.to_float(np.full((2, 2, 3), (0, 30, 90), np.uint8))
    assert photo_files.to_levels(image, np.zeros((2, 2, 1), np.uint8)).tolist() == [[[40], [40]]] * 2
    assert photo_files.to_levels(image * 9, np.zeros((2, 2, 3), np.uint8))[0, 0].tolist() == [0, 255, 255]


@pytest.mark.parametrize("suffix", [".png", ".tif", ".ppm"])
def test_16_bits_cut_short_are_refused_by_name(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    write_deep(path, deep(3))
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(ValueError, match=f"a{suffix}: not a readable photograph"):
        photo_files.read(path)
