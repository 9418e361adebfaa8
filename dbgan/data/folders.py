"""Sorts the photographs of a data source into training pairs, test pairs and real blur.

One folder contract, at any depth and in any case; a pair has equal names below both sides, whatever the format:
    train/blur/1.png   train/sharp/1.png   test/blur/2.png   test/sharp/2.png   real_blur/3.jpg
    also input and target, blurry and gt for the sides, and GoPro's own train/<sequence>/blur/1.png
Everything else goes through a CSV file with the columns blurred,sharp,split.
"""

import csv
import hashlib
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

from dbgan.data import photos

SIDES = {"blur": "blurred", "blurry": "blurred", "input": "blurred", "sharp": "sharp", "gt": "sharp", "target": "sharp"}
SPLITS = ("train", "test")
HELP = (
    "looked for photographs of equal names in folders train/blur and train/sharp (also input and target, blurry and gt)"
    ", at any depth; list any other folder in a CSV file with the columns blurred,sharp,split, see docs/data.md"
)

Pairs = dict[str, tuple[Path, Path]]  # <sequence>/<name> -> blurred and sharp, relative to the root


@dataclass(frozen=True)
class Found:
    """The photographs of a data source, not read yet."""

    root: Path
    train: Pairs
    test: Pairs
    real_root: Path
    real_blur: list[Path]
    unmatched: list[Path]  # one side of a pair without the other
    notes: list[str]  # decisions on the way, for the log


def find(root: Path, test_share: float) -> Found:
    """The pairs and the real blur of a folder or a CSV file. Without test pairs, whole sequences are held out.

    Raises ValueError, one line, when there are no pairs or two photographs have one name.
    """
    if root.is_file():
        splits, real_blur, unmatched, notes, root = *_from_csv(root), [], [], root.parent
    else:
        splits, real_blur, unmatched, notes = _from_folder(root)
    train, test, rest = splits["train"], splits["test"], splits[""]
    if not train and not test:
        train = rest
    elif rest:
        notes.append(f"{len(rest)} pairs in neither train nor test are left out, such as {min(rest)}")
    if train and not test:
        held = held_out(list(train), test_share)
        sequences = len({sequence(key) for key in held})
        notes.append(f"no test pairs: {len(held)} of {len(train)} are held out for testing, {sequences} sequences")
        test = {key: train[key] for key in train if key in held}
        train = {key: train[key] for key in train if key not in held}
    if not train:
        raise ValueError(f"{root}: no pairs to train on beside {len(test)} to test on; {HELP}")
    return Found(root, train, test, root, real_blur, unmatched, notes)


def find_real(root: Path) -> list[Path]:
    """Real blurred photographs, sorted: those in real_blur folders, else those in blur beside sharp, else all."""
    sides = {path: _side(path) for path in photos.find(root)}
    known = set(sides.values())
    wanted = "real_blur" if "real_blur" in known else "blurred" if {"blurred", "sharp"} <= known else None
    return [path for path, side in sides.items() if wanted in (None, side)]


def sequence(key: str) -> str:
    """The sequence of a pair: its folder, or in a flat folder its name without the number at the end."""
    folder, _, name = key.rpartition("/")
    return folder or re.sub(r"[ _.-]*\d+$", "", name)


def held_out(keys: list[str], share: float) -> set[str]:
    """The keys of the sequences for testing: those whose name's digest, as a number from 0 to 1, is below `share`, so
    that new sequences move no others. Where nothing would be left to test or train on, the shortest sequence; of a
    single sequence its end, where frames are least like those at its start."""
    sequences: dict[str, list[str]] = defaultdict(list)
    for key in sorted(keys):
        sequences[sequence(key)].append(key)
    if len(sequences) == 1:
        count = max(1, min(round(share * len(keys)), len(keys) - 1))
        return set(sorted(keys)[-count:])
    held = [rows for name, rows in sequences.items() if _uniform(name) < share]
    if len(held) in (0, len(sequences)):
        held = [min(sequences.values(), key=lambda rows: (len(rows), rows))]
    return {key for rows in held for key in rows}


def _uniform(name: str) -> float:
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:6], "big") / 256**6


def _side(path: Path) -> str | None:
    names = [name.lower() for name in path.parent.parts]
    if "real_blur" in names:
        return "real_blur"
    return next((SIDES[name] for name in reversed(names) if name in SIDES), None)


def _from_folder(root: Path) -> tuple[dict[str, Pairs], list[Path], list[Path], list[str]]:
    """Pairs by split ("" for none), real blur, photographs without a partner, notes."""
    sides: dict[str, dict[tuple[str, str], Path]] = {"blurred": {}, "sharp": {}}
    real_blur, left_out = [], Counter()
    for path in photos.find(root):
        if (side := _side(path)) == "real_blur":
            real_blur.append(path)
        elif side is None:
            left_out[path.parent.name] += 1
        else:
            split = next((name.lower() for name in path.parent.parts if name.lower() in SPLITS), "")
            common = [name for name in path.parent.parts if name.lower() not in (*SIDES, *SPLITS)]
            key = split, "/".join([*common, path.stem])
            if key in sides[side]:
                raise ValueError(f"{root / path}: {sides[side][key]} has the same name; remove one of them")
            sides[side][key] = path
    blurred, sharp = sides["blurred"], sides["sharp"]
    splits: dict[str, Pairs] = defaultdict(dict)
    for split, key in sorted(blurred.keys() & sharp.keys()):
        splits[split][key] = blurred[split, key], sharp[split, key]
    if not splits:
        raise ValueError(f"{root}: no pairs; {HELP}")
    unmatched = [(blurred | sharp)[key] for key in sorted(blurred.keys() ^ sharp.keys())]
    notes = [f"{count} photographs in folders named {name} are left out" for name, count in left_out.most_common()]
    return splits, real_blur, unmatched, notes


def _from_csv(path: Path) -> tuple[dict[str, Pairs], list[Path]]:
    """Pairs by split ("" for none), and real blur, the rows without a sharp photograph; paths relative to the CSV."""
    splits: dict[str, Pairs] = defaultdict(dict)
    real_blur = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: no CSV file in UTF-8 ({error})") from None
    for number, row in enumerate(rows, start=2):
        blurred, sharp, split = (row.get(name) for name in ("blurred", "sharp", "split"))
        key = Path(blurred or "").with_suffix("").as_posix() if blurred else ""
        if not key or sharp is None or split not in ("", *SPLITS) or key in splits[split]:
            raise ValueError(f"{path}, line {number}: needs blurred,sharp,split; split is train, test or empty")
        if sharp:
            splits[split][key] = Path(blurred), Path(sharp)
        else:
            real_blur.append(Path(blurred))
    if not any(splits.values()):
        raise ValueError(f"{path}: no pairs; needs the columns blurred,sharp,split, named in its first line")
    return splits, real_blur
