"""The photographs of a run: `data.source` chooses the pairs, `data.real` the real blur."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from dbgan.data import camera_shake, download, folders, photos
from dbgan.data.folders import Found, Pair
from dbgan.settings import Params
from dbgan.utils import progress, project_root


class DataParams(Params):
    source: Literal["sample", "folder", "gopro"]  # of the pairs; folder: your own, in `root`
    root: str | None  # folder with pairs, or a CSV file that lists them
    real: Literal["sample", "folder", "rwbi"] | None  # of the real blur; null: the source that goes with the pairs
    real_root: str | None  # folder with real blurred photographs
    test_share: Annotated[float, Field(gt=0, lt=1)]  # of the pairs, held out where there are no test pairs
    max_rejected: Annotated[float, Field(ge=0, le=1)]  # share of the pairs and photographs that may be set aside
    min_side: PositiveInt  # pixels; smaller photographs are set aside
    train_shakes: PositiveInt  # sample: blurred versions of each training photograph
    test_shakes: PositiveInt  # sample: blurred versions of each test photograph
    real_shakes: NonNegativeInt  # sample: blurred versions of each real-blur photograph

    @model_validator(mode="after")
    def _roots(self) -> "DataParams":
        if self.source == "folder" and not self.root:
            raise ValueError("root must name your folder when source is folder")
        if self.real == "folder" and not self.real_root:
            raise ValueError("real_root must name your folder when real is folder")
        return self

    @property
    def real_source(self) -> str:
        return self.real or {"gopro": "rwbi"}.get(self.source, self.source)


@dataclass(frozen=True)
class Place:
    """A folder of photographs, and its name in frames.json: "" beside it, else relative to the repository."""

    folder: Path
    name: str


def find(p: DataParams, archives: download.Archives, sample: Place, simulated: Found) -> tuple[Found, Place, Place]:
    """All photographs that `p` asks for, and the places of the pairs and of the real blur. sample: the place and the
    result of `simulate`. Raises ValueError for a folder that is not there or has no pairs."""
    pairs, found = sample, simulated
    if p.source != "sample":
        pairs = _place(p.source, p.root, "data.root", archives)
        found = folders.find(pairs.folder, p.test_share)
        if pairs.folder.is_file():
            pairs = Place(pairs.folder.parent, Path(pairs.name).parent.as_posix())
    if p.real is None and p.source != "gopro":
        return found, pairs, pairs
    if p.real_source == "sample":
        return replace(found, real_blur=simulated.real_blur), pairs, sample
    real = _place(p.real_source, p.real_root, "data.real_root", archives)
    return replace(found, real_blur=folders.find_real(real.folder)), pairs, real


def _place(source: str, root: str | None, key: str, archives: download.Archives) -> Place:
    if source == "folder":
        folder = project_root() / Path(root).expanduser()
        if not folder.exists():
            raise ValueError(f"{key}, {folder}: there is no such folder")
        return Place(folder, root)
    folder, base = download.unpacked(getattr(archives, source), f"archives.{source}"), project_root()
    return Place(folder, folder.relative_to(base).as_posix() if folder.is_relative_to(base) else str(folder))


def simulate(
    out: Path, p: DataParams, camera: camera_shake.ShakeParams, real: camera_shake.ShakeParams, seed: int
) -> Found:
    """Write the sample below `out`, as far as `p` asks for it: bundled photographs with blurs by `camera` for training
    and test, and real blur, without sharp partners, by the visibly different camera `real`."""
    cameras = {"train": camera, "test": camera, "real_blur": real}
    shakes = {"train": p.train_shakes, "test": p.test_shakes, "real_blur": p.real_shakes}
    sources = {"train": p.source, "test": p.source, "real_blur": p.real_source}
    jobs = list(enumerate((part, name) for part, names in photos.SAMPLE.items() for name in names))
    jobs = [(number, part, name) for number, (part, name) in jobs if sources[part] == "sample"]
    found = Found([], [], [], [], [])
    for number, part, name in progress(jobs, desc="shake", unit="photo") if jobs else ():
        photo, stem, quality = photos.bundled(name), Path(name).stem, cameras[part].jpeg_quality
        sharp = Path(part, "sharp", f"{stem}.png")
        if part != "real_blur":
            photos.write(out / sharp, photo)
        for k in range(shakes[part]):
            path = Path(part, "" if part == "real_blur" else "blur", f"{stem}_{k}.{'jpg' if quality else 'png'}")
            blurred = camera_shake.blur(photo, cameras[part], np.random.default_rng([seed, number, k]))
            # A camera's JPEG is decoded by now; compressed for the second time, it changes a little more.
            photos.write(out / path, blurred, **({"quality": quality} if quality else {}))
            if part == "real_blur":
                found.real_blur.append(path)
            else:
                getattr(found, part).append(Pair(f"{stem}/{k}", path, sharp))
    return found
