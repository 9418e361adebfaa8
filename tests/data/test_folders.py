"""Pairs, real blur and the held-out test by the names of folders or a CSV file; anything else is refused."""

from pathlib import Path

import pytest

from dbgan.data import folders

GOPRO = [f"GOPRO_Large/{split}/S{s}_00/{side}/00{n}.png" for split, s in (("train", 1), ("train", 2), ("test", 3))
         for side in ("blur", "blur_gamma", "sharp") for n in (1, 2)]  # fmt: skip
FLAT = [f"{split}/{side}/{n}.png" for split in ("train", "test") for side in ("input", "target") for n in (1, 2, 3)]


@pytest.fixture
def made(tmp_path):
    """made(paths): a folder with empty files of these names; only names matter here."""

    def make(paths: list[str]) -> Path:
        for path in paths:
            (tmp_path / "root" / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "root" / path).touch()
        return tmp_path / "root"

    return make


def shown(pairs: folders.Pairs) -> dict[str, tuple[str, ...]]:
    return {key: tuple(path.as_posix() for path in pair) for key, pair in pairs.items()}


def test_gopros_own_tree_is_found_without_its_gamma_version(made):
    found = folders.find(made(GOPRO), 0.5)
    assert list(found.train) == [f"GOPRO_Large/S{s}_00/00{n}" for s in (1, 2) for n in (1, 2)]
    assert shown(found.test)["GOPRO_Large/S3_00/001"] == (
        "GOPRO_Large/test/S3_00/blur/001.png",
        "GOPRO_Large/test/S3_00/sharp/001.png",
    )
    assert found.notes == ["6 photographs in folders named blur_gamma are left out"]
    assert (found.root, found.real_blur, found.unmatched) == (found.real_root, [], [])


@pytest.mark.parametrize("sides", [("blur", "sharp"), ("Input", "Target"), ("blurry", "GT")])
def test_pairs_have_equal_names_whatever_the_suffix(made, sides):
    paths = [path.replace("input", sides[0]).replace("target", sides[1]) for path in FLAT]
    found = folders.find(made([path.replace(f"{sides[0]}/1.png", f"{sides[0]}/1.JPG") for path in paths]), 0.5)
    assert shown(found.train)["1"] == (f"train/{sides[0]}/1.JPG", f"train/{sides[1]}/1.png")
    assert (len(found.train), len(found.test), found.notes) == (3, 3, [])


def test_real_blur_junk_and_photographs_without_a_partner_are_no_pairs(made):
    more = ["real_blur/a.jpg", "real_blur/train/blur/b.heic", "train/input/9.png", "test/target/8.png"]
    outside = ["val/input/1.png", "val/target/1.png"]
    junk = ["train/input/._1.png", ".thumbs/train/input/1.png", "__MACOSX/train/input/1.png", "@eaDir/x.jpg", "a.txt"]
    found = folders.find(made([*FLAT, *more, *outside, *junk]), 0.5)
    assert [path.as_posix() for path in found.real_blur] == more[:2]
    assert sorted(path.as_posix() for path in found.unmatched) == sorted(more[2:])
    assert (len(found.train), len(found.test)) == (3, 3)
    assert found.notes == ["1 pairs in neither train nor test are left out, such as val/1"]


@pytest.mark.parametrize("nested", ["blur/seq{s}/{n}.png", "train/seq{s}/blur/{n}.png"])
def test_without_a_test_folder_whole_sequences_are_held_out(made, nested):
    paths = [nested.format(s=s, n=n) for s in range(10) for n in range(3)]
    root = made([*paths, *(path.replace("blur", "sharp") for path in paths)])
    found = folders.find(root, 0.2)
    assert (len(found.train), len(found.test)) == (21, 9)
    assert not {folders.sequence(key) for key in found.train} & {folders.sequence(key) for key in found.test}
    assert found.notes == ["no test pairs: 9 of 30 are held out for testing, 3 sequences"]
    assert folders.find(root, 0.2) == found


def test_new_sequences_move_no_others_between_training_and_test():
    keys = [f"seq{s}/{n}" for s in range(20) for n in range(5)]
    before = folders.held_out(keys, 0.2)
    assert len(before) == 25
    taken = 0
    for new in range(200):
        after = folders.held_out([*keys, *(f"new{new}/{n}" for n in range(new % 9 + 1))], 0.2)
        assert before == after & set(keys)
        taken += after > before
    assert 20 < taken < 60


