"""Which photographs are meant, and where the results go."""

from pathlib import Path

import pytest

from dbgan.use.cli_paths import check_targets, photographs


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in ("a.png", "b.jpg", "sub/a.png", "sub/deep/c.png", "notes.txt", "out/a.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        (["a.png"], ["a.png"]),
        (["sub/a.png"], ["a.png"]),
        (["b.jpg", "a.png"], ["b.jpg", "a.png"]),
        (["sub"], ["a.png", "deep/c.png"]),
        (["."], ["a.png", "b.jpg", "sub/a.png", "sub/deep/c.png"]),
        (["*.png", "*.jpg"], ["a.png", "b.jpg"]),
        (["sub/**/*.png"], ["a.png", "c.png"]),
        (["out/a.png"], ["a.png"]),
        (["**/*.png"], ["a.png", "a.png", "c.png"]),
        (["a.png", "*.png", "./a.png"], ["a.png"]),
    ],
)
def test_files_folders_and_patterns(folder, inputs, expected):
    found = photographs(inputs, folder / "out")
    assert [name.as_posix() for _, name in found] == expected
    assert all(file.is_file() and file.name == name.name for file, name in found)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("none.png", "no such photograph"),
        ("*.gif", "nothing has such a name"),
        ("out/*.png", "nothing has such a name outside"),
        ("out", "but those in"),
        ("sub/empty", "no photographs in it"),
    ],
)
def test_what_gives_no_photograph_is_named(folder, given, message):
    (folder / "sub/empty").mkdir()
    with pytest.raises(ValueError, match=message) as error:
        photographs(["a.png", given], folder / "out")
    assert str(error.value).startswith(given)


def test_two_photographs_never_become_one_file(folder):
    found = photographs(["a.png", "sub/a.png"], folder / "out")
    with pytest.raises(ValueError, match=r"a\.png and sub/a\.png: both would become out/a\.png"):
        check_targets(found, lambda name: [Path("out") / name])
    check_targets(found[:1], lambda name: [Path("out") / name])


def test_an_input_is_never_overwritten(folder):
    found = photographs(["sub"], folder / "sub2")
    with pytest.raises(ValueError, match="is one of the inputs"):
        check_targets(found, lambda name: [Path("out/../sub") / name])
