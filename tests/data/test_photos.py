"""Photographs of every kind are read; others are refused with a reason; the value range; the listing."""

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from dbgan.data import manifest, photos
from dbgan.use import photo_files

RGB = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
GREY = RGB[..., 0]
SMOOTH = np.tile(np.linspace(20, 230, 32).astype(np.uint8)[:, None, None], (1, 24, 3))


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.tif", "a.TIFF", "a.bmp", "a.ppm"])
def test_lossless_rgb_is_read_as_it_was_written(tmp_path, name):
    photos.write(tmp_path / "sub" / name, RGB, **({"lossless": True} if name == "a.webp" else {}))
    image, note, _ = photos.read(tmp_path / "sub" / name)
    assert (image.dtype, note) == (np.uint8, "")
    assert np.array_equal(image, RGB)


@pytest.mark.parametrize("name", ["a.jpg", "a.webp", "a.heic", "a.avif", "a.jp2"])
def test_lossy_rgb_is_read_nearly_as_it_was_written(tmp_path, name):
    photos.write(tmp_path / name, SMOOTH, quality=95)
    image, note, _ = photos.read(tmp_path / name)
    assert np.abs(image.astype(int) - SMOOTH).max() <= 8
    assert note == ""


PALETTE = Image.new("P", (2, 1))
PALETTE.putpalette([10, 20, 30, 40, 50, 60])
PALETTE.putdata([0, 1])
DEEP = np.array([[0, 257, 128 * 257], [254 * 257, 65535, 129]], np.uint16)
MOVING = {"save_all": True, "append_images": [Image.fromarray(255 - RGB)]}
CONVERTED = [  # image, options, file, what is read, note
    (Image.fromarray(GREY), {}, "a.tif", np.dstack([GREY] * 3), "L read as RGB"),
    (
        Image.fromarray(DEEP),
        {},
        "a.png",
        np.dstack([[[0, 1, 128], [254, 255, 1]]] * 3),
        "16-bit grey read as 8-bit RGB",
    ),
    (Image.fromarray(np.dstack([RGB, GREY])), {}, "a.png", RGB, "transparency dropped"),
    (PALETTE, {}, "a.png", [[[10, 20, 30], [40, 50, 60]]], "P read as RGB"),
    (PALETTE, {"transparency": 1}, "a.png", [[[10, 20, 30], [40, 50, 60]]], "transparency dropped"),
    (Image.new("1", (1, 2), 1), {}, "a.png", np.full((2, 1, 3), 255), "1 read as RGB"),
    (Image.new("CMYK", (1, 1), (0, 255, 255, 0)), {}, "a.tif", [[[255, 0, 0]]], "CMYK read as RGB"),
    (Image.fromarray(RGB), MOVING, "a.tif", RGB, "the first of 2 pictures"),
]


@pytest.mark.parametrize(("image", "options", "name", "expected", "note"), CONVERTED)
def test_other_pixels_become_8_bit_rgb_with_a_note(tmp_path, image, options, name, expected, note):
    image.save(tmp_path / name, **options)
    pixels, converted, _ = photos.read(tmp_path / name)
    assert np.array_equal(pixels, expected)
    assert converted == note


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(tmp_path, name, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(RGB).save(tmp_path / name, exif=exif)
    image, note, _ = photos.read(tmp_path / name)
    assert np.array_equal(image, np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / name))))
    assert note == ("rotated as its EXIF says" if orientation > 1 else "")


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("exif", [b"Exif\0\0MM\0*\0\0\0\x08\0\x01\xff", b"Exif\0\0nonsense", b"Exif\0\0"])
def test_damaged_exif_costs_no_photograph(tmp_path, exif):
    Image.fromarray(RGB).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(photos.read(tmp_path / "a.png")[0], RGB)


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0, 70000.0])
def test_floats_that_are_no_levels_are_refused(tmp_path, value):
    Image.fromarray(np.full((4, 4), value, np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(photos.Unreadable, match="no 8 or 16 bits"):
        photos.read(tmp_path / "a.tif")


def encoded(kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 48, 3), dtype=np.uint8)).save(file, kind)
    return file.getvalue()


DAMAGES = {
    "cut short": lambda content: content[: len(content) // 2],
    "cut in the header": lambda content: content[:20],
    "overwritten": lambda content: content[:30] + bytes(64) + content[94:],
    "noise": lambda content: content[:12] + np.random.default_rng(0).bytes(2000),
}


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "AVIF", "JPEG2000", "HEIF"])
def test_a_damaged_photograph_is_read_or_refused_with_a_reason(tmp_path, kind, damage):
    path = tmp_path / f"a.{'jp2' if kind == 'JPEG2000' else kind.lower()}"
    path.write_bytes(damage(encoded(kind)))
    for read in (photos.read, photo_files.read):
        try:
            read(path)
        except ValueError as error:
            assert str(error).startswith(f"{path}: ")
            assert "\n" not in str(error)