@pytest.mark.parametrize("share", [0.001, 0.999])
@pytest.mark.parametrize("count", [2, 3])
def test_of_few_sequences_the_shortest_is_held_out_where_one_side_would_be_empty(share, count):
    keys = [f"seq{s}/{n}" for s in range(count) for n in range(3 if s == 1 else 4)]
    assert folders.held_out(keys, share) == {"seq1/0", "seq1/1", "seq1/2"}


def test_of_a_single_sequence_the_end_is_held_out():
    assert folders.held_out([f"IMG_{n:04d}" for n in range(10)], 0.2) == {"IMG_0008", "IMG_0009"}
    assert folders.held_out(["a/1", "a/2"], 0.01) == folders.held_out(["a/1", "a/2"], 0.99) == {"a/2"}


@pytest.mark.parametrize(
    ("paths", "real"),
    [
        (["a.jpg", "x/b.jpg"], ["a.jpg", "x/b.jpg"]),
        (["real_blur/a.jpg", "b.jpg"], ["real_blur/a.jpg"]),
        (["blur/a.jpg", "sharp/a.jpg"], ["blur/a.jpg"]),
        (["blur/a.jpg", "b.jpg"], ["b.jpg", "blur/a.jpg"]),
    ],
)
def test_a_folder_of_real_blur_alone(made, paths, real):
    assert [path.as_posix() for path in folders.find_real(made(paths))] == real


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        (["seq/1.png", "seq/2.png"], ["no pairs", "train/blur and train/sharp", "CSV", "docs/data.md"]),
        (["train/blur/1.png", "train/sharp/2.png"], ["no pairs"]),
        (["train/blur/1.png", "train/sharp/1.png", "train/sharp/1.jpg"], ["train/sharp/1.", "same name"]),
        (["test/blur/1.png", "test/sharp/1.png"], ["no pairs to train on beside 1 to test on"]),
        (["blur/1.png", "sharp/1.png"], ["no pairs to train on beside 1 to test on"]),
        (["notes.txt"], ["no photographs"]),
    ],
)
def test_a_folder_that_does_not_fit_is_one_line(made, paths, message):
    with pytest.raises(ValueError) as error:
        folders.find(made(paths), 0.5)
    assert "\n" not in str(error.value)
    assert all(text in str(error.value) for text in [*message, str(made([]))])


def listed(tmp_path, *rows: str, header: str = "blurred,sharp,split") -> Path:
    (tmp_path / "pairs.csv").write_text("\n".join([header, *rows]))
    return tmp_path / "pairs.csv"


def test_a_csv_file_lists_pairs_of_any_layout(tmp_path):
    rows = ["s1/blur/blur_1.png,s1/gt/gt_1.png,train", "../x/2.jpg,gt/2.png,test", "real/ü.jpg,,"]
    found = folders.find(listed(tmp_path, *rows, header="\ufeffblurred,sharp,split"), 0.5)
    assert shown(found.train) == {"s1/blur/blur_1": ("s1/blur/blur_1.png", "s1/gt/gt_1.png")}
    assert shown(found.test) == {"../x/2": ("../x/2.jpg", "gt/2.png")}
    assert (found.root, found.real_blur) == (tmp_path, [Path("real/ü.jpg")])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["a.png,b.png,val"], "line 2"),
        (["a.png,b.png,train", "a.png"], "line 3"),
        (["a.png,b.png,train", "a.jpg,c.png,train"], "line 3"),
        ([",b.png,train"], "line 2"),
        ([], "no pairs"),
        (["a.png,,"], "no pairs"),
    ],
)
def test_a_csv_file_that_does_not_fit_is_one_line(tmp_path, rows, message):
    with pytest.raises(ValueError, match=rf"pairs\.csv.*{message}"):
        folders.find(listed(tmp_path, *rows), 0.5)


def test_a_csv_file_in_another_encoding_is_named(tmp_path):
    (tmp_path / "pairs.csv").write_bytes("blurred,sharp,split\nfür.png,b.png,train".encode("latin-1"))
    with pytest.raises(ValueError, match=r"pairs\.csv: no CSV file in UTF-8"):
        folders.find(tmp_path / "pairs.csv", 0.5)
