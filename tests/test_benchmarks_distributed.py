"""What an update costs is what its networks cost, and both ways to train are timed."""

import pytest
from typer.testing import CliRunner

from benchmarks import distributed, networks

CALM = {"one": 4.0, "together": 7.0, "ratio": 1.75}


def test_an_update_of_pretraining_costs_three_times_its_forwards(monkeypatch):
    """Of 4 patches: the result, the gradients of the weights, and those of all activations but the first's."""
    sample = distributed.params_of("sample")["dbgan"]
    monkeypatch.setattr(networks, "NETWORKS", {"dbgan": ("dbgan", sample)})
    forward = networks.size("dbgan", 96, 96)["flops"]
    assert 2.9 < distributed.flops("pretrain", "sample") / (4 * forward) < 3


def test_the_adversarial_trainings_cost_more():
    costs = {name: distributed.flops(name, "sample") for name in distributed.IMAGES}
    assert 0 < costs["pretrain"] < costs["finetune"] < costs["train_bgan"]


def test_the_result_says_which_is_which(monkeypatch):
    monkeypatch.setattr(distributed, "machine", lambda: {"bfloat16": False})
    monkeypatch.setattr(distributed, "flops", lambda training, scale: 2.5e12)
    monkeypatch.setattr(distributed, "throughput", lambda bfloat16, updates, rounds: CALM)
    result = CliRunner().invoke(distributed.app, ["--updates", "1", "--rounds", "1"])
    assert result.stdout.splitlines() == [
        *(f"{name}, paper: 2.5 TFLOP an update" for name in distributed.IMAGES),
        "pretrain, sample, float32: 4 updates/s by one process, 7 by 2: 1.75 x",
    ]


def test_nothing_to_measure_is_refused():
    result = CliRunner().invoke(distributed.app, ["--rounds", "0"])
    assert result.exit_code == 1
    assert "at least 1" in result.stderr


def test_one_process_and_two_are_timed():
    found = distributed.throughput(bfloat16=False, updates=1, rounds=1)
    assert found["ratio"] == pytest.approx(found["together"] / found["one"])
    assert min(found.values()) > 0
