"""Reads every photograph once, in full, and sets aside those that cannot be used, with the reason."""

import math
import os
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from skimage.metrics import mean_squared_error

from dbgan.data import manifest
from dbgan.data.folders import Found, Paths
from dbgan.data.manifest import Frame
from dbgan.data.photos import Unreadable
from dbgan.utils import ordered, progress


class Usable(NamedTuple):
    frames: tuple[Frame, ...]  # blurred and sharp, or real blur alone
    psnr: float  # of a pair's blurred photograph, dB
    notes: tuple[str, ...]  # what was converted in each


def check(found: Found, min_side: int, max_rejected: float, workers: int) -> tuple[dict[str, list[Frame]], dict]:
    """The frames of each set of the listing, and the summary: metrics/download.json. Raises ValueError with the reasons
    where more than the share `max_rejected` is set aside, or no training or test pair is left."""
    usable: dict[str, list[Usable]] = {"test": [], "train": [], "real_blur": []}
    converted: defaultdict[str, list[str]] = defaultdict(list)
    set_aside: defaultdict[str, list[str]] = defaultdict(list)
    tested: set[str] = set()  # digests of the test pairs
    for (path,) in found.sets["unmatched"]:
        set_aside["has no partner of its name"].append(path.as_posix())
    for name, kept in usable.items():
        root = found.real_root if name == "real_blur" else found.root
        items = progress(found.sets[name], desc=name, unit="check")
        for item in ordered(partial(_read, root, min_side), items, workers):
            if isinstance(item, Unreadable):
                reason = item.reason.partition(" (")[0]  # details in brackets do not count
                set_aside[reason].append(Path(os.path.relpath(item.path, root)).as_posix())
            elif tested.intersection(frame.sha256 for frame in item.frames):
                set_aside["is among the test pairs too"].append(item.frames[0].path)
            else:
                kept.append(item)
                for frame, note in zip(item.frames, item.notes, strict=True):
                    if note:
                        converted[note].append(frame.path)
        if name == "test":
            tested = {frame.sha256 for item in kept for frame in item.frames}
    rejected = sum(map(len, set_aside.values()))
    total = rejected + sum(map(len, usable.values()))
    reasons = "; ".join(map("{count} x {what}, first {first}".format_map, _counted(set_aside)))
    if rejected > max_rejected * total:
        allowed = f"more than data.max_rejected, a share of {max_rejected:g}, allows"
        raise ValueError(f"{rejected} of {total} pairs and photographs cannot be used, {allowed}: {reasons}")
    if not usable["train"] or not usable["test"]:
        raise ValueError(f"no pair is left to {'test on' if usable['train'] else 'train on'}: {reasons}")
    frames = {"real_blur": [item.frames[0] for item in usable["real_blur"]]}
    psnr = {}
    for name in ("train", "test"):
        pairs = usable[name]
        frames[f"{name}_blurred"], frames[f"{name}_sharp"] = ([pair.frames[k] for pair in pairs] for k in (0, 1))
        lowest, lowest_of = min((pair.psnr, pair.frames[0].path) for pair in pairs)
        psnr[name] = {"mean": float(np.mean([pair.psnr for pair in pairs])), "lowest": lowest, "lowest_of": lowest_of}
    train, test, real = (len(usable[name]) for name in ("train", "test", "real_blur"))
    counts = {"train_pairs": train, "test_pairs": test, "real_blur": real}
    return frames, {**counts, "psnr_blurred": psnr, "converted": _counted(converted), "set_aside": _counted(set_aside)}


def lines(summary: dict) -> list[str]:
    line = "{}: blurred photographs at {mean:.2f} dB, the lowest at {lowest:.2f} ({lowest_of})"
    return [
        *map("{count} photographs: {what} (first: {first})".format_map, summary["converted"]),
        *map("{count} set aside: {what} (first: {first})".format_map, summary["set_aside"]),
        *(line.format(name, **values) for name, values in summary["psnr_blurred"].items()),
        "{train_pairs} training pairs, {test_pairs} test pairs, {real_blur} real blurs".format_map(summary),
    ]


def _counted(notes: dict[str, list[str]]) -> list[dict]:
    """The most frequent first. Free texts are values, not keys, which not every tracker takes."""
    ranked = sorted(notes.items(), key=lambda item: -len(item[1]))
    return [{"what": what, "count": len(paths), "first": paths[0]} for what, paths in ranked]


def _read(root: Path, min_side: int, paths: Paths) -> Usable | Unreadable:
    try:
        frames, images, notes = zip(*(manifest.describe(root, path) for path in paths), strict=True)
    except Unreadable as error:
        return error
    sizes = " and ".join(f"{frame.width}x{frame.height}" for frame in frames)
    if min(length for image in images for length in image.shape[:2]) < min_side:
        return Unreadable(root / paths[0], f"less than {min_side} pixels high or wide ({sizes})")
    if images[0].shape != images[-1].shape:
        return Unreadable(root / paths[0], f"is not of its sharp partner's size ({sizes} pixels)")
    if len(images) == 1:
        return Usable(frames, math.nan, notes)
    mse = np.mean([mean_squared_error(*rows) for rows in zip(*images, strict=True)])  # by rows, to save memory
    if mse == 0:
        return Unreadable(root / paths[0], "is its sharp partner, not a blurred version of it")
    return Usable(frames, 10 * math.log10(255**2 / mse), notes)
