"""Finds pairs of blurred and sharp photographs, and real blurred ones, by the names of their folders."""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dbgan.data import folder_words, pair_lists, photos

LOOKED_FOR = ", ".join(f"{side}: {', '.join(sorted(known))}" for side, known in folder_words.SIDES.items())
SHOWN = 8  # entries of a list that are reported


@dataclass(frozen=True)
class Pair:
    """A blurred photograph and its sharp partner, paths relative to the root; None where there is none."""

    key: str  # what both paths have in common: <sequence>/<name>
    blurred: Path | None
    sharp: Path | None


@dataclass(frozen=True)
class Layout:
    """What a folder holds, by the names in it."""

    train: list[Pair]  # sorted by key, as `test`
    test: list[Pair]
    real_blur: list[Path]
    shape: list[str]  # its folders, * for names that are no part of the layout
    notes: list[str]  # what was decided on the way
    left_out: dict[str, int]  # photographs that are neither, by the name of their folder


@dataclass(frozen=True)
class _Place:
    """What a path says of its photograph."""

    path: Path
    side: str | None  # blurred, sharp or real
    variant: str  # the name that says the side, where it says more, such as blur_gamma
    split: str | None
    folder: str  # the names that say nothing
    shape: str


def find(root: Path, test_share: float) -> Layout:
    """Pairs and real blurs below `root`, at any depth: train/<sequence>/blur beside train/<sequence>/sharp,
    train/input beside train/target, train_blur/<sequence> beside train_sharp/<sequence> and whatever else the words
    of `names` allow, or pairs by list files. Without a test folder, whole sequences are held out for testing, about
    `test_share` of them.

    Raises ValueError, with what was found, when there are no pairs or it is not clear which is which.
    """
    found = photos.find(root)
    places = [_place(path) for path in found]
    real = [place for place in places if place.side == "real"]
    if lists := pair_lists.find(root):
        splits = {split: [Pair(*row) for row in rows] for split, rows in pair_lists.read(root, lists).items()}
        shape = {path.as_posix() for path in lists} | {place.shape for place in real}
        notes = ["the pairs are those of list files"]
    else:
        taken, notes = _one_variant(root, [place for place in places if place.side in folder_words.SIDES])
        splits = _matched(root, taken, found)
        shape = {place.shape for place in [*taken, *real]}
    used = {path for rows in splits.values() for pair in rows for path in (pair.blurred, pair.sharp)}
    real_blur = [place.path for place in real if place.path not in used]
    used.update(real_blur)
    train, test, more = _train_and_test(root, splits, test_share)
    left_out = Counter(path.parent.name for path in found if path not in used)
    shown = sorted(shape) if len(shape) <= SHOWN else [*sorted(shape)[:SHOWN], f"and {len(shape) - SHOWN} more"]
    return Layout(train, test, real_blur, shown, [*notes, *more], dict(left_out.most_common(SHOWN)))


def find_real(root: Path) -> tuple[list[Path], list[str]]:
    """The blurred photographs without partners below `root`, sorted, and notes: those in real_blur folders where
    there are any; the blurred ones where blurred and sharp folders are told apart; else all."""
    places = [_place(path) for path in photos.find(root)]
    real, blurred, sharp = (
        [place.path for place in places if place.side == side and not place.variant]
        for side in ("real", *folder_words.SIDES)
    )
    chosen = real or (blurred if blurred and sharp else [place.path for place in places])
    out = len(places) - len(chosen)
    return chosen, [f"{out} photographs beside its blurred ones are left out"] if out else []


def sequence(key: str) -> str:
    """The sequence of a pair: its folder, or in a flat one its name without the number at the end."""
    folder, _, name = key.rpartition("/")
    return folder or re.sub(r"[ _.-]*\d+$", "", name)


def _place(path: Path) -> _Place:
    """A folder named for nothing but a side wins over one whose name says more, then the nearest one wins; of splits
    the outermost."""
    said = [(name, *folder_words.meaning(name)) for name in path.parent.parts]
    plain = [side for _, side, _, more in said if side and not more]
    split = [split for _, _, split, more in said if split and not more] or [split for _, _, split, _ in said if split]
    out = {name for name, side, split, more in said if (side or split) and not more}
    side, variant = plain[-1] if plain else None, ""
    if "real" in plain:
        side = "real"
    elif not plain:
        for name, more_side, _, more in reversed(said):
            if more_side:
                side, variant = more_side, more
                out.add(name)
                break
    folder = "".join(f"{name}/" for name, *_ in said if name not in out)
    shape = "/".join(name if name in out else "*" for name, *_ in said) or "."
    return _Place(path, side, variant, split[0] if split else None, folder, shape)


def _one_variant(root: Path, places: list[_Place]) -> tuple[list[_Place], list[str]]:
    """Of each side the photographs in folders of one kind: blur rather than blur_gamma."""
    taken, notes = [], []
    for side in folder_words.SIDES:
        kinds = sorted({place.variant for place in places if place.side == side})
        if len(kinds) > 1 and kinds[0]:
            raise ValueError(f"{root}: which are the {side} photographs, {kinds[0]} or {kinds[1]}? Rename one of them")
        if kinds and kinds[0]:
            notes.append(f"{kinds[0]} is taken for {side}")
        taken += [place for place in places if place.side == side and place.variant == kinds[0]]
    return taken, notes


