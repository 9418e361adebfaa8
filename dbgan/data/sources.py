"""Where photographs come from: one function for each `data.source`, each giving a Listing."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from dbgan.data import frames, photographs, shake
from dbgan.data.archives import Archives
from dbgan.data.frames import Frame, Listing


@dataclass(frozen=True)
class DataParams:
    """Which photographs the pipeline works on."""

    source: Literal["sample", "folder"]  # sample: inside scikit-image; folder: yours, in `root`
    root: str | None  # folder with train/{blur,sharp}, test/{blur,sharp} and, if you have it, real_blur
    train_shakes: int  # sample: blurred versions of each training photograph
    test_shakes: int  # sample: blurred versions of each test photograph
    real_shakes: int  # sample: blurred versions of each real-blur photograph
    archives: Archives  # where the public ones come from

    def __post_init__(self) -> None:
        if self.source == "folder" and not self.root:
            raise ValueError("data.root must name your folder when data.source is folder")


Progress = Callable[..., object]


def sample(
    out: Path,
    p: DataParams,
    camera: shake.ShakeParams,
    real: shake.ShakeParams,
    seed: int,
    progress: Progress,
) -> Listing:
    """Write bundled photographs and simulated blurs of them below `out`: pairs by `camera` for training and test,
    and real blur, which has no sharp partner, by the visibly different camera `real`."""
    jobs = [("train", name, p.train_shakes, camera) for name in photographs.TRAIN]
    jobs += [("test", name, p.test_shakes, camera) for name in photographs.TEST]
    jobs += [("real_blur", name, p.real_shakes, real) for name in photographs.REAL]
    found: dict[str, list[Frame]] = {"train": [], "test": [], "real_blur": []}
    partners: dict[str, list[Frame]] = {"train": [], "test": []}
    for number, (part, name, count, shaken_by) in enumerate(progress(jobs, desc="shake", unit="photo")):
        photo, stem = photographs.load(name), Path(name).stem
        if part in partners:
            sharp = Path(part, "sharp", f"{stem}.png")
            frames.write(out / sharp, photo)
            partners[part] += [frames.describe(out, sharp)[0]] * count
        folder = Path(part, "blur") if part in partners else Path(part)
        for k in range(count):
            suffix = "png" if shaken_by.jpeg_quality is None else "jpg"
            path = folder / f"{stem}_{k}.{suffix}"
            blurred = shake.blur(photo, shaken_by, np.random.default_rng([seed, number, k]))
            options = {} if shaken_by.jpeg_quality is None else {"quality": shaken_by.jpeg_quality}
            frames.write(out / path, blurred, **options)
            found[part].append(frames.describe(out, path)[0])
    return Listing("", found["train"], partners["train"], found["test"], partners["test"], found["real_blur"])


def folder(root: Path, shown: str, progress: Progress) -> tuple[Listing, list[str]]:
    """The Listing of a folder with train/{blur,sharp}, test/{blur,sharp} and perhaps real_blur, and notes on what
    is converted when it is read. `shown` is the root as the user wrote it. Nothing is copied.

    Pairs have the same path below blur and sharp, whatever the suffix. Raises ValueError naming the file for a
    blurred frame without its sharp partner (or the other way), a pair of unlike size, or an unreadable file.
    """
    if not root.is_dir():
        raise ValueError(f"data.root, {root}: there is no such folder")
    notes: list[tuple[str, str]] = []
    groups: dict[str, list[Frame]] = {}
    for part in ("train/blur", "train/sharp", "test/blur", "test/sharp", "real_blur"):
        if part == "real_blur" and not (root / part).is_dir():
            groups[part] = []
            continue
        groups[part] = []
        for path in progress(frames.find(root / part), desc=part, unit="photo"):
            frame, note = frames.describe(root, part / path)
            groups[part].append(frame)
            if note:
                notes.append((note, frame.path))
    pairs = [_paired(root, part, groups[f"{part}/blur"], groups[f"{part}/sharp"]) for part in ("train", "test")]
    (train_blurred, train_sharp), (test_blurred, test_sharp) = pairs
    listing = Listing(shown, train_blurred, train_sharp, test_blurred, test_sharp, groups["real_blur"])
    first = {note: path for note, path in reversed(notes)}
    counts = Counter(note for note, _ in notes)
    return listing, [f"{count} photographs: {note} (first: {first[note]})" for note, count in counts.items()]


def _paired(root: Path, part: str, blurred: list[Frame], sharp: list[Frame]) -> tuple[list[Frame], list[Frame]]:
    sides = [_by_name(root, frames_, f"{part}/{half}/") for half, frames_ in (("blur", blurred), ("sharp", sharp))]
    for mine, other, half in ((*sides, "sharp"), (*sides[::-1], "blur")):
        for name, frame in mine.items():
            if name not in other:
                raise ValueError(f"{root / frame.path}: has no partner {name}.* in {root / part / half}")
    names = sorted(sides[0])
    for name in names:
        b, s = sides[0][name], sides[1][name]
        if (b.height, b.width) != (s.height, s.width):
            raise ValueError(
                f"{root / b.path}: is {b.width}x{b.height}, its partner {s.path} is {s.width}x{s.height} pixels"
            )
    return [sides[0][n] for n in names], [sides[1][n] for n in names]


def _by_name(root: Path, listed: list[Frame], prefix: str) -> dict[str, Frame]:
    by_name: dict[str, Frame] = {}
    for frame in listed:
        name = frame.name.removeprefix(prefix)
        if name in by_name:
            raise ValueError(f"{root / frame.path}: {by_name[name].path} has the same name; which one is meant?")
        by_name[name] = frame
    return by_name
