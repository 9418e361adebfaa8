"""Data sources: your folder, the public archives, the bundled photographs, and mixtures of them."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from dbgan.data import photographs, photos, sources
from dbgan.data.camera_shake import ShakeParams
from dbgan.data.folders import Layout


def quiet(items, **_):
    return items


def params(**changes) -> sources.DataParams:
    """`folder` of photos/, unless told otherwise."""
    values = {"source": "folder", "root": "photos", "real": None, "real_root": None}
    values |= {"test_share": 0.2, "max_rejected": 0.0, "min_side": 1}
    values |= {"train_shakes": 2, "test_shakes": 1, "real_shakes": 3, "archives": None}
    return sources.DataParams(**values | changes)


NOTHING = Layout([], [], [Path("real_blur/simulated.jpg")], [], [], {})


@pytest.fixture
def find(tmp_path, write_photos):
    """find(p): what is found, data.root and data.real_root below tmp_path, archives unpacked in .downloads."""
    write_photos(tmp_path / "photos")
    write_photos(tmp_path / ".downloads" / "gopro")
    photos.write(tmp_path / ".downloads" / "rwbi" / "x" / "1.jpg", np.zeros((8, 8, 3), np.uint8))
    photos.write(tmp_path / "mine" / "Ünder the sea.jpg", np.zeros((8, 8, 3), np.uint8))

    def unpacked(name: str) -> Path:
        return tmp_path / ".downloads" / name

    return lambda p: sources.find(p, (tmp_path / "raw", NOTHING), tmp_path, unpacked)


def test_your_folder_gives_pairs_and_real_blur(find, tmp_path):
    found = find(params())
    assert (found.folder, found.written) == (found.real_folder, found.real_written) == (tmp_path / "photos", "photos")
    assert [pair.blurred.as_posix() for pair in found.layout.train] == [f"train/blur/{i}.png" for i in range(4)]
    assert [pair.sharp.as_posix() for pair in found.layout.test] == ["test/sharp/0.png", "test/sharp/1.png"]
    assert [path.as_posix() for path in found.real_blur] == ["real_blur/0.png", "real_blur/1.png"]


def test_gopro_goes_with_rwbi(find):
    found = find(params(source="gopro", root=None))
    assert (found.written, found.real_written) == (".downloads/gopro", ".downloads/rwbi")
    assert len(found.layout.train) == 4
    assert [path.as_posix() for path in found.real_blur] == ["x/1.jpg"]


@pytest.mark.parametrize(
    ("real", "written", "path"),
    [
        ("folder", "mine", "Ünder the sea.jpg"),
        ("rwbi", ".downloads/rwbi", "x/1.jpg"),
        ("sample", "", "real_blur/simulated.jpg"),
    ],
)
@pytest.mark.parametrize(("source", "pairs"), [("folder", "photos"), ("gopro", ".downloads/gopro"), ("sample", "")])
def test_real_blur_may_come_from_elsewhere(find, source, pairs, real, written, path):
    found = find(params(source=source, real=real, real_root="mine"))
    assert (found.written, found.real_written) == (pairs, written)
    assert [path.as_posix() for path in found.real_blur] == [path]


def test_an_archive_outside_of_the_repository_is_written_in_full(find, tmp_path):
    elsewhere = sources.find(
        params(source="gopro"), (tmp_path, NOTHING), tmp_path / "photos", lambda _: tmp_path / "photos"
    )
    assert elsewhere.written == "."
    elsewhere = sources.find(
        params(source="gopro"), (tmp_path, NOTHING), tmp_path / "mine", lambda _: tmp_path / "photos"
    )
    assert elsewhere.written == str(tmp_path / "photos")


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"root": "gone"}, r"data\.root, .*gone"), ({"real": "folder", "real_root": "off"}, "real_root, .*off")],
)
def test_a_missing_root_is_named(find, changes, said):
    with pytest.raises(ValueError, match=said):
        find(params(**changes))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"root": None}, "root must"),
        ({"real": "folder"}, "real_root must"),
        ({"test_share": 0.0}, "test_share"),
        ({"test_share": 1.0}, "test_share"),
        ({"max_rejected": 1.1}, "max_rejected"),
        ({"min_side": 0}, "min_side"),
        ({"train_shakes": 0}, "train_shakes"),
        ({"test_shakes": 0}, "test_shakes"),
        ({"real_shakes": -1}, "real_shakes"),
    ],
)
def test_parameters_that_cannot_be(changes, said):
    with pytest.raises(ValueError, match=said):
        params(**changes)


def test_no_bundled_photograph_is_in_two_sets():
    names = [*photographs.TRAIN, *photographs.TEST, *photographs.REAL]
    assert len(set(names)) == len(names)
    contents = {hashlib.sha256(photographs.load(name).tobytes()).hexdigest() for name in names}
    assert len(contents) == len(names)


CAMERA = ShakeParams((1.0, 3.0), 0.1, (0.0, 0.0), 2.2, 0.005, None)
REAL_CAMERA = ShakeParams((4.0, 6.0), 0.1, (1.0, 1.0), 3.0, 0.005, 80)


@pytest.fixture
def simulate(tmp_path, monkeypatch, photo):
    monkeypatch.setattr(photographs, "load", lambda name: photo(len(name)))
    return lambda run, p: sources.simulate(tmp_path / run, p, CAMERA, REAL_CAMERA, 5, quiet)


def written(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*.*")}


def test_the_sample_is_written_with_the_blurs_asked_for(tmp_path, simulate):
    found, again = (simulate(run, params(source="sample")) for run in "ab")
    assert found == again
    assert written(tmp_path / "a") == written(tmp_path / "b")
    names = ({Path(name).stem for name in names} for names in (photographs.TRAIN, photographs.TEST, photographs.REAL))
    train, test, real = names
    assert [len(found.train), len(found.test), len(found.real_blur)] == [2 * len(train), len(test), 3 * len(real)]
    for pair in [*found.train, *found.test]:
        assert pair.blurred.stem.rpartition("_")[0] == pair.sharp.stem
    sides = {path for pair in [*found.train, *found.test] for path in (pair.blurred, pair.sharp)}
    assert {path.as_posix() for path in [*sides, *found.real_blur]} == set(written(tmp_path / "a"))
    assert len({content for name, content in written(tmp_path / "a").items() if "/blur/" in name}) == 2 * 5 + 3
    assert {path.suffix for path in found.real_blur} == {".jpg"}


def test_of_the_sample_only_what_is_asked_for_is_written_and_it_is_the_same(tmp_path, simulate):
    whole = simulate("whole", params(source="sample"))
    pairs = simulate("pairs", params(source="sample", real="folder", real_root="mine"))
    real = simulate("real", params(real="sample"))
    assert (pairs.train, pairs.test, pairs.real_blur) == (whole.train, whole.test, [])
    assert (real.train, real.test, real.real_blur) == ([], [], whole.real_blur)
    assert written(tmp_path / "pairs") | written(tmp_path / "real") == written(tmp_path / "whole")
    assert simulate("none", params()) == Layout([], [], [], whole.shape, [], {})
    assert not (tmp_path / "none").exists()
