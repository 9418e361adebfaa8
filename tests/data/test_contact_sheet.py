"""The contact sheet shows every photograph whole, in its place, under any name."""

import numpy as np
import pytest
from PIL import Image

from dbgan.data import contact_sheet
from dbgan.data.contact_sheet import CELL, GAP, LABEL


def plain(height: int, width: int, level: int) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


@pytest.mark.parametrize(
    ("size", "shown"),
    [((720, 1280), (180, 320)), ((1200, 800), (240, 160)), ((40, 30), (40, 30)), ((1, 4000), (1, 320))],
)
def test_a_photograph_keeps_its_proportions_and_is_never_enlarged(size, shown):
    small = contact_sheet.thumbnail(plain(*size, 90))
    assert (small.height, small.width) == shown


def test_rows_of_unlike_length_have_their_places(tmp_path):
    rows = [[(f"{x}", contact_sheet.thumbnail(plain(300, 400, 50 * x))) for x in range(count)] for count in (3, 1)]
    contact_sheet.save(tmp_path / "new" / "sheet.png", rows)
    sheet = np.asarray(Image.open(tmp_path / "new" / "sheet.png"))
    assert sheet.shape == (GAP + 2 * (CELL[1] + LABEL + GAP), GAP + 3 * (CELL[0] + GAP), 3)
    middle = [sheet[GAP + CELL[1] // 2, GAP + x * (CELL[0] + GAP) + CELL[0] // 2, 0] for x in range(3)]
    assert middle == [0, 50, 100]
    assert sheet[-CELL[1] // 2, -CELL[0] // 2, 0] == 255


@pytest.mark.parametrize("name", ["día soleado.png", "写真.png", "a\nb", "\udcff.png", "x" * 500, ""])
def test_any_name_is_a_label_of_one_line(tmp_path, name):
    for file in ("a.png", "b.png"):
        contact_sheet.save(tmp_path / file, [[(name, contact_sheet.thumbnail(plain(30, 40, 0)))]])
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    sheet = np.asarray(Image.open(tmp_path / "a.png"))
    assert sheet.shape == (GAP + CELL[1] + LABEL + GAP, GAP + CELL[0] + GAP, 3)
    assert (sheet[-GAP:] == 255).all()
    assert (sheet[-LABEL - GAP : -GAP] < 255).any() == bool(name)
