"""Reading every kind of photograph, refusing files that are none, the value range, and the listing."""

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
SMOOTH = np.tile(np.linspace(20, 230, 32).astype(np.uint8)[:, None, None], (1, 24, 3))


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.tif", "a.TIFF", "a.bmp", "a.ppm"])
def test_lossless_rgb_is_read_as_it_was_written(tmp_path, name):
    photos.write(tmp_path / "sub" / name, RGB, **({"lossless": True} if name == "a.webp" else {}))
    image, note, _ = photos.read(tmp_path / "sub" / name)
    assert image.dtype == np.uint8
    assert np.array_equal(image, RGB)
    assert note == ""


@pytest.mark.parametrize("name", ["a.jpg", "a.webp", "a.heic"])
def test_lossy_rgb_is_read_nearly_as_it_was_written(tmp_path, name):
    photos.write(tmp_path / name, SMOOTH, quality=95)
    image, note, _ = photos.read(tmp_path / name)
    assert image.shape == SMOOTH.shape
    assert np.abs(image.astype(int) - SMOOTH).max() <= 8
    assert note == ""


PALETTE = Image.new("P", (2, 1))
PALETTE.putpalette([10, 20, 30, 40, 50, 60])
PALETTE.putdata([0, 1])
DEEP = np.array([[0, 257, 128 * 257], [254 * 257, 65535, 100]], np.uint16)
CONVERTED = {
    "grey": (Image.fromarray(GREY), {}, np.dstack([GREY] * 3), "L read as RGB"),
    "16-bit grey": (Image.fromarray(DEEP), {}, np.dstack([[[0, 1, 128], [254, 255, 0]]] * 3), "16-bit grey"),
    "alpha": (Image.fromarray(np.dstack([RGB, GREY])), {}, RGB, "transparency dropped"),
    "palette": (PALETTE, {}, [[[10, 20, 30], [40, 50, 60]]], "P read as RGB"),
    "palette with alpha": (PALETTE, {"transparency": 1}, [[[10, 20, 30], [40, 50, 60]]], "transparency dropped"),
}


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("kind", CONVERTED)
def test_other_pixels_become_8_bit_rgb_with_a_note(tmp_path, kind, suffix):
    image, options, expected, note = CONVERTED[kind]
    if kind == "palette with alpha" and suffix == "tif":
        return  # TIFF has none
    image.save(tmp_path / f"a.{suffix}", **options)
    found, said, _ = photos.read(tmp_path / f"a.{suffix}")
    assert np.array_equal(found, expected)
    assert said.startswith(note)


def test_16_bit_rgb_and_cmyk_become_8_bit_rgb_with_a_note(tmp_path):
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(RGB.astype(np.uint16) * 257))
    image, note, _ = photos.read(tmp_path / "a.png")
    assert np.array_equal(image, RGB)
    assert note == "16 bits read as 8"
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=95)
    image, note, _ = photos.read(tmp_path / "a.jpg")
    assert np.abs(image.astype(int) - [255, 0, 0]).max() < 12
    assert note == "CMYK read as RGB"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(RGB).save(tmp_path / "a.png", exif=exif)
    image, note, _ = photos.read(tmp_path / "a.png")
    assert np.array_equal(image, np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "a.png"))))
    assert note == ("rotated as its EXIF says" if orientation > 1 else "")


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tif", "a.bmp", "a.heic"])
@pytest.mark.parametrize("share", [0, 0.5])
def test_a_file_cut_short_is_named(tmp_path, name, share):
    path = tmp_path / name
    photos.write(path, np.random.default_rng(1).integers(0, 256, (40, 40, 3), dtype=np.uint8))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(photos.Unreadable, match=name):
        photos.read(path)


def test_a_missing_file_and_text_are_named(tmp_path):
    (tmp_path / "a.jpg").write_text("no photograph")
    for name in ("gone.png", "a.jpg"):
        with pytest.raises(photos.Unreadable, match=name):
            photos.read(tmp_path / name)


