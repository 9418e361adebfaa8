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
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dbgan.data import photos

SIDES = {"blur": "blurred", "blurry": "blurred", "input": "blurred", "sharp": "sharp", "gt": "sharp", "target": "sharp"}
SPLITS = ("train", "test")
COLUMNS = {"blurred", "sharp", "split"}


@dataclass(frozen=True)
class Pair:
    key: str  # the common part of both paths: <sequence>/<name>
    blurred: Path  # both relative to the root
    sharp: Path


@dataclass(frozen=True)
class Found:
    """The photographs of a data source, not read yet."""

    train: list[Pair]
    test: list[Pair]
    real_blur: list[Path]
    unmatched: list[Path]  # one side of a pair without the other
    notes: list[str]  # decisions on the way, for the log


def find(root: Path, test_share: float) -> Found:
    """The pairs and the real blur of a folder or a CSV file. Without test pairs, whole sequences are held out.

    Raises ValueError, one line, when there are no pairs or two photographs have one name.
    """
    if root.is_file():
        splits, real_blur, unmatched, notes = *_from_csv(root), [], []
    else:
        splits, real_blur, unmatched, notes = _from_folder(root)
    unsplit = splits.pop("", [])
    train, test = splits.get("train", []), splits.get("test", [])
    if not train and not test:
        train, unsplit = unsplit, []
    if unsplit:
        notes.append(f"{len(unsplit)} pairs in neither train nor test are left out, such as {unsplit[0].blurred}")
    if train and not test:
        held = held_out([pair.key for pair in train], test_share)
        test = [pair for pair in train if pair.key in held]
        train = [pair for pair in train if pair.key not in held]
        of = f"{len(test)} of {len(test) + len(train)} pairs from {len({sequence(key) for key in held})} sequences"
        notes.append(f"no test pairs: {of} are held out for testing")
    if not train:
        raise ValueError(f"{root}: no pairs to train on beside {len(test)} to test on")
    return Found(train, test, real_blur, unmatched, notes)


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


def held_out(keys: Iterable[str], share: float) -> set[str]:
    """The keys of the sequences for testing: those whose name's digest, as a number from 0 to 1, is below `share`, so
    that new sequences move no others. Where nothing would be left to test or train on, the shortest sequence; of a
    single sequence its end, where frames are least like those at its start."""
    sequences: dict[str, list[str]] = defaultdict(list)
    for key in sorted(keys):
        sequences[sequence(key)].append(key)
    if len(sequences) == 1:
        (only,) = sequences.values()
        return set(only[-max(1, min(round(share * len(only)), len(only) - 1)) :])
    held = [rows for name, rows in sequences.items() if _uniform(name) < share]
    if len(held) in (0, len(sequences)):
        held = [min(sequences.values(), key=lambda rows: (len(rows), rows))]
    return {key for rows in held for key in rows}


def _uniform(name: str) -> float:
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:6], "big") / 256**6


def _side(path: Path) -> str | None:
    """What the folders of a path make of its photograph: real_blur, blurred, sharp or none of them."""
    names = [name.lower() for name in path.parent.parts]
    if "real_blur" in names:
        return "real_blur"
    return next((SIDES[name] for name in reversed(names) if name in SIDES), None)


def _from_folder(root: Path) -> tuple[dict[str, list[Pair]], list[Path], list[Path], list[str]]:
    """Pairs by split ("" for none), real blur, photographs without a partner, notes."""
    pairs: dict[tuple[str, str], dict[str, Path]] = defaultdict(dict)
    real_blur, left_out = [], Counter()
    for path in photos.find(root):
        if (side := _side(path)) == "real_blur":
            real_blur.append(path)
        elif side is None:
            left_out[path.parent.name] += 1
        else:
            split = next((name.lower() for name in path.parent.parts if name.lower() in SPLITS), "")
            common = [name for name in path.parent.parts if name.lower() not in (*SIDES, *SPLITS)]
            sides = pairs[split, "/".join([*common, path.stem])]
            if side in sides:
                raise ValueError(f"{root / path}: {sides[side]} has the same name; remove one of them")
            sides[side] = path
    splits: dict[str, list[Pair]] = defaultdict(list)
    for (split, key), sides in sorted(pairs.items()):
        if len(sides) == 2:
            splits[split].append(Pair(key, **sides))
    if not splits:
        raise ValueError(
            f"{root}: no pairs; looked for photographs of equal names in folders train/blur and train/sharp (also "
            f"input and target, blurry and gt) at any depth; for any other folder write a CSV file with the columns "
            f"blurred,sharp,split and give it as data.root, see docs/data.md"
        )
    unmatched = [path for _, sides in sorted(pairs.items()) if len(sides) == 1 for path in sides.values()]
    notes = [f"{count} photographs in folders named {name} are left out" for name, count in left_out.most_common()]
    return splits, real_blur, unmatched, notes


def _from_csv(path: Path) -> tuple[dict[str, list[Pair]], list[Path]]:
    """Pairs by split ("" for none), and real blur, the rows without a sharp photograph; paths relative to the CSV."""
    splits: dict[str, list[Pair]] = defaultdict(list)
    real_blur = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file, strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: no CSV file in UTF-8 ({error})") from None
    for number, row in enumerate(rows, start=2):
        if row.keys() != COLUMNS or row["split"] not in ("", *SPLITS) or not row["blurred"] or row["sharp"] is None:
            raise ValueError(f"{path}, line {number}: needs blurred,sharp,split; split is train, test or empty")
        blurred = Path(row["blurred"])
        if row["sharp"]:
            splits[row["split"]].append(Pair(blurred.with_suffix("").as_posix(), blurred, Path(row["sharp"])))
        else:
            real_blur.append(blurred)
    if not splits:
        raise ValueError(
            f"{path}: no pairs; needs rows with the columns blurred,sharp,split, the first line names them"
        )
    return splits, real_blur
