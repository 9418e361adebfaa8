"""What cameras and other programs write; and of all formats: what is written unchanged is the same photograph."""

import io
import json
import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pillow_heif
import pytest
import tifffile
from PIL import Image, ImageCms, ImageOps
from PIL.PngImagePlugin import PngInfo, putchunk

from dbgan.data import photos
from dbgan.use import photo_files

CASES = Path(__file__).parents[1] / "fixtures" / "photographs"
P3 = imagecodecs.cms_profile(
    "rgb", whitepoint=(0.3127, 0.329, 1), primaries=(0.68, 0.32, 1, 0.265, 0.69, 1, 0.15, 0.06, 1), gamma=2.2
)


def case(tmp_path, name):
    return Path(shutil.copy(CASES / name, tmp_path))


def again(path, form=None):
    """Read a file and write its pixels unchanged, under its name in a folder."""
    target = path.parent / "copies" / photo_files.written_as(Path(path.name), form)
    target.parent.mkdir(exist_ok=True)
    photo = photo_files.read(path, target)
    photo_files.write(target, photo, photo.pixels)
    return photo, target


def with_chunks(path, pixels, *chunks):
    encoded = imagecodecs.png_encode(pixels)
    with path.open("wb") as file:
        file.write(encoded[:33])
        for name, content in chunks:
            putchunk(file, name, content)
        file.write(encoded[33:])
    return path


# Colours told by numbers.


def test_hdr_is_kept_in_png_and_else_refused_by_name(tmp_path, photo):
    for number, name in ((16, "PQ"), (18, "HLG")):
        path = with_chunks(tmp_path / "a.png", photo(0), (b"cICP", bytes([9, number, 0, 1])))
        _, copy = again(path)
        assert struct.pack(">I4s4B", 4, b"cICP", 9, number, 0, 1) in copy.read_bytes()
        with pytest.raises(photos.Unreadable, match=rf"a\.png: HDR colours by {name} are not read"):
            photos.read(path)
    avif = case(tmp_path, "avif_hdr_bt2020_pq_10bit.avif")
    for read in (photos.read, photo_files.read):
        with pytest.raises(ValueError, match=r"10bit\.avif: HDR colours by PQ"):
            read(avif)
    _, copy = again(avif, "png")
    assert struct.pack(">I4s4B", 4, b"cICP", 9, 16, 0, 1) in copy.read_bytes()
    levels = imagecodecs.avif_decode(avif.read_bytes())
    assert np.array_equal(imagecodecs.png_decode(copy.read_bytes()), np.rint(levels * (65535 / 1023)))


LINEAR = (b"gAMA", struct.pack(">I", 100_000))
WIDE = (b"cHRM", struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000))
NUMBERS = [  # chunks, a colour, what it is in sRGB
    ([LINEAR], (55, 55, 55), (128, 128, 128)),
    ([WIDE, (b"gAMA", struct.pack(">I", 45455))], (200, 100, 50), (215, 93, 31)),
    ([(b"cICP", bytes([12, 13, 0, 1]))], (200, 100, 50), (215, 93, 31)),
    ([(b"gAMA", struct.pack(">I", 45455))], (200, 100, 50), (200, 100, 50)),  # how most files say sRGB
    ([(b"sRGB", b"\0")], (200, 100, 50), (200, 100, 50)),
]


@pytest.mark.parametrize(("chunks", "colour", "expected"), NUMBERS)
def test_colours_by_number_are_copied_as_they_are_and_converted_for_training(tmp_path, chunks, colour, expected):
    path = with_chunks(tmp_path / "a.png", np.full((4, 5, 3), colour, np.uint8), *chunks)
    image, note, _ = photos.read(path)
    assert np.abs(image[0, 0].astype(int) - expected).max() <= 2
    assert note == ("" if colour == expected else "colours converted to sRGB")
    first, copy = again(path)
    assert np.array_equal(first.pixels[0, 0], colour)
    assert all(struct.pack(">I", len(content)) + name + content in copy.read_bytes() for name, content in chunks)


