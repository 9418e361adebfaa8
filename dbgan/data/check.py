"""Reads every photograph once, in full, and sets aside those that cannot be used, with the reason."""

import math
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from dbgan.data import manifest
from dbgan.data.folders import Found, sequence
from dbgan.data.manifest import Frame, Listing
from dbgan.data.photos import Unreadable
from dbgan.utils import ordered, progress

STRIP = 256  # rows that are compared at once


@dataclass(frozen=True)
class Photographs:
    """A pair, or a photograph of real blur, that can be used."""

    key: str
    frames: list[Frame]  # blurred and sharp, or real blur alone
    psnr: float  # of a pair's blurred photograph, dB
    notes: list[tuple[str, str]]  # conversions, and the path of the photograph


@dataclass(frozen=True)
class SetAside:
    path: str  # of the photograph at fault
    reason: str  # details in brackets at its end


@dataclass(frozen=True)
class Checked:
    train: list[Photographs]
    test: list[Photographs]
    real_blur: list[Photographs]
    set_aside: list[SetAside]

    def stop_if_too_many(self, limit: float) -> None:
        """Raises ValueError with the reasons where more than the share `limit` is set aside, or no training or test
        pair is left."""
        reasons = "; ".join(f"{count} x {reason}, first {path}" for reason, count, path in _reasons(self.set_aside))
        rejected = len(self.set_aside)
        total = len(self.train) + len(self.test) + len(self.real_blur) + rejected
        if rejected > limit * total:
            raise ValueError(
                f"{rejected} of {total} pairs and photographs cannot be used, more than data.max_rejected, a share of "
                f"{limit:g}, allows: {reasons}"
            )
        if not self.train or not self.test:
            raise ValueError(f"no pair is left to {'test on' if self.train else 'train on'}: {reasons}")

    def listing(self, root: str, real_root: str) -> Listing:
        train, test = (list(zip(*(pair.frames for pair in pairs), strict=True)) for pairs in (self.train, self.test))
        return Listing(root, real_root, *map(list, [*train, *test]), [item.frames[0] for item in self.real_blur])

    def summary(self) -> dict:
        """Counts and PSNR: metrics/download.json. Free texts are values, not keys, which not every tracker takes."""
        notes = [note for item in [*self.train, *self.test, *self.real_blur] for note in item.notes]
        first = dict(reversed(notes))
        counts = sorted(Counter(note for note, _ in notes).items())
        return {
            "train_pairs": len(self.train),
            "test_pairs": len(self.test),
            "real_blur": len(self.real_blur),
            "sequences": {
                name: len({sequence(pair.key) for pair in getattr(self, name)}) for name in ("train", "test")
            },
            "psnr_blurred": {name: _psnr_summary(getattr(self, name)) for name in ("train", "test")},
            "converted": [{"what": note, "count": count, "first": first[note]} for note, count in counts],
            "set_aside": [
                {"what": _short(reason), "count": count, "first": path}
                for reason, count, path in _reasons(self.set_aside)
            ],
        }


def check(found: Found, root: Path, real_root: Path, min_side: int, workers: int) -> Checked:
    """Read all photographs by so many threads; memory does not grow with their number."""
    set_aside = [SetAside(path.as_posix(), "has no partner of its name") for path in found.unmatched]

    def usable(folder: Path, items: list[tuple[str, list[Path]]], name: str) -> list[Photographs]:
        results = list(ordered(partial(_one, folder, min_side), progress(items, desc=name, unit="check"), workers))
        set_aside.extend(item for item in results if isinstance(item, SetAside))
        return [item for item in results if isinstance(item, Photographs)]

    pairs = {"train": found.train, "test": found.test}
    train, test = (usable(root, [(p.key, [p.blurred, p.sharp]) for p in pairs[name]], name) for name in pairs)
    real_blur = usable(real_root, [(path.as_posix(), [path]) for path in found.real_blur], "real blur")
    tested = {frame.sha256 for pair in test for frame in pair.frames}

    def leaks(item: Photographs) -> bool:
        """Whether the test pairs hold one of these photographs too, byte for byte."""
        return any(frame.sha256 in tested for frame in item.frames)

    leaked = [item.frames[0].path for item in [*train, *real_blur] if leaks(item)]
    set_aside += [SetAside(path, "is among the test pairs too") for path in leaked]
    train, real_blur = ([item for item in items if not leaks(item)] for items in (train, real_blur))
    return Checked(train, test, real_blur, set_aside)


def lines(summary: dict) -> list[str]:
    """The summary for the log."""
    converted = ["{count} photographs: {what} (first: {first})".format(**row) for row in summary["converted"]]
    set_aside = ["{count} set aside: {what} (first: {first})".format(**row) for row in summary["set_aside"]]
    psnr = [
        "{}: blurred photographs at {mean:.2f} dB, the lowest at {lowest:.2f} ({lowest_of})".format(split, **values)
        for split, values in summary["psnr_blurred"].items()
    ]
    counts = "{train_pairs} training pairs, {test_pairs} test pairs, {real_blur} real blurs".format(**summary)
    return [*converted, *set_aside, *psnr, counts]


def _short(reason: str) -> str:
    return reason.partition(" (")[0]


def _reasons(set_aside: list[SetAside]) -> list[tuple[str, int, str]]:
    """(reason of the first one, how many, path of the first one), the most frequent first; details do not count."""
    first = {_short(item.reason): item for item in reversed(set_aside)}
    counts = Counter(_short(item.reason) for item in set_aside)
    return [(first[short].reason, count, first[short].path) for short, count in counts.most_common()]


def _psnr_summary(pairs: list[Photographs]) -> dict:
    worst = min(pairs, key=lambda pair: (pair.psnr, pair.key))
    mean = float(np.mean([pair.psnr for pair in pairs]))
    return {"mean": mean, "lowest": worst.psnr, "lowest_of": worst.frames[0].path}


def _one(root: Path, min_side: int, item: tuple[str, list[Path]]) -> Photographs | SetAside:
    key, paths = item
    frames, images, notes = [], [], []
    for path in paths:
        try:
            frame, image, note = manifest.describe(root, path)
        except Unreadable as error:
            return SetAside(path.as_posix(), error.reason)
        if min(frame.height, frame.width) < min_side:
            size = f"{frame.width}x{frame.height}"
            return SetAside(frame.path, f"less than {min_side} pixels high or wide ({size})")
        frames.append(frame)
        images.append(image)
        notes += [(note, frame.path)] if note else []
    psnr = math.nan
    if len(images) == 2:
        blurred, sharp = frames
        if images[0].shape != images[1].shape:
            sizes = f"{blurred.width}x{blurred.height} and {sharp.width}x{sharp.height} pixels"
            return SetAside(blurred.path, f"is not of its sharp partner's size ({sizes})")
        psnr = _psnr(*images)
        if psnr == math.inf:
            return SetAside(blurred.path, "is its sharp partner, not a blurred version of it")
    return Photographs(key, frames, psnr, notes)


def _psnr(image: np.ndarray, reference: np.ndarray) -> float:
    """PSNR of uint8 images in dB, with little memory: strip by strip."""
    total = 0
    for top in range(0, len(image), STRIP):
        change = np.subtract(image[top : top + STRIP], reference[top : top + STRIP], dtype=np.int32)
        total += int(np.square(change, out=change).sum(dtype=np.int64))
    return 10 * math.log10(255**2 * image.size / total) if total else math.inf
