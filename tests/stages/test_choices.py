"""Every generator, critic, objective and option that params.yaml may choose, through the commands of the pipeline."""

import csv
import math
from itertools import product
from typing import get_args

import numpy as np
import pytest
import torch
from commands import dotted, ends_in_one_line, evaluated, run_well
from safetensors.torch import load_file
from scipy.ndimage import gaussian_filter

from dbgan import checkpoint, settings
from dbgan.data import h5
from dbgan.losses import OBJECTIVES, multi_stage
from dbgan.models.build import DEBLUR
from dbgan.models.camera import Camera
from dbgan.training import loop
from dbgan.training.adversarial import AdversarialParams
from dbgan.training.bgan import TrainBganParams

CRITICS = get_args(AdversarialParams.__annotations__["critic"])
METHODS = get_args(TrainBganParams.__annotations__["method"])
WEIGHTS = {"train_bgan": "bgan", "pretrain": "dbgan_pretrained", "finetune": "dbgan"}
LARGE = {"init_std": 0.1}  # weights that change an image; from the paper's a tiny network gives it back
BGAN = {"scales.sample.blur_generator.name": "bgan", "synthesize.min_change": 0.0}
METHOD = {  # the keys of each method
    name: {"train_bgan.method": name, "train_bgan.pixel_steps": 0 if name == "paper" else 2} for name in METHODS
}
DEEP = {  # by stage: networks of convs alone; all terms count
    "train_bgan": BGAN | METHOD["cycle"] | {"train_bgan.critic": "vgg"},
    "pretrain": {"scales.sample.pretrain.clip": 0.0},
    "finetune": {},
}
DEEP["train_bgan"] |= {
    "scales.sample.train_bgan.perceptual": 1.0,
    "train_bgan.color": 1.0,
    "train_bgan.mode_seeking": 1.0,
}


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
    assert supervised == [[True, True, True]] * (5 + 5)  # 4 updates after one that is tried


@pytest.mark.parametrize(
    ("name", "method"),
    [*product(("bgan", "sftnet_blur"), METHODS), ("camera", "paired")],  # the chain's: camera, paper
)
def test_each_blur_generator_is_trained_by_every_method_blurs_and_is_measured(copied, train, name, method):
    before, blurs = evaluated(copied), (copied / "data" / "synthetic.h5").read_bytes()
    assert checkpoint.recipe(copied / "models" / "bgan.safetensors")[0] == "camera"
    train("train_bgan", LARGE | BGAN | METHOD[method] | {"scales.sample.blur_generator.name": name})
    run_well("synthesize", "evaluate")
    assert checkpoint.recipe(copied / "models" / "bgan.safetensors") == (name, train.values[name])
    assert (copied / "data" / "synthetic.h5").read_bytes() != blurs
    found = evaluated(copied)
    for key in ("bgan_diversity", "bgan_realism", "blur_effect_bgan", "kernel_distance_bgan"):
        assert math.isfinite(found[key]), key
    assert found["psnr"] == before["psnr"]


def test_each_critic_and_objective_trains_in_its_own_way(train):
    made = [train("finetune", {"finetune.critic": c, "objective": o})[0] for c, o in product(CRITICS, OBJECTIVES)]
    assert len(set(made)) == 12
    choices = [{"train_bgan.critic": critic} for critic in CRITICS] + [{"objective": "wgan-gp"}]
    made = [train("train_bgan", BGAN | c | METHOD[m])[0] for m, c in product(METHODS, choices)]
    assert len(set(made)) == 12
    assert len({train("train_bgan", choice)[0] for choice in choices}) == 4  # of the camera


@pytest.mark.parametrize("stage", WEIGHTS)
def test_options_of_the_trainings(train, copied, stage):
    """Recomputed blocks give the same bytes, a running mean other weights but the same training, clipping another."""
    deep = DEEP[stage]
    plain, rows = train(stage, deep)
    assert train(stage, deep | {f"{stage}.checkpointing": True}) == (plain, rows)
    averaged, same_rows = train(stage, deep | {f"{stage}.ema": 0.9})
    assert same_rows == rows
    assert averaged != plain
    loose, tight = (train(stage, deep | {dotted(stage, "clip"): clip})[1] for clip in (1e9, 1e-4))
    assert loose == rows != tight


@pytest.mark.parametrize(("stage", "changes"), [(stage, LARGE | DEEP[stage]) for stage in WEIGHTS])
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
    write_params(copied / "params.yaml", {dotted(stage, "lr"): 0.011})
    ends_in_one_line(copied, stage, "out of memory", f"{stage}.batch", f"{stage}.checkpointing")
    if stage == "train_bgan":
        monkeypatch.setattr(Camera, "forward", lambda *_: torch.empty(2**60))
        ends_in_one_line(copied, "synthesize", "out of memory", "synthesize.batch")


def test_a_bgan_that_gives_its_input_back_is_refused_until_that_is_allowed(copied, write_params, monkeypatch):
    """So that DBGAN does not learn from pairs without blur."""
    monkeypatch.setattr(Camera, "forward", lambda self, sharp, noise: sharp + 0.3 / 255)
    (copied / "data" / "synthetic.h5").unlink()
    write_params(copied / "params.yaml", {"synthesize.noise": False, "synthesize.jpeg": False})
    ends_in_one_line(
        copied, "synthesize", "models/bgan.safetensors: BGAN hardly blurs", "0.00", "synthesize.min_change"
    )
    for changes in ({"synthesize.min_change": 0.0}, {"synthesize.source": "oracle"}):
        write_params(copied / "params.yaml", changes)
        run_well("synthesize")
        (copied / "data" / "synthetic.h5").unlink()


def test_the_oracle_stands_in_for_bgan(copied, write_params):
    """Every crop has as many blurs, by the simulated real camera; the next stage takes them."""
    before = h5.Reader(copied / "data" / "synthetic.h5").rows("synthetic/blurred", slice(None))
    write_params(copied / "params.yaml", {"synthesize.source": "oracle"})
    run_well("synthesize", "pretrain")
    made, crops = h5.Reader(copied / "data" / "synthetic.h5"), h5.Reader(copied / "data" / "crops.h5")
    blurs, sources = made.rows("synthetic/blurred", slice(None)), made.rows("synthetic/source", slice(None))
    assert blurs.shape == before.shape and not np.array_equal(blurs, before)
    assert sorted(sources.tolist()) == sorted([*range(8)] * 2)
    for blur, source in zip(blurs, sources, strict=True):  # coarse detail stays where it was
        sharp = crops.rows("paired/sharp", int(source))
        coarse = [gaussian_filter(image.astype(float), (6, 6, 0)).ravel() for image in (blur, sharp)]
        assert np.corrcoef(coarse)[0, 1] > 0.8
