"""Any deblurring network as a function of photographs in [0, 1], and what is to be known of it for cutting tiles."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from dbgan.models.mprnet import MULTIPLE as MPRNET_MULTIPLE

Function = Callable[[Tensor], Tensor]

FARTHEST = 512  # pixels; a network that looks farther counts as one that sees all of the image


def photo_network(network: nn.Module, name: str, config: dict[str, Any]) -> Function:
    """(1, 3, H, W) in [0, 1] -> the same size, clamped to [0, 1], by the generator `name` built with `config`.

    Raises ValueError for one that does not give an image of its input's size, or wants more than an image.
    """
    if name == "sftnet":
        raise ValueError("SFTGAN's network enlarges and needs a map of what is where; it does not deblur")
    if (scale := config.get("scale", 1)) != 1:
        raise ValueError(f"this {name} enlarges {scale} times; one with scale 1 is needed to deblur")

    def function(image: Tensor) -> Tensor:
        if config.get("signed"):  # DeblurGAN as published: images in [-1, 1]
            return ((network(2 * image - 1) + 1) / 2).clamp(0, 1)
        restored = network(image)
        return (restored[0] if isinstance(restored, list) else restored).clamp(0, 1)  # several stages: the last first

    return function


def multiple(name: str, config: dict[str, Any]) -> int:
    """Pixels of the network's coarsest grid: images cut at multiples of it are seen as in the whole."""
    if name == "deblurgan":
        return 4
    if name == "mprnet":
        return MPRNET_MULTIPLE
    if name == "nafnet":
        return 2 ** len(config["encoder_blocks"])
    return config.get("downsample", 1)


def sees(function: Function, name: str, config: dict[str, Any]) -> tuple[int | None, int]:
    """What `tiles.cuts_for` asks of a generator, `name` built with `config`, of which `function` is made: reach and
    multiple."""
    grid = multiple(name, config)
    return reach(function, grid), grid


@torch.inference_mode()
def reach(function: Function, multiple: int) -> int | None:
    """How many pixels beyond a cut at a multiple of `multiple` change the result, rounded up to one; None: all do.

    Found by experiment, so it holds for every network: a few pixels in the middle of a strip are NaN, which no layer
    can hide, and what sees them becomes NaN. A pooling over the image makes all of it NaN.
    """
    farthest = 0
    most = -(-FARTHEST // multiple) * multiple
    for turns in (0, 1):  # along the rows, along the columns
        strip = torch.zeros(1, 3, max(2 * multiple, 8), 2 * most + multiple)
        strip[..., most : most + multiple] = torch.nan
        result = torch.rot90(function(torch.rot90(strip, turns, (-2, -1))), -turns, (-2, -1))
        (lost,) = result.isnan().any(dim=2).any(dim=1)[0].nonzero(as_tuple=True)
        farthest = max(farthest, most - int(lost.min()), int(lost.max()) + 1 - most - multiple)
    return None if farthest >= most else -(-farthest // multiple) * multiple