def test_in_other_formats_a_profile_says_what_the_numbers_said(tmp_path):
    pixels = np.full((64, 64, 3), (200, 100, 50), np.uint8)
    (tmp_path / "a.avif").write_bytes(imagecodecs.avif_encode(pixels, 100, primaries=12, transfer=13, matrix=0))
    expected = photos.read(tmp_path / "a.avif")[0]
    assert np.abs(expected[0, 0].astype(int) - (215, 93, 31)).max() <= 2
    _, copy = again(tmp_path / "a.avif", "jpeg")
    assert copy.suffix == ".jpg"
    assert np.abs(photos.read(copy)[0].astype(int) - expected).max() <= 3


def test_a_profile_is_kept_and_converted_for_training(tmp_path):
    Image.new("RGB", (5, 4), (200, 100, 50)).save(tmp_path / "a.tif", icc_profile=P3)
    assert again(tmp_path / "a.tif")[0].icc == P3
    image, note, _ = photos.read(tmp_path / "a.tif")
    assert np.abs(image[0, 0].astype(int) - (216, 93, 24)).max() <= 2
    assert note == "colours converted to sRGB"


def test_a_profile_is_judged_by_its_colours_and_not_by_its_name(tmp_path):
    numbers = {"whitepoint": (0.3127, 0.329, 1), "primaries": (0.64, 0.33, 1, 0.3, 0.6, 1, 0.15, 0.06, 1)}
    linear = imagecodecs.cms_profile("rgb", **numbers, transferfunction=np.linspace(0, 1, 256, dtype=np.float32))
    name, false_name = (text.encode("utf-16-be") for text in ("RGB built-in", "sRGB, linear"))
    assert name in linear
    for profile, expected in ((linear.replace(name, false_name), 128), (imagecodecs.cms_profile("srgb"), 55)):
        Image.new("RGB", (5, 4), (55, 55, 55)).save(tmp_path / "a.png", icc_profile=profile)
        image, note, _ = photos.read(tmp_path / "a.png")
        assert np.abs(image.astype(int) - expected).max() <= 1
        assert note == ("" if expected == 55 else "colours converted to sRGB")


def test_a_profile_in_jpeg_2000_counts_too(tmp_path):
    content = imagecodecs.jpeg2k_encode(np.full((64, 64, 3), (200, 100, 50), np.uint8), level=0, codecformat="jp2")
    at, outer = content.index(b"colr") - 4, content.index(b"jp2h") - 4
    size = int.from_bytes(content[at : at + 4])
    box = struct.pack(">I4s3B", 11 + len(P3), b"colr", 2, 0, 0) + P3
    longer = int.from_bytes(content[outer : outer + 4]) + len(box) - size
    content = content[:outer] + struct.pack(">I", longer) + content[outer + 4 : at] + box + content[at + size :]
    (tmp_path / "a.jp2").write_bytes(content)
    image, note, _ = photos.read(tmp_path / "a.jp2")
    assert np.abs(image[0, 0].astype(int) - (216, 93, 24)).max() <= 2
    assert note == "colours converted to sRGB"
    assert again(tmp_path / "a.jp2", "png")[0].icc == P3
    assert again(tmp_path / "a.jp2")[0].note == "not kept in JPEG2000: colour profile; --format png or tiff keeps them"


# One decoder.

