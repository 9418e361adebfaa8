"""Data sources: the user's folder, checked pair by pair, and the bundled photographs."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from dbgan.data import frames, photographs, sources
from dbgan.data.shake import ShakeParams


def quiet(items, **_):
    return items


@pytest.fixture
def root(tmp_path, write_photos):
    return write_photos(tmp_path / "photos")


def listed(root):
    return sources.folder(root, "photos", quiet)


def save(path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def test_pairs_and_real_blurs_are_listed_in_order(root):
    listing, notes = listed(root)
    assert notes == []
    assert listing.root == "photos"
    assert [f.path for f in listing.train_blurred] == [f"train/blur/{i}.png" for i in range(4)]
    assert [f.path for f in listing.train_sharp] == [f"train/sharp/{i}.png" for i in range(4)]
    assert [f.path for f in listing.test_blurred] == ["test/blur/0.png", "test/blur/1.png"]
    assert [f.path for f in listing.real_blur] == ["real_blur/0.png", "real_blur/1.png"]
    assert {(f.height, f.width) for f in listing.train_sharp} == {(72, 64)}


def test_pairs_lie_in_sub_folders_and_may_differ_in_suffix(root, photo):
    for half, suffix in (("blur", "jpg"), ("sharp", "bmp")):
        save(root / "train" / half / "scene 1" / f"x.y.{suffix}", photo(9))
    listing, _ = listed(root)
    assert listing.train_blurred[-1].path == "train/blur/scene 1/x.y.jpg"
    assert listing.train_sharp[-1].path == "train/sharp/scene 1/x.y.bmp"


def test_equal_names_in_unlike_sub_folders_are_no_pair(root, photo):
    save(root / "train" / "blur" / "a" / "x.png", photo(9))
    save(root / "train" / "sharp" / "b" / "x.png", photo(9))
    with pytest.raises(ValueError, match="has no partner"):
        listed(root)


def test_real_blur_may_be_missing(root):
    for path in (root / "real_blur").iterdir():
        path.unlink()
    (root / "real_blur").rmdir()
    assert listed(root)[0].real_blur == []


@pytest.mark.parametrize(("half", "other"), [("blur", "sharp"), ("sharp", "blur")])
@pytest.mark.parametrize("part", ["train", "test"])
def test_a_missing_partner_is_told_by_the_file_that_lacks_it(root, part, half, other):
    (root / part / other / "1.png").unlink()
    with pytest.raises(ValueError) as error:
        listed(root)
    assert str(root / part / half / "1.png") in str(error.value)
    assert str(root / part / other) in str(error.value)


def test_a_pair_of_unlike_size_is_named(root, photo):
    save(root / "train" / "sharp" / "2.png", photo(2, 72, 65))
    with pytest.raises(ValueError, match=r"train/blur/2\.png: is 64x72, .*train/sharp/2\.png is 65x72"):
        listed(root)


def test_two_files_of_one_name_are_named(root, photo):
    save(root / "test" / "sharp" / "0.bmp", photo(3))
    with pytest.raises(ValueError, match=r"0\.png: .*0\.bmp has the same name|0\.bmp: .*0\.png has the same name"):
        listed(root)


@pytest.mark.parametrize("part", ["train/blur", "test/sharp"])
def test_a_missing_folder_is_named(root, part):
    (root / part).rename(root / "elsewhere")
    with pytest.raises(ValueError, match=part):
        listed(root)


def test_a_missing_root_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"data\.root, .*gone"):
        listed(tmp_path / "gone")


def test_an_unreadable_photograph_is_named(root):
    (root / "real_blur" / "1.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"real_blur/1\.png"):
        listed(root)


def test_what_is_converted_is_noted_once_with_its_count_and_first_file(root, photo):
    for name in ("1.png", "3.png"):
        save(root / "train" / "sharp" / name, photo(0)[..., 0])
    save(root / "real_blur" / "0.png", np.dstack([photo(0), photo(1)[..., 0]]))
    _, notes = listed(root)
    assert sorted(notes) == [
        "1 photographs: transparency dropped (first: real_blur/0.png)",
        "2 photographs: L read as RGB (first: train/sharp/1.png)",
    ]


def test_folder_needs_a_root():
    with pytest.raises(ValueError, match=r"data\.root"):
        sources.DataParams("folder", None, 1, 1, 1, None)


def test_no_bundled_photograph_is_in_two_sets():
    names = [*photographs.TRAIN, *photographs.TEST, *photographs.REAL]
    assert len(set(names)) == len(names)
    contents = {hashlib.sha256(photographs.load(name).tobytes()).hexdigest() for name in names}
    assert len(contents) == len(names)


def test_the_sample_is_written_with_the_blurs_asked_for(tmp_path, monkeypatch, photo):
    monkeypatch.setattr(photographs, "load", lambda name: photo(len(name)))
    camera = ShakeParams((1.0, 3.0), 0.1, (0.0, 0.0), 2.2, 0.005, None)
    real = ShakeParams((4.0, 6.0), 0.1, (1.0, 1.0), 3.0, 0.005, 80)
    p = sources.DataParams("sample", None, train_shakes=2, test_shakes=1, real_shakes=3, archives=None)
    first, second = (sources.sample(tmp_path / run, p, camera, real, 5, quiet) for run in "ab")
    assert first == second
    assert first.root == ""
    train, test, real_names = (
        {name.partition(".")[0] for name in names} for names in (photographs.TRAIN, photographs.TEST, photographs.REAL)
    )
    assert len(first.train_blurred) == len(first.train_sharp) == 2 * len(train)
    assert len(first.test_blurred) == len(first.test_sharp) == len(test)
    assert len(first.real_blur) == 3 * len(real_names)
    for blurred, sharp in zip(first.train_blurred, first.train_sharp, strict=True):
        assert blurred.name.rpartition("/")[2].rpartition("_")[0] == sharp.name.rpartition("/")[2]
    everything = [*first.train_blurred, *first.train_sharp, *first.test_blurred, *first.test_sharp, *first.real_blur]
    assert {f.path for f in everything} == {
        p.relative_to(tmp_path / "a").as_posix() for p in (tmp_path / "a").rglob("*.*")
    }
    assert len({f.sha256 for f in first.train_blurred}) == len(first.train_blurred)
    for frame in everything:
        assert frames.load_frame(tmp_path / "a", frame).shape == (frame.height, frame.width, 3)
    assert {f.path.rpartition(".")[2] for f in first.real_blur} == {"jpg"}
