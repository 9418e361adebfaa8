"""Pictures in the page: cut where the evaluation joined them, and small enough together."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from dbgan import panels as pictures
from dbgan.reporting import images


def decoded(uri):
    head, _, data = uri.partition(",")
    assert head == "data:image/webp;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_a_panel_is_cut_into_what_it_was_made_of(tmp_path, photo, count):
    photos = [photo(k) for k in range(count)]
    pictures.save_panel(tmp_path / "panel.png", photos)
    cut = images.photographs(tmp_path / "panel.png", count)
    assert [np.array_equal(np.asarray(a), b) for a, b in zip(cut, photos, strict=True)] == [True] * count


def test_a_panel_beyond_pillows_limit_is_read_and_the_limit_stays(tmp_path, photo, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    pictures.save_panel(tmp_path / "panel.png", [photo(0), photo(1)])
    assert len(images.photographs(tmp_path / "panel.png", 2)) == 2
    assert Image.MAX_IMAGE_PIXELS == 100


def test_a_panel_of_other_parts_is_named(tmp_path, photo):
    pictures.save_panel(tmp_path / "panel.png", [photo(0), photo(1)])
    with pytest.raises(ValueError, match=r"panel\.png: not 3 photographs of one width"):
        images.photographs(tmp_path / "panel.png", 3)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_a_panel_that_is_no_picture_is_named(tmp_path, content):
    (tmp_path / "panel.png").write_bytes(content)
    with pytest.raises(ValueError, match=r"panel\.png: not a picture that can be read"):
        images.photographs(tmp_path / "panel.png", 2)


def test_pictures_within_the_budget_keep_their_size_and_look(photo):
    image = Image.fromarray(np.full((40, 64, 3), (200, 100, 50), np.uint8))
    [uri] = images.data_uris([image], 100_000)
    assert decoded(uri).size == (64, 40)
    assert np.abs(np.asarray(decoded(uri).convert("RGB")).astype(int) - (200, 100, 50)).max() <= 3


@pytest.mark.parametrize("budget", [150_000, 50_000])
def test_pictures_shrink_until_all_fit(photo, budget):
    many = [Image.fromarray(photo(k, 300, 200)) for k in range(3)]
    uris = images.data_uris(many, budget)
    assert sum(map(len, uris)) <= budget
    assert {decoded(uri).size for uri in uris} == {decoded(uris[0]).size}
    assert sum(map(len, uris)) > budget / 2


def test_panels_larger_than_the_page_are_made_smaller_at_once(tmp_path, photo):
    pictures.save_panel(tmp_path / "panel.png", [photo(0, 300, 2 * images.LONGEST)])
    assert images.photographs(tmp_path / "panel.png", 1)[0].size == (images.LONGEST, 150)


@pytest.mark.parametrize(
    ("numbers", "limit", "kept"), [([], 3, []), ([4, 9], 3, [4, 9]), (list(range(9)), 3, [0, 4, 8])]
)
def test_numbers_are_taken_evenly(numbers, limit, kept):
    assert images.evenly(numbers, limit) == kept