RAMP = (np.arange(5 * 7 * 3, dtype=np.uint32) * 65535 // 104).astype(np.uint16).reshape(5, 7, 3)


def deep(path):
    """The ramp in 10 or 12 bits -> its levels, and the highest one."""
    bits = 10 if path.suffix in (".avif", ".heic") else 12
    levels = RAMP >> (16 - bits)
    if path.suffix == ".jp2":
        path.write_bytes(imagecodecs.jpeg2k_encode(levels, level=0, reversible=True, bitspersample=bits))
    elif path.suffix == ".avif":
        path.write_bytes(imagecodecs.avif_encode(levels, 100, bitspersample=bits, matrix=0))
    elif path.suffix == ".heic":
        image = pillow_heif.from_bytes("RGB;16", (7, 5), RAMP.tobytes())
        image.save(path, quality=-1, chroma=444, matrix_coefficients=0)
    elif path.stem == "plain":
        path.write_bytes(b"P3 7 5 4095\n" + " ".join(map(str, levels.ravel())).encode())
    else:
        path.write_bytes(b"P6 7 5 4095\n" + levels.astype(">u2").tobytes())
    return levels, 2**bits - 1


@pytest.mark.parametrize("name", ["a.ppm", "plain.ppm", "a.jp2", "a.avif", "a.heic"])
def test_10_and_12_bits_are_kept_in_16(tmp_path, name):
    levels, top = deep(tmp_path / name)
    first, copy = again(tmp_path / name, "png")
    assert np.array_equal(first.pixels, np.rint(levels * (65535 / top)))
    assert np.array_equal(imagecodecs.png_decode(copy.read_bytes()), first.pixels)
    image, note, _ = photos.read(tmp_path / name)
    assert np.array_equal(image, np.rint(first.pixels / 257))
    assert (first.note, note) == ("", "16 bits read as 8")


def test_heic_keeps_its_10_bits(tmp_path):
    gradient = np.tile(np.linspace(0, 65535, 256).astype(np.uint16)[:, None], (64, 1, 3))
    pillow_heif.from_bytes("RGB;16", (256, 64), gradient.tobytes()).save(tmp_path / "a.heic", quality=95)
    first, copy = again(tmp_path / "a.heic", "heic")
    second = photo_files.read(copy)
    assert len(np.unique(second.pixels)) > 256
    assert np.abs(second.pixels.astype(int) - first.pixels).max() < 3 * 257


TIFFS = {  # pixels and options of tifffile; all show the ramp
    "planar": (np.moveaxis(RAMP, 2, 0), {"planarconfig": "separate"}),
    "planar deflated": (np.moveaxis(RAMP, 2, 0), {"planarconfig": "separate", "compression": "zlib"}),
    "float": (RAMP / np.float32(65535), {}),
    "double": (RAMP / 65535.0, {"compression": "zlib"}),
    "jpeg 2000": (RAMP, {"compression": "jpeg2000"}),
    "jpeg xl": ((RAMP >> 8).astype(np.uint8), {"compression": "jpegxl"}),
    "webp": ((RAMP >> 8).astype(np.uint8), {"compression": "webp", "compressionargs": {"level": 101}}),
}


@pytest.mark.parametrize("kind", TIFFS)
def test_all_kinds_of_tiff_are_the_same_in_training_and_in_deblur(tmp_path, kind):
    pixels, options = TIFFS[kind]
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", **options)
    found = photo_files.read(tmp_path / "a.tif").pixels
    assert np.array_equal(found, RAMP >> 8 if pixels.dtype == np.uint8 else RAMP)
    expected = found if found.dtype == np.uint8 else np.rint(found / 257)
    assert np.array_equal(photos.read(tmp_path / "a.tif")[0], expected)


def test_of_a_tiff_file_the_full_picture_is_read(tmp_path, photo):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(photo(0)[::4, ::4], photometric="rgb", subfiletype=1)
        file.write(photo(0), photometric="rgb")
    assert np.array_equal(photos.read(tmp_path / "a.tif")[0], photo(0))
    found = photo_files.read(tmp_path / "a.tif")
    assert np.array_equal(found.pixels, photo(0))
    assert found.note == ""


def test_large_texts_of_a_png_cost_no_photograph(tmp_path, photo):
    texts = PngInfo()
    texts.add_text("parameters", "x" * 3_000_000, zip=True)
    Image.fromarray(photo(0)).save(tmp_path / "a.png", pnginfo=texts)
    assert np.array_equal(photos.read(tmp_path / "a.png")[0], photo(0))
    assert np.array_equal(photo_files.read(tmp_path / "a.png").pixels, photo(0))


def test_cmyk_is_converted_by_its_profile(tmp_path, monkeypatch):
    """Which profiles of inks lie on a machine is not known: what is tested is that the library is asked."""
    image = Image.new("CMYK", (4, 3), (10, 90, 200, 0))
    image.save(tmp_path / "a.tif", icc_profile=P3)  # of other colours: not used
    plain = np.asarray(image.convert("RGB"))
    assert np.array_equal(photo_files.read(tmp_path / "a.tif").pixels, plain)
    monkeypatch.setattr(ImageCms, "profileToProfile", lambda *_, **__: Image.new("RGB", (4, 3), (1, 2, 3)))
    for pixels, note in ((found := photo_files.read(tmp_path / "a.tif"))[::7], photos.read(tmp_path / "a.tif")[:2]):
        assert np.all(pixels == (1, 2, 3))
        assert note == "CMYK read as RGB by its profile"
    assert found.icc is None


@pytest.mark.parametrize(
    ("name", "note"), [("ultrahdr.jpg", "its HDR gain map is left out"), ("stereo.mpo", "the first of 2 pictures")]
)
def test_what_is_dropped_is_said(tmp_path, name, note):
    assert photo_files.read(case(tmp_path, name)).note == photos.read(CASES / name)[1] == note


# EXIF data.


def test_a_damaged_tag_costs_itself_alone(tmp_path):
    first, copy = again(case(tmp_path, "damaged_orient6.jpg"))
    with Image.open(CASES / "damaged_orient6.jpg") as image:
        assert np.array_equal(first.pixels, np.rot90(image, -1))
    assert (first.turned, first.note) == (True, "")
    with Image.open(copy) as image:
        assert (image.getexif()[271], image.getexif()[274]) == ("Maker", 1)
    assert "© Zoë 2026".encode() in copy.read_bytes()


def test_maker_notes_stay_where_they_are(tmp_path):
    with Image.open(path := case(tmp_path, "maker_note_absolute_offset.jpg")) as image:
        before = image.info["exif"]
    with Image.open(again(path)[1]) as image:
        assert image.info["exif"] == before
    _, tiff = again(path, "tiff")
    assert tiff.read_bytes()[8:].startswith(before[6 + 8 :])
    assert again(tiff)[0].note == "its maker note may have become unreadable"


def test_exif_data_that_a_jpeg_file_cannot_hold_are_left_out(tmp_path, photo):
    Image.fromarray(photo(0)).save(tmp_path / "a.png", exif=exif_data(False).ljust(70_000, b"\0"))
    first, copy = again(tmp_path / "a.png", "jpeg")
    assert first.note == "not kept in JPEG: EXIF data; --format png or tiff keeps them"
    with Image.open(copy) as image:
        assert not image.getexif()


def test_bigtiff_s_camera_data_are_kept(tmp_path):
    first, copy = again(case(tmp_path, "bigtiff_with_camera_data.tif"))
    assert first.note == ""
    with Image.open(copy) as image:
        assert [image.getexif()[tag] for tag in (271, 272, 33432)] == ["Maker", "Model", "Me"]


def test_a_pointer_of_bigtiff_beyond_any_file_does_not_cost_the_photograph(tmp_path):
    file = case(tmp_path, "bigtiff_with_camera_data.tif")
    content = file.read_bytes()
    at = content.index(struct.pack("<HH", 33432, 2))
    file.write_bytes(content[:at] + struct.pack("<HHQQ", 34665, 18, 1, 2**63 + 4) + content[at + 20 :])
    assert photo_files.read(file).note == "damaged EXIF data are left out"


def test_damaged_tags_of_a_tiff_file_are_said_and_the_others_kept(tmp_path, photo):
    make(tmp_path / "a.tif", "RGB", photo)
    content = (tmp_path / "a.tif").read_bytes()
    artist = struct.pack("<HHI", 315, 2, len(TEXT) + 1)
    (tmp_path / "a.tif").write_bytes(content.replace(artist, struct.pack("<HHI", 315, 2, 1 << 30)))
    first, copy = again(tmp_path / "a.tif")
    assert (first.note, first.turned) == ("damaged EXIF data are left out", True)
    assert b"Panasonic" in copy.read_bytes()


def test_orientation_in_a_png_s_text_counts_everywhere(tmp_path):
    path = case(tmp_path, "png_orientation3_raw_profile.png")
    with Image.open(path) as image:
        upright = np.asarray(image)[::-1, ::-1]
    first, copy = again(path)
    assert np.array_equal(first.pixels, upright)
    assert np.array_equal(photos.read(path)[0], upright)
    with Image.open(copy) as image:
        assert image.getexif().get(274, 1) == 1


@pytest.mark.parametrize("suffix", [".avif", ".heic"])
def test_formats_that_turn_by_their_own_means(tmp_path, photo, suffix):
    exif = Image.Exif()
    exif[271], exif[274] = "Maker", 6
    Image.fromarray(photo(0)[:48, :32]).save(tmp_path / f"a{suffix}", exif=exif.tobytes())
    for form in (None, suffix[1:]):
        first, copy = again(tmp_path / f"a{suffix}", form)
        assert first.pixels.shape == photos.read(copy)[0].shape == (32, 48, 3)
        with Image.open(copy) as image:
            assert (image.size, image.getexif()[271], image.getexif().get(274, 1)) == ((48, 32), "Maker", 1)


@pytest.mark.parametrize("suffix", [".tif", ".png", ".jpg"])
def test_where_there_are_no_camera_data_none_are_written(tmp_path, photo, suffix):
    Image.fromarray(photo(0, 5, 7)).save(tmp_path / f"a{suffix}", dpi=(300, 300))
    with Image.open(again(tmp_path / f"a{suffix}")[1]) as image:
        assert 0x8769 not in image.getexif()


# What a TIFF file may hold besides.


def test_layers_of_the_blurred_photograph_are_left_out(tmp_path, photo):
    tags = [(tag, 7, 4, b"8BIM", True) for tag in (34377, 37724)]
    tifffile.imwrite(tmp_path / "a.tif", photo(0), photometric="rgb", extratags=tags)
    with tifffile.TiffFile(again(tmp_path / "a.tif")[1]) as file:
        assert not {34377, 37724} & {tag.code for tag in file.pages[0].tags}


@pytest.mark.parametrize("kind", ["unassalpha", "assocalpha", "unspecified"])
def test_the_fourth_channel_of_a_tiff_file_is_what_it_says(tmp_path, kind):
    pixels = np.full((5, 7, 4), (20000, 10000, 0, 32768), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=[kind])
    photo = photo_files.read(tmp_path / "a.tif")
    colours = (40000, 20000, 0) if kind == "assocalpha" else (20000, 10000, 0)
    assert np.abs(photo.pixels - np.array(colours)).max() <= 1
    assert photo.alpha.shape[2] == (kind != "unspecified")
    assert np.all(photo.alpha == 32768)


# Formats to write.

NAMES = [  # name, --format, name of the result
    ("IMG_1.HEIC", None, "IMG_1.jpg"),
    ("IMG_1.HEIC", "heic", "IMG_1.HEIC"),
    ("a.avif", None, "a.avif"),
    ("a.gif", None, "a.png"),
    ("x/a.b.TIFF", "tiff", "x/a.b.TIFF"),
    ("x/a.b.TIFF", "jpeg", "x/a.b.jpg"),
    ("a.mpo", "jpeg", "a.mpo"),
    ("a.bmp", None, "a.bmp"),
    ("a", "webp", "a.webp"),
]


@pytest.mark.parametrize(("name", "form", "result"), NAMES)
def test_a_result_has_the_photograph_s_name_with_the_suffix_of_its_format(name, form, result):
    assert photo_files.written_as(Path(name), form) == Path(result)


def test_lossy_formats_are_written_at_quality_95_and_jpeg_s_subsampling_is_kept(tmp_path, photo):
    for suffix, form in {".webp": "WEBP", ".avif": "AVIF", ".heic": "HEIF", ".mpo": "JPEG", ".jfif": "JPEG"}.items():
        more = {"subsampling": 1} if form == "JPEG" else {}
        Image.fromarray(photo(0)).save(tmp_path / f"a{suffix}", form, **more)
        first, copy = again(tmp_path / f"a{suffix}", None if form == "JPEG" else suffix[1:])
        Image.fromarray(first.pixels).save(tmp_path / "expected", form, quality=95, **more)
        assert copy.read_bytes() == (tmp_path / "expected").read_bytes()


@pytest.mark.parametrize(
    ("kind", "name", "note"),
    [
        ("RGBA16", "a.jpg", "not kept in JPEG: more than 8 bits, transparency; --format png or tiff keeps them"),
        ("RGB16", "a.heic", "not kept in HEIC: more than 10 bits; --format png or tiff keeps them"),
        ("RGB", "a.bmp", "not kept in BMP: colour profile, EXIF data; --format png or tiff keeps them"),
        ("LA16", "a.tif", ""),
    ],
)
def test_what_a_format_cannot_hold_is_said(tmp_path, photo, kind, name, note):
    make(tmp_path / "a.png", kind, photo)
    assert photo_files.read(tmp_path / "a.png", Path(name)).note == note


@pytest.mark.parametrize("name", ["a", "a.psd"])
def test_what_is_not_written_is_refused_at_once(tmp_path, name):
    with pytest.raises(ValueError, match=rf"{name}: no photographs are written as .*; choose a --format"):
        photo_files.read(tmp_path / name)


# The property. Each format is made with all that it can hold and stored on its side, and written in every format.

TEXT = "Zoë © 写真".encode()


def exif_data(turned):
    """Orientation 6 or none, texts in UTF-8, the camera's directory, a maker note that counts from the start, and a
    thumbnail."""
    note = b"Panasonic\0\0\0" + struct.pack("<HHHII", 1, 0x25, 7, 16, 300) + bytes(4)
    inner = [(0x829A, 5, 1, struct.pack("<II", 1, 250)), (0x927C, 7, len(note), note)]
    outer = [(tag, 2, len(TEXT) + 1, TEXT + b"\0") for tag in (270, 315, 33432)]
    outer += [(274, 3, 1, struct.pack("<HH", 6, 0))] if turned else []
    outer += [(271, 2, 10, b"Panasonic\0"), (0x8769, 4, 1, None)]
    data = bytearray(b"II*\0\x08\0\0\0" + bytes(292) + b"(S01) 2006:04:03" + bytes(300))
    at, values = 8, 320
    for entries in (sorted(outer, key=lambda entry: entry[0]), inner):
        struct.pack_into("<H", data, at, len(entries))
        for number, (tag, kind, count, value) in enumerate(entries):
            if value is None:
                value = struct.pack("<I", 8 + 2 + 12 * len(outer) + 4)
            elif len(value) > 4:
                data[values : values + len(value)] = value
                value, values = struct.pack("<I", values), values + len(value) + len(value) % 2
            struct.pack_into("<HHI4s", data, at + 2 + 12 * number, tag, kind, count, value)
        at += 2 + 12 * len(entries) + 4
    struct.pack_into("<I", data, 8 + 2 + 12 * len(outer), 200)
    struct.pack_into("<HHHIIHHII", data, 200, 2, 0x0201, 4, 1, 600, 0x0202, 4, 1, 8)
    return bytes(data)


KINDS = [(suffix, mode) for suffix in (".png", ".tif") for mode in ("L", "LA", "RGB", "RGBA")]
KINDS += [(suffix, "RGB") for suffix in (".jpg", ".webp", ".avif", ".heic", ".bmp", ".ppm", ".jp2")]
KINDS += [(suffix, "RGBA") for suffix in (".webp", ".avif", ".heic", ".jp2")]
KINDS += [(".jpg", "L"), (".heic", "L"), (".pgm", "L"), (".gif", "P"), (".png", "P"), (".png", "1")]
KINDS += [(suffix, kind) for suffix in (".png", ".tif", ".jp2") for kind in ("L16", "RGB16", "RGBA16")]
KINDS += [(".ppm", "RGB16"), (".png", "LA16"), (".heic", "RGB16"), (".heic", "RGBA16"), (".heic", "L16")]
KINDS += [(".avif", "RGB16"), (".avif", "RGBA16")]  # these hold 10 bits
FORMS = (None, *photo_files.SUFFIXES)
EXIF = {".png", ".jpg", ".webp", ".avif", ".heic", ".tif"}  # formats that hold camera data and a profile
DECODER = {".png": "png_decode", ".jp2": "jpeg2k_decode", ".tif": "tiff_decode"}
LOSSY = {".jpg", ".webp", ".avif", ".heic"}


def has_camera_data(suffix, kind):
    return suffix in EXIF and (suffix, kind[-2:]) != (".avif", "16")  # for which imagecodecs writes none


def make(path, kind, photo):
    """A file of this kind, with camera data and a profile where it can."""
    mode, deep = kind.removesuffix("16"), kind.endswith("16")
    channels = {"L": 1, "1": 1, "LA": 2, "RGB": 3, "RGBA": 4, "P": 3}[mode]
    smooth = np.array(Image.fromarray(photo(0)[:8, :8]).resize((64, 48), Image.Resampling.BICUBIC))
    levels = np.dstack([smooth, smooth[..., ::2]])[..., 3 if channels < 3 else 0 :][..., :channels]
    exif, icc = exif_data(path.suffix != ".avif"), P3 if channels > 2 else None
    belongings = {"exif": b"Exif\0\0" + exif, "icc_profile": icc} if path.suffix in EXIF else {}
    pixels = levels * np.uint16(257) - levels if deep else levels
    pixels = pixels[..., 0] if channels == 1 else pixels
    if path.suffix == ".tif":
        text = [(tag, 2, len(TEXT) + 1, TEXT + b"\0", True) for tag in (315, 33432)]
        tags = [*text, (271, 2, 10, "Panasonic", True), (274, 3, 1, 6, True)]
        options = {"photometric": "rgb" if channels > 2 else "minisblack", "extratags": tags, "iccprofile": icc}
        extra = ["unassalpha"] if channels in (2, 4) else None
        tifffile.imwrite(path, pixels, metadata=None, planarconfig=1, extrasamples=extra, **options)
    elif not deep:
        image = Image.fromarray(pixels)
        image = image.quantize() if kind == "P" else image.convert("1") if kind == "1" else image
        image.save(path, **belongings)
    elif path.suffix == ".png":
        profile = [(b"iCCP", b"P3\0\0" + zlib.compress(icc))] if icc else []
        with_chunks(path, pixels, *profile, (b"eXIf", exif))
    elif path.suffix == ".jp2":
        path.write_bytes(imagecodecs.jpeg2k_encode(pixels, level=0, reversible=True))
    elif path.suffix == ".avif":
        path.write_bytes(imagecodecs.avif_encode(pixels >> 6, 100, bitspersample=10))
    elif path.suffix == ".heic":
        image = pillow_heif.from_bytes(kind.replace("16", ";16"), (64, 48), pixels.tobytes())
        image.save(path, quality=95, icc_profile_type="prof", **belongings)
    else:
        path.write_bytes(b"P6 64 48 65535\n" + pixels.astype(">u2").tobytes())


def independent(path, deep):
    """The upright pixels (H, W, 4) from 0 to 255 and their channels, orientation and profile, by one library."""
    content = path.read_bytes()
    if path.suffix == ".tif" and deep:
        with tifffile.TiffFile(path) as file:
            values = file.pages[0].tags
            orientation, icc = (values.valueof(274, 1), values.valueof(34675))
    else:
        with path.open("rb") as file, Image.open(file) as image:  # by its path Pillow misreads grey TIFF files that lie
            orientation, icc = image.getexif().get(274, 1), image.info.get("icc_profile")
            upright = ImageOps.exif_transpose(image)
            levels = np.atleast_3d(upright.convert("RGB") if image.mode == "P" else upright)
            levels = levels * (255.0 if image.mode == "1" else 1.0)
    if deep:
        if path.suffix == ".ppm":
            levels = np.frombuffer(content[-48 * 64 * 6 :], ">u2").reshape(48, 64, 3)
        elif path.suffix == ".avif":
            levels = np.rint(imagecodecs.avif_decode(content) * (65535 / 1023))
        elif path.suffix == ".heic":
            levels = np.rint(np.asarray(pillow_heif.open_heif(path, False)) * (65535 / (1023 << 6)))
        else:
            levels = getattr(imagecodecs, DECODER[path.suffix])(content)
        levels = np.atleast_3d(levels) / 257
        levels = photos.UPRIGHT[6](levels) if orientation == 6 else levels
    channels = levels.shape[2]
    colours = levels[..., :3] if channels > 2 else levels[..., [0, 0, 0]]
    alpha = levels[..., -1] if channels in (2, 4) else np.full(levels.shape[:2], 255)
    return np.dstack([colours, alpha]), channels, orientation, icc


@pytest.mark.parametrize(("suffix", "kind"), KINDS)
def test_what_is_written_unchanged_is_the_same_photograph(tmp_path, photo, suffix, kind):
    path = tmp_path / f"a{suffix}"
    make(path, kind, photo)
    deep, transparent = kind.endswith("16"), "A" in kind
    before, channels, turned, icc = independent(path, deep)
    assert turned == (6 if suffix in EXIF - {".heic", ".avif"} else 1)  # which turn by other means
    for form in FORMS:
        first, copy = again(path, form)
        bits = {".png": 16, ".tif": 16, ".jp2": 16, ".ppm": 16, ".heic": 10}.get(copy.suffix, 8)
        opaque = copy.suffix in (".jpg", ".ppm", ".bmp")
        after, kept_channels, orientation, kept = independent(copy, deep and bits > 8)
        assert (orientation, kept) == (1, icc)
        expected = before if not opaque else np.dstack([before[..., :3], np.full_like(before[..., 3], 255)])
        assert np.abs(after - expected).mean() <= (3 if copy.suffix in LOSSY else 0)
        assert copy.suffix != suffix or channels == kept_channels
        lost = (deep and bits < (10 if suffix in (".heic", ".avif") else 16)) or (transparent and opaque)
        assert first.note.startswith("not kept in ") if lost else first.note == ""
        if has_camera_data(suffix, kind) and copy.suffix in EXIF:
            assert (b"Panasonic" in copy.read_bytes()) and (TEXT in copy.read_bytes())
            assert len(tifffile.TiffFile(io.BytesIO(first.exif[6:])).pages) == 1  # no thumbnail behind


def tags(paths):
    """What exiftool prints of the camera's data: not the layout of the file, its orientation and thumbnail."""
    command = ["exiftool", "-json", "-G1", "-a", "-IFD0:all", "-ExifIFD:all", "-GPS:all", "-MakerNotes:all"]
    ours = ("Image", "BitsPer", "Compr", "Photometric", "Strip", "Samples", "RowsPer", "Planar", "Predictor", "Extra")
    for found in json.loads(subprocess.run([*command, *paths], capture_output=True, check=True).stdout):
        names = {name: name.rpartition(":")[2] for name in found}
        laid_out = {name for name in names if names[name].startswith((*ours, "Orientation")) and "Descr" not in name}
        yield {name: value for name, value in found.items() if name not in laid_out | {"SourceFile"}}


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("exiftool"), reason="exiftool is not installed (libimage-exiftool-perl)")
@pytest.mark.parametrize(("suffix", "kind"), [pair for pair in KINDS if has_camera_data(*pair)])
def test_exiftool_prints_the_same_of_both(tmp_path, photo, suffix, kind):
    path = tmp_path / f"a{suffix}"
    make(path, kind, photo)
    if suffix == ".tif":  # of which the maker note may become unreadable, as the note says
        make(tmp_path / "b.jpg", "RGB", photo)
        more = ["-gpslatitude=1.5", "-gpslatituderef=S", "-interopindex=R98", "-exposuretime=0.25"]
        copied = ["-TagsFromFile", tmp_path / "b.jpg", "-exif:all", "--makernotes", "--orientation", "--thumbnailimage"]
        subprocess.run(["exiftool", "-q", *copied, *more, path], check=True)
    before, *after = tags([path, *(again(path, form)[1] for form in FORMS)])
    assert before.keys() > {"IFD0:Make", "IFD0:Copyright", "ExifIFD:ExposureTime"}
    assert all(found == before for found in after)
