"""Photographs with all that belongs to them: nothing is lost between reading and writing."""

import hostile_photographs as hostile
import numpy as np
import pytest
import tifffile
from photo_cases import EXIF, EXPOSURE, ICC, again, camera, fields, plain
from PIL import Image, TiffImagePlugin

from dbgan.data import photos
from dbgan.use import photo_files

THUMBNAIL, INTEROP, INTEROP_INDEX = 1, 0xA005, 1


def test_what_cannot_be_written_is_refused_at_once(tmp_path, photo):
    Image.fromarray(photo(0)).save(tmp_path / "a", "PNG")
    with pytest.raises(ValueError, match="a: no photographs are written as files without a suffix"):
        photo_files.read(tmp_path / "a")


@pytest.mark.parametrize("suffix", [".tif", ".png", ".jpg"])
def test_where_there_are_no_camera_data_none_are_written(tmp_path, photo, suffix, caplog):
    """No empty directory, and no address of one that is not there."""
    path = tmp_path / f"a{suffix}"
    Image.fromarray(photo(0, 5, 7)).save(path, dpi=(300, 300))
    again(path)
    with Image.open(tmp_path / f"copy{suffix}") as image:
        assert EXIF not in image.getexif()
    if suffix == ".tif":
        with tifffile.TiffFile(tmp_path / "copy.tif") as file:
            assert EXIF not in file.pages[0].tags
        assert not caplog.records  # tifffile's complaints


@pytest.mark.parametrize(("suffix", "form"), [(".tif", "TIFF"), (".png", "PNG"), (".jpg", "JPEG")])
def test_a_directory_within_the_camera_data_is_kept(tmp_path, photo, suffix, form):
    exif = camera()
    exif.get_ifd(EXIF)[INTEROP] = {INTEROP_INDEX: "R98"}
    pixels = photo(0, 5, 7)
    photo_files.write(tmp_path / f"a{suffix}", plain(pixels, form, exif=exif.tobytes()), pixels)
    again(tmp_path / f"a{suffix}")
    for name in ("a", "copy"):
        with Image.open(tmp_path / f"{name}{suffix}") as image:
            assert image.getexif().get_ifd(INTEROP)[INTEROP_INDEX] == "R98"
            assert image.getexif().get_ifd(EXIF)[EXPOSURE] == 0.25


def test_layers_of_the_blurred_photograph_are_left_out(tmp_path, photo):
    tags = [(tag, 7, 4, b"8BIM", True) for tag in (34377, 37724)]
    tifffile.imwrite(tmp_path / "a.tif", photo(0), photometric="rgb", extratags=tags)
    again(tmp_path / "a.tif")
    with tifffile.TiffFile(tmp_path / "copy.tif") as file:
        assert not {34377, 37724} & {tag.code for tag in file.pages[0].tags}


def test_a_resolution_that_is_none_is_left_out(tmp_path, photo):
    none = TiffImagePlugin.IFDRational(0, 0)
    Image.fromarray(photo(0)).save(tmp_path / "a.tif", x_resolution=none, y_resolution=none, resolution_unit="inch")
    assert [found.dpi for found in again(tmp_path / "a.tif")] == [None, None]


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
    assert photo_files.read(path).turned
    assert not found.turned


@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_orientations_are_turned_as_the_pipeline_does(tmp_path, photo, orientation):
    path = tmp_path / "a.png"
    Image.fromarray(photo(0, 5, 7)).save(path, exif=camera(orientation))
    assert np.array_equal(photo_files.read(path).pixels, photos.read(path)[0])


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


@pytest.mark.parametrize("name", ["a.bmp", "a.jpg", "a.ppm"])
def test_transparency_that_a_format_has_not_is_said(tmp_path, photo, name):
    image = Image.fromarray(np.concatenate([photo(0), photo(1)[..., :1]], axis=2))
    image.save(tmp_path / name, "PNG")
    first, second = again(tmp_path / name)
    form = {"a.bmp": "BMP", "a.jpg": "JPEG", "a.ppm": "PPM"}[name]
    assert first.note == f"{form} files have no transparency, it is dropped"
    assert first.alpha is None and second.pixels.shape == photo(0).shape


@pytest.mark.parametrize(
    ("suffix", "form"), [(".webp", "WEBP"), (".avif", "AVIF"), (".mpo", "JPEG"), (".jfif", "JPEG")]
)
def test_formats_that_lose_something_lose_little(tmp_path, photo, suffix, form):
    Image.fromarray(photo(0)).save(tmp_path / f"a{suffix}", form)
    first, _ = again(tmp_path / f"a{suffix}")
    more = {"subsampling": first.sampling} if form == "JPEG" else {}
    Image.fromarray(first.pixels).save(tmp_path / "expected", form, quality=95, **more)
    assert (tmp_path / f"copy{suffix}").read_bytes() == (tmp_path / "expected").read_bytes()


def test_a_picture_of_256_colours_becomes_a_png_file(tmp_path, photo):
    Image.fromarray(photo(0)).convert("P").save(tmp_path / "a.gif")
    first, second = again(tmp_path / "a.gif")
    assert (tmp_path / "copy.png").is_file()
    assert np.array_equal(first.pixels, second.pixels)


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
    image = photo_files.to_image(every)
    assert image.shape == (1, 3, *every.shape[:2])
    assert image.max() == 1
    assert np.array_equal(photo_files.to_pixels(image, every), every)


def test_grey_is_the_mean_and_levels_are_clamped():
    image = photo_files.to_image(np.full((2, 2, 3), (0, 30, 90), np.uint8))
    assert photo_files.to_pixels(image, np.zeros((2, 2, 1), np.uint8)).tolist() == [[[40], [40]]] * 2
    assert photo_files.to_pixels(image * 9, np.zeros((2, 2, 3), np.uint8))[0, 0].tolist() == [0, 255, 255]


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_hostile_files_are_read_or_refused_by_name(tmp_path):
    refused = 0
    for name, content in (hostile.bombs() | dict(map(hostile.spoiled, range(200)))).items():
        (tmp_path / name).write_bytes(content)
        try:
            photo_files.read(tmp_path / name)
        except ValueError as error:
            assert str(error).startswith(f"{tmp_path / name}: ")
            refused += 1
    assert 100 < refused < 200


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "of no known format"),
        ("a.heic", b"\0\0\0\x18ftypheic", "not a readable photograph"),
        ("a.png", b"", "an empty file"),
    ],
)
def test_what_the_pipeline_refuses_is_refused_here(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(photos.Unreadable, match=said):
        photo_files.read(tmp_path / name)
