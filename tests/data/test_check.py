"""Photographs are read and compared, and what cannot be used is set aside with a reason."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from dbgan.data import check, manifest, photos
from dbgan.data.folders import Pair


def pair(name: str) -> Pair:
    return Pair(name, Path(f"blur/{name}.png"), Path(f"sharp/{name}.png"))


@pytest.fixture
def root(tmp_path, photo):
    """Five pairs 0 to 4, of 72 x 64 pixels."""
    for n in range(5):
        photos.write(tmp_path / "blur" / f"{n}.png", photo(n) // 2 + 40)
        photos.write(tmp_path / "sharp" / f"{n}.png", photo(n))
    return tmp_path


FIVE = [pair(str(n)) for n in range(5)]


@pytest.mark.parametrize("workers", [0, 3])
def test_good_pairs_come_back_in_order_with_their_psnr(root, workers):
    found, set_aside = check.pairs(root, FIVE, 64, workers)
    assert set_aside == []
    assert [p.key for p in found] == list("01234")
    assert [p.blurred.path for p in found] == [f"blur/{n}.png" for n in range(5)]
    for p in found:
        blurred, sharp = manifest.load_frame(root, p.blurred), manifest.load_frame(root, p.sharp)
        assert p.psnr == pytest.approx(peak_signal_noise_ratio(sharp, blurred), abs=1e-9)
        assert p.notes == []


def test_psnr_of_an_image_of_many_strips(tmp_path):
    rng = np.random.default_rng(0)
    for side in ("blur", "sharp"):
        photos.write(tmp_path / side / "a.png", rng.integers(0, 256, (2 * check.STRIP + 7, 9, 3), dtype=np.uint8))
    [found], _ = check.pairs(tmp_path, [pair("a")], 1, 0)
    blurred, sharp = manifest.load_frame(tmp_path, found.blurred), manifest.load_frame(tmp_path, found.sharp)
    assert found.psnr == pytest.approx(peak_signal_noise_ratio(sharp, blurred), abs=1e-9)


def spoil(root: Path, how: str, photo) -> None:
    """Make pair 2 unusable."""
    blurred, sharp = root / "blur" / "2.png", root / "sharp" / "2.png"
    if how == "empty":
        sharp.write_bytes(b"")
    elif how == "cut":
        blurred.write_bytes(blurred.read_bytes()[:2000])
    elif how == "heic":
        sharp.write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    elif how == "size":
        photos.write(sharp, photo(2, 72, 65))
    elif how == "same":
        shutil.copy(sharp, blurred)
    elif how == "small":
        for path in (blurred, sharp):
            Image.open(path).crop((0, 0, 63, 72)).save(path)


@pytest.mark.parametrize(
    ("how", "path", "reason"),
    [
        ("empty", "sharp/2.png", "an empty file"),
        ("cut", "blur/2.png", "not a readable photograph ("),
        ("heic", "sharp/2.png", "HEIC is not read; convert it to JPEG or PNG"),
        ("size", "blur/2.png", "is not of its sharp partner's size (64x72 and 65x72 pixels)"),
        ("same", "blur/2.png", "is its sharp partner, not a blurred version of it"),
        ("small", "blur/2.png", "less than 64 pixels high or wide (63x72)"),
    ],
)
def test_a_pair_that_cannot_be_used_is_set_aside_by_its_file_and_reason(root, photo, how, path, reason):
    spoil(root, how, photo)
    found, [item] = check.pairs(root, FIVE, 64, 2)
    assert [p.key for p in found] == list("0134")
    assert item.path == path
    assert item.reason.startswith(reason)


@pytest.mark.parametrize(("lonely", "lacks"), [("blurred", "sharp"), ("sharp", "blurred")])
def test_a_photograph_without_a_partner_is_set_aside(root, lonely, lacks):
    alone = Pair("9", **{lonely: Path("blur/0.png"), lacks: None})
    _, [item] = check.pairs(root, [alone], 64, 0)
    assert item == check.SetAside("blur/0.png", f"has no {lacks} partner of its name")


def test_photographs_without_pairs_are_checked_alike(root):
    Image.open(root / "blur" / "1.png").convert("L").save(root / "blur" / "1.png")
    (root / "blur" / "3.png").write_text("no photograph")
    found, [item] = check.photographs(root, [Path(f"blur/{n}.png") for n in range(5)], 64, 2)
    assert [p.frame.name for p in found] == ["blur/0", "blur/1", "blur/2", "blur/4"]
    assert [p.notes for p in found] == [[], [("L read as RGB", "blur/1.png")], [], []]
    assert item == check.SetAside("blur/3.png", "not a readable photograph (of no known format)")


def test_what_is_tested_on_is_not_trained_on_under_another_name(root):
    shutil.copy(root / "sharp" / "0.png", root / "sharp" / "4.png")
    pairs, _ = check.pairs(root, FIVE, 64, 0)
    real, _ = check.photographs(root, [Path("blur/1.png"), Path("blur/2.png")], 64, 0)
    train, real, leaks = check.without_leaks(pairs[1:], [pairs[0]], real)
    assert [p.key for p in train] == list("123")
    assert len(real) == 2
    assert leaks == [check.SetAside("blur/4.png", "is among the test pairs too")]
    train, real, leaks = check.without_leaks(train, [pairs[2]], real)
    assert [p.key for p in train] == list("13")
    assert [p.frame.path for p in real] == ["blur/1.png"]
    assert [leak.path for leak in leaks] == ["blur/2.png", "blur/2.png"]


BAD = [check.SetAside("a.png", "cut (1)"), check.SetAside("b.png", "lost"), check.SetAside("c.png", "cut (2)")]


def test_reasons_are_counted_without_their_details():
    assert check.reasons(BAD) == [
        {"what": "cut", "count": 2, "first": ["a.png", "c.png"]},
        {"what": "lost", "count": 1, "first": ["b.png"]},
    ]


def test_a_share_of_unusable_photographs_is_borne_and_no_more():
    check.stop_if_too_many(BAD, 10, 5, 2, limit=0.15)
    with pytest.raises(ValueError, match=r"3 of 19 .* 2 x cut \(1\), first a\.png; 1 x lost, first b\.png"):
        check.stop_if_too_many(BAD, 10, 4, 2, limit=0.15)
    check.stop_if_too_many([], 1, 1, 0, limit=0)


@pytest.mark.parametrize(("train", "test", "said"), [(0, 5, "train on"), (5, 0, "test on")])
def test_pairs_must_be_left(train, test, said):
    with pytest.raises(ValueError, match=f"no pair is left to {said}: 2 x cut"):
        check.stop_if_too_many(BAD, train, test, 10, limit=1)
