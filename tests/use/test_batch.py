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
        (["sub/**"], ["a.png", "deep/c.png"]),
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
    made = jobs(["a.png", "b.jpg", "sub/a.png"], Path("out"), lambda name, _: [Path("out") / name])
    clash = "a.png and sub/a.png: both would become out/a.png; give each its own --out"
    assert [problem for _, _, problem in made] == [clash, "", clash]
    with pytest.raises(ValueError, match="is one of the inputs"):
        jobs(["sub"], Path("sub2"), lambda name, _: [Path("out/../sub") / name])
    with pytest.raises(ValueError, match=r"sub/a\.png: is one of the inputs"):
        jobs(["sub"], Path("out"), lambda name, _: [Path("out") / name], lambda target: [Path("sub") / target.name])
    with pytest.raises(ValueError, match="is no folder"):
        jobs(["sub"], Path("a.png"), lambda name, _: [])


@pytest.mark.parametrize(("out", "reason"), [("b.jpg/out", "Not a directory"), ("/proc/out", "No such file")])
def test_a_folder_that_cannot_be_written_is_found_before_any_work(folder, out, reason):
    with pytest.raises(ValueError, match=rf"^{out}: cannot be written \({reason}.*\); choose another --out"):
        jobs(["a.png"], Path(out), lambda name, _: [])
    assert not (folder / "b.jpg").stat().st_size
