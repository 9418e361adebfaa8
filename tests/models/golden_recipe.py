"""The deterministic weights and inputs on which the authors' networks gave the numbers in fixtures/networks.npz."""

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

GOLDEN = np.load(Path(__file__).parents[1] / "fixtures" / "networks.npz")


def fill(key: str, shape: tuple[int, ...], gain: float) -> np.ndarray:
    """The float32 values of one entry of a state dict; each is drawn from a generator seeded by its key alone."""
    drawn = np.asarray(np.random.default_rng(zlib.crc32(key.encode())).standard_normal(shape))
    leaf = key.rpartition(".")[2]
    if leaf == "running_var":
        values = np.abs(drawn) + 0.5
    elif len(shape) >= 2:
        values = gain * drawn / np.sqrt(float(np.prod(shape[1:])))
    elif leaf == "weight":
        values = 1.0 + 0.1 * drawn
    else:
        values = 0.1 * drawn
    return values.astype(np.float32)


def filled(network: nn.Module, authors_key: Callable[[str], str], gain: float) -> nn.Module:
    """`network` in eval mode with the recipe's weights, which go by the authors' names."""
    state = network.state_dict()
    for key, value in state.items():
        if not key.endswith("num_batches_tracked"):
            state[key] = torch.from_numpy(fill(authors_key(key), tuple(value.shape), gain))
    network.load_state_dict(state)
    return network.eval()


def unit_input(shape: tuple[int, ...]) -> Tensor:
    return torch.from_numpy(np.random.default_rng(0).random(shape).astype(np.float32))


def largest_difference(found: Tensor, name: str) -> float:
    return float(np.abs(found.numpy() - GOLDEN[name]).max())
