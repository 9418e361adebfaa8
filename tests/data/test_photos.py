"""Reading every kind of photograph, refusing what is none, and the value range."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from dbgan.data import manifest, photos

RGB = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
GREY = RGB[..., 0]
LOSSLESS = [("a.png", {}), ("a.webp", {"lossless": True}), ("a.tif", {}), ("a.TIFF", {}), ("a.bmp", {}), ("a.ppm", {})]


@pytest.mark.parametrize(("name", "options"), LOSSLESS)
def test_lossless_rgb_is_read_as_it_was_written(tmp_path, name, options):
    photos.write(tmp_path / "sub" / name, RGB, **options)
    image, note, _ = photos.read(tmp_path / "sub" / name)
    assert image.dtype == np.uint8
    assert np.array_equal(image, RGB)
    assert note == ""


@pytest.mark.parametrize(("name", "options"), [("a.jpg", {"quality": 95}), ("a.webp", {"quality": 95}), ("a.heic", {"quality": 95})])
def test_lossy_rgb_is_read_nearly_as_it_was_written(tmp_path, name, options):
    smooth = np.tile(np.linspace(20, 230, 32).astype(np.uint8)[:, None, None], (1, 24, 3))
    photos.write(tmp_path / name, smooth, **options)
    image, note, _ = photos.read(tmp_path / name)
    assert image.shape == smooth.shape
    assert np.abs(image.astype(int) - smooth).max() <= 8
    assert note == ""


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.pgm"])
def test_grey_is_repeated_over_the_channels(tmp_path, name):
    Image.fromarray(GREY).save(tmp_path / name)
    image, note, _ = photos.read(tmp_path / name)
    assert np.array_equal(image, np.dstack([GREY] * 3))
    assert "L read as RGB" in note


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_16_bit_grey_becomes_8_bit(tmp_path, name):
    levels = np.array([[0, 257, 128 * 257], [254 * 257, 65535, 100]], np.uint16)
    Image.fromarray(levels).save(tmp_path / name)
    image, note, _ = photos.read(tmp_path / name)
    assert image[..., 0].tolist() == [[0, 1, 128], [254, 255, 0]]
    assert np.array_equal(image[..., 0], image[..., 2])
    assert "16" in note


def test_16_bit_rgb_becomes_8_bit_and_says_so(tmp_path):
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(RGB.astype(np.uint16) * 257))
    image, note, _ = photos.read(tmp_path / "a.png")
    assert np.array_equal(image, RGB)
    assert "16 bits read as 8" in note


def test_transparency_is_dropped(tmp_path):
    Image.fromarray(np.dstack([RGB, GREY])).save(tmp_path / "a.png")
    image, note, _ = photos.read(tmp_path / "a.png")
    assert np.array_equal(image, RGB)
    assert note == "transparency dropped"


@pytest.mark.parametrize(
    ("transparency", "said"), [({"transparency": 1}, "transparency dropped"), ({}, "P read as RGB")]
)
def test_a_palette_is_read_as_its_colours(tmp_path, transparency, said):
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putdata([0, 1])
    palette.save(tmp_path / "a.png", **transparency)
    image, note, _ = photos.read(tmp_path / "a.png")
    assert image.tolist() == [[[10, 20, 30], [40, 50, 60]]]
    assert note == said


def test_a_cmyk_jpeg_is_read_as_rgb(tmp_path):
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=95)
    image, note, _ = photos.read(tmp_path / "a.jpg")
    assert image.shape == (16, 16, 3)
    assert np.abs(image.astype(int) - [255, 0, 0]).max() < 12
    assert note == "CMYK read as RGB"


@pytest.mark.parametrize("orientation", range(2, 9))
def test_exif_rotation_is_applied(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(RGB).save(tmp_path / "a.png", exif=exif)
    image, note, _ = photos.read(tmp_path / "a.png")
    assert np.array_equal(image, np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "a.png"))))
    assert note == "rotated as its EXIF says"


def test_exif_that_rotates_nothing_says_nothing(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 1
    Image.fromarray(RGB).save(tmp_path / "a.png", exif=exif)
    image, note, _ = photos.read(tmp_path / "a.png")
    assert np.array_equal(image, RGB)
    assert note == ""


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tif", "a.bmp"])
@pytest.mark.parametrize("share", [0, 0.5])
def test_a_file_cut_short_is_named(tmp_path, name, share):
    path = tmp_path / name
    photos.write(path, np.random.default_rng(1).integers(0, 256, (40, 40, 3), dtype=np.uint8))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ValueError) as error:
        photos.read(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.gif"])
def test_text_with_the_name_of_a_photograph_is_named(tmp_path, name):
    (tmp_path / name).write_text("no photograph")
    with pytest.raises(ValueError, match=name):
        photos.read(tmp_path / name)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"gone\.png"):
        photos.read(tmp_path / "gone.png")


def test_all_256_levels_survive_both_ways():
    levels = np.arange(256, dtype=np.uint8)
    image = np.stack([levels, levels[::-1], np.roll(levels, 7)], axis=-1).reshape(16, 16, 3)
    tensor = photos.to_float(image)
    assert (tensor.min(), tensor.max()) == (0, 1)
    assert np.array_equal(photos.to_uint8(tensor), image)


def test_values_are_rounded_and_clamped():
    values = torch.tensor([-3.0, -0.1, 0.4 / 255, 0.6 / 255, 254.6 / 255, 1.1, 9.0])
    assert photos.to_uint8(values.expand(3, 1, 7))[0, :, 0].tolist() == [0, 0, 0, 1, 255, 255, 255]


def test_channels_go_first_in_tensors_and_last_in_images():
    image = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)
    tensor = photos.to_float(image)
    assert tensor.shape == (2, 3, 4, 5)
    assert tensor.dtype == torch.float32
    assert tensor[1, 2, 3, 4].item() == pytest.approx(image[1, 3, 4, 2] / 255)
    back = photos.to_uint8(tensor)
    assert back.flags.c_contiguous
    assert np.array_equal(back, image)


def test_a_tensor_never_shares_memory_with_its_image():
    image = RGB.copy()
    tensor = photos.to_float(image)
    image[:] = 0
    assert np.array_equal(photos.to_uint8(tensor), RGB)


def test_reading_photographs_needs_no_torch():
    """It would take most of the memory of each process that only decodes."""
    code = "import sys, dbgan.data.photos; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode == 0


def test_find_is_sorted_recursive_and_leaves_out_other_files(tmp_path):
    for name in ("b.JPG", "a.png", "z/c.tif", "z/a/d.webp", "notes.txt", ".hidden", "z/.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    assert [path.as_posix() for path in photos.find(tmp_path)] == ["a.png", "b.JPG", "z/a/d.webp", "z/c.tif"]


def test_find_refuses_a_folder_without_photographs(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ValueError, match="no photographs") as error:
        photos.find(tmp_path)
    assert str(tmp_path) in str(error.value)
    with pytest.raises(ValueError, match="no such folder"):
        photos.find(tmp_path / "gone")


@pytest.fixture
def listed(tmp_path) -> manifest.Listing:
    photos.write(tmp_path / "sub" / "a.png", RGB)
    frame, image, note = manifest.describe(tmp_path, (tmp_path / "sub" / "a.png").relative_to(tmp_path))
    assert note == ""
    assert np.array_equal(image, RGB)
    assert (frame.name, frame.path, frame.height, frame.width) == ("sub/a", "sub/a.png", 9, 7)
    assert frame.mean == pytest.approx([RGB[..., channel].mean() for channel in range(3)], abs=5e-4)
    listing = manifest.Listing("", "", [frame], [frame], [], [], [])
    manifest.save_listing(tmp_path / "frames.json", listing)
    return listing


def test_a_listing_comes_back(tmp_path, listed):
    assert manifest.load_listing(tmp_path) == listed
    assert np.array_equal(manifest.load_frame(tmp_path, listed.train_sharp[0]), RGB)


def test_pairs_and_real_blurs_may_lie_in_folders_of_their_own(tmp_path, listed):
    where = [replace(listed, root=root, real_root=real) for root, real in (("", ""), ("a/b", ""), ("", "../c"))]
    repository, raw = tmp_path / "repository", tmp_path / "elsewhere" / "raw"
    assert [manifest.roots(listing, raw, repository) for listing in where] == [
        (raw, raw),
        (repository / "a" / "b", raw),
        (raw, repository / ".." / "c"),
    ]


def test_a_photograph_that_changed_since_it_was_listed_is_named(tmp_path, listed):
    photos.write(tmp_path / "sub" / "a.png", 255 - RGB)
    with pytest.raises(ValueError, match=r"a\.png: changed"):
        manifest.load_frame(tmp_path, listed.train_sharp[0])


@pytest.mark.parametrize(
    "text", [None, "", "{", "[]", "{}", '{"root": "", "train_sharp": [{"name": 1}]}', '{"root": "", "odd": []}']
)
def test_a_damaged_listing_is_named(tmp_path, text):
    if text is not None:
        (tmp_path / "frames.json").write_text(text)
    with pytest.raises(ValueError, match=r"frames\.json"):
        manifest.load_listing(tmp_path)
