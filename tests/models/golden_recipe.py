"""The deterministic weights and inputs on which the authors' networks gave the numbers in tests/fixtures."""

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

FIXTURES = Path(__file__).parents[1] / "fixtures"
GOLDEN = np.load(FIXTURES / "networks.npz")


def fill(key: str, shape: tuple[int, ...], gain: float) -> np.ndarray:
    """The float32 values of one entry of a state dict; each is drawn from a generator seeded by its key alone."""
    drawn = np.asarray(np.random.default_rng(zlib.crc32(key.encode())).standard_normal(shape))
    leaf = key.rpartition(".")[2]
    if leaf == "running_var":
        values = np.abs(drawn) + 0.5
    elif len(shape) >= 2:
        values = gain * drawn / np.sqrt(float(np.prod(shape[1:])))
    elif leaf == "weight":
        values = 0.25 + 0.05 * drawn if shape == (1,) else 1.0 + 0.1 * drawn  # the slope of a PReLU, a norm
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


def largest_difference(image: Tensor, name: str) -> float:
    return float(np.abs(image.numpy() - GOLDEN[name]).max())


def assert_golden(image: Tensor, stored: str) -> None:
    """Three crops of 12 x 12 pixels of the first image are the authors' within ten times float32's noise; `stored` is
    "<file>:<name>"."""
    file, _, name = stored.partition(":")
    golden = np.load(FIXTURES / file)
    noise = next(golden[f"{key}/noise"] for key in (name, name.rpartition("/")[0]) if f"{key}/noise" in golden)
    height, width = image.shape[-2:]
    corners = {"topleft": (0, 0), "centre": (height // 2 - 6, width // 2 - 6), "bottomright": (height - 12, width - 12)}
    for place, (row, column) in corners.items():
        crop = image[0, :, row : row + 12, column : column + 12].numpy()
        assert np.abs(crop - golden[f"{name}/{place}"]).max() <= 10 * noise, f"{stored}/{place}"
