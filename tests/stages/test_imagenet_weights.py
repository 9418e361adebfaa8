"""perceptual.weights imagenet: the file of params.yaml's section is used, and only its bytes matter."""

import shutil
from pathlib import Path

import pytest
import torch
from commands import ends_in_one_line, files, run_well

from dbgan import utils
from dbgan.models.vgg import PerceptualParams, VGGFeatures

SECTION = "archives.vgg19"
CHANGES = {"perceptual.weights": "imagenet", "scales.sample.perceptual.width": 64, f"{SECTION}.url": None}


@pytest.fixture
def weights(tmp_path) -> Path:
    """A file with all that we take of torchvision's VGG-19."""
    path = tmp_path / "vgg19.pth"
    torch.save(
        {
            k: 1.1 * v
            for k, v in VGGFeatures(PerceptualParams(weights="random", width=64, divisor=1.0)).state_dict().items()
        },
        path,
    )
    return path


@pytest.mark.parametrize("stage", ["train_bgan", "finetune"])
def test_the_result_depends_on_the_file_not_on_its_place(copied, weights, write_params, stage):
    digest = utils.sha256(weights)
    places = [
        {f"{SECTION}.path": str(weights), f"{SECTION}.sha256": digest},
        {f"{SECTION}.file": weights.name, f"{SECTION}.sha256": digest[:8]},
        {"perceptual.weights": str(weights)},
    ]
    (copied / ".downloads").mkdir()
    shutil.copy(weights, copied / ".downloads")
    results = []
    for place in places:
        write_params(copied / "params.yaml", CHANGES | place)
        run_well(stage)
        results.append({name: data for name, data in files(copied).items() if name.startswith(("metrics/", "models/"))})
    assert results[0] == results[1] == results[2]
    assert digest in results[0][f"metrics/{stage}.json"].decode()
    assert "random" not in results[0][f"metrics/{stage}.json"].decode()


def test_a_wrong_file_is_named(copied, weights, write_params):
    weights.write_bytes(b"<html>")
    write_params(copied / "params.yaml", CHANGES | {f"{SECTION}.path": str(weights), f"{SECTION}.sha256": None})
    ends_in_one_line(copied, "finetune", "vgg19.pth")


def test_a_download_that_cannot_be_is_named_by_its_key(copied, write_params):
    write_params(copied / "params.yaml", CHANGES)
    ends_in_one_line(copied, "finetune", f"params.yaml, {SECTION}", "path")
