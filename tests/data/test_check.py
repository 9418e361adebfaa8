"""Photographs are read and compared; those that cannot be used are set aside with a reason."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from dbgan.data import check, manifest, photos
from dbgan.data.folders import Found

NAMES = "01234"


@pytest.fixture
def root(tmp_path, photo, monkeypatch) -> Path:
    """Pairs 0 to 4, of 64 x 72 pixels, compared in strips of 50 rows."""
    monkeypatch.setattr(check, "STRIP", 50)
    for n in range(5):
        photos.write(tmp_path / "blur" / f"{n}.png", photo(n) // 2 + 40)
        photos.write(tmp_path / "sharp" / f"{n}.png", photo(n))
    return tmp_path


def pairs(names: str) -> dict[str, tuple[Path, Path]]:
    return {name: (Path(f"blur/{name}.png"), Path(f"sharp/{name}.png")) for name in names}


def checked(root: Path, train: str = NAMES, test: str = "", real: str = "", unmatched=(), workers: int = 2):
    real_blur = [Path(f"blur/{name}.png") for name in real]
    found = Found(root, pairs(train), pairs(test), root, real_blur, list(unmatched), [])
    return check.check(found, 64, workers)


def names(items: list[check.Usable]) -> str:
    return "".join(Path(item.frames[0].path).stem for item in items)


@pytest.mark.parametrize("workers", [0, 3])
def test_good_pairs_come_back_in_order_with_their_psnr(root, workers):
    found = checked(root, "0123", "4", workers=workers)
    assert (names(found.train), names(found.test), found.real_blur, found.set_aside) == ("0123", "4", [], [])
    for pair in found.train:
        blurred, sharp = (manifest.load_frame(root, frame) for frame in pair.frames)
        assert pair.psnr == pytest.approx(peak_signal_noise_ratio(sharp, blurred), abs=1e-9)
        assert pair.converted == []


def spoil(root: Path, how: str, photo) -> None:
    """Make pair 2 unusable."""
    blurred, sharp = root / "blur" / "2.png", root / "sharp" / "2.png"
    if how == "empty":
        sharp.write_bytes(b"")
    elif how == "missing":
        sharp.unlink()
    elif how == "cut":
        blurred.write_bytes(blurred.read_bytes()[:2000])
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
        ("missing", "sharp/2.png", "not a readable photograph (No such file or directory)"),
        ("cut", "blur/2.png", "not a readable photograph ("),
        ("size", "blur/2.png", "is not of its sharp partner's size (64x72 and 65x72 pixels)"),
        ("same", "blur/2.png", "is its sharp partner, not a blurred version of it"),
        ("small", "blur/2.png", "less than 64 pixels high or wide (63x72)"),
    ],
)
def test_a_pair_that_cannot_be_used_is_set_aside_by_its_file_and_reason(root, photo, how, path, reason):
    spoil(root, how, photo)
    found = checked(root)
    assert names(found.train) == "0134"
    [(at, why)] = found.set_aside
    assert at == path
    assert why.startswith(reason)


def test_a_photograph_without_a_partner_is_set_aside(root):
    assert checked(root, unmatched=[Path("blur/9.png")]).set_aside == [("blur/9.png", "has no partner of its name")]


def test_real_blur_is_checked_alike(root):
    Image.open(root / "blur" / "1.png").convert("L").save(root / "blur" / "1.png")
    (root / "blur" / "3.png").write_text("no photograph")
    found = checked(root, train="", real=NAMES)
    assert names(found.real_blur) == "0124"
    assert [item.converted for item in found.real_blur] == [[], [("blur/1.png", "L read as RGB")], [], []]
    assert found.set_aside == [("blur/3.png", "not a readable photograph (of no known format)")]


def test_test_photographs_are_not_trained_on_under_another_name(root):
    shutil.copy(root / "sharp" / "0.png", root / "sharp" / "4.png")
    found = checked(root, train="1234", test="0", real="12")
    assert (names(found.train), names(found.test), names(found.real_blur)) == ("123", "0", "12")
    assert found.set_aside == [("blur/4.png", "is among the test pairs too")]
    found = checked(root, train="13", test="2", real="12")
    assert (names(found.train), names(found.real_blur)) == ("13", "1")


BAD = [("a.png", "cut (1)"), ("b.png", "lost"), ("c.png", "cut (2)")]


def test_a_share_of_unusable_photographs_is_borne_and_no_more(root):
    found = checked(root, "0123", "4")
    check.stop_if_too_many(found, limit=0)
    found = found._replace(set_aside=BAD)
    check.stop_if_too_many(found, limit=0.375)
    with pytest.raises(ValueError, match=r"3 of 8 .* 2 x cut, first a\.png; 1 x lost, first b\.png"):
        check.stop_if_too_many(found, limit=0.37)
    for gone, message in (("train", "train on"), ("test", "test on")):
        with pytest.raises(ValueError, match=f"no pair is left to {message}: 2 x cut"):
            check.stop_if_too_many(found._replace(**{gone: []}), limit=1)


def test_counts_and_psnr_are_written_and_logged(root):
    found = checked(root, "013", "4", "2")
    lowest = min(found.train, key=lambda pair: pair.psnr)
    converted = ("x.png", "L read as RGB")
    found = found._replace(set_aside=BAD, test=[found.test[0]._replace(converted=[converted], psnr=30.0)])
    summary = check.summary(found)
    assert (summary["train_pairs"], summary["test_pairs"], summary["real_blur"]) == (3, 1, 1)
    assert summary["psnr_blurred"]["train"] == {
        "mean": pytest.approx(np.mean([pair.psnr for pair in found.train])),
        "lowest": lowest.psnr,
        "lowest_of": lowest.frames[0].path,
    }
    assert summary["converted"] == [{"what": "L read as RGB", "count": 1, "first": "x.png"}]
    assert summary["set_aside"] == [
        {"what": "cut", "count": 2, "first": "a.png"},
        {"what": "lost", "count": 1, "first": "b.png"},
    ]
    assert check.lines(summary) == [
        "1 photographs: L read as RGB (first: x.png)",
        "2 set aside: cut (first: a.png)",
        "1 set aside: lost (first: b.png)",
        f"train: blurred photographs at {summary['psnr_blurred']['train']['mean']:.2f} dB, "
        f"the lowest at {lowest.psnr:.2f} ({lowest.frames[0].path})",
        "test: blurred photographs at 30.00 dB, the lowest at 30.00 (blur/4.png)",
        "3 training pairs, 1 test pairs, 1 real blurs",
    ]


def test_the_listing_keeps_pairs_together(root):
    listing = check.listing(checked(root, "013", "4", "2"), "photos", "")
    assert (listing.root, listing.real_root) == ("photos", "")
    assert [frame.path for frame in listing.train_blurred] == ["blur/0.png", "blur/1.png", "blur/3.png"]
    assert [frame.path for frame in listing.train_sharp] == ["sharp/0.png", "sharp/1.png", "sharp/3.png"]
    assert [frame.path for frame in [*listing.test_blurred, *listing.test_sharp]] == ["blur/4.png", "sharp/4.png"]
    assert [frame.path for frame in listing.real_blur] == ["blur/2.png"]
