"""Odd, hostile and very large files: read or refused with a reason, never a crash, in bounded memory."""

import subprocess
import sys
from pathlib import Path

import hostile_photographs as hostile
import numpy as np
import pytest
from PIL import Image

from dbgan.data import manifest, photos
from dbgan.use import photo_files

RGB = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
READ_ALL = """
import sys
from pathlib import Path
from dbgan.data import check, folders, photos
root = Path(sys.argv[1])
found = check.check(folders.Found(root, {}, {}, root, photos.find(root), [], []), 1, 2)
found, set_aside = found.real_blur, found.set_aside
assert all("\\n" not in reason for _, reason in set_aside), set_aside
peak = [line for line in open("/proc/self/status") if line.startswith("VmHWM")][0].split()[1]
print(len(found), len(set_aside), int(peak) // 1000)
"""


def read_apart(folder: Path) -> tuple[int, int, int]:
    """All photographs of a folder checked by a process of its own: how many are good, how many not, and its peak
    memory in MB."""
    command = [sys.executable, "-W", "ignore", "-c", READ_ALL, str(folder)]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    good, bad, peak = map(int, done.stdout.split())
    return good, bad, peak


DAMAGES = {
    "cut short": lambda content: content[: len(content) // 2],
    "cut in the header": lambda content: content[:20],
    "overwritten": lambda content: content[:30] + bytes(64) + content[94:],
    "another format's end": lambda content: content[:200] + hostile.good("PNG")[200:],
    "noise": lambda content: content[:12] + np.random.default_rng(0).bytes(2000),
}


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "AVIF", "JPEG2000"])
def test_a_damaged_photograph_is_read_or_refused_with_a_reason(tmp_path, kind, damage):
    path = tmp_path / f"a.{'jp2' if kind == 'JPEG2000' else kind.lower()}"
    path.write_bytes(damage(hostile.good(kind)))
    for read in (photos.read, photo_files.read):
        try:
            read(path)
        except photos.Unreadable as error:
            assert "\n" not in error.reason
            assert str(error) == f"{path}: {error.reason}"


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_fifty_megapixels_take_little_more_than_themselves(tmp_path):
    photos.write(tmp_path / "large.bmp", np.full((5800, 8700, 3), 90, np.uint8))
    good, _, peak = read_apart(tmp_path)
    assert good == 1
    assert peak < 100 + 9 * 50  # MB: Pillow's 4 bytes a pixel, ours 3


@pytest.mark.parametrize(("name", "content"), hostile.bombs().items())
def test_a_bomb_is_refused_by_what_it_declares(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(photos.Unreadable) as error:
        photos.read(tmp_path / name)
    if name != "bomb.webp":  # not even a bitmap in it
        assert error.value.reason == "over 200 megapixels (60000x60000 are declared)"


def test_the_limit_is_on_the_whole_photograph(tmp_path, monkeypatch):
    monkeypatch.setattr(photos, "MAX_MEGAPIXELS", 0.01)
    photos.write(tmp_path / "a.png", np.zeros((100, 100, 3), np.uint8))
    photos.write(tmp_path / "b.png", np.zeros((100, 101, 3), np.uint8))
    assert photos.read(tmp_path / "a.png")[0].shape == (100, 100, 3)
    with pytest.raises(photos.Unreadable, match=r"b\.png: over 0\.01 megapixels"):
        photos.read(tmp_path / "b.png")


@pytest.mark.parametrize(
    ("name", "head", "said"),
    [
        ("a.HEIF", b"", "an empty file"),
        ("a.CR2", b"II*\0", "camera RAW is not read; convert it to JPEG or PNG"),
        ("a.png", b"", "an empty file"),
        ("a.png", b"<!doctype html>", "not a readable photograph (of no known format)"),
        ("a.png", b"%!PS-Adobe-3.0 EPSF-3.0", "not a readable photograph (of no known format)"),
    ],
)
def test_what_is_not_read_says_why(tmp_path, name, head, said):
    (tmp_path / name).write_bytes(head)
    assert photos.find(tmp_path) == [Path(name)]
    with pytest.raises(photos.Unreadable) as error:
        photos.read(tmp_path / name)
    assert error.value.reason == said
    assert str(error.value) == f"{tmp_path / name}: {said}"


def test_a_file_that_may_not_be_read_says_so_once(tmp_path):
    (tmp_path / "a.png").mkdir()
    with pytest.raises(photos.Unreadable) as error:
        photos.read(tmp_path / "a.png")
    assert error.value.reason == "not a readable photograph (Is a directory)"


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


@pytest.mark.parametrize("name", ["a.tif", "a.jpg", "a.webp"])
def test_exif_rotation_is_applied_to_every_format(tmp_path, name):
    exif = Image.Exif()
    exif[0x0112] = 6
    smooth = np.repeat(np.linspace(0, 255, 32).astype(np.uint8)[:, None, None], 16, 1).repeat(3, 2)
    Image.fromarray(smooth).save(tmp_path / name, exif=exif)
    image, note, _ = photos.read(tmp_path / name)
    assert image.shape == (16, 32, 3)
    assert np.abs(image.astype(int) - np.rot90(smooth, -1)).max() < 10
    assert note == "rotated as its EXIF says"


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


@pytest.mark.parametrize(("mode", "note"), [("1", "1 read as RGB"), ("LA", "transparency dropped"), ("YCbCr", None)])
def test_rarer_modes(tmp_path, mode, note):
    grey = Image.fromarray(np.array([[0, 255], [255, 0]], np.uint8)).convert(mode)
    name = "a.tif" if mode == "YCbCr" else "a.png"
    grey.save(tmp_path / name)
    image, said, _ = photos.read(tmp_path / name)
    assert image[..., 0].tolist() == image[..., 2].tolist() == [[0, 255], [255, 0]]
    assert said == note or mode == "YCbCr"


def test_a_moving_picture_is_its_first_frame(tmp_path):
    first, second = Image.fromarray(RGB), Image.fromarray(255 - RGB)
    first.save(tmp_path / "a.webp", save_all=True, append_images=[second], lossless=True)
    assert np.array_equal(photos.read(tmp_path / "a.webp")[0], RGB)


@pytest.mark.parametrize("shape", [(1, 1, 3), (7, 5, 3), (64, 80, 3)])
def test_a_plain_png_is_what_pillow_reads(tmp_path, shape):
    levels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    Image.fromarray(levels).save(tmp_path / "a.png")
    image, note, _ = photos.read(tmp_path / "a.png")
    assert np.array_equal(image, levels)
    assert image.dtype == np.uint8
    assert note == ""


def test_a_plain_png_that_is_cut_short_is_told_so(tmp_path):
    levels = np.random.default_rng(0).integers(0, 256, (64, 80, 3), np.uint8)
    Image.fromarray(levels).save(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:5000])
    with pytest.raises(photos.Unreadable, match="truncated"):
        photos.read(tmp_path / "a.png")