def test_all_256_levels_survive_both_ways_channels_first_in_tensors_and_last_in_images():
    levels = np.arange(256, dtype=np.uint8)
    image = np.stack([levels, levels[::-1], np.roll(levels, 7)], axis=-1).reshape(2, 8, 16, 3)
    tensor = photos.to_float(image)
    assert (tensor.shape, tensor.dtype, tensor.min(), tensor.max()) == ((2, 3, 8, 16), torch.float32, 0, 1)
    assert tensor[1, 2, 3, 4].item() == pytest.approx(image[1, 3, 4, 2] / 255)
    back = photos.to_uint8(tensor)
    assert back.flags.c_contiguous
    image_before = image.copy()
    image[:] = 0  # the tensor shares no memory with it
    assert np.array_equal(back, image_before)
    assert np.array_equal(photos.to_uint8(tensor), image_before)


def test_values_are_rounded_and_clamped():
    values = torch.tensor([-3.0, -0.1, 0.4 / 255, 0.6 / 255, 254.6 / 255, 1.1, 9.0])
    assert photos.to_uint8(values.expand(3, 1, 7))[0, :, 0].tolist() == [0, 0, 0, 1, 255, 255, 255]


def test_find_is_sorted_recursive_and_leaves_out_other_files(tmp_path):
    for name in ("b.JPG", "a.png", "z/c.tif", "z/a/d.webp", "notes.txt", ".hidden", "z/.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "z" / "loop").symlink_to(tmp_path)
    assert [path.as_posix() for path in photos.find(tmp_path)] == ["a.png", "b.JPG", "z/a/d.webp", "z/c.tif"]
    for folder, message in (("folder.png", "no photographs"), ("gone", "no such folder")):
        with pytest.raises(ValueError, match=f"{folder}: .*{message}"):
            photos.find(tmp_path / folder)


@pytest.fixture
def listing(tmp_path) -> manifest.Listing:
    photos.write(tmp_path / "sub" / "a.png", RGB)
    frame, image, note = manifest.describe(tmp_path, Path("sub/a.png"))
    assert (np.array_equal(image, RGB), note) == (True, "")
    assert (frame.name, frame.path, frame.height, frame.width) == ("sub/a", "sub/a.png", 9, 7)
    assert frame.mean == pytest.approx([RGB[..., channel].mean() for channel in range(3)], abs=5e-4)
    listing = manifest.Listing("", "", [frame], [frame], [], [], [])
    manifest.save_listing(tmp_path / "frames.json", listing)
    return listing


def test_a_listing_comes_back_and_a_photograph_that_changed_since_is_named(tmp_path, listing):
    assert manifest.load_listing(tmp_path) == listing
    assert np.array_equal(manifest.load_frame(tmp_path, listing.train_sharp[0]), RGB)
    photos.write(tmp_path / "sub" / "a.png", 255 - RGB)
    with pytest.raises(ValueError, match=r"a\.png: changed"):
        manifest.load_frame(tmp_path, listing.train_sharp[0])


def test_pairs_and_real_blurs_may_lie_in_folders_of_their_own(tmp_path, listing):
    repository, raw = tmp_path / "repository", tmp_path / "elsewhere" / "raw"
    assert manifest.roots(listing, raw, repository) == (raw, raw)
    elsewhere = replace(listing, root="a/b", real_root="../c")
    assert manifest.roots(elsewhere, raw, repository) == (repository / "a" / "b", repository / ".." / "c")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"root": "", "real_root": "", "train_sharp": [{"name": 1}]}'])
def test_a_missing_or_damaged_listing_is_named(tmp_path, text):
    with pytest.raises(ValueError, match=r"frames\.json"):
        manifest.load_listing(tmp_path)
    (tmp_path / "frames.json").write_text(text)
    with pytest.raises(ValueError, match=r"frames\.json"):
        manifest.load_listing(tmp_path)
