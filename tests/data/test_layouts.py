"""Layouts found by the names of folders and files, and refused where it is not clear what is what."""

from pathlib import Path

import pytest

from dbgan.data import folder_words, folders, pair_lists

GOPRO = [f"GOPRO_Large/{split}/S{s}_00/{side}/00{n}.png" for split, s in (("train", 1), ("train", 2), ("test", 3))
         for side in ("blur", "blur_gamma", "sharp") for n in (1, 2)]  # fmt: skip
FLAT = [f"{split}/{side}/{n}.png" for split in ("train", "test") for side in ("input", "target") for n in (1, 2, 3)]
REDS = [f"{split}_{side}/{seq}/{n}.png" for split in ("train", "val") for side in ("blur", "sharp")
        for seq in ("000", "001") for n in (1, 2)]  # fmt: skip


@pytest.fixture
def made(tmp_path):
    """made(paths): a folder with empty files of these names; only names matter here."""

    def make(paths: list[str]) -> Path:
        for path in paths:
            (tmp_path / "root" / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "root" / path).touch()
        return tmp_path / "root"

    return make


def shown(pairs: list[folders.Pair]) -> list[tuple[str | None, str | None]]:
    return [(p.blurred and p.blurred.as_posix(), p.sharp and p.sharp.as_posix()) for p in pairs]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("blur", ("blurred", None, "")),
        ("Blurred Photos", ("blurred", None, "")),
        ("ground_truth", ("sharp", None, "")),
        ("GT", ("sharp", None, "")),
        ("train_blur", ("blurred", "train", "")),
        ("val_sharp", ("sharp", "validation", "")),
        ("blur_gamma", ("blurred", None, "blur_gamma")),
        ("train_blur_comp", ("blurred", "train", "blur_comp")),
        ("GOPRO_test", (None, "test", "gopro")),
        ("real_blur", ("real", None, "")),
        ("real", ("real", None, "")),
        ("RealBlur", (None, None, "realblur")),  # a data set of pairs
        ("RealBlur-J_ECC", (None, None, "realblur_j_ecc")),
        ("GOPR0372_07_00", (None, None, "gopr0372_07_00")),
        ("blur_and_sharp", (None, None, "blur_and_sharp")),
        ("Übung 1", (None, None, "bung_1")),
        ("frames", (None, None, "")),
    ],
)
def test_what_a_name_says(name, meant):
    assert folder_words.meaning(name) == meant


@pytest.mark.parametrize(
    ("stem", "bare"), [("blur_1", "1"), ("gt_1", "1"), ("003_sharp", "003"), ("blurry", ""), ("target_x-gt", "x")]
)
def test_a_file_name_without_its_side(stem, bare):
    assert folder_words.without_side(stem) == bare


def test_gopro_has_a_folder_for_each_sequence_and_its_gamma_version_is_left_out(made):
    found = folders.find(made(GOPRO), 0.5)
    assert shown(found.train)[0] == (
        "GOPRO_Large/train/S1_00/blur/001.png",
        "GOPRO_Large/train/S1_00/sharp/001.png",
    )
    assert (len(found.train), len(found.test)) == (4, 2)
    assert {folders.sequence(pair.key) for pair in found.train} == {"GOPRO_Large/S1_00", "GOPRO_Large/S2_00"}
    assert found.left_out == {"blur_gamma": 6}
    assert found.shape == ["*/test/*/blur", "*/test/*/sharp", "*/train/*/blur", "*/train/*/sharp"]
    assert found.notes == []


def test_the_gamma_version_alone_is_taken_and_said(made):
    found = folders.find(made([path for path in GOPRO if "/blur/" not in path]), 0.5)
    assert shown(found.test)[0][0] == "GOPRO_Large/test/S3_00/blur_gamma/001.png"
    assert found.notes == ["blur_gamma is taken for blurred"]


def test_flat_folders_pair_by_name_whatever_the_suffix(made):
    found = folders.find(made([path.replace("input/1.png", "input/1.JPG") for path in FLAT]), 0.5)
    assert shown(found.train)[0] == ("train/input/1.JPG", "train/target/1.png")
    assert (len(found.train), len(found.test), found.left_out) == (3, 3, {})


