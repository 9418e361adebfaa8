"""Sorts the photographs of a data source into training pairs, test pairs and real blur: by the names of their folders,
or by a CSV file with the columns blurred,sharp,split. The contract is in docs/data.md."""

import csv
import hashlib
import os
import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple

from dbgan.data import photos
from dbgan.utils import log

SIDES = {"blur": "blurred", "blurry": "blurred", "input": "blurred", "sharp": "sharp", "gt": "sharp", "target": "sharp"}
SPLITS = ("train", "test")
HELP = "looked for equal names in train/blur and train/sharp (or input, target, blurry, gt) or a CSV file: docs/data.md"

Paths = tuple[Path, ...]  # of a pair: blurred and sharp; of any other photograph: its own
Sets = defaultdict[str, list[Paths]]  # train, test, real_blur, unmatched, and "" for pairs of no split


class Found(NamedTuple):
    root: Path
    real_root: Path  # of the real blur
    sets: Sets  # relative to the root


def find(root: Path, test_share: float) -> Found:
    """The pairs and the real blur of a folder or a CSV file. Without test pairs, whole sequences are held out."""
    sets, folder = (_from_csv(root), root.parent) if root.is_file() else (_from_folder(root), root)
    if not sets["train"] and not sets["test"]:
        sets["train"] = sets[""]
    elif rest := sets[""]:
        log(f"{len(rest)} pairs in neither train nor test are left out, such as {rest[0][0]}")
    if sets["train"] and not sets["test"]:
        sets["train"], sets["test"] = hold_out(sets["train"], test_share)
    if not sets["train"] or not sets["test"]:
        raise ValueError(f"{root}: {len(sets['train'])} pairs to train on, {len(sets['test'])} to test on; {HELP}")
    return Found(folder, folder, sets)


def find_real(root: Path) -> list[Paths]:
    """Real blurred photographs, sorted: those in real_blur folders, else those of the blurred side, else all."""
    paths = photos.find(root)
    real, blurred = ([path for path in paths if _side(path) == side] for side in ("real_blur", "blurred"))
    chosen = real or blurred or paths
    if rest := len(paths) - len(chosen):
        log(f"{root}: {rest} photographs in no folder of the name {'real_blur' if real else 'blur'} are left out")
    return [(path,) for path in chosen]


def hold_out(pairs: list[Paths], share: float) -> tuple[list[Paths], list[Paths]]:
    """Pairs to train on and to test on: the share of the sequences whose names come first by their digests, so that a
    new one changes places with one other at most. Of a single sequence its end."""
    sequences = Sets(list)
    for pair in pairs:
        sequences[sequence(pair[0])].append(pair)
    ranked = sorted(sequences, key=lambda name: hashlib.sha256(os.fsencode(name)).digest())
    parts = [sequences[name] for name in ranked] if len(ranked) > 1 else [[pair] for pair in reversed(pairs)]
    count = max(1, min(round(share * len(parts)), len(parts) - 1))
    held = {pair for part in parts[:count] for pair in part}
    log(f"no test pairs: {len(held)} of {len(pairs)} are held out for testing")
    return [pair for pair in pairs if pair not in held], [pair for pair in pairs if pair in held]


def sequence(path: Path) -> str:
    """The sequence of a photograph: its folder, or in a flat folder its name without the number at the end."""
    folder, _, name = _common(path).rpartition("/")
    return folder or re.sub(r"[ _.-]*\d+$", "", name)


def _common(path: Path) -> str:
    """What both photographs of a pair are called: the path without its side, its split and its suffix."""
    return "/".join([*(name for name in path.parent.parts if name.lower() not in (*SIDES, *SPLITS)), path.stem])


def _side(path: Path) -> str | None:
    names = [name.lower() for name in path.parent.parts]
    return "real_blur" if "real_blur" in names else next((SIDES[name] for name in names[::-1] if name in SIDES), None)


def _from_folder(root: Path) -> Sets:
    sets = Sets(list)
    partners: dict[tuple[str, str], dict[str, Path]] = defaultdict(dict)
    left_out: Counter[str] = Counter()
    for path in photos.find(root):
        if (side := _side(path)) == "real_blur":
            sets[side].append((path,))
        elif side is None:
            left_out[path.parent.name or "."] += 1
        else:
            split = next((name.lower() for name in path.parent.parts if name.lower() in SPLITS), "")
            other = partners[split, _common(path)].setdefault(side, path)
            if other != path:
                raise ValueError(f"{root / path}: {other} has the same name; remove one of them")
    for name, count in left_out.most_common():
        log(f"{count} photographs in folders named {name} are left out")
    for (split, _), pair in sorted(partners.items()):
        sets[split if len(pair) == 2 else "unmatched"].append(tuple(pair[side] for side in sorted(pair)))
    return sets


def _from_csv(path: Path) -> Sets:
    """Paths relative to the CSV file; rows without a sharp photograph are real blur."""
    sets = Sets(list)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for number, row in enumerate(csv.DictReader(file), start=2):
                if not row["blurred"] or row["split"] not in ("", *SPLITS):
                    raise ValueError(f"line {number}: split is train, test or empty")
                paths = tuple(Path(row[side]) for side in ("blurred", "sharp") if row[side])
                sets[row["split"] if len(paths) == 2 else "real_blur"].append(paths)
    except (KeyError, ValueError, csv.Error) as error:
        raise ValueError(f"{path}: no CSV file in UTF-8 with the columns blurred,sharp,split ({error})") from None
    return sets
