"""Data sources: your folder, the public archives, the bundled photographs, and mixtures of them."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from dbgan.data import photos, sources
from dbgan.data.camera_shake import ShakeParams
from dbgan.data.download import Archive, Archives
from dbgan.data.folders import Found

NAMES = [name for names in photos.SAMPLE.values() for name in names]
CAMERA = ShakeParams(
    length_px=(1.0, 3.0), rotation_deg=0.1, defocus_px=(0.0, 0.0), response_gamma=2.2, noise=0.005, jpeg_quality=None
)
REAL_CAMERA = CAMERA.model_copy(update={"length_px": (4.0, 6.0), "jpeg_quality": 80})


def params(**changes) -> sources.DataParams:
    """`folder` of photos/, where nothing else is given."""
    values = {"source": "folder", "root": "photos", "real": None, "real_root": None}
    values |= {"test_share": 0.2, "max_rejected": 0.0, "min_side": 1}
    values |= {"train_shakes": 2, "test_shakes": 1, "real_shakes": 3}
    return sources.DataParams(**values | changes)


def archives(**paths: str) -> Archives:
    nothing = Archive(path=None, file="a", url=None, drive=None, sha256=None)
    own = {name: nothing.model_copy(update={"path": path}) for name, path in paths.items()}
    return Archives(**dict.fromkeys(Archives.model_fields, nothing) | own)


@pytest.fixture
def find(tmp_path, write_photos):
    """find(p): the photographs, with photos/, mine/ and the unpacked archives gopro/ and rwbi/ in the repository."""
    write_photos(tmp_path / "photos")
    write_photos(tmp_path / "gopro")
    photos.write(tmp_path / "rwbi" / "x" / "1.jpg", np.zeros((8, 8, 3), np.uint8))
    photos.write(tmp_path / "mine" / "Ünder the sea.jpg", np.zeros((8, 8, 3), np.uint8))
    raw = tmp_path / "raw"
    sample = Found(raw, {}, {}, raw, [Path("real_blur/simulated.jpg")], [], [])
    return lambda p: sources.find(p, archives(gopro="gopro", rwbi="rwbi"), sample)


def test_your_folder_gives_pairs_and_real_blur(find, tmp_path):
    found = find(params())
    assert found.root == found.real_root == tmp_path / "photos"
    assert [blurred.as_posix() for blurred, _ in found.train.values()] == [f"train/blur/{i}.png" for i in range(4)]
    assert [sharp.as_posix() for _, sharp in found.test.values()] == ["test/sharp/0.png", "test/sharp/1.png"]
    assert [path.as_posix() for path in found.real_blur] == ["real_blur/0.png", "real_blur/1.png"]


def test_a_csv_file_may_be_the_root(find, tmp_path):
    rows = ["blurred,sharp,split", "train/blur/0.png,train/sharp/0.png,train", "test/blur/0.png,test/sharp/0.png,test"]
    (tmp_path / "photos" / "pairs.csv").write_text("\n".join(rows))
    found = find(params(root="photos/pairs.csv"))
    assert (found.root, len(found.train), len(found.test)) == (tmp_path / "photos", 1, 1)


def test_gopro_goes_with_rwbi(find, tmp_path):
    found = find(params(source="gopro", root=None))
    assert (found.root, found.real_root, len(found.train)) == (tmp_path / "gopro", tmp_path / "rwbi", 4)
    assert [path.as_posix() for path in found.real_blur] == ["x/1.jpg"]


@pytest.mark.parametrize(
    ("real", "root", "path"),
    [
        ("folder", "mine", "Ünder the sea.jpg"),
        ("rwbi", "rwbi", "x/1.jpg"),
        ("sample", "raw", "real_blur/simulated.jpg"),
    ],
)
@pytest.mark.parametrize(("source", "pairs"), [("folder", "photos"), ("gopro", "gopro"), ("sample", "raw")])
def test_real_blur_may_come_from_elsewhere(find, tmp_path, source, pairs, real, root, path):
    found = find(params(source=source, real=real, real_root="mine"))
    assert (found.root, found.real_root) == (tmp_path / pairs, tmp_path / root)
    assert [path.as_posix() for path in found.real_blur] == [path]


def test_a_root_is_listed_relative_to_the_repository_where_it_is_inside(tmp_path):
    named = {name: sources.root_name(tmp_path / name, tmp_path / "raw") for name in ("raw", "photos/a", "../b", ".")}
    assert named == {"raw": "", "photos/a": "photos/a", "../b": "../b", ".": "."}
    assert sources.root_name(Path("/elsewhere"), tmp_path) == "/elsewhere"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"root": "gone"}, r"data\.root, .*gone"),
        ({"real": "folder", "real_root": "off"}, r"data\.real_root, .*off"),
        ({"root": None}, "root must"),
        ({"real": "folder"}, "real_root must"),
        ({"test_share": 1.0}, "test_share"),
        ({"max_rejected": 1.1}, "max_rejected"),
        ({"train_shakes": 0}, "train_shakes"),
        ({"real_shakes": -1}, "real_shakes"),
    ],
)
def test_parameters_that_cannot_be_are_named(find, changes, message):
    with pytest.raises(ValueError, match=message):
        find(params(**changes))


def test_no_bundled_photograph_is_in_two_sets():
    assert len({hashlib.sha256(photos.bundled(name).tobytes()).hexdigest() for name in NAMES}) == len(NAMES) == 13


@pytest.fixture
def simulate(tmp_path, monkeypatch, photo):
    monkeypatch.setattr(photos, "bundled", lambda name: photo(len(name)))
    return lambda run, p: sources.simulate(tmp_path / run, p, CAMERA, REAL_CAMERA, 5)


def written(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*.*")}


def test_the_sample_is_written_with_the_blurs_asked_for(tmp_path, simulate):
    found = simulate("a", params(source="sample"))
    simulate("b", params(source="sample"))
    assert written(tmp_path / "a") == written(tmp_path / "b")
    assert [len(found.train), len(found.test), len(found.real_blur)] == [2 * 5, 3, 3 * 5]
    pairs = [*found.train.values(), *found.test.values()]
    assert all(blurred.stem.rpartition("_")[0] == sharp.stem for blurred, sharp in pairs)
    listed = {path.as_posix() for pair in pairs for path in pair} | {path.as_posix() for path in found.real_blur}
    assert listed == set(written(tmp_path / "a"))
    assert len({content for name, content in written(tmp_path / "a").items() if "/blur/" in name}) == 2 * 5 + 3
    assert {path.suffix for path in found.real_blur} == {".jpg"}


def test_only_the_part_of_the_sample_that_is_asked_for_is_written_and_it_is_the_same(tmp_path, simulate):
    whole = simulate("whole", params(source="sample"))
    pairs = simulate("pairs", params(source="sample", real="folder", real_root="mine"))
    real = simulate("real", params(real="sample"))
    assert (pairs.train, pairs.test, pairs.real_blur) == (whole.train, whole.test, [])
    assert (real.train, real.test, real.real_blur) == ({}, {}, whole.real_blur)
    assert written(tmp_path / "pairs") | written(tmp_path / "real") == written(tmp_path / "whole")
    simulate("none", params())
    assert not (tmp_path / "none").exists()
