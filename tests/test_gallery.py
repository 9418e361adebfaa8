"""The README's gallery, cut from the evaluation's pictures."""

import numpy as np
import pytest
from PIL import Image

from dbgan import gallery
from dbgan import panels as pictures


def write(panels, size=(520, 520)):
    """Panels in which each pixel tells its photograph (red) and its row (green)."""
    rows = np.repeat(np.arange(size[0])[:, None] // 4, size[1], axis=1).astype(np.uint8)
    for name, count, *_ in (row for rows in gallery.PICTURES.values() for row in rows):
        photos = [np.stack([np.full_like(rows, 60 * k), rows, np.zeros_like(rows)], axis=2) for k in range(count)]
        pictures.save_panel(panels / f"{name}.png", photos)


def test_pictures_hold_the_same_part_of_each_photograph(tmp_path):
    write(tmp_path / "panels")
    gallery.main(tmp_path / "panels", tmp_path / "gallery")
    for file, rows in gallery.PICTURES.items():
        picture = np.asarray(Image.open(tmp_path / "gallery" / file)).astype(int)
        top = 0
        for _, count, (y, _), (high, wide) in rows:
            for k in range(count):
                red, green, _ = picture[top + 20, k * (wide + pictures.GAP) + 20]
                assert abs(red - 60 * k) <= 3
                assert abs(green - (y + 20) // 4) <= 3
            top += high + pictures.GAP
        assert picture.shape[0] == top - pictures.GAP


def test_pictures_of_another_run_are_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(ValueError, match=r"panels.test_0000\.png: not a picture"):
        gallery.main(tmp_path / "panels", tmp_path / "gallery")
    write(tmp_path / "panels", size=(100, 100))
    with pytest.raises(ValueError, match="100 x 100"):
        gallery.main(tmp_path / "panels", tmp_path / "gallery")
    assert not (tmp_path / "gallery").exists()
