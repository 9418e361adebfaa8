"""Every generator, critic, objective and option that params.yaml may choose, through the commands of the pipeline."""

import csv
import math
from itertools import product
from typing import get_args

import pytest
import torch
from commands import ends_in_one_line, evaluated, run_well
from safetensors.torch import load_file

from dbgan import checkpoint, settings
from dbgan.losses import OBJECTIVES, multi_stage
from dbgan.models.bgan import BlurGenerator
from dbgan.models.build import DEBLUR
from dbgan.training import loop
from dbgan.training.adversarial import AdversarialParams
from dbgan.training.bgan import TrainBganParams

CRITICS = get_args(AdversarialParams.__annotations__["critic"])
METHODS = get_args(TrainBganParams.__annotations__["method"])
WEIGHTS = {"train_bgan": "bgan", "pretrain": "dbgan_pretrained", "finetune": "dbgan"}
LARGE = {"init_std": 0.1}  # weights that change an image; from the paper's a tiny network gives it back


@pytest.fixture
def train(copied, write_params):
    """train(stage, changes): the weights' bytes and the curve's rows, in a copy of the finished chain."""

    def go(stage: str, changes: dict) -> tuple[bytes, list[dict[str, float]]]:
        go.values = settings.load(write_params(copied / "params.yaml", changes))
        run_well(stage)
        rows = csv.DictReader((copied / "metrics" / f"{stage}_curve.csv").read_text().splitlines())
        weights = copied / "models" / f"{WEIGHTS[stage]}.safetensors"
        return weights.read_bytes(), [{name: float(value) for name, value in row.items()} for row in rows]

    return go


@pytest.mark.parametrize("name", DEBLUR)
def test_each_generator_is_pretrained_twice_alike_then_fine_tuned_and_measured(copied, train, name):
    before = evaluated(copied)
    choice = {"generator.name": name, "scales.sample.deblurgan.dropout": True}
    made = train("pretrain", choice)
    torch.rand(1)  # whatever the process has drawn
    assert train("pretrain", choice) == made
    run_well("finetune", "evaluate")
    recipes = [checkpoint.recipe(copied / "models" / f"{file}.safetensors") for file in ("dbgan_pretrained", "dbgan")]
    assert recipes[0] == recipes[1] == (name, train.values[name])
    found = evaluated(copied)
    assert found.keys() == before.keys()
    for key in ("psnr", "psnr_pretrained", "ssim", "ssim_pretrained", "delta_e", "flat_deviation"):
        assert math.isfinite(found[key]), key
    for key in ("psnr_blurred", "bgan_realism"):  # nothing of the generator is in these
        assert found[key] == before[key]


def test_all_stages_of_mprnet_are_supervised(train, monkeypatch):
    supervised = []

    def spy(outputs, target):
        supervised.append([output.shape == target.shape for output in outputs])
        return multi_stage(outputs, target)

    monkeypatch.setattr("dbgan.losses.multi_stage", spy)
    train("pretrain", {"generator.name": "mprnet"})
    train("finetune", {"generator.name": "mprnet"})
    assert supervised == [[True, True, True]] * (4 + 4)


@pytest.mark.parametrize("method", METHODS)
def test_the_other_blur_generator_is_trained_by_every_method_blurs_and_is_measured(copied, train, method):
    before, blurs = evaluated(copied), (copied / "data" / "synthetic.h5").read_bytes()
    train("train_bgan", LARGE | {"blur_generator.name": "sftnet_blur", "train_bgan.method": method})
    run_well("synthesize", "evaluate")
    recipe = checkpoint.recipe(copied / "models" / "bgan.safetensors")
    assert recipe == ("sftnet_blur", train.values["sftnet_blur"])
    assert (copied / "data" / "synthetic.h5").read_bytes() != blurs
    found = evaluated(copied)
    for key in ("bgan_diversity", "bgan_realism", "blur_effect_bgan"):
        assert math.isfinite(found[key]), key
    assert found["psnr"] == before["psnr"]


def test_each_critic_and_objective_trains_in_its_own_way(train):
    made = [train("finetune", {"critic": c, "objective": o})[0] for c, o in product(CRITICS, OBJECTIVES)]
    assert len(set(made)) == 8
    choices = product(METHODS, ({}, {"critic": "patch"}, {"objective": "wgan-gp"}))
    made = [train("train_bgan", choice | {"train_bgan.method": method})[0] for method, choice in choices]
    assert len(set(made)) == 9


@pytest.mark.parametrize("stage", WEIGHTS)
def test_options_of_the_trainings(train, copied, stage):
    """Recomputed blocks give the same bytes, a running mean other weights but the same training, clipping another."""
    plain, rows = train(stage, {})
    assert train(stage, {f"{stage}.checkpointing": True}) == (plain, rows)
    averaged, same_rows = train(stage, {f"{stage}.ema": 0.9})
    assert same_rows == rows
    assert averaged != plain
    assert train(stage, {f"{stage}.clip": 1e9})[1] == rows != train(stage, {f"{stage}.clip": 1e-4})[1]


@pytest.mark.parametrize(("stage", "changes"), [*((stage, LARGE) for stage in WEIGHTS)])
def test_losses_in_bfloat16_are_close_and_weights_are_float32(copied, train, monkeypatch, stage, changes):
    """A CPU that has bfloat16; emulated, it computes the same."""
    expected = train(stage, changes)
    monkeypatch.setattr(loop, "_has_bfloat16", lambda kind: True)
    found = train(stage, changes | {f"{stage}.precision": "bfloat16"})
    assert found[0] != expected[0]
    for name, value in expected[1][0].items():  # rounding adds up on its way back through the layers
        assert found[1][0][name] == pytest.approx(value, rel=0.3 if name.startswith("gradient_") else 0.05), name
    weights = load_file(copied / "models" / f"{WEIGHTS[stage]}.safetensors").values()
    assert {tensor.dtype for tensor in weights if tensor.is_floating_point()} == {torch.float32}


@pytest.mark.parametrize("stage", WEIGHTS)
def test_full_memory_ends_in_one_line_naming_the_keys(copied, write_params, monkeypatch, stage):
    monkeypatch.setattr(loop, "backward", lambda *_: torch.empty(2**60))
    write_params(copied / "params.yaml", {f"scales.sample.{stage}.lr": 0.011})
    ends_in_one_line(copied, stage, "out of memory", f"{stage}.batch", f"{stage}.checkpointing")
    if stage == "train_bgan":
        monkeypatch.setattr(BlurGenerator, "forward", lambda *_: torch.empty(2**60))
        ends_in_one_line(copied, "synthesize", "out of memory", "synthesize.batch")
