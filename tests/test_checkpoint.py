"""Weights files: bit for bit, equal bytes, and one line for every file that is none of ours."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from dbgan import checkpoint
from dbgan.models.bgan import BlurConfig
from dbgan.models.build import build_generator

CONFIG = BlurConfig(width=2, blocks=1, growth=2, downsample=1, batch_norm=True, noise="vector")


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    network = build_generator("bgan", CONFIG)
    network(torch.randn(2, 3, 8, 8), torch.randn(2, 4, 8, 8))  # moves BatchNorm's buffers off their start
    return network


@pytest.fixture
def path(tmp_path, network) -> Path:
    path = tmp_path / "net.safetensors"
    checkpoint.save(path, network, "bgan", CONFIG)
    return path


def test_equal_weights_are_equal_bytes_with_the_config_of_their_network(path, network, tmp_path):
    assert checkpoint.recipe(path) == ("bgan", CONFIG.model_dump())
    again = tmp_path / "other_name.safetensors"
    checkpoint.save(again, network, "bgan", dict(reversed(CONFIG.model_dump().items())))
    assert again.read_bytes() == path.read_bytes()


def with_recipe(recipe: str):
    return lambda path: save_file({"a": torch.zeros(1)}, path, metadata={"network": recipe})


DAMAGES = {
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-10]),
    "emptied": lambda path: path.write_bytes(b""),
    "removed": Path.unlink,
    "pickled": lambda path: torch.save({"a": torch.zeros(1)}, path),
    "no recipe": lambda path: save_file({"a": torch.zeros(1)}, path),
    "no JSON": with_recipe("{"),
    "no config": with_recipe('{"name": "bgan", "config": 3}'),
    "unknown keys": with_recipe(json.dumps({"name": "bgan", "config": CONFIG.model_dump() | {"depth": 3}})),
    "another size": with_recipe(json.dumps({"name": "bgan", "config": CONFIG.model_dump() | {"width": 3}})),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_file_that_is_none_of_ours_is_named_in_one_line(path, damage):
    damage(path)
    with pytest.raises(ValueError) as error:
        checkpoint.load(path, ["bgan"])
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_another_network_is_refused_by_all_names(path):
    with pytest.raises(ValueError, match=r"'bgan'.*dbgan or nafnet") as error:
        checkpoint.load(path, ["dbgan", "nafnet"])
    assert str(path) in str(error.value)
