"""Photographs of any size through a network in bounded memory: tiles without seams, the mean of eight turns."""

from collections.abc import Callable
from functools import partial
from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from dbgan import utils
from dbgan.data import photos

TILE = 1024  # pixels a side of what a network sees at once, without the overlap
BLIND = 128  # pixels that tiles overlap where a network sees all of its image: more makes the tiles more alike
FARTHEST = 512  # pixels; a network that looks farther counts as one that sees all of its image

Function = Callable[[Tensor], Tensor]  # (1, 3, H, W) in [0, 1] -> the same


class Cell(NamedTuple):
    """A tile along one axis. The frame is the photograph with its margin."""

    seen: slice  # of the frame, by the network
    kept: slice  # of the photograph
    within: slice  # of the result: what is kept
    weight: np.ndarray  # of each kept pixel; those of all tiles add up to 1


@torch.inference_mode()
def restore(
    network: Callable[..., Tensor | list[Tensor]],
    photo: np.ndarray,
    margin: int,
    tile: int = TILE,
    device: torch.device | str = "cpu",
    noise: Function | None = None,
    ensemble: bool = False,
    name: str = "",
) -> np.ndarray:
    """`photo` (H, W, 3) or, grey, (H, W, 1), uint8 or uint16, through `network`; the same shape and type.

    Beyond the border a network sees zeros, which would show as a rim; so it gets `margin` mirrored pixels around it.
    `noise` draws BGAN's noise map for this frame. `ensemble`: the mean of eight turns. `name`: of the progress bar.
    """
    rows, columns = (np.pad(np.arange(size), margin, "reflect") for size in photo.shape[:2])
    noise_map = None if noise is None else noise(torch.empty(1).expand(1, 3, len(rows), len(columns)))
    multiple = getattr(network, "multiple", 1)

    def function(image: Tensor, row: slice = slice(1), column: slice = slice(1)) -> Tensor:
        """The network with its part of the noise map; of several outputs, MPRNet's stages, the first."""
        noises = (
            () if noise_map is None else (noise_map[..., row, column].to(device).expand(-1, -1, *image.shape[-2:]),)
        )
        output = network(image, *noises)
        return (output[0] if isinstance(output, list) else output).clamp(0, 1)

    overlap = fade = 0
    if max(len(rows), len(columns)) > tile:
        distance = reach(function, multiple, device)
        overlap = -(-BLIND // multiple) * multiple if distance is None else distance
        fade = overlap // 2 if distance is None else 0  # tiles of a network with a limited reach agree
    tiles = list(product(*(cells(size, margin, tile, overlap, fade, multiple) for size in photo.shape[:2])))
    restored = np.zeros(photo.shape, np.float32 if fade else photo.dtype)
    for row, column in utils.progress(tiles, desc=name, unit="tile", leave=False) if name and tiles[1:] else tiles:
        image = photos.to_float(photo[np.ix_(rows[row.seen], columns[column.seen])])[None].expand(1, 3, -1, -1)
        of_tile = partial(function, row=row.seen, column=column.seen)
        of_tile = partial(mean_of_turns, of_tile, multiple) if ensemble else of_tile
        result = of_tile(image.to(device))[0, :, row.within, column.within]
        levels = photos.to_levels(result.mean(0, keepdim=True) if photo.shape[2] == 1 else result, photo.dtype)
        weight = row.weight[:, None, None] * column.weight[:, None]
        restored[row.kept, column.kept] += (weight * levels).astype(restored.dtype)
    return np.rint(restored).astype(photo.dtype)


def mean_of_turns(function: Function, multiple: int, image: Tensor) -> Tensor:
    """`function` of the image in all eight turns and mirrorings. It is padded to `multiple`, so that the network's grid
    lies alike in all turns and tiles."""
    height, width = image.shape[-2:]
    image = F.pad(image, (0, -width % multiple, 0, -height % multiple), mode="replicate")
    total = torch.zeros_like(image)
    for turns, axes in product(range(4), ([], [-1])):
        restored = function(torch.rot90(image.flip(axes), turns, (-2, -1)))
        total += torch.rot90(restored, -turns, (-2, -1)).flip(axes)
    return (total / 8)[..., :height, :width]


def cells(size: int, margin: int, tile: int, overlap: int, fade: int, multiple: int) -> list[Cell]:
    """The tiles along one axis, of about equal sides and never more than `tile` but for rounding up to `multiple`, the
    network's own grid. They see each other by `overlap` and fade into each other by `fade` to both sides."""
    length = size + 2 * margin
    side = -(-length // (-(-length // tile) * multiple)) * multiple
    tiles, total = [], np.zeros(size, np.float32)
    for start in range(0, length, side):
        end = min(start + side, length)
        if max(start, margin) >= min(end, margin + size):
            continue  # in the margin alone
        seen = slice(max(start - overlap, 0), min(end + overlap, length))
        kept = slice(max(start - fade, margin), min(end + fade, margin + size))
        pixels = np.arange(kept.start, kept.stop, dtype=np.float32) + 0.5
        weight = np.clip(0.5 + np.minimum(pixels - start, end - pixels) / (2 * fade or 1), 0, 1)
        of_photo = slice(kept.start - margin, kept.stop - margin)
        total[of_photo] += weight
        tiles.append(Cell(seen, of_photo, slice(kept.start - seen.start, kept.stop - seen.start), weight))
    return [cell._replace(weight=cell.weight / total[cell.kept]) for cell in tiles]


@torch.inference_mode()
def reach(function: Function, multiple: int, device: torch.device | str = "cpu") -> int | None:
    """How many pixels beyond a cut at a multiple of `multiple` change the result, rounded up to one; None: all do.

    Measured: a few pixels in the middle of a strip are NaN, which no layer can hide, and what sees them becomes NaN.
    """
    farthest = 0
    most = -(-FARTHEST // multiple) * multiple
    for turns in (0, 1):  # along the rows, along the columns
        strip = torch.zeros(1, 3, max(2 * multiple, 8), 2 * most + multiple, device=device)
        strip[..., most : most + multiple] = torch.nan
        result = torch.rot90(function(torch.rot90(strip, turns, (-2, -1))), -turns, (-2, -1))
        (lost,) = result.isnan().any(dim=2).any(dim=1)[0].nonzero(as_tuple=True)
        farthest = max(farthest, most - int(lost.min()), int(lost.max()) + 1 - most - multiple)
    return None if farthest >= most else -(-farthest // multiple) * multiple
