"""Weights with the arguments that rebuild their network: one safetensors file that cannot run code."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError, safe_open

if TYPE_CHECKING:
    from torch import nn  # for the reader; torch is imported when it is needed, so that --help is fast


def save(path: Path, network: nn.Module, name: str, config: dict) -> None:
    """Write `network` and how to build it again: `build(name, **config)`. Raises OSError, e.g. on a full disk.

    One metadata key only: safetensors writes several in random order, and equal weights must be equal bytes.
    """
    from safetensors.torch import save_file

    tensors = {key: tensor.detach().cpu().contiguous() for key, tensor in network.state_dict().items()}
    written = json.dumps({"name": name, "config": config}, sort_keys=True)
    try:
        save_file(tensors, path, metadata={"network": written})
    except SafetensorError as error:
        raise OSError(f"{path}: cannot write the weights: {error}") from None


def recipe(path: Path) -> tuple[str, dict]:
    """Name and arguments of the network in a file that `save` wrote. Raises ValueError naming any other file."""
    if not Path(path).is_file():
        raise ValueError(f"{path}: there is no such weights file")
    try:
        with safe_open(path, "pt") as file:
            found = json.loads((file.metadata() or {})["network"])
        return found["name"], found["config"]
    except SafetensorError as error:
        raise ValueError(f"{path}: not a readable weights file ({error})") from None
    except (TypeError, KeyError, ValueError):
        raise ValueError(f"{path}: does not say which network it belongs to; is it one of ours?") from None


def load(path: Path, build: Callable[..., nn.Module], names: Collection[str]) -> nn.Module:
    """The network of a file that `save` wrote under one of `names`, on the CPU, in eval mode.

    Raises ValueError naming the file when it is no such file, is damaged, or holds another network.
    """
    from safetensors.torch import load_file

    found, config = recipe(path)
    if found not in names:
        raise ValueError(f"{path}: holds the network {found!r} where {' or '.join(names)} is needed")
    try:
        network = build(found, **config)
        network.load_state_dict(load_file(path), strict=True)
    except Exception as error:  # a network raises whatever it likes at arguments that it was not made for
        raise ValueError(f"{path}: does not fit its network: {' '.join(str(error).split())}") from None
    return network.eval()