def _matched(root: Path, places: list[_Place], found: list[Path]) -> dict[str | None, list[Pair]]:
    """Pairs by split: photographs of the same name in corresponding folders. Only where no two have the same name,
    the words that say a side are no part of it."""
    if not places:
        folders = Counter(path.parent.as_posix() for path in found)
        shown = ", ".join(f"{name} ({count})" for name, count in list(folders.items())[:3])
        raise ValueError(
            f"{root}: no pairs; looked for folders of blurred and sharp photographs ({LOOKED_FOR}) and for list "
            f"files of pairs, found {len(found)} photographs in {len(folders)} folders: {shown}"
        )
    splits = _by_name(root, places, lambda stem: stem)
    if all(len(sides) < 2 for rows in splits.values() for sides in rows.values()):
        with suppress(ValueError):  # two of one name only without these words are no fault of the names as they are
            splits = _by_name(root, places, folder_words.without_side)
    _check_sides(root, splits)
    return {
        split: [Pair(key, sides.get("blurred"), sides.get("sharp")) for key, sides in sorted(rows.items())]
        for split, rows in splits.items()
    }


def _by_name(
    root: Path, places: list[_Place], name_of: Callable[[str], str]
) -> dict[str | None, dict[str, dict[str, Path]]]:
    splits: dict[str | None, dict[str, dict[str, Path]]] = defaultdict(lambda: defaultdict(dict))
    for place in places:
        sides = splits[place.split][place.folder + name_of(place.path.stem)]
        if place.side in sides:
            raise ValueError(f"{root / place.path}: {sides[place.side]} has the same name; which one is meant?")
        sides[place.side] = place.path
    return splits


def _check_sides(root: Path, splits: dict[str | None, dict[str, dict[str, Path]]]) -> None:
    if None in splits and len(splits) > 1:
        named = [
            next(iter(next(iter(rows.values())).values())) for _, rows in sorted(splits.items(), key=lambda s: not s[0])
        ]
        raise ValueError(
            f"{root}: some photographs are in a train or test folder ({named[0]}), others not ({named[-1]})"
        )
    for split, rows in splits.items():
        first = {side: path for sides in reversed(rows.values()) for side, path in sides.items()}
        for side in folder_words.SIDES:
            if side not in first:
                (other,) = first.values()
                raise ValueError(
                    f"{root}{f', {split}' if split else ''}: no {side} photographs beside {other}; "
                    f"looked for folders named {', '.join(sorted(folder_words.SIDES[side]))}"
                )
        if all(len(sides) < 2 for sides in rows.values()):
            raise ValueError(
                f"{root}: no pairs; {first['blurred']} and {first['sharp']} have no partners of their name"
            )


def _train_and_test(
    root: Path, splits: dict[str | None, list[Pair]], share: float
) -> tuple[list[Pair], list[Pair], list[str]]:
    notes = []
    train, test = splits.get("train", splits.get(None, [])), splits.get("test", [])
    validation = splits.get("validation", [])
    if validation:
        notes.append(f"{len(validation)} validation pairs are {'left out' if test else 'the test'}")
        test = test or validation
    if not train:
        raise ValueError(f"{root}: pairs to test on, none to train on; looked for a folder named train or training")
    if not test:
        held = held_out([pair.key for pair in train], share)
        test = [pair for pair in train if pair.key in held]
        train = [pair for pair in train if pair.key not in held]
        tested, trained = ({sequence(pair.key) for pair in pairs} for pairs in (test, train))
        whole = (
            f"{len(tested)} of {len(tested | trained)} sequences" if not tested & trained else "the end of the only one"
        )
        notes.append(f"no test folder: {len(test)} of {len(test) + len(train)} pairs are held out for testing, {whole}")
        if not train:
            raise ValueError(f"{root}: one pair cannot be both trained and tested on")
    return train, test, notes


def held_out(keys: Iterable[str], share: float) -> set[str]:
    """The keys that are tested on: the sequences the digest of whose name, read as a number from 0 to 1, is below
    `share`, so that new ones move no others. Where this leaves nothing to test or to train on, the shortest sequence;
    of a single one its end, where frames are least like those at its start."""
    sequences: dict[str, list[str]] = defaultdict(list)
    for key in sorted(keys):
        sequences[sequence(key)].append(key)
    if len(sequences) == 1:
        (only,) = sequences.values()
        return set(only[-max(1, min(round(share * len(only)), len(only) - 1)) :])
    held = [rows for name, rows in sequences.items() if _drawn(name) < share]
    if len(held) in (0, len(sequences)):
        held = [min(sequences.values(), key=lambda rows: (len(rows), rows))]
    return {key for rows in held for key in rows}


def _drawn(name: str) -> float:
    """A number from 0 to 1 that only depends on the name."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:6], "big") / 256**6
