"""Every generator, critic and objective that params.yaml may choose, through the commands of the pipeline."""

import math
from itertools import product
from pathlib import Path
from typing import get_args

import pytest
import torch
from commands import evaluated, run, run_well

from dbgan import checkpoint, settings
from dbgan.losses import OBJECTIVES, multi_stage
from dbgan.models.build import DEBLUR
from dbgan.models.mprnet import MPRNet
from dbgan.training.adversarial import AdversarialParams
from dbgan.training.pretrain import PretrainStep

CRITICS = get_args(AdversarialParams.__annotations__["critic"])
MADE_BY_PRETRAIN = ("models/dbgan_pretrained.safetensors", "metrics/pretrain.json", "metrics/pretrain_curve.csv")
DROPOUT = {"generator.name": "deblurgan", "scales.sample.deblurgan.dropout": True}


class KilledError(Exception):
    pass


@pytest.fixture
def choose(copied, write_params):
    """choose({"dotted.key": value}): other parameters in a copy of the finished chain, back as stages see them."""
    return lambda changes: settings.load(write_params(copied / "params.yaml", changes))


def recipe(root: Path, file: str) -> tuple[str, dict]:
    return checkpoint.recipe(root / "models" / f"{file}.safetensors")


def pretrained(root: Path, draws_before: int = 0) -> dict[str, bytes]:
    """What pre-training makes in a process that has drawn so many random numbers more."""
    torch.rand(draws_before)
    run_well("pretrain")
    return {name: (root / name).read_bytes() for name in MADE_BY_PRETRAIN}


def updates(patch: pytest.MonkeyPatch, killed_at: int | None = None) -> list[int]:
    """The updates that pre-trainings from now on do; one of them may be killed."""
    done, step = [], PretrainStep.__call__

    def update(self, n, batches):
        if n == killed_at:
            raise KilledError
        done.append(n)
        return step(self, n, batches)

    patch.setattr(PretrainStep, "__call__", update)
    return done


@pytest.mark.parametrize("name", DEBLUR)
def test_each_generator_is_pretrained_twice_alike_then_fine_tuned_and_measured(copied, choose, name):
    before = evaluated(copied)
    values = choose(DROPOUT | {"generator.name": name})
    made = pretrained(copied)
    assert pretrained(copied, draws_before=1) == made
    run_well("finetune", "evaluate")
    assert recipe(copied, "dbgan_pretrained") == recipe(copied, "dbgan") == (name, values[name])
    found = evaluated(copied)
    assert found.keys() == before.keys()
    for key in ("psnr", "psnr_pretrained", "ssim", "ssim_pretrained", "delta_e", "flat_deviation"):
        assert math.isfinite(found[key]), key
    for key in ("psnr_blurred", "bgan_realism"):  # nothing of the generator is in these
        assert found[key] == before[key]


def test_dropout_acts_and_a_killed_training_with_it_goes_on_bit_for_bit(copied, choose, monkeypatch):
    choose(DROPOUT | {"scales.sample.deblurgan.dropout": False})
    without = pretrained(copied)
    choose(DROPOUT)
    whole = pretrained(copied)
    assert whole["metrics/pretrain_curve.csv"] != without["metrics/pretrain_curve.csv"]
    with monkeypatch.context() as patch:
        updates(patch, killed_at=4)
        assert isinstance(run("pretrain").exception, KilledError)
    done = updates(monkeypatch)
    assert pretrained(copied, draws_before=1) == whole
    assert done == [3, 4]


def test_all_stages_of_mprnet_are_supervised_and_its_first_output_is_measured(copied, choose, monkeypatch):
    supervised, forward = [], MPRNet.forward

    def spy(outputs, target):
        supervised.append([output.shape == target.shape for output in outputs])
        return multi_stage(outputs, target)

    for training in ("pretrain", "finetune"):
        monkeypatch.setattr(f"dbgan.training.{training}.multi_stage", spy)
    choose({"generator.name": "mprnet"})
    run_well("pretrain", "finetune", "evaluate")
    assert supervised == [[True, True, True]] * (4 + 4)
    found = evaluated(copied)
    monkeypatch.setattr(MPRNet, "forward", lambda self, blurred: forward(self, blurred)[0])
    run_well("evaluate")
    assert evaluated(copied) == found


@pytest.mark.parametrize("pairing", ["unpaired", "paired"])
def test_the_other_blur_generator_is_trained_blurs_and_is_measured(copied, choose, pairing):
    before = evaluated(copied)
    blurs = (copied / "data" / "synthetic.h5").read_bytes()
    values = choose({"blur_generator.name": "sftnet_blur", "bgan.pairing": pairing})
    run_well("train_bgan", "synthesize", "evaluate")
    assert recipe(copied, "bgan") == ("sftnet_blur", values["sftnet_blur_network"])
    assert (copied / "data" / "synthetic.h5").read_bytes() != blurs
    found = evaluated(copied)
    assert found.keys() == before.keys()
    for key in ("bgan_diversity", "bgan_realism", "blur_effect_bgan"):
        assert math.isfinite(found[key]), key
    assert found["blur_effect_bgan"] != before["blur_effect_bgan"]
    assert found["psnr"] == before["psnr"]


def test_each_critic_and_objective_fine_tunes_in_its_own_way(copied, choose):
    results = {}
    for critic, objective in product(CRITICS, OBJECTIVES):
        choose({"critic": critic, "objective": objective})
        run_well("finetune")
        results[critic, objective] = (copied / "models" / "dbgan.safetensors").read_bytes()
    assert len(set(results.values())) == len(results) == 8


@pytest.mark.parametrize("pairing", ["unpaired", "paired"])
def test_the_blur_generator_too_is_trained_against_the_critic_and_by_the_objective_chosen(copied, choose, pairing):
    made = set()
    for chosen in ({}, {"critic": "patch"}, {"objective": "wgan-gp"}):
        choose(chosen | {"bgan.pairing": pairing})
        run_well("train_bgan")
        made.add((copied / "models" / "bgan.safetensors").read_bytes())
    assert len(made) == 3
