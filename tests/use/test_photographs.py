"""What cameras and other programs write; and of all formats: what is written unchanged is the same photograph."""

import json
import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
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


def again(path):
    """Read a file and write its pixels unchanged."""
    photo = photo_files.read(path)
    copy = path.with_name(f"copy{path.suffix}")
    photo_files.write(copy, photo, photo.pixels)
    return photo, copy


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
    _, copy = again(tmp_path / "a.avif")
    assert np.abs(photos.read(copy)[0].astype(int) - expected).max() <= 3


def test_a_profile_is_kept_and_converted_for_training(tmp_path):
    Image.new("RGB", (5, 4), (200, 100, 50)).save(tmp_path / "a.tif", icc_profile=P3)
    assert again(tmp_path / "a.tif")[0].icc == P3
    image, note, _ = photos.read(tmp_path / "a.tif")
    assert np.abs(image[0, 0].astype(int) - (216, 93, 24)).max() <= 2
    assert note == "colours converted to sRGB"


# One decoder.

RAMP = (np.arange(5 * 7 * 3, dtype=np.uint32) * 65535 // 104).astype(np.uint16).reshape(5, 7, 3)


def twelve_bits(path):
    levels = RAMP >> 4
    if path.suffix == ".jp2":
        content = imagecodecs.jpeg2k_encode(levels, level=0, reversible=True, bitspersample=12)
    elif path.stem == "plain":
        content = b"P3 7 5 4095\n" + " ".join(map(str, levels.ravel())).encode()
    else:
        content = b"P6 7 5 4095\n" + levels.astype(">u2").tobytes()
    path.write_bytes(content)
    return levels


@pytest.mark.parametrize("name", ["a.ppm", "plain.ppm", "a.jp2"])
def test_12_bits_are_kept_in_16(tmp_path, name):
    levels = twelve_bits(tmp_path / name)
    first, copy = again(tmp_path / name)
    assert np.array_equal(first.pixels, np.rint(levels * (65535 / 4095)))
    assert np.array_equal(photo_files.read(copy).pixels, first.pixels)
    image, note, _ = photos.read(tmp_path / name)
    assert np.array_equal(image, np.rint(levels * (255 / 4095)))
    assert note == "16 bits read as 8"


def test_bits_that_are_cut_are_said(tmp_path):
    (tmp_path / "a.avif").write_bytes(imagecodecs.avif_encode(RAMP >> 6, 100, bitspersample=10))
    assert photo_files.read(tmp_path / "a.avif").note == photos.read(tmp_path / "a.avif")[1] == "10 bits cut to 8"


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
    _, copy = again(case(tmp_path, "maker_note_absolute_offset.jpg"))
    with Image.open(CASES / "maker_note_absolute_offset.jpg") as before, Image.open(copy) as after:
        assert after.info["exif"] == before.info["exif"]


def test_bigtiff_s_camera_data_are_kept(tmp_path):
    first, copy = again(case(tmp_path, "bigtiff_with_camera_data.tif"))
    assert first.note == ""
    with Image.open(copy) as image:
        assert [image.getexif()[tag] for tag in (271, 272, 33432)] == ["Maker", "Model", "Me"]


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
    first, copy = again(tmp_path / f"a{suffix}")
    assert first.pixels.shape == photos.read(copy)[0].shape == (32, 48, 3)
    with Image.open(copy) as image:
        assert (image.size, image.getexif()[271], image.getexif().get(274, 1)) == ((48, 32), "Maker", 1)


# The property. Each format is written with all that it can hold and stored on its side, and written again.

TEXT = "Zoë © 写真".encode()


def exif_data(turned):
    """Orientation 6 or none, texts in UTF-8, an inner directory, and a maker note that counts from the start."""
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
    return bytes(data)


KINDS = [(suffix, mode) for suffix in (".png", ".tif") for mode in ("L", "LA", "RGB", "RGBA")]
KINDS += [(suffix, "RGB") for suffix in (".jpg", ".webp", ".avif", ".heic", ".bmp", ".ppm", ".jp2")]
KINDS += [(".jpg", "L"), (".webp", "RGBA"), (".avif", "RGBA"), (".gif", "P"), (".pgm", "L"), (".jp2", "RGBA")]
KINDS += [(suffix, kind) for suffix in (".png", ".tif", ".jp2") for kind in ("L16", "RGB16", "RGBA16")]
KINDS += [(".ppm", "RGB16"), (".png", "LA16")]
EXIF = {".png", ".jpg", ".webp", ".avif", ".heic", ".tif"}  # formats that hold camera data and a profile
LOSSY = {".jpg", ".webp", ".avif", ".heic"}


def make(path, kind, photo):
    """A file of this kind, with camera data and a profile where it can."""
    channels = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4, "P": 3}[kind.removesuffix("16")]
    smooth = np.array(Image.fromarray(photo(0)[:8, :8]).resize((64, 48), Image.Resampling.BICUBIC))
    levels = np.dstack([smooth, smooth[..., ::2]])[..., 3 if channels < 3 else 0 :][..., :channels]
    exif, icc = exif_data(path.suffix != ".avif"), P3 if channels > 2 else None
    pixels = levels * np.uint16(257) - levels if kind.endswith("16") else levels
    pixels = pixels[..., 0] if channels == 1 else pixels
    if path.suffix == ".tif":
        text = [(tag, 2, len(TEXT) + 1, TEXT + b"\0", True) for tag in (315, 33432)]
        tags = [*text, (271, 2, 10, "Panasonic", True), (274, 3, 1, 6, True)]
        options = {"photometric": "rgb" if channels > 2 else "minisblack", "extratags": tags, "iccprofile": icc}
        extra = ["unassalpha"] if channels in (2, 4) else None
        tifffile.imwrite(path, pixels, metadata=None, planarconfig=1, extrasamples=extra, **options)
    elif kind.endswith("16") and path.suffix == ".png":
        profile = [(b"iCCP", b"P3\0\0" + zlib.compress(icc))] if icc else []
        with_chunks(path, pixels, *profile, (b"eXIf", exif))
    elif kind.endswith("16") and path.suffix == ".jp2":
        path.write_bytes(imagecodecs.jpeg2k_encode(pixels, level=0, reversible=True))
    elif kind.endswith("16"):
        path.write_bytes(b"P6 64 48 65535\n" + pixels.astype(">u2").tobytes())
    else:
        image = Image.fromarray(pixels).quantize() if kind == "P" else Image.fromarray(pixels)
        belongings = {"exif": b"Exif\0\0" + exif, "icc_profile": icc} if path.suffix in EXIF else {}
        image.save(path, **belongings)


