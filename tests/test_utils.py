"""Whole files, one-line errors, ordered threads, and equal bytes for equal values."""

import itertools
import json
import math
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
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
def test_atomic_write_replaces_the_old_only_when_all_went_well(tmp_path, folder):
    with utils.atomic_write(tmp_path / "a" / "out") as part:
        fill(part, "new", folder)
        assert names(tmp_path / "a") == {"out.part"}
    assert content(tmp_path / "a" / "out") == "new"
    for fault in (ValueError, OSError, KeyboardInterrupt):
        with pytest.raises(fault), utils.atomic_write(tmp_path / "a" / "out") as part:
            fill(part, "broken", folder)
            raise fault
        assert content(tmp_path / "a" / "out") == "new"
    fill(tmp_path / "a" / "out.part", "left by a killed run", folder)
    with utils.atomic_write(tmp_path / "a" / "out") as part:
        assert not part.exists()
        fill(part, "newer", folder)
        assert content(tmp_path / "a" / "out") == "new"
    assert content(tmp_path / "a" / "out") == "newer"
    assert names(tmp_path / "a") == {"out"}


def test_a_full_disk_names_the_file(tmp_path):
    with pytest.raises(OSError, match=r"No space left.*out"), utils.atomic_write(tmp_path / "out"):
        raise OSError(28, "No space left on device")


def ends(fault: BaseException | None):
    def main(path: Path) -> None:
        if fault:
            raise fault

    return CliRunner().invoke(utils.app(main), ["file"])


@pytest.mark.parametrize(
    ("fault", "code", "line"),
    [
        (ValueError("a.png: cut\n  short"), 1, "a.png: cut short"),
        (OSError(28, "No space left on device", "a.h5"), 1, "No space left on device: 'a.h5'"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_app_ends_a_fault_of_the_input_with_one_line(fault, code, line):
    assert (ends(None).exit_code, ends(None).stderr) == (0, "")
    result = ends(fault)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (code, "", 1)
    assert line in result.stderr
    assert result.stderr.startswith("test_utils: ")


def test_options_for_torchrun_that_cannot_be_split_are_one_line_too(monkeypatch):
    monkeypatch.setenv("DBGAN_TORCHRUN", '"--nproc-per-node=2')

    def main(path: Path) -> None: ...

    result = CliRunner().invoke(utils.app(main, together=True), ["file"])
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert 'DBGAN_TORCHRUN="--nproc-per-node=2: No closing quotation' in result.stderr


def test_app_hides_neither_our_own_faults_nor_what_is_asked_for(monkeypatch):
    assert isinstance(ends(ZeroDivisionError()).exception, ZeroDivisionError)
    monkeypatch.setenv("DBGAN_TRACEBACK", "1")
    assert isinstance(ends(ValueError("x")).exception, ValueError)


def too_much() -> None:
    torch.empty(2**60)


def full_gpu() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def full_machine() -> None:
    raise MemoryError


@pytest.mark.parametrize("fault", [too_much, full_gpu, full_machine])
def test_full_memory_ends_with_the_advice(fault):
    with pytest.raises(ValueError, match=r"^out of memory; lower the batch$"), utils.out_of_memory("lower the batch"):
        fault()


@pytest.mark.parametrize("fault", [RuntimeError("shapes do not fit"), OSError(28, "full")])
def test_other_faults_pass_as_they_are(fault):
    with pytest.raises(type(fault)) as error, utils.out_of_memory("lower the batch"):
        raise fault
    assert error.value is fault


def test_ordered_gives_results_in_order_and_holds_few(monkeypatch):
    made = []

    def slow(k):
        time.sleep(0.01 if k % 2 else 0)
        made.append(k)
        return k * k

    for workers in (0, 1, 3):
        assert list(utils.ordered(slow, range(9), workers)) == [k * k for k in range(9)]
    made.clear()
    before = threading.active_count()
    results = utils.ordered(slow, range(100), 2)
    assert next(results) == 0
    time.sleep(0.1)
    assert len(made) <= 4
    results.close()
    assert threading.active_count() <= before


def test_log_files_get_plain_lines_and_none_of_what_is_soon_done(monkeypatch, capsys):
    clock = itertools.count(step=4)
    monkeypatch.setattr("tqdm.std.time", lambda: next(clock))
    with utils.progress(total=50, desc="a", unit="step") as bar:
        for n in range(9):
            bar.update()
            bar.set_postfix({"loss": 1}, refresh=False)
            if n == 2:
                bar.write("a note", file=sys.stderr)
    text = capsys.readouterr().err
    lines = text.splitlines()
    lines.remove("a note")
    assert 2 <= len(lines) <= 6
    assert all(line.startswith("a ") and "/50 [" in line for line in lines)
    assert not {"\r", "\x1b", "|"} & set(text)
    monkeypatch.undo()
    assert list(utils.progress(range(3), desc="soon")) == [0, 1, 2]
    assert capsys.readouterr().err == ""


def test_workers_are_the_machine_s_or_the_number_given(monkeypatch):
    assert 1 <= utils.workers() <= 8
    monkeypatch.setenv("DBGAN_WORKERS", "3")
    assert utils.workers() == 3
    monkeypatch.setenv("DBGAN_WORKERS", "two")
    with pytest.raises(ValueError, match="DBGAN_WORKERS=two"):
        utils.workers()


def test_json_is_sorted_rounded_and_has_no_infinity(tmp_path):
    values = {"b": 1 / 3, "a": [math.nan, math.inf, -math.inf, 2], "c": {"z": 1e-9, "y": None, "x": "s"}}
    outputs.write_json(tmp_path / "metrics" / "a.json", values)
    text = (tmp_path / "metrics" / "a.json").read_text()
    expected = {"a": [None, None, None, 2], "b": 0.333333, "c": {"x": "s", "y": None, "z": 0.0}}
    assert text == json.dumps(expected, indent=2) + "\n"


def test_csv_has_a_header_and_rounded_rows(tmp_path):
    rows = [{"step": 1, "loss": 2 / 3, "name": "x"}, {"step": 2, "loss": 1.5, "name": "y"}]
    outputs.write_csv(tmp_path / "a.csv", rows)
    assert (tmp_path / "a.csv").read_bytes() == b"step,loss,name\n1,0.666667,x\n2,1.5,y\n"


def test_the_project_is_the_repository_that_dvc_names(tmp_path, monkeypatch):
    assert utils.project_root() == tmp_path.resolve()
    monkeypatch.delenv("DVC_ROOT")
    assert (utils.project_root() / "dvc.yaml").exists()
