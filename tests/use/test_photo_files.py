"""Photographs with all that belongs to them: nothing is lost between reading and writing."""

import imagecodecs
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


@pytest.mark.parametrize(
    ("name", "reason"),
    [("a", "no photographs are written as files without a suffix"), ("a.jpg", "JPEG files do not hold its 16 bits")],
)
def test_what_cannot_be_written_is_refused_at_once(tmp_path, name, reason):
    write_deep(tmp_path / "a.png", deep(3))
    with pytest.raises(ValueError, match=f"{name}: {reason}"):
        photo_files.read((tmp_path / "a.png").rename(tmp_path / name))


@pytest.mark.parametrize("suffix", [".tif", ".png", ".jpg"])
def test_where_there_are_no_camera_data_none_are_written(tmp_path, photo, suffix):
    Image.fromarray(photo(0, 5, 7)).save(tmp_path / f"a{suffix}", dpi=(300, 300))
    again(tmp_path / f"a{suffix}")
    with Image.open(tmp_path / f"copy{suffix}") as image:
        assert EXIF not in image.getexif()


@pytest.mark.parametrize(
    ("suffix", "form", "depth"),
    [(".tif", "TIFF", 8), (".tif", "TIFF", 16), (".png", "PNG", 8), (".png", "PNG", 16), (".jpg", "JPEG", 8)],
)
def test_other_programs_read_what_is_written(tmp_path, photo, suffix, form, depth):
    """Also a directory within the camera data."""
    exif = camera()
    exif.get_ifd(EXIF)[INTEROP] = {INTEROP_INDEX: "R98"}
    pixels = deep(3) if depth == 16 else photo(0, 5, 7)
    plain = photo_files.Photo(pixels, pixels[..., :0], ICC, exif.tobytes(), 0, False, form, "")
    photo_files.write(tmp_path / f"a{suffix}", plain, pixels)
    again(tmp_path / f"a{suffix}")
    for path in (tmp_path / f"a{suffix}", tmp_path / f"copy{suffix}"):
        with Image.open(path) as image:
            assert image.info["icc_profile"] == ICC
            assert image.getexif()[MAKE] == "Maker"
            assert image.getexif().get_ifd(INTEROP)[INTEROP_INDEX] == "R98"
            assert image.getexif().get_ifd(EXIF)[EXPOSURE] == 0.25
        if form != "JPEG":
            read = tifffile.imread(path) if form == "TIFF" else imagecodecs.png_decode(path.read_bytes())
            assert np.array_equal(read, pixels)


def test_layers_of_the_blurred_photograph_are_left_out(tmp_path, photo):
    tags = [(tag, 7, 4, b"8BIM", True) for tag in (34377, 37724)]
    tifffile.imwrite(tmp_path / "a.tif", photo(0), photometric="rgb", extratags=tags)
    again(tmp_path / "a.tif")
    with tifffile.TiffFile(tmp_path / "copy.tif") as file:
        assert not {34377, 37724} & {tag.code for tag in file.pages[0].tags}


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_camera_data_and_profile_are_kept_and_the_picture_is_upright(tmp_path, photo, suffix):
    path = tmp_path / f"a{suffix}"
    image = Image.fromarray(photo(0, 5, 7))
    exif = camera(6)
    exif.get_ifd(THUMBNAIL).update({0x0201: 100, 0x0202: 10})
    image.save(path, exif=exif.tobytes(), icc_profile=ICC)
    for found in again(path):
        assert found.pixels.shape == (7, 5, 3)
        assert found.icc == ICC
        assert fields(found.exif) == ("Maker", 1, 0.25)
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


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp", ".ppm", ".jp2", ".gif"])
def test_lossless_formats_lose_nothing(tmp_path, photo, suffix):
    """A picture of 256 colours becomes a PNG file."""
    image = Image.fromarray(photo(0)).quantize() if suffix == ".gif" else Image.fromarray(photo(0))
    image.save(tmp_path / f"a{suffix}")
    for found in again(tmp_path / f"a{suffix}"):
        assert np.array_equal(found.pixels, image.convert("RGB"))
    assert (tmp_path / "copy.png").is_file() == (suffix in (".png", ".gif"))


@pytest.mark.parametrize(
    ("suffix", "form"), [(".webp", "WEBP"), (".avif", "AVIF"), (".heic", "HEIF"), (".mpo", "JPEG"), (".jfif", "JPEG")]
)
def test_formats_that_lose_something_lose_little(tmp_path, photo, suffix, form):
    more = {"subsampling": 1} if form == "JPEG" else {}  # kept
    Image.fromarray(photo(0)).save(tmp_path / f"a{suffix}", form, **more)
    first, _ = again(tmp_path / f"a{suffix}")
    Image.fromarray(first.pixels).save(tmp_path / "expected", form, quality=95, **more)
    assert (tmp_path / f"copy{suffix}").read_bytes() == (tmp_path / "expected").read_bytes()


def test_of_several_pictures_the_first_is_taken_and_said(tmp_path, photo):
    first, second = (Image.fromarray(photo(n)) for n in (0, 1))
    first.save(tmp_path / "a.tif", save_all=True, append_images=[second])
    found = photo_files.read(tmp_path / "a.tif")
    assert np.array_equal(found.pixels, photo(0))
    assert found.note == "the first of 2 pictures"


DEEP = {".png": (1, 2, 3, 4), ".tif": (1, 3, 4), ".jp2": (1, 3, 4), ".ppm": (3,)}  # channels


@pytest.mark.parametrize(("suffix", "channels"), [(suffix, n) for suffix, kinds in DEEP.items() for n in kinds])
def test_16_bits_are_kept_to_the_last(tmp_path, suffix, channels):
    pixels = deep(channels)
    write_deep(tmp_path / f"a{suffix}", pixels)
    for photo in again(tmp_path / f"a{suffix}"):
        colours = 3 if channels > 2 else 1
        assert np.array_equal(photo.pixels, pixels[..., :colours])
        assert photo.pixels.dtype == np.uint16
        assert np.array_equal(photo.alpha, pixels[..., colours:])


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
    assert photo.alpha.shape[2] == (kind != "unspecified")
    assert np.all(photo.alpha == 32768)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jp2"])
def test_a_photograph_of_16_bits_that_is_cut_short_is_refused(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    write_deep(path, deep(3))
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(ValueError, match=f"a{suffix}: not a readable photograph"):
        photo_files.read(path)
