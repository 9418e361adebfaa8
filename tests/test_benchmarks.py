"""The benchmarks run on tiny sizes, count as they say, and only a full measurement changes files."""

import os

import pytest
from typer.testing import CliRunner

from benchmarks import measure, networks, photograph, steps


@pytest.fixture
def in_this_process(monkeypatch):
    for module in (measure, networks, photograph, steps):
        if hasattr(module, "in_own_process"):
            monkeypatch.setattr(module, "in_own_process", lambda function, *arguments: function(*arguments))
    monkeypatch.setattr(measure.markdown if hasattr(measure, "markdown") else networks.markdown, "fill", pytest.fail)


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("dbgan", 11.59),
        ("srresnet", 1.26),
        ("deblurgan", 11.38),
        ("sftnet", 1.53),
        ("mprnet", 20.13),
        ("nafnet-width32", 17.11),
        ("nafnet-width64", 67.89),
    ],
)
def test_networks_have_their_published_size(name, millions):
    parameters, flops = networks.size(name, 16, 24)
    assert parameters / 1e6 == pytest.approx(millions, abs=0.005)
    assert flops > 0


def test_a_multiply_add_is_two_flops(monkeypatch):
    """Every conv of it works at full resolution: each weight that is no bias is used once for each pixel."""
    monkeypatch.setattr(networks, "NETWORKS", {"small": ("srresnet", {"width": 4, "blocks": 1})})
    biases, weights = 5 * 4 + 3, 9 * (3 * 4 + 4 * 4 * 4 + 4 * 3)
    assert networks.size("small", 16, 24) == (weights + biases, 2 * weights * 16 * 24)


def test_a_quick_run_prints_its_table_and_writes_nothing(monkeypatch, in_this_process):
    monkeypatch.setattr(
        networks, "NETWORKS", {"small": ("srresnet", {"width": 4, "blocks": 1}), "other": ("dbgan", {})}
    )
    result = CliRunner().invoke(networks.app, ["--height", "8", "--width", "24", "--only", "small"])
    assert result.exit_code == 0, result.output
    assert result.stdout.count("| small | 0.00 |") == 1


def test_an_unknown_network_is_one_line(in_this_process):
    result = CliRunner().invoke(networks.app, ["--only", "unet"])
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "no network is called unet" in result.stderr


@pytest.mark.slow
def test_every_training_has_its_row(in_this_process):
    result = CliRunner().invoke(steps.app, ["--scale", "sample", "--runs", "1"])
    assert result.exit_code == 0, result.output
    rows = [line.split(" | ") for line in result.stdout.splitlines() if line.startswith("| ")]
    assert [row[0].strip("| ") for row in rows] == ["update", "train_bgan", "pretrain", "finetune"]
    flops = {row[0].strip("| "): float(row[1]) for row in rows[1:]}
    assert 0 < flops["pretrain"] < flops["finetune"] < flops["train_bgan"]


@pytest.mark.slow
def test_every_kind_of_file_is_restored(in_this_process):
    result = CliRunner().invoke(photograph.app, ["--height", "40", "--width", "60"])
    assert result.exit_code == 0, result.output
    assert all(f"| {name} |" in result.stdout for name in photograph.FILES)


def test_a_measurement_has_a_process_of_its_own_and_none_where_it_is_killed():
    assert measure.in_own_process(os.getpid) != os.getpid()
    assert measure.in_own_process(os._exit, 9) is None
