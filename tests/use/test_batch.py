"""Which photographs are meant, and where the results go."""

from pathlib import Path

import pytest

from dbgan.use.batch import jobs, photographs


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


@pytest.mark.parametrize("given", ["none.png", "*.gif", "out/*.png", "out", "sub/empty"])
def test_what_gives_no_photograph_is_named(folder, given):
    (folder / "sub/empty").mkdir()
    with pytest.raises(ValueError, match=r"no such photographs|no photographs in it") as error:
        photographs(["a.png", given], folder / "out")
    assert str(error.value).startswith(given)


def test_two_photographs_never_become_one_file_and_no_input_is_overwritten(folder):
    with pytest.raises(ValueError, match=r"a\.png and sub/a\.png: both would become out/a\.png"):
        jobs(["a.png", "sub/a.png"], Path("out"), lambda name: [Path("out") / name])
    with pytest.raises(ValueError, match="is one of the inputs"):
        jobs(["sub"], Path("sub2"), lambda name: [Path("out/../sub") / name])
    with pytest.raises(ValueError, match="is no folder"):
        jobs(["sub"], Path("a.png"), lambda name: [])
