"""What was found in the photographs of a source: the figures of metrics/data.json."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from dbgan.data.check import Matched, Photo, SetAside, reasons
from dbgan.data.folders import sequence
from dbgan.data.manifest import Frame, Listing, load_frame
from dbgan.data.sources import Found

SIZES = 5  # that are told apart; the others are counted together


def domains(listing: Listing) -> dict[str, list[Frame]]:
    """The sets of photographs of a listing that hold any."""
    names = ("train_blurred", "train_sharp", "test_blurred", "test_sharp", "real_blur")
    return {name: found for name in names if (found := getattr(listing, name))}


def listed(found: Found, train: list[Matched], test: list[Matched], real: list[Photo]) -> Listing:
    """The Listing of all that can be used."""
    return Listing(
        root=found.written,
        real_root=found.real_written,
        train_blurred=[pair.blurred for pair in train],
        train_sharp=[pair.sharp for pair in train],
        test_blurred=[pair.blurred for pair in test],
        test_sharp=[pair.sharp for pair in test],
        real_blur=[photo.frame for photo in real],
    )


def summary(
    found: Found,
    listing: Listing,
    train: list[Matched],
    test: list[Matched],
    real: list[Photo],
    set_aside: list[SetAside],
) -> dict:
    """Of what is `listed`: counts, layout, sizes, sequences, PSNR of the blurred photographs, mean colours (R, G, B in
    8-bit levels), what was converted, set aside and left out, and a digest of the listing without its roots.
    `blur_effect` is left to be filled in. Free texts are values, not keys, which not every tracker takes."""
    splits = {"train": train, "test": test}
    used = domains(listing)
    notes = [note for item in [*train, *test, *real] for note in item.notes]
    first = dict(reversed(notes))
    converted = [{"what": n, "count": c, "first": first[n]} for n, c in sorted(Counter(n for n, _ in notes).items())]
    total = len(train) + len(test) + len(real) + len(set_aside)
    return {
        "train_pairs": len(train),
        "test_pairs": len(test),
        "real_blur": len(real),
        "layout": {
            "folders": found.layout.shape,
            "notes": found.notes,
            "left_out": [{"folder": name, "count": count} for name, count in found.layout.left_out.items()],
        },
        "sequences": {name: len({sequence(pair.key) for pair in pairs}) for name, pairs in splits.items()},
        "sizes": {name: _sizes(part) for name, part in used.items() if not name.endswith("sharp")},
        "psnr_blurred": {name: _psnr(pairs) for name, pairs in splits.items()},
        "mean_color": {name: np.mean([f.mean for f in part], axis=0).tolist() for name, part in used.items()},
        "blur_effect": {},
        "converted": converted,
        "set_aside": {"count": len(set_aside), "share": len(set_aside) / total, "reasons": reasons(set_aside)},
        "digest": _digest(listing),
    }


def lines(found: Found, summary: dict) -> Iterable[str]:
    """What a person is told of a summary, line by line."""
    yield f"found {', '.join(found.layout.shape)}"
    yield from found.notes
    for name, count in found.layout.left_out.items():
        yield f"{count} photographs in folders named {name} are no part of it and left out"
    for note in summary["converted"]:
        yield "{count} photographs: {what} (first: {first})".format(**note)
    for reason in summary["set_aside"]["reasons"]:
        yield f"{reason['count']} set aside: {reason['what']} (first: {reason['first'][0]})"
    for name, psnr in summary["psnr_blurred"].items():
        yield "{}: blurred photographs at {:.2f} dB, the lowest at {:.2f} ({})".format(name, *psnr.values())
    yield "{train_pairs} training pairs, {test_pairs} test pairs, {real_blur} real blurs".format(**summary)


def centre(root: Path, frame: Frame, side: int) -> np.ndarray:
    """The middle of a photograph, (side, side, 3) uint8 or smaller."""
    top, left = max(0, frame.height - side) // 2, max(0, frame.width - side) // 2
    return load_frame(root, frame)[top : top + side, left : left + side]


def mean(values: Iterable[np.ndarray]) -> float | None:
    """The mean of all numbers in some arrays, of none None."""
    numbers = np.concatenate([np.empty(0), *values])
    return float(numbers.mean()) if len(numbers) else None


def _sizes(part: list[Frame]) -> dict[str, int]:
    counts = Counter(f"{frame.width}x{frame.height}" for frame in part)
    shown = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    others = sum(count for _, count in shown[SIZES:])
    return dict(shown[:SIZES]) | ({"others": others} if others else {})


def _psnr(pairs: list[Matched]) -> dict:
    worst = min(pairs, key=lambda pair: (pair.psnr, pair.key))
    return {"mean": float(np.mean([p.psnr for p in pairs])), "lowest": worst.psnr, "lowest_of": worst.blurred.path}


def _digest(listing: Listing) -> str:
    groups = {name: [asdict(frame) for frame in part] for name, part in domains(listing).items()}
    return hashlib.sha256(json.dumps(groups, sort_keys=True).encode()).hexdigest()