@pytest.mark.parametrize("sides", [("blurry", "sharp"), ("lq", "gt"), ("Blurred Photos", "Ground Truth")])
def test_other_words_for_the_sides(made, sides):
    named = [path.replace("input", sides[0]).replace("target", sides[1]) for path in FLAT]
    assert len(folders.find(made(named), 0.5).train) == 3


def test_reds_names_split_and_side_in_one_folder_and_tests_on_validation(made):
    found = folders.find(made(REDS), 0.5)
    assert shown(found.train)[0] == ("train_blur/000/1.png", "train_sharp/000/1.png")
    assert (len(found.train), len(found.test)) == (4, 4)
    assert found.notes == ["4 validation pairs are the test"]


def test_validation_is_left_out_where_there_is_a_test(made):
    found = folders.find(made([*REDS, *(path.replace("val", "test") for path in REDS if "val" in path)]), 0.5)
    assert {path.parts[0] for pair in found.test for path in (pair.blurred, pair.sharp)} == {"test_blur", "test_sharp"}
    assert found.notes == ["4 validation pairs are left out"]


@pytest.mark.parametrize("nested", ["blur/seq{s}/{n}.png", "seq{s}/blur/{n}.png"])
def test_without_a_test_folder_whole_sequences_are_held_out(made, nested):
    paths = [nested.format(s=s, n=n) for s in range(10) for n in range(3)]
    root = made([*paths, *(path.replace("blur", "sharp") for path in paths)])
    found = folders.find(root, 0.2)
    assert (len(found.train), len(found.test)) == (21, 9)
    assert not {folders.sequence(p.key) for p in found.train} & {folders.sequence(p.key) for p in found.test}
    assert found.notes == ["no test folder: 9 of 30 pairs are held out for testing, 3 of 10 sequences"]
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


def test_real_blur_is_apart_from_the_pairs(made):
    found = folders.find(made([*FLAT, "real_blur/a.jpg", "real_blur/blur/b.jpg", "real_blur/train/c.heic"]), 0.5)
    assert [path.as_posix() for path in found.real_blur] == [
        "real_blur/a.jpg",
        "real_blur/blur/b.jpg",
        "real_blur/train/c.heic",
    ]
    assert len(found.train) == 3


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["a.jpg", "b/c.png"], ["a.jpg", "b/c.png"]),
        (["real_blur/a.jpg", "train/blur/1.png"], ["real_blur/a.jpg"]),
        (["blur/a.jpg", "sharp/a.jpg"], ["blur/a.jpg"]),
        (["blur/a.jpg", "other/a.jpg"], ["blur/a.jpg", "other/a.jpg"]),
    ],
)
def test_a_folder_of_real_blur(made, paths, expected):
    found, notes = folders.find_real(made(paths))
    assert [path.as_posix() for path in found] == expected
    assert bool(notes) == (len(paths) > len(expected))


def test_files_that_name_their_side_are_paired(made):
    root = made([f"scene1/{side}/{name}_{n}.png" for side, name in (("blur", "blur"), ("gt", "gt")) for n in (1, 2)])
    assert shown(folders.find(root, 0.5).train) == [("scene1/blur/blur_1.png", "scene1/gt/gt_1.png")]


def test_words_of_a_side_are_kept_where_names_are_equal(made):
    root = made([f"{side}/{name}.png" for side in ("blur", "sharp") for name in ("clear_sky", "sky", "sea")])
    found = folders.find(root, 0.3)
    assert len(found.train) + len(found.test) == 3


