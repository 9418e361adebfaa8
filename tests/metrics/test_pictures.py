"""The pictures that the evaluation leaves behind."""

import numpy as np
import pytest
from matplotlib.axes import Axes
from PIL import Image

from dbgan import panels as pictures


def photo(height, width, value):
    return np.full((height, width, 3), value, np.uint8)


def curve(columns, rows=5):
    steps = [float(n) for n in range(1, rows + 1)]
    return {"step": steps} | {name: [n / (k + 2) for n in steps] for k, name in enumerate(columns)}


def test_side_by_side_cuts_to_the_smallest_height_and_keeps_widths():
    row = pictures.side_by_side([photo(20, 30, 0), photo(16, 10, 100), photo(25, 7, 50)])
    assert row.shape == (16, 30 + 10 + 7 + 2 * pictures.GAP, 3)
    assert row.dtype == np.uint8


def test_side_by_side_puts_white_between_photographs_but_not_at_the_end():
    row = pictures.side_by_side([photo(4, 6, 10), photo(4, 5, 20)])[0, :, 0].tolist()
    assert row == [10] * 6 + [255] * pictures.GAP + [20] * 5


def test_side_by_side_of_one_photograph_is_the_photograph():
    one = np.random.default_rng(0).integers(0, 256, (5, 6, 3), np.uint8)
    assert (pictures.side_by_side([one]) == one).all()


def test_panel_is_written_losslessly_into_a_new_folder(tmp_path):
    photos = [np.random.default_rng(k).integers(0, 256, (9, 6, 3), np.uint8) for k in range(2)]
    path = tmp_path / "new" / "folder" / "panel.png"
    pictures.save_panel(path, photos)
    assert (np.asarray(Image.open(path)) == pictures.side_by_side(photos)).all()


@pytest.mark.parametrize(("columns", "rows"), [([1], 1), ([2, 3], 1), ([2, 4], 2), ([7, 2, 2], 3)])
def test_curves_are_one_png_five_plots_a_row(tmp_path, columns, rows):
    names = [[f"loss_{k}" for k in range(count)] for count in columns]
    curves = {f"training {k}": curve(of) for k, of in enumerate(names)}
    pictures.save_curves(tmp_path / "curves.png", curves)
    with Image.open(tmp_path / "curves.png") as image:
        assert image.format == "PNG"
        assert image.size == pytest.approx((2.8 * pictures.PLOTS_A_ROW * 80, 2.2 * rows * 80), abs=1)


def test_every_column_has_a_plot_of_its_own(tmp_path, monkeypatch):
    drawn, plot = [], Axes.plot
    monkeypatch.setattr(Axes, "plot", lambda axis, x, y: drawn.append((axis, x, y)) or plot(axis, x, y))
    pictures.save_curves(tmp_path / "curves.png", {"BGAN": curve(["cycle", "critic"]), "DBGAN": curve(["l1"])})
    steps = [1.0, 2.0, 3.0, 4.0, 5.0]
    assert [axis.get_title() for axis, _, _ in drawn] == ["BGAN: cycle", "BGAN: critic", "DBGAN: l1"]
    assert [x for _, x, _ in drawn] == [steps] * 3
    assert [y for _, _, y in drawn] == [[n / k for n in steps] for k in (2, 3, 2)]


def test_curves_of_a_single_row_can_be_drawn(tmp_path):
    pictures.save_curves(tmp_path / "curves.png", {"short": curve(["content"], rows=1)})
    assert (tmp_path / "curves.png").stat().st_size > 0


def test_equal_curves_and_panels_are_equal_bytes(tmp_path):
    for name in ("a.png", "b.png"):
        pictures.save_curves(tmp_path / name, {"pretrain": curve(["content", "psnr"])})
        pictures.save_panel(tmp_path / f"panel_{name}", [photo(8, 8, 3), photo(8, 9, 200)])
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "panel_a.png").read_bytes() == (tmp_path / "panel_b.png").read_bytes()
