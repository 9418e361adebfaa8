"""Panels: joined with white gaps, split again, and the README's pictures cut out of them."""

import numpy as np
import pytest
from PIL import Image

from dbgan import gallery, panels


def plain(height, width, level):
    return np.full((height, width, 3), level, np.uint8)


def test_a_row_is_cut_to_the_smallest_height_and_has_white_gaps():
    row = panels.join([plain(20, 30, 0), plain(16, 10, 100), plain(25, 7, 50)])
    assert row.shape == (16, 30 + 10 + 7 + 2 * panels.GAP, 3)
    assert row[0, :, 0].tolist() == [0] * 30 + [255] * panels.GAP + [100] * 10 + [255] * panels.GAP + [50] * 7
    assert panels.join([plain(4, 6, 1), plain(5, 6, 2)], axis=0)[:, 0, 0].tolist() == [1] * 4 + [255] * 8 + [2] * 5


def test_a_joined_row_is_split_into_its_photographs(photo):
    photos = [photo(k) for k in range(3)]
    assert all((a == b).all() for a, b in zip(panels.split(panels.join(photos), 3), photos, strict=True))


@pytest.mark.parametrize("picture", [plain(9, 40, 0), plain(9, 41, 255), plain(9, 10, 255)])
def test_any_other_picture_is_refused(picture):
    with pytest.raises(ValueError, match="not 3 photographs of one width"):
        panels.split(picture, 3)


@pytest.mark.parametrize(
    ("count", "limit", "expected"),
    [(0, 4, []), (1, 4, [0]), (3, 4, [0, 1, 2]), (5, 3, [0, 2, 4]), (9, 1, [0]), (9, 0, []), (6, 4, [0, 2, 3, 5])],
)
def test_evenly_spreads_indices_from_first_to_last(count, limit, expected):
    assert panels.evenly(count, limit) == expected


def test_the_gallery_holds_the_same_part_of_each_photograph(tmp_path):
    """In the panels each pixel holds the number of its photograph (red) and its row (green)."""
    rows = np.repeat(np.arange(520)[:, None] // 4, 520, axis=1).astype(np.uint8)
    for name, count, _ in (cell for rows in gallery.PICTURES.values() for cells, _ in rows for cell in cells):
        photos = [np.stack([np.full_like(rows, 60 * k), rows, np.zeros_like(rows)], axis=2) for k in range(count)]
        Image.fromarray(panels.join(photos)).save(tmp_path / f"{name}.png")
    gallery.main(tmp_path, tmp_path / "gallery")
    for file, pictures in gallery.PICTURES.items():
        picture, top = np.asarray(Image.open(tmp_path / "gallery" / file)).astype(int), 0
        for cells, (y, x) in pictures:
            for k, number in enumerate(number for _, _, shown in cells for number in range(shown)):
                red, green, _ = picture[top + 20, k * (x.stop - x.start + panels.GAP) + 20]
                assert (abs(red - 60 * number) <= 3, abs(green - (y.start + 20) // 4) <= 3) == (True, True)
            top += y.stop - y.start + panels.GAP
        assert len(picture) == top - panels.GAP
