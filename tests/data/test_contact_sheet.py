"""The contact sheet: every set of photographs, spread evenly, with names of any kind."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dbgan.data import contact_sheet, manifest, photos
from dbgan.data.contact_sheet import CELL, GAP, LABEL
from dbgan.data.manifest import Listing


def listed(root: Path, names: list[str], size=(30, 40)) -> list[manifest.Frame]:
    """Photographs of one grey level each: 10, 20 and so on."""
    for n, name in enumerate(names):
        photos.write(root / name, np.full((*size, 3), 10 * (n + 1), np.uint8))
    return [manifest.describe(root, Path(name))[0] for name in names]


def test_photographs_are_spread_over_all_in_rows_by_set(tmp_path):
    blurred = listed(tmp_path / "pairs", [f"b{n}.png" for n in range(10)])
    real = listed(tmp_path / "real", ["r.png"], (300, 1000))
    contact_sheet.save(tmp_path / "new" / "a.png", Listing("", "", blurred, blurred, [], [], real), *_roots(tmp_path))
    sheet = np.asarray(Image.open(tmp_path / "new" / "a.png"))
    assert sheet.shape == (GAP + 3 * (CELL[1] + LABEL + GAP), GAP + 4 * (CELL[0] + GAP), 3)
    centres = [sheet[GAP + CELL[1] // 2, GAP + column * (CELL[0] + GAP) + CELL[0] // 2, 0] for column in range(4)]
    assert centres == [10, 40, 70, 100]
    last = sheet[GAP + 2 * (CELL[1] + LABEL + GAP) :][: CELL[1]]
    assert (last == 10).all(axis=2).sum() == CELL[0] * 96  # made smaller, its shape kept
    assert (sheet[-GAP - LABEL : -GAP, : CELL[0]] < 255).any()  # its name


def _roots(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "pairs", tmp_path / "real"


@pytest.mark.parametrize("name", ["a" * 200, "día 写真 1", "line\nbreak", "%s {0} $x$"])
def test_any_name_fits_below_its_photograph_and_bytes_repeat(tmp_path, name):
    frames = listed(tmp_path / "real", [f"{name}.png"])
    for file in ("a.png", "b.png"):
        contact_sheet.save(tmp_path / file, Listing("", "", [], [], [], [], frames), *_roots(tmp_path))
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    sheet = np.asarray(Image.open(tmp_path / "a.png"))
    assert sheet.shape == (GAP + CELL[1] + LABEL + GAP, GAP + CELL[0] + GAP, 3)
    assert (sheet[:, -GAP:] == 255).all()
