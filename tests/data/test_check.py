"""Photographs are read and compared; those that cannot be used are set aside with a reason."""

import shutil
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from dbgan.data import check, contact_sheet, manifest, photos
from dbgan.data.folders import Found


@pytest.fixture
def root(tmp_path, photo) -> Path:
    """Pairs 0 to 4, of 64 x 72 pixels."""
    for n in range(5):
        photos.write(tmp_path / "blur" / f"{n}.png", photo(n) // 2 + 40)
        photos.write(tmp_path / "sharp" / f"{n}.png", photo(n))
    return tmp_path


def checked(root: Path, train: str = "0123", test: str = "4", real: str = "", unmatched=(), limit=1.0, workers=2):
    """The frames of each set and the summary."""
    sets = defaultdict(list, {"unmatched": [(Path(path),) for path in unmatched]})
    for name, digits in (("train", train), ("test", test)):
        sets[name] = [(Path(f"blur/{n}.png"), Path(f"sharp/{n}.png")) for n in digits]
    sets["real_blur"] = [(Path(f"blur/{n}.png"),) for n in real]
    return check.check(Found(root, root, sets), 64, limit, workers)


def names(frames: list[manifest.Frame]) -> str:
    return "".join(Path(frame.path).stem for frame in frames)


@pytest.mark.parametrize("workers", [0, 3])
def test_good_pairs_stay_in_order_and_are_measured(root, workers):
    frames, summary = checked(root, "013", "4", "2", limit=0, workers=workers)
    listing = manifest.Listing(root="", real_root="", **frames)
    assert names(listing.train_blurred) == names(listing.train_sharp) == "013"
    assert (names(listing.test_sharp), names(listing.real_blur)) == ("4", "2")
    assert (summary["train_pairs"], summary["test_pairs"], summary["real_blur"]) == (3, 1, 1)
    psnr = {}
    for blurred, sharp in zip(listing.train_blurred, listing.train_sharp, strict=True):
        psnr[blurred.path] = peak_signal_noise_ratio(
            manifest.load_frame(root, sharp), manifest.load_frame(root, blurred)
        )
    lowest = min(psnr, key=psnr.get)
    assert summary["psnr_blurred"]["train"] == {
        "mean": pytest.approx(np.mean(list(psnr.values()))),
        "lowest": pytest.approx(psnr[lowest]),
        "lowest_of": lowest,
    }
    assert check.lines(summary)[-1] == "3 training pairs, 1 test pairs, 1 real blurs"


def empty(root: Path, photo) -> None:
    (root / "sharp" / "2.png").write_bytes(b"")


def cut_short(root: Path, photo) -> None:
    (root / "blur" / "2.png").write_bytes((root / "blur" / "2.png").read_bytes()[:2000])


def other_size(root: Path, photo) -> None:
    photos.write(root / "sharp" / "2.png", photo(2, 72, 65))


def too_small(root: Path, photo) -> None:
    for side in ("blur", "sharp"):
        Image.open(root / side / "2.png").crop((0, 0, 63, 72)).save(root / side / "2.png")


def same(root: Path, photo) -> None:
    shutil.copy(root / "sharp" / "2.png", root / "blur" / "2.png")


def leaked(root: Path, photo) -> None:
    shutil.copy(root / "sharp" / "4.png", root / "sharp" / "2.png")


SPOILT = [
    (empty, "sharp", "an empty file"),
    (cut_short, "blur", "not a readable photograph"),
    (other_size, "blur", "is not of its sharp partner's size"),
    (too_small, "blur", "less than 64 pixels high or wide"),
    (same, "blur", "is its sharp partner, not a blurred version of it"),
    (leaked, "blur", "is among the test pairs too"),
]


@pytest.mark.parametrize(("spoil", "side", "reason"), SPOILT)
def test_a_pair_that_cannot_be_used_is_set_aside_by_its_file_and_reason(root, photo, spoil, side, reason):
    spoil(root, photo)
    frames, summary = checked(root)
    assert names(frames["train_blurred"]) == names(frames["train_sharp"]) == "013"
    assert summary["set_aside"] == [{"what": reason, "count": 1, "first": f"{side}/2.png"}]
    assert f"1 set aside: {reason} (first: {side}/2.png)" in check.lines(summary)


def test_an_unusable_photograph_of_a_list_may_lie_outside_its_folder(root):
    empty(root, None)
    (root / "lists").mkdir()
    sets = defaultdict(list, {"train": [(root / "blur" / f"{n}.png", root / "sharp" / f"{n}.png") for n in "0123"]})
    sets["test"] = [(root / "blur" / "4.png", root / "sharp" / "4.png")]
    _, summary = check.check(Found(root / "lists", root / "lists", sets), 64, 1.0, 0)
    assert summary["set_aside"] == [{"what": "an empty file", "count": 1, "first": "../sharp/2.png"}]


def test_real_blur_is_checked_alike_and_conversions_are_counted(root):
    for n in "01":
        Image.open(root / "blur" / f"{n}.png").convert("L").save(root / "blur" / f"{n}.png")
    (root / "blur" / "3.png").write_text("no photograph")
    frames, summary = checked(root, train="2", real="0134")
    assert names(frames["real_blur"]) == "01"  # the last one is tested on
    assert "2 photographs: L read as RGB (first: blur/0.png)" in check.lines(summary)
    assert {note["what"] for note in summary["set_aside"]} == {
        "not a readable photograph",
        "is among the test pairs too",
    }


def test_a_share_of_unusable_photographs_is_borne_and_no_more(root):
    (root / "sharp" / "3.png").unlink()
    unmatched = ["blur/8.png", "blur/9.png"]
    assert checked(root, unmatched=unmatched, limit=3 / 7)[1]["set_aside"][0]["count"] == 2
    with pytest.raises(
        ValueError, match=r"3 of 7 .* 0\.4, allows: 2 x has no partner of its name, first blur/8\.png; 1 x"
    ):
        checked(root, unmatched=unmatched, limit=0.4)
    for train, test, message in (("3", "4", "train on"), ("0", "3", "test on")):
        with pytest.raises(ValueError, match=f"no pair is left to {message}: 1 x not a readable"):
            checked(root, train, test)


def test_the_contact_sheet_spreads_photographs_over_all_in_rows_by_set(tmp_path):
    """With names of any kind, and equal bytes each time."""
    for n in range(10):
        photos.write(tmp_path / f"{n}{'写 ' * 40}\n%s.png", np.full((30, 40, 3), 10 * (n + 1), np.uint8))
    frames = [manifest.describe(tmp_path, path)[0] for path in photos.find(tmp_path)]
    listing = manifest.Listing("", "", frames, frames, [], [], frames[:1])
    for name in ("a.png", "b.png"):
        contact_sheet.save(tmp_path / name, listing, tmp_path, tmp_path)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    sheet = np.asarray(Image.open(tmp_path / "a.png"))
    width, height = contact_sheet.CELL
    assert sheet.shape == (3 * height, 4 * width, 3)
    assert sheet[120, width // 2 :: width, 0].tolist() == [10, 40, 70, 100]
    assert (sheet[242:260, :width] < 255).any()  # the name
