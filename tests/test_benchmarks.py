"""The benchmarks run on tiny sizes, count as they say, and write their tables."""

import os

import pytest
import torch
from typer.testing import CliRunner

from benchmarks import __main__ as runner
from benchmarks import measure, networks, photograph


@pytest.fixture
def table(monkeypatch, tmp_path):
    """table(name): the rows that a benchmark writes, measured in this process."""
    for module in (measure, networks):
        monkeypatch.setattr(module, "in_own_process", lambda function, *arguments: function(*arguments))
    monkeypatch.setattr(runner, "README", tmp_path / "README.md")
    monkeypatch.setattr(measure, "RUNS", 1)

    def run(name):
        runner.README.write_text(f"<!-- {name} -->\n<!-- /{name} -->")
        result = CliRunner().invoke(runner.app, [name])
        assert result.exit_code == 0, result.output
        lines = [line for line in runner.README.read_text().splitlines() if line.startswith("| ")]
        head, *rows = [line.strip("| ").split(" | ") for line in lines]
        return [dict(zip(head, row, strict=True)) for row in rows]

    return run


def test_a_multiply_add_is_two_flops():
    conv = torch.nn.Conv2d(3, 5, 3, padding=1)
    seconds, flops, peak = measure.cost(lambda: conv(torch.rand(1, 3, 16, 24)))
    assert flops == 2 * 9 * 3 * 5 * 16 * 24
    assert 0 < seconds < 60 and peak > 1e7


def test_networks_have_their_row(table, monkeypatch):
    small = {"small": ("srresnet", {"width": 4, "blocks": 1}), "published": ("srresnet", {})}
    monkeypatch.setattr(networks, "FRAME", (8, 24))
    monkeypatch.setitem(runner.BENCHMARKS, "networks", lambda: networks.rows("network", small, networks.frame))
    monkeypatch.setattr(networks, "NETWORKS", small)
    rows = table("networks")
    assert [(row["network"], row["parameters, 10^6"]) for row in rows] == [("small", "0.00"), ("published", "1.26")]
    assert all(float(row["frames/s, float32"]) > 0 for row in rows)


@pytest.mark.slow
def test_every_training_has_its_row(table, monkeypatch):
    monkeypatch.setattr(networks, "SCALE", "sample")
    rows = table("steps")
    assert [row["update"] for row in rows] == ["train_bgan", "pretrain", "finetune"]
    bgan, pretrain, finetune = (float(row["TFLOP"]) for row in rows)
    assert 0 < pretrain < finetune < bgan


@pytest.mark.slow
def test_every_kind_of_file_is_restored(table, monkeypatch):
    monkeypatch.setattr(photograph, "SIZE", (40, 60))
    assert [row["file"] for row in table("photograph")] == list(photograph.FILES)


def test_a_measurement_has_a_process_of_its_own_and_none_where_it_is_killed():
    assert measure.in_own_process(os.getpid) != os.getpid()
    assert measure.in_own_process(os._exit, 9) is None
