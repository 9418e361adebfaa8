"""Odd, damaged and very large files: read or refused with a reason."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dbgan.data import manifest, photos
from dbgan.use import photo_files

RGB = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)


def good(kind: str) -> bytes:
    """A small photograph of a format."""
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 48, 3), dtype=np.uint8)).save(file, kind)
    return file.getvalue()


def patched(kind: str, at: int, size: bytes) -> bytes:
    content = bytearray(good(kind))
    content[at : at + len(size)] = size
    return bytes(content)


HUGE = 60_000  # pixels a side, 3,600 megapixels
BOMBS = {  # what declares far more pixels than a photograph has
    "bomb.ppm": b"P6 60000 60000 255\n" + bytes(1000),
    "bomb.jpg": patched("JPEG", good("JPEG").index(b"\xff\xc0") + 5, HUGE.to_bytes(2) * 2),
    "bomb.bmp": patched("BMP", 18, HUGE.to_bytes(4, "little") * 2),
}
DAMAGES = {
    "cut short": lambda content: content[: len(content) // 2],
    "cut in the header": lambda content: content[:20],
    "overwritten": lambda content: content[:30] + bytes(64) + content[94:],
    "noise": lambda content: content[:12] + np.random.default_rng(0).bytes(2000),
}


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "AVIF", "JPEG2000"])
def test_a_damaged_photograph_is_read_or_refused_with_a_reason(tmp_path, kind, damage):
    path = tmp_path / f"a.{'jp2' if kind == 'JPEG2000' else kind.lower()}"
    path.write_bytes(damage(good(kind)))
    for read in (photos.read, photo_files.read):
        try:
            read(path)
            assert damage is not DAMAGES["cut in the header"]
        except photos.Unreadable as error:
            assert "\n" not in error.reason
            assert str(error) == f"{path}: {error.reason}"


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_by_what_it_declares(tmp_path, name):
    (tmp_path / name).write_bytes(BOMBS[name])
    with pytest.raises(photos.Unreadable) as error:
        photos.read(tmp_path / name)
    assert error.value.reason == "over 200 megapixels (60000x60000 are declared)"


@pytest.mark.parametrize(
    ("name", "head", "said"),
    [
        ("a.HEIF", b"", "an empty file"),
        ("a.CR2", b"II*\0", "camera RAW is not read; convert it to JPEG or PNG"),
        ("a.png", b"<!doctype html>", "not a readable photograph (of no known format)"),
    ],
)
def test_what_is_not_read_says_why(tmp_path, name, head, said):
    (tmp_path / name).write_bytes(head)
    assert photos.find(tmp_path) == [Path(name)]
    with pytest.raises(photos.Unreadable) as error:
        photos.read(tmp_path / name)
    assert error.value.reason == said
    assert str(error.value) == f"{tmp_path / name}: {said}"


@pytest.mark.parametrize("name", ["día soleado.png", " .png.png", "写真 1.png", "%s {0}.png", "a\nb.png", b"\xff.png"])
def test_any_name_is_found_read_and_listed(tmp_path, name):
    path = Path(name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else name)
    photos.write(tmp_path / "photos" / path, RGB)
    assert photos.find(tmp_path / "photos") == [path]
    frame, _, _ = manifest.describe(tmp_path / "photos", path)
    listing = manifest.Listing("photos", "", [frame], [frame], [], [], [])
    manifest.save_listing(tmp_path / "frames.json", listing)
    assert manifest.load_listing(tmp_path) == listing
    assert np.array_equal(manifest.load_frame(tmp_path / "photos", frame), RGB)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("exif", [b"Exif\0\0MM\0*\0\0\0\x08\0\x01\xff", b"Exif\0\0nonsense", b"Exif\0\0"])
def test_damaged_exif_costs_no_photograph(tmp_path, exif):
    Image.fromarray(RGB).save(tmp_path / "a.png", exif=exif)
    image, _, _ = photos.read(tmp_path / "a.png")
    assert np.array_equal(image, RGB)


def test_dark_16_bit_grey_stays_dark(tmp_path):
    Image.fromarray(np.array([[0, 255, 129]], np.uint16)).save(tmp_path / "a.png")
    assert photos.read(tmp_path / "a.png")[0][..., 0].tolist() == [[0, 1, 1]]


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0, 70000.0, 0.5])
def test_floats_that_are_no_levels_are_refused(tmp_path, value):
    Image.fromarray(np.full((4, 4), value, np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(photos.Unreadable, match="no 8 or 16 bits"):
        photos.read(tmp_path / "a.tif")
