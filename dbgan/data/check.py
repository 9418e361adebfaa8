"""Reads every photograph once, in full, and sets aside those that cannot be used, with the reason."""

import math
from collections import Counter
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dbgan.data import manifest
from dbgan.data.folders import Found
from dbgan.data.manifest import Frame, Listing
from dbgan.data.photos import Unreadable
from dbgan.utils import ordered, progress

STRIP = 256  # rows that are compared at once
Note = tuple[str, str]  # the path of a photograph, and its conversion or the reason why it is set aside


class Usable(NamedTuple):
    """A pair, or a photograph of real blur."""

    frames: list[Frame]  # blurred and sharp, or real blur alone
    psnr: float  # of a pair's blurred photograph, dB
    converted: list[Note]


class Checked(NamedTuple):
    train: list[Usable]
    test: list[Usable]
    real_blur: list[Usable]
    set_aside: list[Note]


def check(found: Found, min_side: int, workers: int) -> Checked:
    """Read all photographs by so many threads; memory does not grow with their number."""
    set_aside = [(path.as_posix(), "has no partner of its name") for path in found.unmatched]

    def usable(root: Path, items: list[tuple[Path, ...]], name: str) -> list[Usable]:
        results = list(ordered(partial(_read, root, min_side), progress(items, desc=name, unit="check"), workers))
        set_aside.extend(item for item in results if not isinstance(item, Usable))
        return [item for item in results if isinstance(item, Usable)]

    train, test = (usable(found.root, list(getattr(found, name).values()), name) for name in ("train", "test"))
    real_blur = usable(found.real_root, [(path,) for path in found.real_blur], "real blur")
    tested = {frame.sha256 for pair in test for frame in pair.frames}

    def leaks(item: Usable) -> bool:
        return any(frame.sha256 in tested for frame in item.frames)

    leaked = [item.frames[0].path for item in [*train, *real_blur] if leaks(item)]
    set_aside += [(path, "is among the test pairs too") for path in leaked]
    train, real_blur = ([item for item in items if not leaks(item)] for items in (train, real_blur))
    return Checked(train, test, real_blur, set_aside)


def stop_if_too_many(checked: Checked, limit: float) -> None:
    """Raises ValueError with the reasons where more than the share `limit` of all is set aside, or no training or test
    pair is left."""
    rejected, total = len(checked.set_aside), sum(map(len, checked))
    reasons = "; ".join(map("{count} x {what}, first {first}".format_map, _counted(checked.set_aside)))
    if rejected > limit * total:
        raise ValueError(
            f"{rejected} of {total} pairs and photographs cannot be used, more than data.max_rejected, a share of "
            f"{limit:g}, allows: {reasons}"
        )
    if not checked.train or not checked.test:
        raise ValueError(f"no pair is left to {'test on' if checked.train else 'train on'}: {reasons}")


def listing(checked: Checked, root: str, real_root: str) -> Listing:
    """The frames.json of what can be used."""
    sides = [[pair.frames[side] for pair in pairs] for pairs in (checked.train, checked.test) for side in (0, 1)]
    return Listing(root, real_root, *sides, [item.frames[0] for item in checked.real_blur])


def summary(checked: Checked) -> dict:
    """Counts and PSNR: metrics/download.json. Free texts are values, not keys, which not every tracker takes."""
    return {
        "train_pairs": len(checked.train),
        "test_pairs": len(checked.test),
        "real_blur": len(checked.real_blur),
        "psnr_blurred": {"train": _psnr_summary(checked.train), "test": _psnr_summary(checked.test)},
        "converted": _counted([note for items in checked[:3] for item in items for note in item.converted]),
        "set_aside": _counted(checked.set_aside),
    }


def lines(summary: dict) -> list[str]:
    """The summary for the log."""
    line = "{}: blurred photographs at {mean:.2f} dB, the lowest at {lowest:.2f} ({lowest_of})"
    return [
        *map("{count} photographs: {what} (first: {first})".format_map, summary["converted"]),
        *map("{count} set aside: {what} (first: {first})".format_map, summary["set_aside"]),
        *(line.format(split, **values) for split, values in summary["psnr_blurred"].items()),
        "{train_pairs} training pairs, {test_pairs} test pairs, {real_blur} real blurs".format_map(summary),
    ]


def _counted(notes: list[Note]) -> list[dict]:
    """Equal notes together, the most frequent first; details in brackets do not count."""
    notes = [(path, note.partition(" (")[0]) for path, note in notes]
    first = {note: path for path, note in reversed(notes)}
    counts = Counter(note for _, note in notes).most_common()
    return [{"what": note, "count": count, "first": first[note]} for note, count in counts]


def _psnr_summary(pairs: list[Usable]) -> dict:
    worst = min(pairs, key=lambda pair: (pair.psnr, pair.frames[0].path))
    mean = float(np.mean([pair.psnr for pair in pairs]))
    return {"mean": mean, "lowest": worst.psnr, "lowest_of": worst.frames[0].path}


def _read(root: Path, min_side: int, paths: tuple[Path, ...]) -> Usable | Note:
    frames, images, converted = [], [], []
    for path in paths:
        try:
            frame, image, note = manifest.describe(root, path)
        except Unreadable as error:
            return path.as_posix(), error.reason
        if min(frame.height, frame.width) < min_side:
            return frame.path, f"less than {min_side} pixels high or wide ({frame.width}x{frame.height})"
        frames.append(frame)
        images.append(image)
        converted += [(frame.path, note)] if note else []
    if len(images) == 1:
        return Usable(frames, math.nan, converted)
    if images[0].shape != images[1].shape:
        sizes = " and ".join(f"{frame.width}x{frame.height}" for frame in frames)
        return frames[0].path, f"is not of its sharp partner's size ({sizes} pixels)"
    if (psnr := _psnr(*images)) == math.inf:
        return frames[0].path, "is its sharp partner, not a blurred version of it"
    return Usable(frames, psnr, converted)


def _psnr(image: np.ndarray, reference: np.ndarray) -> float:
    """PSNR of uint8 images in dB, with little memory: strip by strip."""
    total = 0
    for top in range(0, len(image), STRIP):
        change = np.subtract(image[top : top + STRIP], reference[top : top + STRIP], dtype=np.int32)
        total += int(np.square(change, out=change).sum(dtype=np.int64))
    return 10 * math.log10(255**2 * image.size / total) if total else math.inf
