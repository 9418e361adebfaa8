"""Finds, reads and writes photographs, and converts between uint8 images and float tensors (the value range)."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

# torch is imported where tensors are made: processes that only read photographs then need a fraction of the memory.
if TYPE_CHECKING:
    from torch import Tensor

# Everything Pillow reads that people keep photographs in; other files in a folder are not photographs.
SUFFIXES = {".png", ".jpg", ".jpeg", ".jpe", ".jp2", ".webp", ".tif", ".tiff", ".bmp", ".ppm", ".pgm", ".gif"}


def to_float(image: np.ndarray | Tensor) -> Tensor:
    """(..., H, W, 3) uint8 RGB -> (..., 3, H, W) float32 in [0, 1], channels last in memory, on the device that a
    tensor is on. With `to_uint8` the owner of the range."""
    import torch

    if isinstance(image, torch.Tensor):
        return image.movedim(-1, -3).float() / 255
    # In NumPy: a thread that reads batches ahead must not start threads of torch beside those of the training.
    return torch.from_numpy(np.divide(image, np.float32(255), dtype=np.float32)).movedim(-1, -3)


def to_uint8(image: Tensor) -> np.ndarray:
    """(..., 3, H, W) float -> (..., H, W, 3) uint8 RGB: clamped to [0, 1], rounded to the nearest level."""
    import torch

    levels = (image.detach().float().clamp(0, 1) * 255).round().to(torch.uint8)
    return levels.movedim(-3, -1).contiguous().cpu().numpy()


def find(folder: Path) -> list[Path]:
    """The photographs in `folder` and its sub-folders, as sorted paths relative to it.

    Raises ValueError when there is no such folder or no photograph in it.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: there is no such folder")
    found = sorted(path.relative_to(folder) for path in _files(folder) if path.suffix.lower() in SUFFIXES)
    if not found:
        raise ValueError(f"{folder}: no photographs in it (looked for {', '.join(sorted(SUFFIXES))})")
    return found


def _files(folder: Path) -> Iterator[Path]:
    """All files below a folder, through links to folders too, but each folder once."""
    seen = set()
    for at, folders, names in os.walk(folder, followlinks=True):
        if os.path.realpath(at) in seen:
            folders.clear()
            continue
        seen.add(os.path.realpath(at))
        yield from (path for path in (Path(at, name) for name in names) if path.is_file())


def read(path: Path) -> tuple[np.ndarray, str, str]:
    """A photograph as (H, W, 3) uint8 RGB, what was converted on the way ("" for plain 8-bit RGB), and the file's
    SHA-256.

    Grey is repeated over the three channels, 16 bits become 8, transparency is dropped, EXIF rotation is
    applied. Raises ValueError naming a file that is unreadable or cut short.
    """
    try:
        content = path.read_bytes()
        image, note = _decode(content)
    except Image.DecompressionBombError as error:
        raise ValueError(f"{path}: {error}") from None
    except UnidentifiedImageError:
        raise ValueError(f"{path}: not a readable photograph (of no known format)") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise ValueError(f"{path}: not a readable photograph ({error})") from None
    return image, note, hashlib.sha256(content).hexdigest()


def _decode(content: bytes) -> tuple[np.ndarray, str]:
    with Image.open(io.BytesIO(content)) as image:
        depth = image.tile[0][3] if image.tile else ""
        image.load()
        turned = ImageOps.exif_transpose(image)
        rgb, note = _to_rgb(turned, str(depth))
        if turned is not image and image.getexif().get(0x0112, 1) != 1:
            note = ", ".join(filter(None, [note, "rotated as its EXIF says"]))
        return rgb, note


def _to_rgb(image: Image.Image, depth: str) -> tuple[np.ndarray, str]:
    if image.mode.startswith("I") or image.mode == "F":
        levels = np.asarray(image).astype(np.float64)
        top = 65535 if levels.max() > 255 else 255
        if levels.min() < 0 or levels.max() > top or (image.mode == "F" and levels.max() <= 1):
            raise ValueError(f"{image.mode} values from {levels.min():g} to {levels.max():g} are no 8 or 16 bits")
        grey = np.rint(levels * (255 / top)).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2), "16-bit grey read as 8-bit RGB"
    notes = ["16 bits read as 8"] if "16" in depth and image.mode.startswith("RGB") else []
    if image.mode != "RGB":
        alpha = image.has_transparency_data
        notes.append("transparency dropped" if alpha else f"{image.mode} read as RGB")
        image = image.convert("RGBA").convert("RGB") if alpha else image.convert("RGB")
    return np.asarray(image), ", ".join(notes)


def write(path: Path, image: np.ndarray, **options) -> None:
    """(H, W, 3) uint8 RGB to a file of the format its name says; folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, **options)


@dataclass(frozen=True)
class Frame:
    """One photograph: its short name, and its path relative to the root of its listing (posix)."""

    name: str
    path: str
    height: int
    width: int
    sha256: str
    mean: list[float]  # of R, G and B over the photograph, 8-bit levels


@dataclass(frozen=True)
class Listing:
    """What a data source offers, written as frames.json: blurred and sharp are pairs, index by index."""

    root: str  # "" when the photographs lie beside the listing, else the folder given as data.root
    train_blurred: list[Frame]
    train_sharp: list[Frame]
    test_blurred: list[Frame]
    test_sharp: list[Frame]
    real_blur: list[Frame]


def describe(root: Path, path: Path) -> tuple[Frame, str]:
    """Read `root / path` in full, so that a broken file shows now; the Frame and the note of `read`."""
    image, note, digest = read(root / path)
    name = path.with_suffix("").as_posix()
    mean = [round(float(level), 3) for level in image.mean((0, 1))]
    return Frame(name, path.as_posix(), image.shape[0], image.shape[1], digest, mean), note


def save_listing(path: Path, listing: Listing) -> None:
    """Write frames.json."""
    path.write_text(json.dumps(asdict(listing), indent=1) + "\n", encoding="utf-8")


def load_listing(folder: Path) -> Listing:
    """Read `folder/frames.json`. Raises ValueError when it is missing or damaged."""
    path = folder / "frames.json"
    try:
        groups = json.loads(path.read_text(encoding="utf-8"))
        root = groups.pop("root")
        return Listing(root=root, **{key: [Frame(**f) for f in frames] for key, frames in groups.items()})
    except (OSError, json.JSONDecodeError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{path}: no readable frame listing ({error}); run the download stage") from None


def load_frame(root: Path, frame: Frame) -> np.ndarray:
    """The photograph of a listing, (H, W, 3) uint8 RGB. Raises ValueError when the file has changed since."""
    path = root / frame.path
    image, _, digest = read(path)
    if digest != frame.sha256:
        raise ValueError(f"{path}: changed since the download stage saw it; run `dvc repro -f -s download` first")
    return image


def load_frames(root: Path, frames: list[Frame]) -> Iterator[np.ndarray]:
    """`load_frame` over a list, one photograph in memory at a time."""
    return (load_frame(root, frame) for frame in frames)