def independent(path, kind):
    """The upright pixels, by one library, and the orientation that was in the file."""
    with path.open("rb") as file, Image.open(file) as image:  # by its path Pillow misreads grey TIFF files that lie
        orientation = image.getexif().get(274, 1)
        upright = ImageOps.exif_transpose(image)
        icc = image.info.get("icc_profile")
        pixels = np.asarray(upright.convert("RGB") if image.mode == "P" else upright)
    if kind.endswith("16"):
        content = path.read_bytes()
        decode = {".png": imagecodecs.png_decode, ".jp2": imagecodecs.jpeg2k_decode, ".tif": imagecodecs.tiff_decode}
        if path.suffix == ".ppm":
            pixels = np.frombuffer(content.split(b"\n", 1 if content.startswith(b"P6 ") else 3)[-1], ">u2")
            pixels = pixels.reshape(48, 64, 3)
        else:
            pixels = decode[path.suffix](content)
        pixels = photos.UPRIGHT[6](pixels) if orientation == 6 else pixels
    return pixels, orientation, icc


def tags(path):
    """What exiftool prints of the camera's data: not the layout of the file, its orientation and thumbnail."""
    command = ["exiftool", "-json", "-G1", "-a", "-IFD0:all", "-ExifIFD:all", "-GPS:all", "-MakerNotes:all"]
    (found,) = json.loads(subprocess.run([*command, path], capture_output=True, check=True).stdout)
    ours = ("Image", "BitsPer", "Compr", "Photometric", "Strip", "Samples", "RowsPer", "Planar", "Predictor", "Extra")
    names = {name: name.rpartition(":")[2] for name in found}
    laid_out = {name for name in names if names[name].startswith((*ours, "Orientation")) and "Descr" not in name}
    return {name: value for name, value in found.items() if name not in laid_out | {"SourceFile"}}


@pytest.mark.parametrize(("suffix", "kind"), KINDS)
def test_what_is_written_unchanged_is_the_same_photograph(tmp_path, photo, suffix, kind):
    path = tmp_path / f"a{suffix}"
    make(path, kind, photo)
    first = photo_files.read(path)
    copy = tmp_path / f"copy{photo_files.written_as(path).suffix}"
    photo_files.write(copy, first, first.pixels)
    before, turned, icc = independent(path, kind)
    after, orientation, kept = independent(copy, kind)
    assert orientation == 1
    assert turned == (6 if suffix in EXIF - {".heic", ".avif"} else 1)  # which turn by other means
    assert after.dtype == before.dtype
    assert np.abs(after.astype(int) - before).max() <= (12 if suffix in LOSSY else 0)
    assert kept == icc
    assert first.note == ""
    if suffix in EXIF:
        assert (b"Panasonic" in copy.read_bytes()) and (TEXT in copy.read_bytes())


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jp2"])
def test_a_photograph_of_16_bits_that_is_cut_short_is_refused(tmp_path, photo, suffix):
    path = tmp_path / f"a{suffix}"
    make(path, "RGB16", photo)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match=f"a{suffix}: not a readable photograph"):
        photo_files.read(path)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("a", "no photographs are written as files without a suffix"), ("a.jpg", "JPEG files do not hold its 16 bits")],
)
def test_what_cannot_be_written_is_refused_at_once(tmp_path, photo, name, reason):
    make(tmp_path / "a.png", "RGB16", photo)
    with pytest.raises(ValueError, match=f"{name}: {reason}"):
        photo_files.read((tmp_path / "a.png").rename(tmp_path / name))


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("exiftool"), reason="exiftool is not installed (libimage-exiftool-perl)")
@pytest.mark.parametrize(("suffix", "kind"), [pair for pair in KINDS if pair[0] in EXIF])
def test_exiftool_prints_the_same_of_both(tmp_path, photo, suffix, kind):
    make(tmp_path / f"a{suffix}", kind, photo)
    _, copy = again(tmp_path / f"a{suffix}")
    before = tags(tmp_path / f"a{suffix}")
    assert before.keys() > {"IFD0:Make", "IFD0:Copyright"}
    assert tags(copy) == before
