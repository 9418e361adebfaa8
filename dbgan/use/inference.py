"""Photographs of any size through a network in bounded memory: tiles, joined without seams; the mean of eight turns."""

from collections.abc import Callable, Iterable
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dbgan.models.mprnet import MULTIPLE as MPRNET_MULTIPLE


@torch.inference_mode()
def whole_frame(network: Callable[[Tensor], Tensor], frame: Tensor, margin: int, device="cpu") -> Tensor:
    """A frame (3, H, W) in [0, 1] through `network`, the same size, clamped, on the CPU.

    The convs see zeros beyond the border, which would show as a rim; so the frame is mirrored by `margin`
    pixels around and the rim cut off again. A frame smaller than the margin is mirrored as far as it goes, and
    then its border repeated.
    """
    _, height, width = frame.shape
    down, right = min(margin, height - 1), min(margin, width - 1)
    framed = F.pad(frame[None].to(device), (right, right, down, down), mode="reflect")
    framed = F.pad(framed, (margin - right,) * 2 + (margin - down,) * 2, mode="replicate")
    output = network(framed)
    if isinstance(output, list):  # a network of several stages gives the last one's result first
        output = output[0]
    output = output[0, :, margin : margin + height, margin : margin + width]
    return output.clamp(0, 1).cpu()


BLIND = 128  # pixels that tiles overlap where a network sees all of its image: more makes the tiles more alike

Place = tuple[slice, slice]  # rows and columns of the framed photograph
Forward = Callable[[np.ndarray, Place], np.ndarray]


class Cuts(NamedTuple):
    """How to cut; all in pixels."""

    side: int  # of a tile, without what it sees of its neighbours; rounded up to `multiple`
    overlap: int  # that a tile sees of each neighbour; a multiple of `multiple`
    soft: int  # at most `overlap`: tiles fade into each other this far to both sides; 0 where they agree anyway
    multiple: int  # tiles begin and end at multiples of it, as the network's own grid does


class Cell(NamedTuple):
    """A tile along one axis, in pixels of the framed photograph."""

    seen: slice  # given to the network
    kept: slice  # taken of its result


def cuts_for(reach: int | None, multiple: int, tile: int) -> Cuts:
    """How to cut for a network that sees `reach` pixels beyond a cut at a multiple of `multiple`, None for all of its
    image; `tile` is the side."""
    overlap = -(-BLIND // multiple) * multiple if reach is None else reach
    return Cuts(tile, overlap, overlap // 2 if reach is None else 0, multiple)


def framed_size(size: int, margin: int, multiple: int) -> int:
    """Height or width of the framed photograph: a margin at both ends, rounded up to `multiple`."""
    return -(-(size + 2 * margin) // multiple) * multiple


def mirrored(size: int, margin: int, multiple: int) -> np.ndarray:
    """The photograph's row or column at each place of the framed one, (framed_size,).

    Mirrored by `margin` as far as it goes, then the last value repeated, also where `multiple` asks for more.
    """
    most = min(margin, size - 1)
    at = np.arange(framed_size(size, margin, multiple)) - margin
    at = np.abs(at.clip(-most, size - 1 + most))
    return np.where(at < size, at, 2 * (size - 1) - at)


def cells(size: int, margin: int, cuts: Cuts) -> list[Cell]:
    """The tiles along one axis, of about equal sides and never more than `cuts.side` but for rounding."""
    length = framed_size(size, margin, cuts.multiple)
    count = -(-length // cuts.side)
    side = -(-length // (count * cuts.multiple)) * cuts.multiple
    found = []
    for start in range(0, length, side):
        seen = slice(max(start - cuts.overlap, 0), min(start + side + cuts.overlap, length))
        kept = slice(max(start - cuts.soft, margin), min(start + side + cuts.soft, margin + size))
        if max(start, margin) < min(start + side, margin + size):
            found.append(Cell(seen, kept))
    return found


def in_tiles(
    forward: Forward,
    photo: np.ndarray,
    margin: int,
    cuts: Cuts,
    watch: Callable[[list], Iterable] = lambda tiles: tiles,
) -> np.ndarray:
    """`photo` (H, W, C), integers, through `forward`, tile by tile; the same shape and type.

    `forward` takes a tile and its place in the framed photograph and gives an array of the tile's shape and type.
    `watch` wraps the list of tiles, e.g. in a progress bar.
    """
    height, width, _ = photo.shape
    rows, columns = (mirrored(size, margin, cuts.multiple) for size in (height, width))
    down, across = (cells(size, margin, cuts) for size in (height, width))
    restored = np.empty_like(photo)
    band, strip, fade = None, None, 2 * cuts.soft
    for row, column in watch([(row, column) for row in down for column in across]):
        if column is across[0]:
            band = photo[rows[row.seen]]
            strip = np.empty((row.kept.stop - row.kept.start, *photo.shape[1:]), photo.dtype)
        result = forward(band[:, columns[column.seen]], (row.seen, column.seen))
        kept = result[_within(row)][:, _within(column)]
        _paste(strip.swapaxes(0, 1), kept.swapaxes(0, 1), column.kept.start - margin, fade)
        if column is across[-1]:
            _paste(restored, strip, row.kept.start - margin, fade)
    return restored


def _within(cell: Cell) -> slice:
    return slice(cell.kept.start - cell.seen.start, cell.kept.stop - cell.seen.start)


def _paste(canvas: np.ndarray, piece: np.ndarray, start: int, fade: int) -> None:
    """Lay `piece` on `canvas` along the first axis; over its first `fade` rows what lies there gives way to it."""
    canvas = canvas[start : start + len(piece)]
    fade = min(fade, len(piece)) if start else 0
    weight = ((np.arange(fade, dtype=np.float32) + 0.5) / max(fade, 1))[:, None, None]
    mixed = canvas[:fade] + weight * (piece[:fade].astype(np.float32) - canvas[:fade])
    canvas[:fade] = np.rint(mixed).astype(canvas.dtype)
    canvas[fade:] = piece[fade:]


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
