"""The figures of metrics/data.json and the lines that a person is told."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dbgan.data import manifest, photos, report
from dbgan.data.check import Matched, Photo, SetAside
from dbgan.data.folders import Layout
from dbgan.data.manifest import Frame
from dbgan.data.sources import Found


def frame(path: str, height: int = 72, width: int = 64, red: float = 10) -> Frame:
    return Frame(path.partition(".")[0], path, height, width, path, [red, 20, 30])


def matched(key: str, psnr: float, notes=(), **size) -> Matched:
    return Matched(key, frame(f"blur/{key}.png", **size), frame(f"sharp/{key}.png", **size, red=40), psnr, list(notes))


FOUND = Found(
    Path("photos"),
    "photos",
    Layout([], [], [], ["*/blur", "*/sharp"], [], {"thumbs": 4}),
    Path("photos"),
    "",
    [],
    ["no test folder"],
)
TRAIN = [matched("a/1", 24, [("L read as RGB", "blur/a/1.png")]), matched("a/2", 22), matched("b/1", 26, height=80)]
TEST = [matched("c/1", 30)]
REAL = [Photo(frame("x.jpg"), [("L read as RGB", "x.jpg")]), Photo(frame("y.jpg", red=20), [])]
OUT = [SetAside("z.jpg", "an empty file"), SetAside("w.jpg", "cut (short)")]


@pytest.fixture
def summary() -> dict:
    return summed(FOUND)


def summed(found: Found, train=TRAIN, real=REAL, out=OUT) -> dict:
    return report.summary(found, report.listed(found, train, TEST, real), train, TEST, real, out)


def test_photographs_are_counted_and_averaged(summary):
    assert (summary["train_pairs"], summary["test_pairs"], summary["real_blur"]) == (3, 1, 2)
    assert summary["sequences"] == {"train": 2, "test": 1}
    assert summary["sizes"]["train_blurred"] == {"64x72": 2, "64x80": 1}
    assert summary["psnr_blurred"]["train"] == {"mean": 24.0, "lowest": 22, "lowest_of": "blur/a/2.png"}
    assert summary["mean_color"]["real_blur"] == [15.0, 20.0, 30.0]
    assert summary["mean_color"]["test_sharp"] == [40.0, 20.0, 30.0]
    assert summary["converted"] == [{"what": "L read as RGB", "count": 2, "first": "blur/a/1.png"}]
    assert summary["set_aside"]["share"] == 2 / 8
    assert summary["layout"]["left_out"] == [{"folder": "thumbs", "count": 4}]


def test_many_sizes_are_counted_together():
    many = [matched(f"a/{n}", 20, width=64 + n // 2) for n in range(20)]
    sizes = summed(FOUND, many, [], [])["sizes"]["train_blurred"]
    assert len(sizes) == report.SIZES + 1
    assert sizes["others"] == 20 - 2 * report.SIZES


def test_the_digest_tells_photographs_apart_but_not_where_they_lie(summary):
    elsewhere = replace(FOUND, written="/elsewhere")
    assert summed(elsewhere)["digest"] == summary["digest"]
    assert summed(FOUND, TRAIN[::-1])["digest"] != summary["digest"]
    other = [replace(TRAIN[0], sharp=replace(TRAIN[0].sharp, sha256="other")), *TRAIN[1:]]
    assert summed(FOUND, other)["digest"] != summary["digest"]


def test_a_person_is_told_all_of_it_line_by_line(summary):
    assert list(report.lines(FOUND, summary)) == [
        "found */blur, */sharp",
        "no test folder",
        "4 photographs in folders named thumbs are no part of it and left out",
        "2 photographs: L read as RGB (first: blur/a/1.png)",
        "1 set aside: an empty file (first: z.jpg)",
        "1 set aside: cut (first: w.jpg)",
        "train: blurred photographs at 24.00 dB, the lowest at 22.00 (blur/a/2.png)",
        "test: blurred photographs at 30.00 dB, the lowest at 30.00 (blur/c/1.png)",
        "3 training pairs, 1 test pairs, 2 real blurs",
    ]


def test_the_centre_of_a_photograph(tmp_path):
    image = np.arange(10 * 7 * 3, dtype=np.uint8).reshape(10, 7, 3)
    photos.write(tmp_path / "a.png", image)
    found, _, _ = manifest.describe(tmp_path, Path("a.png"))
    assert np.array_equal(report.centre(tmp_path, found, 4), image[3:7, 1:5])
    assert np.array_equal(report.centre(tmp_path, found, 8), image[1:9])


def test_the_mean_of_all_numbers():
    assert report.mean(iter([np.array([1.0, 2.0]), np.array([]), np.array([6.0])])) == 3.0
    assert report.mean([]) is None
