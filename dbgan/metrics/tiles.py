"""Photographs of any size through a network in bounded memory: cut into tiles, seamlessly joined again.

The photograph is framed as in `restore.whole_frame`. A tile sees its neighbours' pixels as far as the network looks, so
that what it keeps does not depend on where it was cut; at the frame's border it ends where the whole would end.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

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
