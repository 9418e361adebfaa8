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


def shown(items: list[folders.Paths]) -> list[list[str]]:
    return [[path.as_posix() for path in paths] for paths in items]


def test_gopros_own_tree_without_its_gamma_version(made, capsys):
    found = folders.find(made(GOPRO), 0.5)
    train = [f"GOPRO_Large/train/S{s}_00/{{}}/00{n}.png" for s in (1, 2) for n in (1, 2)]
    assert shown(found.sets["train"]) == [[path.format("blur"), path.format("sharp")] for path in train]
    assert len(found.sets["test"]) == 2
    assert "6 photographs in folders named blur_gamma are left out" in capsys.readouterr().err
    assert found.root == found.real_root == made([])


@pytest.mark.parametrize("sides", [("blur", "sharp"), ("Input", "Target"), ("blurry", "GT")])
def test_pairs_have_equal_names_whatever_the_suffix(made, sides):
    paths = [path.replace("input", sides[0]).replace("target", sides[1]) for path in FLAT]
    found = folders.find(made([path.replace(f"{sides[0]}/1.png", f"{sides[0]}/1.JPG") for path in paths]), 0.5)
    assert shown(found.sets["train"])[0] == [f"train/{sides[0]}/1.JPG", f"train/{sides[1]}/1.png"]
    assert (len(found.sets["train"]), len(found.sets["test"])) == (3, 3)


def test_real_blur_junk_and_photographs_without_a_partner_are_no_pairs(made, capsys):
    more = ["real_blur/a.jpg", "real_blur/train/blur/b.heic", "test/target/8.png", "train/input/9.png"]
    outside = ["val/input/1.png", "val/target/1.png"]
    junk = ["train/input/._1.png", ".thumbs/train/input/1.png", "__MACOSX/train/input/1.png", "@eaDir/x.jpg", "a.txt"]
    found = folders.find(made([*FLAT, *more, *outside, *junk]), 0.5)
    assert shown(found.sets["real_blur"]) == [[path] for path in more[:2]]
    assert shown(found.sets["unmatched"]) == [[path] for path in more[2:]]
    assert (len(found.sets["train"]), len(found.sets["test"])) == (3, 3)
    assert capsys.readouterr().err == "1 pairs in neither train nor test are left out, such as val/input/1.png\n"


def test_real_blur_is_chosen_and_what_is_not_is_said(made, capsys):
    root = made(["real_blur/1.png", "phone/2.png", "phone/3.png", "4.png"])
    assert shown(folders.find_real(root)) == [["real_blur/1.png"]]
    assert "3 photographs in no folder of the name real_blur are left out" in capsys.readouterr().err
    assert len(folders.find_real(made(["phone/2.png"]) / "phone")) == 2
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("nested", ["blur/seq{s}/{n}.png", "train/seq{s}/blur/{n}.png", "blur/seq{s}_{n}.png"])
def test_without_a_test_folder_whole_sequences_are_held_out(made, capsys, nested):
    paths = [nested.format(s="abcdefghij"[s], n=n) for s in range(10) for n in range(3)]
    found = folders.find(made([*paths, *(path.replace("blur", "sharp") for path in paths)]), 0.2)
    train, test = ({folders.sequence(pair[0]) for pair in found.sets[name]} for name in ("train", "test"))
    assert (len(train), len(test), len(found.sets["test"])) == (8, 2, 6)
    assert not train & test
    assert "6 of 30 are held out" in capsys.readouterr().err


def pairs(*keys: str) -> list[folders.Paths]:
    return [(Path(f"blur/{key}.png"), Path(f"sharp/{key}.png")) for key in keys]


def test_new_sequences_change_places_with_few():
    known = pairs(*(f"seq{s}/{n}" for s in range(20) for n in range(2)))
    _, before = folders.hold_out(known, 0.2)
    for new in range(50):
        _, after = folders.hold_out([*known, *pairs(f"new{new}/1")], 0.2)
        assert len(set(before) - set(after)) <= 2


@pytest.mark.parametrize("share", [0.001, 0.999])
def test_something_is_always_left_on_both_sides(share):
    train, test = folders.hold_out(pairs("a/1", "b/1", "c/1"), share)
    assert (len(train), len(test)) == ((2, 1) if share < 0.5 else (1, 2))
    assert folders.hold_out(pairs("a/1", "a/2"), share) == (pairs("a/1"), pairs("a/2"))  # a single sequence's end


@pytest.mark.parametrize(
    ("paths", "real"),
    [
        (["a.jpg", "x/b.jpg"], ["a.jpg", "x/b.jpg"]),
        (["real_blur/a.jpg", "b.jpg"], ["real_blur/a.jpg"]),
        (["blur/a.jpg", "sharp/a.jpg", "blur_gamma/a.jpg"], ["blur/a.jpg"]),
    ],
)
def test_a_folder_of_real_blur_alone(made, paths, real):
    assert shown(folders.find_real(made(paths))) == [[path] for path in real]


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        (["seq/1.png", "seq/2.png"], ["0 pairs", "train/blur and train/sharp", "CSV", "docs/data.md"]),
        (["train/blur/1.png", "train/sharp/2.png"], ["0 pairs to train on"]),
        (["train/blur/1.png", "train/sharp/1.png", "train/sharp/1.jpg"], ["train/sharp/1.", "same name"]),
        (["test/blur/1.png", "test/sharp/1.png"], ["0 pairs to train on, 1 to test on"]),
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
    assert shown(found.sets["train"]) == [["s1/blur/blur_1.png", "s1/gt/gt_1.png"]]
    assert shown(found.sets["test"]) == [["../x/2.jpg", "gt/2.png"]]
    assert (found.root, shown(found.sets["real_blur"])) == (tmp_path, [["real/ü.jpg"]])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["a.png,b.png,val"], "line 2"),
        (["a.png,b.png,train", "a.png"], "line 3"),
        ([",b.png,train"], "line 2"),
        (["a.png,,"], "0 pairs to train on"),
    ],
)
def test_a_csv_file_that_does_not_fit_is_one_line(tmp_path, rows, message):
    with pytest.raises(ValueError, match=rf"pairs\.csv.*{message}"):
        folders.find(listed(tmp_path, *rows), 0.5)


@pytest.mark.parametrize("content", ["a,b\n1,2", "blurred,sharp,split\nfür.png,b.png,train"])
def test_a_file_that_is_no_such_csv_file_is_named(tmp_path, content):
    (tmp_path / "pairs.csv").write_bytes(content.encode("latin-1"))
    with pytest.raises(ValueError, match=r"pairs\.csv: no CSV file in UTF-8 with the columns"):
        folders.find(tmp_path / "pairs.csv", 0.5)
