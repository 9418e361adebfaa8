"""Whole files, clean exits, and equal bytes for equal values."""

import json
import math
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dbgan import outputs, utils


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def fill(path: Path, text: str, folder: bool) -> None:
    if folder:
        path.mkdir()
        path = path / "inside.txt"
    path.write_text(text)


def content(path: Path) -> str:
    return (path / "inside.txt" if path.is_dir() else path).read_text()


@pytest.mark.parametrize("folder", [False, True])
def test_whole_makes_a_new_one_with_its_folders(tmp_path, folder):
    with utils.atomic_write(tmp_path / "a" / "out") as part:
        fill(part, "new", folder)
        assert names(tmp_path / "a") == {"out.part"}
    assert content(tmp_path / "a" / "out") == "new"
    assert names(tmp_path / "a") == {"out"}


@pytest.mark.parametrize("folder", [False, True])
def test_whole_replaces_what_was_there(tmp_path, folder):
    fill(tmp_path / "out", "old", folder)
    if folder:
        (tmp_path / "out" / "stale.txt").touch()
    with utils.atomic_write(tmp_path / "out") as part:
        fill(part, "new", folder)
        assert content(tmp_path / "out") == "old"
    assert content(tmp_path / "out") == "new"
    assert names(tmp_path) == {"out"}
    assert not folder or names(tmp_path / "out") == {"inside.txt"}


@pytest.mark.parametrize("folder", [False, True])
@pytest.mark.parametrize("fault", [ValueError, OSError, KeyboardInterrupt, ZeroDivisionError])
def test_whole_keeps_what_was_there_on_a_fault(tmp_path, folder, fault):
    fill(tmp_path / "out", "old", folder)
    with pytest.raises(fault), utils.atomic_write(tmp_path / "out") as part:
        fill(part, "half", folder)
        raise fault
    assert content(tmp_path / "out") == "old"
    assert names(tmp_path) == {"out"}


@pytest.mark.parametrize("folder", [False, True])
def test_whole_clears_what_a_killed_run_left(tmp_path, folder):
    fill(tmp_path / "out.part", "left", folder)
    with utils.atomic_write(tmp_path / "out") as part:
        assert not part.exists()
        part.write_text("new")
    assert names(tmp_path) == {"out"}


def ends(fault: BaseException | None):
    def main(path: Path) -> None:
        if fault:
            raise fault

    return CliRunner().invoke(utils.app(main), ["file"])


def test_app_ends_well():
    result = ends(None)
    assert (result.exit_code, result.stderr) == (0, "")


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        (ValueError("a.png: cut\n  short"), 1, "a.png: cut short"),
        (OSError(28, "No space left on device", "a.h5"), 1, "No space left on device: 'a.h5'"),
        (FileNotFoundError(2, "No such file", "b"), 1, "No such file: 'b'"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_app_ends_a_fault_of_the_input_with_one_line(fault, code, said):
    result = ends(fault)
    assert result.exit_code == code
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert said in result.stderr
    assert result.stderr.startswith("test_runtime: ")


def test_app_does_not_hide_our_own_faults():
    assert isinstance(ends(ZeroDivisionError()).exception, ZeroDivisionError)


def test_app_shows_the_traceback_when_asked(monkeypatch):
    monkeypatch.setenv("DBGAN_TRACEBACK", "1")
    assert isinstance(ends(ValueError("x")).exception, ValueError)


def test_json_is_sorted_rounded_and_has_no_infinity(tmp_path):
    path = tmp_path / "metrics" / "a.json"
    outputs.write_json(
        path, {"b": 1 / 3, "a": [math.nan, math.inf, -math.inf, 2], "c": {"z": 1e-9, "y": None, "x": "s"}}
    )
    text = path.read_text()
    assert json.loads(text) == {"a": [None, None, None, 2], "b": 0.333333, "c": {"x": "s", "y": None, "z": 0.0}}
    assert text.index('"a"') < text.index('"b"') < text.index('"c"')
    assert text.index('"x"') < text.index('"y"') < text.index('"z"')
    assert text.endswith("}\n")
    assert "NaN" not in text
    assert "Infinity" not in text


def test_json_of_equal_values_has_equal_bytes_in_any_order(tmp_path):
    outputs.write_json(tmp_path / "1.json", {"a": 0.1 + 0.2, "b": 1})
    outputs.write_json(tmp_path / "2.json", {"b": 1, "a": 0.3})
    assert (tmp_path / "1.json").read_bytes() == (tmp_path / "2.json").read_bytes()


def test_csv_has_a_header_and_rounded_rows(tmp_path):
    outputs.write_csv(
        tmp_path / "a.csv", [{"step": 1, "loss": 2 / 3, "name": "x"}, {"step": 2, "loss": 1.5, "name": "y"}]
    )
    assert (tmp_path / "a.csv").read_bytes() == b"step,loss,name\n1,0.666667,x\n2,1.5,y\n"


def test_csv_with_an_unknown_column_keeps_the_old_file(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("old")
    with pytest.raises(ValueError):
        outputs.write_csv(path, [{"a": 1}, {"a": 2, "b": 3}])
    assert path.read_text() == "old"
    assert names(tmp_path) == {"a.csv"}


def test_root_is_the_repository_that_dvc_names(tmp_path, monkeypatch):
    assert utils.project_root() == tmp_path.resolve()
    monkeypatch.delenv("DVC_ROOT")
    assert (utils.project_root() / "dvc.yaml").exists()
    assert utils.project_root().is_absolute()


def test_digest_is_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert utils.sha256(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def too_much() -> None:
    import torch

    torch.empty(2**60)


def full_gpu() -> None:
    import torch

    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def full_machine() -> None:
    raise MemoryError


@pytest.mark.parametrize("fault", [too_much, full_gpu, full_machine])
def test_full_memory_ends_with_the_advice(fault):
    with pytest.raises(ValueError, match=r"^out of memory; lower the batch$"), utils.out_of_memory("lower the batch"):
        fault()


@pytest.mark.parametrize("fault", [RuntimeError("shapes do not fit"), ValueError("out of memory"), OSError(28, "full")])
def test_other_faults_pass_as_they_are(fault):
    with pytest.raises(type(fault)) as error, utils.out_of_memory("lower the batch"):
        raise fault
    assert error.value is fault


def test_the_number_of_workers_is_the_machines_or_the_one_given(monkeypatch):
    assert 1 <= utils.workers() <= 8
    for given in ("0", "3"):
        monkeypatch.setenv("DBGAN_WORKERS", given)
        assert utils.workers() == int(given)


@pytest.mark.parametrize("given", ["-1", "two", "1.5", ""])
def test_a_number_of_workers_that_is_none_is_named(monkeypatch, given):
    monkeypatch.setenv("DBGAN_WORKERS", given)
    with pytest.raises(ValueError, match="DBGAN_WORKERS="):
        utils.workers()
