"""Where photographs come from: `data.source` says it of the pairs, `data.real` of the real blur."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from dbgan.data import camera_shake, folders, photographs, photos
from dbgan.data.archives import Archives
from dbgan.data.folders import Layout, Pair


@dataclass(frozen=True)
class DataParams:
    """Which photographs the pipeline works on."""

    source: Literal["sample", "folder", "gopro"]  # of the pairs; folder: yours, in `root`
    root: str | None  # folder with pairs, in any layout that `layouts` finds
    real: Literal["sample", "folder", "rwbi"] | None  # of the real blur; null: what goes with the pairs
    real_root: str | None  # folder with real blurred photographs
    test_share: float  # of the pairs, held out where they have no test folder
    max_rejected: float  # share of the pairs and photographs that may be set aside
    min_side: int  # pixels; what is smaller is set aside
    train_shakes: int  # sample: blurred versions of each training photograph
    test_shakes: int  # sample: blurred versions of each test photograph
    real_shakes: int  # sample: blurred versions of each real-blur photograph
    archives: Archives  # where the public ones come from

    def __post_init__(self) -> None:
        if self.source == "folder" and not self.root:
            raise ValueError("root must name your folder when source is folder")
        if self.real == "folder" and not self.real_root:
            raise ValueError("real_root must name your folder when real is folder")
        if not 0 < self.test_share < 1 or not 0 <= self.max_rejected <= 1 or self.min_side < 1:
            raise ValueError("test_share must be between 0 and 1, max_rejected 0 to 1, min_side at least 1")
        if self.train_shakes < 1 or self.test_shakes < 1 or self.real_shakes < 0:
            raise ValueError("train_shakes and test_shakes must be at least 1, real_shakes at least 0")

    @property
    def real_source(self) -> str:
        """Where the real blur comes from."""
        return self.real or {"gopro": "rwbi"}.get(self.source, self.source)


@dataclass(frozen=True)
class Found:
    """The photographs of a source, not read yet."""

    folder: Path  # where they are
    written: str  # the same in photos.json: "" beside it, else relative to the repository if within it
    layout: Layout  # of the pairs
    real_folder: Path
    real_written: str
    real_blur: list[Path]
    notes: list[str]


Progress = Callable[..., object]


def find(p: DataParams, sample: tuple[Path, Layout], base: Path, unpacked: Callable[[str], Path]) -> Found:
    """All photographs that `p` asks for. sample: the folder and the result of `simulate`; base: what relative roots
    are relative to; unpacked: gives the folder of a public archive by its name.

    Raises ValueError for a folder that is not there or in which it is not clear what is what.
    """
    folder, written, layout = *_place(p.source, p.root, "data.root", sample[0], base, unpacked), sample[1]
    if p.source != "sample":
        layout = folders.find(folder, p.test_share)
    if p.real is None and p.source != "gopro":
        return Found(folder, written, layout, folder, written, layout.real_blur, layout.notes)
    real_folder, real_written = _place(p.real_source, p.real_root, "data.real_root", sample[0], base, unpacked)
    if p.real_source == "sample":
        real, notes = sample[1].real_blur, []
    else:
        real, notes = folders.find_real(real_folder)
    return Found(folder, written, layout, real_folder, real_written, real, [*layout.notes, *notes])


def _place(
    source: str, root: str | None, key: str, sample: Path, base: Path, unpacked: Callable[[str], Path]
) -> tuple[Path, str]:
    """The folder of a source, and how photos.json names it."""
    if source == "sample":
        return sample, ""
    if source == "folder":
        folder = base / Path(root).expanduser()
        if not folder.is_dir():
            raise ValueError(f"{key}, {folder}: there is no such folder")
        return folder, root
    folder = unpacked(source)
    return folder, folder.relative_to(base).as_posix() if folder.is_relative_to(base) else str(folder)


def simulate(
    out: Path,
    p: DataParams,
    camera: camera_shake.ShakeParams,
    real: camera_shake.ShakeParams,
    seed: int,
    progress: Progress,
) -> Layout:
    """Write bundled photographs and simulated blurs of them below `out`, as far as `p` asks for the sample: pairs by
    `camera` for training and test, and real blur, without sharp partners, by the visibly different camera `real`."""
    jobs = [("train", name, p.train_shakes, camera) for name in photographs.TRAIN]
    jobs += [("test", name, p.test_shakes, camera) for name in photographs.TEST]
    jobs += [("real_blur", name, p.real_shakes, real) for name in photographs.REAL]
    wanted = {"train": p.source, "test": p.source, "real_blur": p.real_source}
    numbered = [(number, *job) for number, job in enumerate(jobs) if wanted[job[0]] == "sample"]
    pairs: dict[str, list[Pair]] = {"train": [], "test": []}
    real_blur = []
    for number, part, name, count, shaken_by in progress(numbered, desc="shake", unit="photo") if numbered else ():
        photo, stem = photographs.load(name), Path(name).stem
        sharp = Path(part, "sharp", f"{stem}.png")
        if part in pairs:
            photos.write(out / sharp, photo)
        for k in range(count):
            suffix = "png" if shaken_by.jpeg_quality is None else "jpg"
            path = (Path(part, "blur") if part in pairs else Path(part)) / f"{stem}_{k}.{suffix}"
            blurred = camera_shake.blur(photo, shaken_by, np.random.default_rng([seed, number, k]))
            options = {} if shaken_by.jpeg_quality is None else {"quality": shaken_by.jpeg_quality}
            # A camera's JPEG is decoded by now; here it is compressed a second time, which changes it a little more.
            photos.write(out / path, blurred, **options)
            if part in pairs:
                pairs[part].append(Pair(f"{stem}/{k}", path, sharp))
            else:
                real_blur.append(path)
    shape = ["real_blur", "test/blur", "test/sharp", "train/blur", "train/sharp"]
    return Layout(pairs["train"], pairs["test"], real_blur, shape, [], {})
