"""The benchmark of the trainings compares two ways of doing the same."""

import copy

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import pipeline, steps, suite, training
from dbgan import settings
from dbgan.models.build import build_generator


@pytest.fixture
def tiny(monkeypatch, write_params, tmp_path):
    """The sample scale's parameters, made tiny, in this process; the plain way differs in layout alone."""
    found = settings.load(write_params(tmp_path / "params.yaml"))
    for module in (training, steps):
        monkeypatch.setattr(module, "params_of", lambda scale: copy.deepcopy(found))
    monkeypatch.setattr(training, "in_own_process", lambda function, *arguments: function(*arguments))
    monkeypatch.setattr(training, "CONV", (1, 64, 8, 8))
    monkeypatch.setattr(training, "CURVE", 3)
    monkeypatch.setattr(training, "LAST", 2)
    torch.set_num_threads(1)
    return found


def test_parameters_are_those_of_the_scale_asked_for():
    assert steps.params_of("paper")["dbgan"]["blocks"] == 16
    assert steps.params_of("sample")["dbgan"]["blocks"] < 16


@pytest.mark.parametrize("name", training.LOSSES)
def test_both_ways_learn_the_same(tiny, name):
    found = training.final_losses(name)
    assert found["shipped"] == pytest.approx(found["plain"], rel=1e-3)
    assert found["difference"] == pytest.approx(abs(found["shipped"] / found["plain"] - 1))


def test_the_layouts_differ(tiny):
    steps = {way: training.update("pretrain", "sample", way, torch.device("cpu")) for way in training.WAYS}
    assert {p.precision for _, p in steps.values()} == {"float32"}  # as in tests/conftest.py
    tiny["pretrain"] = tiny["pretrain"] | {"precision": "bfloat16"}
    assert training.update("pretrain", "sample", "plain", torch.device("cpu"))[1].precision == "float32"
    assert training.update("pretrain", "sample", "shipped", torch.device("cpu"))[1].precision == "bfloat16"


def test_every_training_has_its_row(tiny):
    rows = training.measure("sample", runs=1)
    assert [row["training"] for row in rows] == ["train_bgan", "pretrain", "finetune"]
    for row in rows:
        assert row["ratio"] == pytest.approx(row["plain"] / row["shipped"])
        assert row["flops"] > 0
    assert training.table(rows).count("% off") == 3


def test_operations_of_an_update_are_counted_forward_and_backward(tiny):
    """A training computes each conv three times: its result, and the gradients of its input and of its weights."""
    p = tiny["pretrain"]
    found = training.speed("pretrain", "sample", 1)
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        build_generator("dbgan", **tiny["dbgan"])(torch.empty(p["batch"], 3, p["patch"], p["patch"]))
    assert 2.7 * counter.get_total_flops() < found["flops"] <= 3 * counter.get_total_flops()


def test_a_pipeline_with_something_to_do_is_not_run(tmp_path, monkeypatch):
    """The folder holds no pipeline; DVC ends with a fault, and nothing is measured."""
    assert pipeline.nothing_to_do() == {"stages": None, "shipped": None, "plain": None, "ratio": None}


def test_what_was_not_measured_is_a_dash():
    machine = {"cpu": "a CPU", "gpu": None, "threads": 2, "torch": "2"}
    rows = [suite.row("x", 12345.6, 2.0, 6172.8, "s"), suite.row("y", None, None, None, "s")]
    lines = suite.table({"machine": machine, "ratios": rows}).splitlines()
    assert lines[0] == "a CPU, threads: 2; PyTorch 2."
    assert lines[-2:] == ["| x | 12346 | 2 | s | 6173 |", "| y | - | - | s | - |"]
