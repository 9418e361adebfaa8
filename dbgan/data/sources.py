"""The photographs of a run: `data.source` chooses the pairs, `data.real` the real blur."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from dbgan.data import camera_shake, download, folders, photos
from dbgan.data.folders import Found
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


def find(p: DataParams, archives: download.Archives, sample: Found) -> Found:
    """All photographs that `p` asks for; sample: those that `simulate` wrote."""
    found = sample
    if p.source != "sample":
        found = folders.find(_root(p.source, p.root, "data.root", archives), p.test_share)
    if p.real is None and p.source != "gopro":
        return found
    if p.real_source == "sample":
        return replace(found, real_root=sample.root, real_blur=sample.real_blur)
    real_root = _root(p.real_source, p.real_root, "data.real_root", archives)
    return replace(found, real_root=real_root, real_blur=folders.find_real(real_root))


def root_name(root: Path, raw: Path) -> str:
    """A root as frames.json in `raw` names it: "" for raw itself, else relative to the repository if inside."""
    base = project_root()
    return "" if root == raw else root.relative_to(base).as_posix() if root.is_relative_to(base) else str(root)


def _root(source: str, root: str | None, key: str, archives: download.Archives) -> Path:
    if source != "folder":
        return download.unpacked(getattr(archives, source), f"archives.{source}")
    folder = project_root() / Path(root).expanduser()
    if not folder.exists():
        raise ValueError(f"{key}, {folder}: there is no such folder")
    return folder


def simulate(
    out: Path, p: DataParams, camera: camera_shake.ShakeParams, real: camera_shake.ShakeParams, seed: int
) -> Found:
    """Write the sample below `out`, as far as `p` asks for it: bundled photographs with blurs by `camera` for training
    and test, and real blur, without sharp partners, by the visibly different camera `real`."""
    sets = {
        "train": (p.source, camera, p.train_shakes),
        "test": (p.source, camera, p.test_shakes),
        "real_blur": (p.real_source, real, p.real_shakes),
    }
    found = Found(out, {}, {}, out, [], [], [])
    numbered = enumerate((name, photo) for name, bundled in photos.SAMPLE.items() for photo in bundled)
    jobs = [(number, name, photo) for number, (name, photo) in numbered if sets[name][0] == "sample"]
    for number, name, photo in progress(jobs, desc="shake", unit="photo") if jobs else ():
        _, shaken_by, shakes = sets[name]
        image, stem, quality = photos.bundled(photo), Path(photo).stem, shaken_by.jpeg_quality
        sharp = Path(name, "sharp", f"{stem}.png")
        if name != "real_blur":
            photos.write(out / sharp, image)
        for k in range(shakes):
            file = f"{stem}_{k}.{'jpg' if quality else 'png'}"
            path = Path(name, file) if name == "real_blur" else Path(name, "blur", file)
            blurred = camera_shake.blur(image, shaken_by, np.random.default_rng([seed, number, k]))
            # A camera's JPEG is decoded by now; compressed for the second time, it changes a little more.
            photos.write(out / path, blurred, **({"quality": quality} if quality else {}))
            if name == "real_blur":
                found.real_blur.append(path)
            else:
                getattr(found, name)[f"{stem}/{k}"] = path, sharp
    return found
