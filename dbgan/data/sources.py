"""The photographs of a run: `data.source` chooses the pairs, `data.real` the real blur."""

from collections.abc import Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveInt

from dbgan.data import download, folders, photos
from dbgan.data.camera_shake import ShakeParams, blur
from dbgan.data.folders import Found, Paths, Sets
from dbgan.settings import Params
from dbgan.utils import log, progress, project_root

# Photographs inside packages that the requirements bring along; a shake is drawn by the number of its photograph here.
PHOTOGRAPHS = (
    *(f"skimage/data/{file}" for file in ("motorcycle_left.png", "coffee.png", "coins.png", "gravel.png", "page.png")),
    *(f"skimage/data/{file}" for file in ("rocket.jpg", "ihc.png", "brick.png", "grass.png", "text.png")),
    *(f"skimage/data/{file}" for file in ("astronaut.png", "chelsea.png", "camera.png")),
    *(f"sklearn/datasets/images/{file}" for file in ("china.jpg", "flower.jpg")),
    "matplotlib/mpl-data/sample_data/grace_hopper.jpg",
)
TEST = PHOTOGRAPHS[10:13]
TRAIN = tuple(photograph for photograph in PHOTOGRAPHS if photograph not in TEST)
# The parts of each photograph that a set has: no two sets share a pixel. Sharp training photographs and real blur show
# the same kinds of scenes, or a critic would tell scenes apart instead of blur.
PARTS = {"train": (0, 3), "test": None, "real_blur": (1, 2)}
SMALLEST = 128  # pixels a side of a part


class DataParams(Params):
    source: Literal["sample", "folder", "gopro"]  # of the pairs; folder: your own, in `root`
    root: str | None  # folder with pairs, or a CSV file that lists them
    real: Literal["sample", "folder", "rwbi"] | None  # of the real blur; null: the source that goes with the pairs
    real_root: str | None  # folder with real blurred photographs
    test_share: Annotated[float, Field(gt=0, lt=1)]  # of the pairs, held out where there are no test pairs
    max_rejected: Annotated[float, Field(ge=0, le=1)]  # share of the pairs and photographs that may be set aside
    min_side: PositiveInt  # pixels; smaller photographs are set aside
    train_photos: Annotated[int, Field(gt=0, le=len(TRAIN))]  # sample: how many of TRAIN
    train_shakes: PositiveInt  # sample: blurred versions of each training photograph
    test_shakes: PositiveInt  # sample: blurred versions of each test photograph
    real_shakes: NonNegativeInt  # sample: blurred versions of each real-blur photograph


def find(
    p: DataParams, archives: download.Archives, out: Path, camera: ShakeParams, real_camera: ShakeParams, seed: int
) -> Found:
    """All photographs that `p` asks for. The sample's are made below `out`."""
    sample, train = partial(simulate, out, seed), TRAIN[: p.train_photos]
    if p.source == "sample":
        sets = {"train": sample("train", train, p.train_shakes, camera)}
        sets["test"] = sample("test", TEST, p.test_shakes, camera)
        found = Found(out, out, Sets(list, sets))
    else:
        found = folders.find(_root(p.source, p.root, "root", archives), p.test_share)
    real, real_root = real_source(p), found.root
    if real and (others := len(found.sets["real_blur"])):
        log(f"{found.root}: {others} photographs of real blur there are left out, as data.real is {real}")
    if real == "sample":
        real_root, found.sets["real_blur"] = out, sample("real_blur", train, p.real_shakes, real_camera)
    elif real:
        real_root = _root(real, p.real_root, "real_root", archives)
        found.sets["real_blur"] = folders.find_real(real_root)
    return found._replace(real_root=real_root)


def real_source(p: DataParams) -> str | None:
    return p.real or {"sample": "sample", "gopro": "rwbi"}.get(p.source)


def missing(p: DataParams, archives: download.Archives) -> dict[str, float | None]:
    """The bytes that `find` would download and unpack, by what they are; None: not known."""
    needs: dict[str, float | None] = {}
    for source in (p.source, real_source(p)):
        if source in ("gopro", "rwbi"):
            needs |= download.missing(getattr(archives, source), f"archives.{source}", unpack=True)
    return needs


def _root(source: str, root: str | None, key: str, archives: download.Archives) -> Path:
    if source != "folder":
        return download.unpacked(getattr(archives, source), f"archives.{source}")
    folder = project_root() / Path(root or "").expanduser()
    if not root or not folder.exists():
        raise ValueError(f"params.yaml, data.{key}, {root}: there is no such folder")
    return folder


def simulate(
    out: Path, seed: int, name: str, photographs: Sequence[str], shakes: int, camera: ShakeParams
) -> list[Paths]:
    """Write the set `name` below `out`: its parts of each photograph blurred so many times, in pairs also sharp."""
    items: list[Paths] = []
    chosen, pair = PARTS[name], name != "real_blur"
    for photograph in progress(photographs, desc=name, unit="photo"):
        whole, stem = read(photograph), Path(photograph).stem
        for part, image in enumerate(parts(whole)) if chosen else [(0, whole)]:
            if chosen and part not in chosen:
                continue
            sharp = Path(name, "sharp", f"{stem}_{part}.png" if chosen else f"{stem}.png")
            if pair:
                photos.write(out / sharp, image)
            for k in range(shakes):
                path = Path(name, "blur" if pair else "", f"{sharp.stem}_{k}.{'jpg' if camera.jpeg_quality else 'png'}")
                blurred = blur(image, camera, np.random.default_rng([seed, PHOTOGRAPHS.index(photograph), part, k]))
                # A camera's JPEG is decoded by now; compressed for the second time, it changes a little more.
                photos.write(out / path, blurred, quality=camera.jpeg_quality or 100)  # which PNG ignores
                items.append((path, sharp) if pair else (path,))
    return items


def read(photograph: str) -> np.ndarray:
    """One of PHOTOGRAPHS."""
    package, _, file = photograph.partition("/")
    return photos.read(Path(str(files(package)), file))[0]


def parts(image: np.ndarray) -> list[np.ndarray]:
    """The quarters of a photograph, row by row; its left and right half as 0 and 1 where they would be too small."""
    height, width = image.shape[:2]
    rows = [image[: height // 2], image[height // 2 :]] if height >= 2 * SMALLEST else [image]
    return [part for row in rows for part in (row[:, : width // 2], row[:, width // 2 :])]