def test_a_partner_that_is_missing_is_kept_as_a_hole(made):
    found = folders.find(made([path for path in FLAT if path not in ("train/input/1.png", "test/target/2.png")]), 0.5)
    assert shown(found.train)[0] == (None, "train/target/1.png")
    assert shown(found.test)[1] == ("test/input/2.png", None)


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        ([f"video{v}/{n}.png" for v in (1, 2) for n in (1, 2)], ["video1 (2)", "4 photographs in 2 folders"]),
        (["blur/1.png", "blur/2.png"], ["no sharp photographs beside blur/1.png", "groundtruth, gt"]),
        ([*FLAT, "blur/9.png", "sharp/9.png"], ["in a train or test folder (test/input/1.png)", "not (blur/9.png)"]),
        (["blur_a/1.png", "blur_b/1.png", "sharp/1.png"], ["blur_a or blur_b"]),
        ([*FLAT, "train/blurry/1.png"], ["train/blurry/1.png", "train/input/1.png", "which one is meant"]),
        ([*FLAT, "train/input/1.jpg"], ["train/input/1.jpg", "train/input/1.png", "same name"]),
        (["blur/a/1.png", "sharp/b/1.png"], ["blur/a/1.png and sharp/b/1.png have no partners"]),
        (["blur/blurry.png", "blur/blur.png", "sharp/a.png"], ["blur/blur.png and sharp/a.png have no partners"]),
        (["test/blur/1.png", "test/sharp/1.png"], ["none to train on"]),
        (["blur/1.png", "sharp/1.png"], ["one pair cannot"]),
        (["notes.txt"], ["no photographs"]),
    ],
)  # fmt: skip
def test_what_is_not_clear_is_one_line_with_what_was_found(made, paths, said):
    with pytest.raises(ValueError) as error:
        folders.find(made(paths), 0.5)
    assert "\n" not in str(error.value)
    for text in said:
        assert text in str(error.value)


def test_hidden_files_and_what_systems_leave_are_no_photographs(made):
    junk = ["train/input/._1.png", ".thumbs/train/input/1.png", "__MACOSX/train/input/1.png", "@eaDir/x.jpg"]
    assert folders.find(made([*FLAT, *junk]), 0.5) == folders.find(made(FLAT), 0.5)


REALBLUR = [
    f"RealBlur-J_ECC/scene00{s}/{side}/{side}_{n}.png" for s in (1, 2) for side in ("blur", "gt") for n in (1, 2)
]


def write_list(root: Path, name: str, scene: int, numbers=(1, 2), separator: str = " ") -> None:
    lines = [separator.join(f"RealBlur-J_ECC/scene00{scene}/{s}/{s}_{n}.png" for s in ("gt", "blur")) for n in numbers]
    (root / name).write_text("\n".join(lines) + " \n")


@pytest.mark.parametrize("separator", [" ", "\t", ","])
def test_list_files_give_the_pairs(made, separator):
    root = made([*REALBLUR, "real_blur/a.jpg"])
    write_list(root, "RealBlur_J_train_list.txt", 1, separator=separator)
    write_list(root, "RealBlur_J_test_list.txt", 2, (2,), separator)
    (root / "README.txt").write_text("Two lists of\nphotographs\n")
    found = folders.find(root, 0.5)
    assert shown(found.train)[0] == (
        "RealBlur-J_ECC/scene001/blur/blur_1.png",
        "RealBlur-J_ECC/scene001/gt/gt_1.png",
    )
    assert (len(found.train), len(found.test)) == (2, 1)
    assert found.left_out == {"blur": 1, "gt": 1}
    assert [path.as_posix() for path in found.real_blur] == ["real_blur/a.jpg"]


def test_two_lists_of_one_split_are_named(made):
    root = made(REALBLUR)
    write_list(root, "RealBlur_J_train_list.txt", 1)
    write_list(root, "RealBlur_R_train_list.txt", 2)
    with pytest.raises(ValueError, match=r"RealBlur_J_train_list\.txt or RealBlur_R_train_list\.txt"):
        folders.find(root, 0.5)


@pytest.mark.parametrize("line", ["a.png", "a.png b.png c.png", "../a.png b.png", "/a.png b.png", "a.png b.doc"])
def test_a_line_that_is_no_pair_is_named_by_its_number(made, line):
    root = made(REALBLUR)
    write_list(root, "train_list.txt", 1)
    (root / "train_list.txt").write_text((root / "train_list.txt").read_text() + line)
    with pytest.raises(ValueError, match=r"train_list\.txt, line 3"):
        pair_lists.read(root, [Path("train_list.txt")])


def test_a_list_that_is_not_utf_8_is_named(made):
    root = made(REALBLUR)
    write_list(root, "train_list.txt", 1)
    with (root / "train_list.txt").open("ab") as file:
        file.write("scharf/für.png blur/für.png\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"train_list\.txt, line 3: not UTF-8"):
        folders.find(root, 0.5)
