"""The options that all training stages share, by the commands of the pipeline."""

import csv

import pytest
import torch
from commands import ends_in_one_line, run_well
from safetensors.torch import load_file

from dbgan.models.bgan import BlurGenerator
from dbgan.training import bgan_cycle, finetune, pretrain

STAGES = {
    "train_bgan": ("bgan", "bgan"),
    "pretrain": ("pretrain", "dbgan_pretrained"),
    "finetune": ("finetune", "dbgan"),
}
UPDATES = [bgan_cycle, pretrain, finetune]


@pytest.fixture(params=STAGES)
def train(request, copied, write_params):
    """train(changes of the section): the weights, and the curve but for the norms of gradients before clipping."""
    stage, (section, weights) = request.param, STAGES[request.param]

    def go(**changes):
        write_params(copied / "params.yaml", {f"scales.sample.{section}.{key}": v for key, v in changes.items()})
        run_well(stage)
        rows = list(csv.DictReader((copied / "metrics" / f"{stage}_curve.csv").read_text().splitlines()))
        return (copied / "models" / f"{weights}.safetensors").read_bytes(), rows

    go.stage, go.section, go.file = stage, section, copied / "models" / f"{weights}.safetensors"
    return go


def test_recomputed_blocks_give_the_same_bytes(train):
    assert train(checkpointing=True) == train()


def test_the_running_mean_is_written_and_changes_nothing_in_the_training(train):
    weights, rows = train()
    names = load_file(train.file).keys()
    averaged, same_rows = train(ema=0.9)
    assert averaged != weights
    assert same_rows == rows
    assert load_file(train.file).keys() == names


def test_clipped_gradients_change_the_training(train):
    """Adam takes the length out of a gradient, so that a bound shows where it differs from update to update."""
    free, clipped = train()[1], train(clip=1e-4)[1]
    assert free[0].keys() == clipped[0].keys()
    assert train(clip=1e9)[1] == free != clipped


def test_full_memory_ends_in_one_line_naming_the_keys(train, copied, write_params, monkeypatch):
    for module in UPDATES:
        monkeypatch.setattr(module, "begin", lambda *_: torch.empty(2**60))
    write_params(copied / "params.yaml", {f"scales.sample.{train.section}.lr": 0.011})
    section = f"scales.sample.{train.section}"
    ends_in_one_line(copied, train.stage, "out of memory", f"{section}.batch", f"{section}.checkpointing")


def test_full_memory_while_blurs_are_made_too(copied, monkeypatch):
    monkeypatch.setattr(BlurGenerator, "forward", lambda *_: torch.empty(2**60))
    ends_in_one_line(copied, "synthesize", "out of memory", "scales.sample.synthesize.batch")


def test_a_gradient_that_is_not_finite_ends_in_one_line_naming_update_and_network(
    train, copied, write_params, monkeypatch
):
    for module in UPDATES:
        update = module.update

        def spoiled(p, networks, optimizers, *rest, update=update):
            weights = [w for network in networks.values() for w in network.parameters() if w.grad is not None]
            weights[-1].grad.fill_(float("nan"))
            return update(p, networks, optimizers, *rest)

        monkeypatch.setattr(module, "update", spoiled)
    write_params(copied / "params.yaml", {f"scales.sample.{train.section}.lr": 0.012})
    ends_in_one_line(copied, train.stage, "update 1", "gradient_", "no longer finite", "clip")
