"""Weights with the config that rebuilds their network: one safetensors file that cannot run code."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from dbgan.models import build
from dbgan.settings import Params


def save(path: Path, network: nn.Module, name: str, config: Params | dict[str, Any]) -> None:
    """One metadata key only: safetensors writes several in random order, and equal weights must be equal bytes."""
    tensors = {key: tensor.detach().cpu().contiguous() for key, tensor in network.state_dict().items()}
    written = json.dumps({"name": name, "config": dict(config)}, sort_keys=True)
    try:
        save_file(tensors, path, metadata={"network": written})
    except SafetensorError as error:
        raise OSError(f"{path}: cannot write the weights: {error}") from None


def recipe(path: Path) -> tuple[str, dict[str, Any]]:
    """Name and config of the network in a file that `save` wrote."""
    if not Path(path).is_file():
        raise ValueError(f"{path}: there is no such weights file")
    try:
        with safe_open(path, "pt") as file:
            written = json.loads((file.metadata() or {})["network"])
        return written["name"], dict(written["config"])
    except SafetensorError as error:
        raise ValueError(f"{path}: not a readable weights file ({error})") from None
    except (TypeError, KeyError, ValueError, AttributeError):
        raise ValueError(f"{path}: does not say which network it belongs to; is it one of ours?") from None


def load(path: Path, names: Collection[str]) -> nn.Module:
    """The network of a file that `save` wrote under one of `names`, on the CPU, in eval mode."""
    name, values = recipe(path)
    if name not in names:
        raise ValueError(f"{path}: holds the network {name!r} where {' or '.join(names)} is needed")
    try:
        _, cls = (build.DEBLUR | build.BLUR)[name]
        network = build.build_generator(name, cls(**values))
        network.load_state_dict(load_file(path))
    except (ValueError, RuntimeError, SafetensorError) as error:
        message = " ".join(str(error).split())
        raise ValueError(f"{path}: does not fit its network, run the training again: {message}") from None
    return network.eval()
