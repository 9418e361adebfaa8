"""JPEG as tensors, against Pillow's."""

import io

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image, UnidentifiedImageError
from skimage import data

from dbgan.data import development, photos


def tables_at(quality, tmp_path, size=(8, 8)):
    Image.new("RGB", size).save(path := tmp_path / f"{quality}.jpg", quality=quality)
    return development.tables(path)


def pillows(image, quality):
    Image.fromarray(image).save(memory := io.BytesIO(), "JPEG", quality=quality)
    return np.asarray(Image.open(memory)).astype(float)


@pytest.mark.parametrize("quality", [20, 80, 95])
@pytest.mark.parametrize(("grey", "most", "share"), [(True, 0.3, 1 / 4), (False, 1, 1 / 2)])
def test_jpeg_is_pillow_s_at_any_size(tmp_path, quality, grey, most, share):
    """Up to the levels that Pillow rounds luminance and colours to on its way."""
    image = data.astronaut()[:203, 100:290]
    image = np.repeat(image[..., :1], 3, axis=2) if grey else image
    tables = torch.from_numpy(tables_at(quality, tmp_path))[None].float()
    found = photos.to_uint8(development.jpeg(photos.to_float(image)[None], tables))[0].astype(float)
    expected = pillows(image, quality)
    difference, change = np.abs(found - expected).mean(), np.abs(expected - image).mean()
    assert difference < min(most, share * change)
    assert np.abs(found.mean((0, 1)) - expected.mean((0, 1))).max() < 0.5


def test_tables_of_zeros_leave_a_photograph_alone_and_each_has_its_own(tmp_path):
    image = photos.to_float(data.astronaut()[:21, 100:117])
    batch = torch.stack([image * 1.2 - 0.1] * 3)
    coarse, fine = (torch.from_numpy(tables_at(quality, tmp_path)).float() for quality in (20, 95))
    found = development.jpeg(batch, torch.stack([torch.zeros(2, 8, 8), coarse, fine]))
    assert found[0].equal(batch[0])
    for k, table in ((1, coarse), (2, fine)):
        assert found[k : k + 1].allclose(development.jpeg(batch[k : k + 1], table[None]), atol=1e-6)
        assert found[k].min() >= 0 and found[k].max() <= 1
    assert (found[1] - batch[1]).abs().mean() > 1.5 * (found[2] - batch[2]).abs().mean()


def test_gradients_are_passed_on_as_if_nothing_were_rounded(tmp_path):
    """Of a plain grey wall each pixel's share of the mean, and no less where the table is coarse."""
    wall = torch.full((1, 3, 32, 32), 0.4, requires_grad=True)
    development.jpeg(wall, torch.from_numpy(tables_at(20, tmp_path))[None].float()).mean().backward()
    torch.testing.assert_close(wall.grad, torch.full_like(wall, 1 / wall.numel()), rtol=1e-3, atol=0)


def test_tables_of_files_are_those_of_the_standard(tmp_path):
    luminance, colour = tables_at(50, tmp_path)  # at quality 50 those of ITU T.81, annex K
    assert luminance[0].tolist() == [16, 11, 10, 16, 24, 40, 51, 61]
    assert luminance[:, 0].tolist() == [16, 12, 14, 14, 18, 24, 49, 72]
    assert colour[0, :4].tolist() == [17, 18, 24, 47]
    Image.new("L", (8, 8)).save(tmp_path / "grey.jpg", quality=50)
    assert np.array_equal(development.tables(tmp_path / "grey.jpg"), [luminance, luminance])


def test_files_of_other_kinds_have_no_tables_even_those_that_pillow_cannot_read(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    tifffile.imwrite(tmp_path / "b.tif", np.full((8, 8, 3), 0.5, np.float32), photometric="rgb")
    with pytest.raises(UnidentifiedImageError):
        Image.open(tmp_path / "b.tif")
    assert photos.read(tmp_path / "b.tif")[0].shape == (8, 8, 3)
    for name in ("a.png", "b.tif"):
        assert not development.tables(tmp_path / name).any()
