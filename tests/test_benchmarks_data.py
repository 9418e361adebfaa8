"""Both ways of storing and reading crops do the same work, and the figures are their ratios."""

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks import data
from dbgan.data import h5


@pytest.fixture
def folder(tmp_path, monkeypatch, write_photos, write_params):
    """Tiny photographs and parameters, each measurement short and in this process."""
    write_photos(tmp_path / "photos")
    write_params(tmp_path / "params.yaml")
    for name, value in {"PATCH": 32, "SECONDS": 0.01, "RUNS": 1, "TIMES": 2}.items():
        monkeypatch.setattr(data, name, value)
    monkeypatch.setattr(data, "in_own_process", lambda function, *arguments: function(*arguments))
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


def test_both_ways_store_the_same_crops(folder, tmp_path):
    figures = data.measure(folder, tmp_path / "photos")
    assert figures["build"]["crops"] == figures["plain_build"]["crops"] == 16
    assert figures["build_more"]["crops"] == 32
    with h5py.File(folder / "plain.h5") as plain:
        for side in ("blurred", "sharp"):
            ours = h5.Reader(folder / "crops.h5").rows(f"paired/{side}", slice(None))
            assert np.array_equal(ours, np.rint(plain[side][:] * 255))
    assert figures["build_size"] == figures["build"]["bytes"] / (folder / "plain.h5").stat().st_size
    assert [figures["read_speed"], figures["float_speed"]] == [r / figures["plain_read"] for r in figures["read"]]
    assert min(figures[name] for name in ("build_speed", "more_memory", "read_speed", "float_speed")) > 0


def test_the_photographs_of_the_larger_set_are_all_different(folder, tmp_path):
    data.photographs(folder, tmp_path / "photos")
    data.more(folder)
    digests = [path.read_bytes() for path in (folder / "more").rglob("*.jpg")]
    assert len(set(digests)) == len(digests) == 2 * 4 * data.TIMES


def test_the_command_prints_a_table_and_writes_nothing(folder, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    result = CliRunner().invoke(data.app, [str(tmp_path / "photos")])
    assert result.exit_code == 0, result.output
    assert "| build_h5 | 16 |" in result.stdout
    assert "times as fast" in result.stdout
    assert sorted(tmp_path.rglob("*")) == before


def test_a_missing_folder_is_one_line(folder, tmp_path):
    result = CliRunner().invoke(data.app, [str(tmp_path / "gone")])
    assert result.exit_code == 1
    assert "gone: there is no such folder" in result.stderr
