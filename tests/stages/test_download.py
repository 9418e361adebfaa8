"""The stage that provides photographs: what it lists, logs, sets aside and shows."""

import json
import shutil

from commands import run, run_well
from PIL import Image


def summary(root) -> dict:
    return json.loads((root / "metrics" / "download.json").read_text())


def listing(root) -> dict:
    return json.loads((root / "data" / "raw" / "frames.json").read_text())


def test_the_photographs_are_counted_compared_and_shown(chain):
    found = summary(chain)
    assert (found["train_pairs"], found["test_pairs"], found["real_blur"]) == (4, 2, 2)
    assert found["psnr_blurred"]["train"]["mean"] >= found["psnr_blurred"]["train"]["lowest"] > 10
    assert found["psnr_blurred"]["test"]["lowest_of"].startswith("test/blur/")
    assert (found["converted"], found["set_aside"]) == ([], [])
    with Image.open(chain / "results" / "contact_sheet.png") as sheet:
        assert sheet.width > 4 * 64
        assert len(sheet.getcolors(sheet.width * sheet.height)) > 1000


def test_what_cannot_be_used_is_set_aside_said_and_counted(copied, write_params):
    photos = copied / "photos"
    (photos / "train" / "sharp" / "2.png").write_bytes(b"")
    (photos / "real_blur" / "IMG_1.CR2").touch()
    shutil.copy(photos / "test" / "sharp" / "1.png", photos / "train" / "sharp" / "0.png")
    write_params(copied / "params.yaml", {"data.max_rejected": 0.5})
    result = run("download")
    assert result.exit_code == 0, result.stderr
    found = summary(copied)
    assert (found["train_pairs"], found["test_pairs"], found["real_blur"]) == (2, 2, 2)
    assert {(reason["what"], reason["count"], reason["first"]) for reason in found["set_aside"]} == {
        ("an empty file", 1, "train/sharp/2.png"),
        ("camera RAW is not read; convert it to JPEG or PNG", 1, "real_blur/IMG_1.CR2"),
        ("is among the test pairs too", 1, "train/blur/0.png"),
    }
    assert "1 set aside: an empty file (first: train/sharp/2.png)" in result.stderr
    assert [frame["path"] for frame in listing(copied)["train_sharp"]] == ["train/sharp/1.png", "train/sharp/3.png"]


def test_your_own_copy_of_an_archive_is_taken_without_a_network(copied, write_params):
    (copied / "photos" / "real_blur").rename(copied / "rwbi")
    paths = {"archives.gopro.path": "photos", "archives.rwbi.path": "rwbi"}
    write_params(copied / "params.yaml", paths | {"data.source": "gopro"})
    run_well("download")
    assert (listing(copied)["root"], listing(copied)["real_root"]) == ("photos", "rwbi")
    assert (summary(copied)["train_pairs"], summary(copied)["real_blur"]) == (4, 2)


def test_a_csv_file_names_pairs_in_folders_of_any_layout(copied, write_params):
    photos = copied / "photos"
    (photos / "train" / "blur").rename(photos / "shaken")
    rows = [f"shaken/{n}.png,train/sharp/{n}.png,{'test' if n == 3 else 'train'}" for n in range(4)]
    (photos / "pairs.csv").write_text("\n".join(["blurred,sharp,split", *rows, "real_blur/0.png,,"]))
    write_params(copied / "params.yaml", {"data.root": "photos/pairs.csv"})
    run_well("download", "build_h5")
    assert listing(copied)["root"] == "photos"
    found = summary(copied)
    assert (found["train_pairs"], found["test_pairs"], found["real_blur"]) == (3, 1, 1)
