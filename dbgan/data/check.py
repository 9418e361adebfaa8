"""Checks the photographs that were found: reads each in full, and sets aside what cannot be used, with the reason."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from dbgan.data import manifest
from dbgan.data.folders import Pair
from dbgan.data.manifest import Frame
from dbgan.data.photos import Unreadable
from dbgan.utils import ordered

STRIP = 256  # rows that are compared at once
FIRST = 3  # names that are reported of a reason


@dataclass(frozen=True)
class Photo:
    """A photograph of real blur that can be used."""

    frame: Frame
    notes: list[tuple[str, str]]  # what was converted, and the path of what


@dataclass(frozen=True)
class Matched:
    """A pair that can be used."""

    key: str
    blurred: Frame
    sharp: Frame
    psnr: float  # of the blurred photograph, dB
    notes: list[tuple[str, str]]


@dataclass(frozen=True)
class SetAside:
    """A pair or photograph that is not used: the file at fault, and why."""

    path: str
    reason: str  # details in brackets at its end


def pairs(root: Path, found: Iterable[Pair], min_side: int, workers: int) -> tuple[list[Matched], list[SetAside]]:
    """Read pairs by so many threads; those that can be used, and the others. Memory does not grow with their number."""
    return _sorted_out(ordered(partial(_pair, root, min_side), found, workers), Matched)


def photographs(root: Path, found: Iterable[Path], min_side: int, workers: int) -> tuple[list[Photo], list[SetAside]]:
    """As `pairs`, for photographs without partners."""
    return _sorted_out(ordered(partial(_photograph, root, min_side), found, workers), Photo)


def without_leaks(
    train: list[Matched], test: list[Matched], real: list[Photo]
) -> tuple[list[Matched], list[Photo], list[SetAside]]:
    """`train` and `real` without photographs that `test` holds too, byte for byte, and these."""
    tested = {frame.sha256 for pair in test for frame in (pair.blurred, pair.sharp)}

    def leaks(*frames: Frame) -> bool:
        return any(frame.sha256 in tested for frame in frames)

    paths = [pair.blurred.path for pair in train if leaks(pair.blurred, pair.sharp)]
    paths += [photo.frame.path for photo in real if leaks(photo.frame)]
    return (
        [pair for pair in train if not leaks(pair.blurred, pair.sharp)],
        [photo for photo in real if not leaks(photo.frame)],
        [SetAside(path, "is among the test pairs too") for path in paths],
    )


def reasons(set_aside: list[SetAside]) -> list[dict]:
    """[{"what": reason, "count": files, "first": [paths]}], the most frequent first; details are left out."""
    counts = Counter(_short(item) for item in set_aside)
    return [
        {"what": what, "count": count, "first": [item.path for item in set_aside if _short(item) == what][:FIRST]}
        for what, count in counts.most_common()
    ]


def stop_if_too_many(set_aside: list[SetAside], train: int, test: int, real: int, limit: float) -> None:
    """Raises ValueError with the reasons where more than the share `limit` of all is set aside, or no pair of train
    or test is left. train, test, real: how many are left."""
    first = {_short(item): item for item in reversed(set_aside)}
    told = [f"{of['count']} x {first[of['what']].reason}, first {of['first'][0]}" for of in reasons(set_aside)]
    total = train + test + real + len(set_aside)
    if len(set_aside) > limit * total:
        raise ValueError(
            f"{len(set_aside)} of {total} pairs and photographs cannot be used, more than data.max_rejected, a share "
            f"of {limit:g}, allows: {'; '.join(told)}"
        )
    if not train or not test:
        raise ValueError(f"no pair is left to {'test on' if train else 'train on'}: {'; '.join(told)}")


def _short(item: SetAside) -> str:
    return item.reason.partition(" (")[0]


def _sorted_out(results: Iterable, kind: type) -> tuple[list, list[SetAside]]:
    results = list(results)
    return [r for r in results if isinstance(r, kind)], [r for r in results if isinstance(r, SetAside)]


def _pair(root: Path, min_side: int, pair: Pair) -> Matched | SetAside:
    for path, other in ((pair.blurred, "sharp"), (pair.sharp, "blurred")):
        if path and None in (pair.blurred, pair.sharp):
            return SetAside(path.as_posix(), f"has no {other} partner of its name")
    read = []
    for path in (pair.blurred, pair.sharp):
        try:
            read.append(_described(root, min_side, path))
        except Unreadable as error:
            return SetAside(path.as_posix(), error.reason)
    (blurred, blurred_image, _), (sharp, sharp_image, _) = read
    notes = [(note, frame.path) for frame, _, note in read if note]
    if blurred_image.shape != sharp_image.shape:
        sizes = f"{blurred.width}x{blurred.height} and {sharp.width}x{sharp.height} pixels"
        return SetAside(blurred.path, f"is not of its sharp partner's size ({sizes})")
    psnr = _psnr(blurred_image, sharp_image)
    if psnr == math.inf:
        return SetAside(blurred.path, "is its sharp partner, not a blurred version of it")
    return Matched(pair.key, blurred, sharp, psnr, notes)


def _photograph(root: Path, min_side: int, path: Path) -> Photo | SetAside:
    try:
        frame, _, note = _described(root, min_side, path)
    except Unreadable as error:
        return SetAside(path.as_posix(), error.reason)
    return Photo(frame, [(note, frame.path)] if note else [])


def _described(root: Path, min_side: int, path: Path) -> tuple[Frame, np.ndarray, str]:
    frame, image, note = manifest.describe(root, path)
    if min(frame.height, frame.width) < min_side:
        raise Unreadable(root / path, f"less than {min_side} pixels high or wide ({frame.width}x{frame.height})")
    return frame, image, note


def _psnr(image: np.ndarray, reference: np.ndarray) -> float:
    """PSNR of uint8 images in dB, with little memory: strip by strip."""
    total = 0
    for top in range(0, len(image), STRIP):
        change = np.subtract(image[top : top + STRIP], reference[top : top + STRIP], dtype=np.int32)
        total += int(np.square(change, out=change).sum(dtype=np.int64))
    return 10 * math.log10(255**2 * image.size / total) if total else math.inf
