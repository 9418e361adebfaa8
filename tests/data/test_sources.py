"""Data sources: your folder, the public archives, the bundled photographs, and mixtures of them."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from dbgan.data import photos, sources
from dbgan.data.camera_shake import ShakeParams
from dbgan.data.download import Archive, Archives

CAMERA = ShakeParams(
    **{"path": "walk", "length_px": (1.0, 3.0), "rotation_deg": 0.1, "defocus_px": (0.0, 0.0), "blades": 0},
    **{"response_gamma": 2.2, "contrast": 0.0, "headroom": 1.0, "noise": 0.005, "jpeg_quality": None},
)
REAL_CAMERA = CAMERA.model_copy(update={"length_px": (4.0, 6.0), "jpeg_quality": 80})


def params(**changes) -> sources.DataParams:
    """`folder` of photos/, where nothing else is given."""
    values = {"source": "folder", "root": "photos", "real": None, "real_root": None}
    values |= {"test_share": 0.2, "max_rejected": 0.0, "min_side": 1}
    values |= {"train_photos": 10, "train_shakes": 2, "test_shakes": 1, "real_shakes": 3}
    return sources.DataParams(**values | changes)


@pytest.fixture
def find(tmp_path, write_photos, monkeypatch, photo):
    """find(p): the photographs, with photos/, mine/ and the unpacked archives gopro/ and rwbi/ in the repository, and a
    small bundled sample."""
    write_photos(tmp_path / "photos")
    write_photos(tmp_path / "gopro")
    for path in ("rwbi/x/1.jpg", "mine/Ünder the sea.jpg"):
        photos.write(tmp_path / path, np.zeros((8, 8, 3), np.uint8))
    nothing = Archive(path=None, file="a", gb=None, url=None, drive=None, sha256=None)
    own = {name: nothing.model_copy(update={"path": name}) for name in ("gopro", "rwbi")}
    archives = Archives(**dict.fromkeys(Archives.model_fields, nothing) | own)
    monkeypatch.setattr(sources, "read", lambda photograph: photo(len(photograph)))
    return lambda p, raw="raw": sources.find(p, archives, tmp_path / raw, CAMERA, REAL_CAMERA, 5)


@pytest.mark.parametrize(
    ("real", "root", "path"),
    [
        ("folder", "mine", "Ünder the sea.jpg"),
        ("rwbi", "rwbi", "x/1.jpg"),
        ("sample", "raw", "real_blur/motorcycle_left_1_0.jpg"),
        (None, None, None),
    ],
)
@pytest.mark.parametrize(
    ("source", "pairs", "real_of_it"),
    [
        ("folder", "photos", "real_blur/0.png"),
        ("gopro", "gopro", "x/1.jpg"),
        ("sample", "raw", "real_blur/motorcycle_left_1_0.jpg"),
    ],
)
def test_pairs_and_real_blur_may_come_from_unlike_sources(
    find, tmp_path, capsys, source, pairs, real_of_it, real, root, path
):
    found = find(params(source=source, real=real, real_root="mine"))
    of_pairs = (source == "folder" and real) or source == "gopro"  # their folders have a real_blur of their own
    assert ("photographs of real blur there are left out, as data.real is" in capsys.readouterr().err) == bool(of_pairs)
    assert found.root == tmp_path / pairs
    assert found.real_root == tmp_path / (root or {"gopro": "rwbi"}.get(source, pairs))
    assert found.sets["real_blur"][0] == (Path(path or real_of_it),)
    for name in ("train", "test"):
        for blurred, sharp in found.sets[name]:
            assert (found.root / blurred).is_file() and (found.root / sharp).is_file()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"root": "gone"}, r"data\.root, gone: there is no such folder"),
        ({"real": "folder", "real_root": "off"}, r"data\.real_root, off"),
        ({"root": None}, r"data\.root, None"),
        ({"test_share": 1.0}, "test_share"),
        ({"max_rejected": 1.1}, "max_rejected"),
        ({"train_photos": 14}, "train_photos"),
        ({"train_shakes": 0}, "train_shakes"),
        ({"real_shakes": -1}, "real_shakes"),
    ],
)
def test_parameters_that_cannot_be_are_named(find, changes, message):
    with pytest.raises(ValueError, match=message):
        find(params(**changes))


def test_no_two_sets_of_the_sample_share_a_pixel_and_all_parts_are_large_enough():
    read = {name: sources.read(name) for name in sources.PHOTOGRAPHS}
    assert len({hashlib.sha256(image.tobytes()).hexdigest() for image in read.values()}) == 13 + 3
    assert len(sources.TRAIN) == 13 and not set(sources.TRAIN) & set(sources.TEST)
    train, real = sources.PARTS["train"], sources.PARTS["real_blur"]
    for name in sources.TRAIN:
        height, width, _ = read[name].shape
        places = sources.parts(np.arange(height * width).reshape(height, width, 1))
        assert (
            sum(place.size for place in places)
            == height * width
            == len(np.unique(np.concatenate(list(map(np.ravel, places)))))
        )
        for chosen in (train, real):
            assert any(k < len(places) for k in chosen)
        assert not set(train) & set(real)
        assert min(min(place.shape[:2]) for place in places) >= sources.SMALLEST


def written(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*.*")}


def test_the_sample_has_the_blurs_asked_for_and_parts_of_it_are_the_same(tmp_path, find):
    whole = find(params(source="sample"), "whole").sets
    assert [len(whole[name]) for name in ("train", "test", "real_blur")] == [2 * 10, 3, 3 * 10]
    assert all(blurred.stem.rpartition("_")[0] == sharp.stem for blurred, sharp in [*whole["train"], *whole["test"]])
    files = written(tmp_path / "whole")
    assert {path.as_posix() for items in whole.values() for paths in items for path in paths} == set(files)
    assert len({content for name, content in files.items() if "/blur/" in name}) == 2 * 10 + 3
    find(params(source="sample", real="folder", real_root="mine"), "pairs")
    find(params(real="sample"), "real")
    assert written(tmp_path / "pairs") | written(tmp_path / "real") == files
    find(params(), "none")
    assert not (tmp_path / "none").exists()