HUGE = struct.pack(">II", 60_000, 60_000)  # width and height that a header declares
HEADER = b"IHDR" + HUGE + b"\x08\x02\0\0\0"
BOMBS = {
    "a.png": b"\x89PNG\r\n\x1a\n\0\0\0\x0d" + HEADER + struct.pack(">I", zlib.crc32(HEADER)) + b"\0\0\0\0IDAT",
    "a.bmp": encoded("BMP")[:18] + struct.pack("<ii", 60_000, 60_000) + encoded("BMP")[26:],
    "a.gif": encoded("GIF")[:6] + struct.pack("<HH", 60_000, 60_000) + encoded("GIF")[10:],
    "a.ppm": b"P6 60000 60000 255\n" + bytes(1000),
}
REFUSED = {
    **{name: (content, "over 200 megapixels (60000x60000 are declared)") for name, content in BOMBS.items()},
    "b.HEIF": (b"", "an empty file"),
    "b.CR2": (b"II*\0", "camera RAW is not read; convert it to JPEG or PNG"),
    "b.png": (b"<!doctype html>", "not a readable photograph (of no known format)"),
    "c.png": (b"%!PS-Adobe-3.0 EPSF-3.0", "not a readable photograph (of no known format)"),
    "gone.png": (None, "not a readable photograph (No such file or directory)"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_read_says_why_before_it_is_decoded(tmp_path, name):
    content, reason = REFUSED[name]
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(photos.Unreadable) as error:
        photos.read(tmp_path / name)
    assert error.value.reason == reason


def test_too_little_memory_is_no_fault_of_the_file(tmp_path, monkeypatch):
    photos.write(tmp_path / "a.png", RGB)

    def full(*_):
        raise MemoryError

    monkeypatch.setattr(photos, "_decode", full)
    with pytest.raises(MemoryError):
        photos.read(tmp_path / "a.png")


def test_all_256_levels_survive_both_ways_channels_first_in_tensors_and_last_in_images():
    levels = np.arange(256, dtype=np.uint8)
    image = np.stack([levels, levels[::-1], np.roll(levels, 7)], axis=-1).reshape(2, 8, 16, 3)
    tensor = photos.to_float(image)
    assert (tensor.shape, tensor.dtype, tensor.min(), tensor.max()) == ((2, 3, 8, 16), torch.float32, 0, 1)
    assert tensor[1, 2, 3, 4].item() == pytest.approx(image[1, 3, 4, 2] / 255)
    assert np.array_equal(photos.to_uint8(tensor), image)
    values = torch.tensor([-3.0, -0.1, 0.4 / 255, 0.6 / 255, 254.6 / 255, 1.1, 9.0])
    assert photos.to_uint8(values.expand(3, 1, 7))[0, :, 0].tolist() == [0, 0, 0, 1, 255, 255, 255]


def test_find_is_sorted_follows_links_and_leaves_out_other_files(tmp_path):
    for name in ("a/b.JPG", "a/a.png", "a/z/c.tif", "b/z/d.webp", "a/notes.txt", "a/.hidden", "a/z/.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "a" / "folder.png").mkdir()
    (tmp_path / "a" / "link").symlink_to(tmp_path / "b")
    (tmp_path / "a" / "z" / "loop").symlink_to(tmp_path / "a")
    names = [path.as_posix() for path in photos.find(tmp_path / "a")]
    assert names == ["a.png", "b.JPG", "link/z/d.webp", "z/c.tif"]
    for folder, message in (("a/folder.png", "no photographs"), ("gone", "no such folder")):
        with pytest.raises(ValueError, match=f"{folder}: .*{message}"):
            photos.find(tmp_path / folder)


def test_find_says_what_it_leaves_out(tmp_path, monkeypatch, capsys):
    for name in ("a.jpg", "b.mpo", "c.j2k", "d.hif", "photo.jxl", "x/PHOTO.JXL", "layers.psd", "shut/e.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere")
    scandir = os.scandir

    def without_permission(path):  # as root has every permission
        if str(path).endswith("shut"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", without_permission)
    assert [path.name for path in photos.find(tmp_path)] == ["a.jpg", "b.mpo", "c.j2k", "d.hif"]
    kinds, closed = capsys.readouterr().err.splitlines()
    assert kinds.endswith("are left out: 2 .jxl, 1 .psd; convert them to PNG or JPEG")
    assert closed.endswith(f"2 folders or links cannot be read and are left out, such as {tmp_path / 'gone.png'}")


@pytest.mark.parametrize("name", ["día soleado.png", " .png.png", "写真 1.png", "%s {0}.png", "a\nb.png", "\udcff.png"])
def test_a_photograph_of_any_name_is_listed_and_its_change_is_noticed(tmp_path, name):
    photos.write(tmp_path / "photos" / name, RGB)
    assert photos.find(tmp_path / "photos") == [Path(name)]
    frame, _, _ = manifest.describe(tmp_path / "photos", Path(name))
    assert (frame.path, frame.height, frame.width) == (name, 9, 7)
    assert frame.mean == pytest.approx(RGB.mean((0, 1)), abs=5e-4)
    frames = {key: [frame] for key in ("train_blurred", "train_sharp", "test_blurred", "test_sharp", "real_blur")}
    (tmp_path / "raw").mkdir()
    raw = tmp_path / "raw"
    listing = manifest.save_listing(raw, tmp_path / "photos", raw, frames)
    assert manifest.load_listing(raw) == listing
    assert (listing.root, listing.real_root) == ("photos", "")
    assert manifest.roots(listing, Path("moved")) == (tmp_path / "photos", Path("moved"))
    assert np.array_equal(manifest.load_frame(tmp_path / "photos", frame), RGB)
    photos.write(tmp_path / "photos" / name, 255 - RGB)
    with pytest.raises(ValueError, match=r"\.png: changed"):
        manifest.load_frame(tmp_path / "photos", frame)


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"root": "", "real_root": "", "train_sharp": [{"name": 1}]}'])
def test_a_missing_or_damaged_listing_is_named(tmp_path, text):
    if text is not None:
        (tmp_path / "frames.json").write_text(text)
    with pytest.raises(ValueError, match=r"frames\.json"):
        manifest.load_listing(tmp_path)
