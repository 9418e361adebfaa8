"""The photographs of a data source: frames.json, which the stage download writes for all later stages."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from dbgan.data import photos
from dbgan.utils import project_root


@dataclass(frozen=True)
class Frame:
    name: str  # the path without its suffix
    path: str  # relative to the root of the listing, posix
    height: int
    width: int
    sha256: str
    mean: list[float]  # of R, G and B over the photograph, 8-bit levels


@dataclass(frozen=True)
class Listing:
    root: str  # of the pairs: "" when they lie beside the listing, else a folder, relative to the repository
    real_root: str  # of the real blurred photographs, likewise
    train_blurred: list[Frame]  # blurred and sharp are pairs, index by index
    train_sharp: list[Frame]
    test_blurred: list[Frame]
    test_sharp: list[Frame]
    real_blur: list[Frame]


def describe(root: Path, path: Path) -> tuple[Frame, np.ndarray, str]:
    """Read `root / path`: its Frame, and the image and note of `photos.read`."""
    image, note, digest = photos.read(root / path)
    mean = [round(float(level), 3) for level in image.mean((0, 1))]
    name = path.with_suffix("").as_posix()
    return Frame(name, path.as_posix(), image.shape[0], image.shape[1], digest, mean), image, note


def save_listing(raw: Path, root: Path, real_root: Path, frames: dict[str, list[Frame]]) -> Listing:
    """Write the listing of these photographs to `raw`; roots that lie in the repository are relative to it."""

    def name(folder: Path) -> str:
        inside = folder.is_relative_to(project_root())
        return "" if folder == raw else folder.relative_to(project_root()).as_posix() if inside else str(folder)

    listing = Listing(root=name(root), real_root=name(real_root), **frames)
    (raw / "frames.json").write_text(json.dumps(asdict(listing), indent=1) + "\n", encoding="utf-8")
    return listing


def load_listing(folder: Path) -> Listing:
    path = folder / "frames.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        for key in values.keys() - {"root", "real_root"}:
            values[key] = [Frame(**frame) for frame in values[key]]
        return Listing(**values)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{path}: no readable frame listing ({error}); run the download stage") from None


def roots(listing: Listing, raw: Path) -> tuple[Path, Path]:
    """The folders of the pairs and of the real blurred photographs in `raw`'s listing."""
    pairs, real = (project_root() / name if name else raw for name in (listing.root, listing.real_root))
    return pairs, real


def load_frame(root: Path, frame: Frame) -> np.ndarray:
    """The photograph of a listing, (H, W, 3) uint8 RGB. Raises ValueError when the file has changed since."""
    image, _, digest = photos.read(path := root / frame.path)
    if digest != frame.sha256:
        raise ValueError(f"{path}: changed since the download stage saw it; run `dvc repro -f -s download` first")
    return image
