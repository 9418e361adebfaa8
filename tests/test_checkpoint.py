"""Weights files: bit for bit, equal bytes, and one line for every file that is none of ours."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from dbgan import checkpoint
from dbgan.models.build import build_generator

CONFIG = {"inputs": 3, "outputs": 2}


def build(name: str, inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3), nn.BatchNorm2d(outputs))


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    network = build("net", **CONFIG)
    network(torch.randn(2, 3, 8, 8))  # moves BatchNorm's buffers off their start
    return network


@pytest.fixture
def path(tmp_path, network) -> Path:
    path = tmp_path / "net.safetensors"
    checkpoint.save(path, network, "net", CONFIG)
    return path


def test_a_network_comes_back_bit_for_bit_and_in_eval_mode(path, network):
    loaded = checkpoint.load(path, build, ["net"])
    expected = network.state_dict()
    assert loaded.state_dict().keys() == expected.keys()
    for key, tensor in loaded.state_dict().items():
        assert torch.equal(tensor, expected[key]), key
        assert tensor.dtype == expected[key].dtype
    assert not loaded.training


def test_the_file_says_how_to_build_its_network(path):
    assert checkpoint.recipe(path) == ("net", CONFIG)


def test_equal_weights_are_equal_bytes(path, network, tmp_path):
    again = tmp_path / "other_name.safetensors"
    checkpoint.save(again, network, "net", dict(reversed(CONFIG.items())))
    assert again.read_bytes() == path.read_bytes()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def cut_in_header(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:20])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def garbled(path: Path) -> None:
    path.write_bytes(b"\xff" * 8 + path.read_bytes()[8:])


def removed(path: Path) -> None:
    path.unlink()


def text(path: Path) -> None:
    path.write_text("these are no weights at all")


def pickled(path: Path) -> None:
    torch.save({"a": torch.zeros(1)}, path)


def without_recipe(path: Path) -> None:
    save_file({"a": torch.zeros(1)}, path)


def foreign_recipe(path: Path) -> None:
    save_file({"a": torch.zeros(1)}, path, metadata={"network": "[1, 2]"})


def no_json(path: Path) -> None:
    save_file({"a": torch.zeros(1)}, path, metadata={"network": "{"})


def other_arguments(path: Path) -> None:
    recipe = json.dumps({"name": "net", "config": {"width": 3}})
    save_file({"a": torch.zeros(1)}, path, metadata={"network": recipe})


def other_size(path: Path) -> None:
    checkpoint.save(path, build("net", 3, 5), "net", CONFIG)


@pytest.mark.parametrize(
    "damage",
    [
        cut,
        cut_in_header,
        emptied,
        garbled,
        removed,
        text,
        pickled,
        without_recipe,
        foreign_recipe,
        no_json,
        other_arguments,
        other_size,
    ],
)
def test_a_file_that_is_none_of_ours_is_named_in_one_line(path, damage):
    damage(path)
    with pytest.raises(ValueError) as error:
        checkpoint.load(path, build, ["net"])
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("name", "config"), [("mprnet", {"reduction": 0}), ("srresnet", {"scale": 2, "skip": True})])
def test_arguments_that_no_network_can_have_are_told_with_the_file(tmp_path, name, config):
    path = tmp_path / "odd.safetensors"
    save_file({"a": torch.zeros(1)}, path, metadata={"network": json.dumps({"name": name, "config": config})})
    with pytest.raises(ValueError, match=r"odd\.safetensors: does not fit its network: [^\n]+$"):
        checkpoint.load(path, build_generator, [name])


def test_a_network_of_any_of_the_names_is_taken(path):
    assert isinstance(checkpoint.load(path, build, ["bgan", "net"]), nn.Module)


def test_another_network_is_refused_by_all_names(path):
    with pytest.raises(ValueError, match=r"'net'.*bgan or dbgan") as error:
        checkpoint.load(path, build, ["bgan", "dbgan"])
    assert str(path) in str(error.value)


def test_an_unwritable_place_is_an_os_error(network, tmp_path):
    path = tmp_path / "no_folder" / "net.safetensors"
    with pytest.raises(OSError, match="no_folder"):
        checkpoint.save(path, network, "net", CONFIG)
