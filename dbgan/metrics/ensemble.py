"""Self-ensemble, as the authors' test code offers: the mean over an image turned and mirrored in all eight ways."""

from collections.abc import Callable
from itertools import product

import torch
from torch import Tensor


def turned(image: Tensor, turns: int, mirror: bool) -> Tensor:
    """(N, C, H, W), mirrored left to right if wanted, then turned by `turns` quarters."""
    return torch.rot90(image.flip(-1) if mirror else image, turns, (-2, -1))


def turned_back(image: Tensor, turns: int, mirror: bool) -> Tensor:
    """Undoes `turned`."""
    image = torch.rot90(image, -turns, (-2, -1))
    return image.flip(-1) if mirror else image


def ensemble(network: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """A network that takes eight times as long, and gives the same for an image however it is turned."""

    def mean(image: Tensor) -> Tensor:
        total = torch.zeros_like(image)
        for turns, mirror in product(range(4), (False, True)):
            total += turned_back(network(turned(image, turns, mirror)), turns, mirror)
        return total / 8

    return mean
