"""Trainings in bfloat16, by the commands of the pipeline: close to float32, and float32 where the machine has none."""

import csv
from pathlib import Path

import pytest
import torch
from commands import run_well
from safetensors.torch import load_file

from dbgan.models.build import DEBLUR
from dbgan.training import optim

OUT = {"pretrain": "dbgan_pretrained", "finetune": "dbgan", "train_bgan": "bgan"}
LARGE = {"init_std": 0.1}  # weights that change an image; from the paper's a tiny network gives it back
# A gradient penalty through BatchNorm over so few values as TINY's is all rounding.
PENALISED = {"objective": "wgan-gp", "scales.sample.finetune.batch": 4, "scales.sample.finetune.patch": 64}
# A stage, and what it is to train: all generators, and all that trains adversarially from its first update.
TRAININGS = [
    *(("pretrain", LARGE | {"generator.name": name}) for name in DEBLUR),
    ("finetune", {}),
    *(("finetune", PENALISED | {"critic": critic}) for critic in ("vgg", "patch")),
    *(
        ("train_bgan", LARGE | {"bgan.pairing": pairing, "scales.sample.bgan.pixel_steps": steps} | network)
        for pairing, steps in (("unpaired", 0), ("paired", 1))  # from pairs, the first updates are by pixels alone
        for network in ({}, {"blur_generator.name": "sftnet"})
    ),
]


@pytest.fixture(params=[True])
def bfloat16(request, monkeypatch):
    """A CPU that has bfloat16; emulated, it computes the same. With the parameter False, one that has not."""
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: request.param)
    optim._has_bfloat16.cache_clear()
    yield
    optim._has_bfloat16.cache_clear()


@pytest.fixture
def train(copied, write_params):
    """train(stage, precision, changes): what the stage makes in a copy of the finished chain."""

    def run(stage: str, precision: str, changes: dict) -> dict[str, bytes]:
        section = f"scales.sample.{stage.removeprefix('train_')}"
        write_params(copied / "params.yaml", changes | {f"{section}.precision": precision, f"{section}.log_every": 1})
        run_well(stage)
        made = (f"models/{OUT[stage]}.safetensors", f"metrics/{stage}.json", f"metrics/{stage}_curve.csv")
        return {name: (copied / name).read_bytes() for name in made}

    return run


def rows(root: Path, stage: str) -> list[dict[str, float]]:
    lines = (root / "metrics" / f"{stage}_curve.csv").read_text().splitlines()
    return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(lines)]


@pytest.mark.parametrize(("stage", "changes"), TRAININGS)
def test_losses_in_bfloat16_are_close_and_weights_are_float32(copied, train, bfloat16, stage, changes):
    plain, expected = train(stage, "float32", changes), rows(copied, stage)
    assert train(stage, "bfloat16", changes) != plain
    found = rows(copied, stage)
    first = changes.get("scales.sample.bgan.pixel_steps", 0)  # the row of the first adversarial update
    for name, value in expected[first].items():  # rounding adds up on its way back through the layers
        assert found[first][name] == pytest.approx(value, rel=0.3 if name.startswith("gradient_") else 0.05), name
    assert all(torch.tensor(list(row.values())).isfinite().all() for row in found)
    weights = load_file(copied / "models" / f"{OUT[stage]}.safetensors")
    assert {tensor.dtype for tensor in weights.values() if tensor.is_floating_point()} == {torch.float32}


@pytest.mark.parametrize("bfloat16", [False], indirect=True)
@pytest.mark.parametrize(("stage", "changes"), [("pretrain", {}), ("finetune", {}), ("train_bgan", {})])
def test_without_bfloat16_in_the_machine_a_warning_is_given_and_float32_taken(train, bfloat16, stage, changes):
    plain = train(stage, "float32", changes)
    with pytest.warns(UserWarning, match="no bfloat16; training in float32"):
        assert train(stage, "bfloat16", changes) == plain
