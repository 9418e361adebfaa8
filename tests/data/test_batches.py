"""Batches: a function of (seed, n), made of true pairs, in the share asked for."""

from collections import Counter

import numpy as np
import pytest
import torch

from dbgan.data import h5
from dbgan.data.batches import BlurBatches, DeblurBatches, MixParams, stream

SIZE, PATCH, BATCH, CROPS, REAL, SYNTHETIC = 12, 8, 4, 5, 3, 10
SHARP, PAIRED, REALISTIC = range(3)  # blue says what a pixel belongs to; red and green where it lies


def crop(kind: int, index: int) -> np.ndarray:
    y, x = np.mgrid[:SIZE, :SIZE]
    return np.stack([20 * index + y, 20 * index + x, np.full_like(y, 50 * kind)], axis=-1).astype(np.uint8)


@pytest.fixture
def crops(tmp_path) -> h5.Reader:
    with h5.create(tmp_path / "crops.h5") as file:
        file.append("paired/sharp", np.stack([crop(SHARP, i) for i in range(CROPS)]))
        file.append("paired/blurred", np.stack([crop(PAIRED, i) for i in range(CROPS)]))
        file.append("real/blurred", np.stack([crop(REALISTIC, 8 + i) for i in range(REAL)]))
    return h5.Reader(tmp_path / "crops.h5")


@pytest.fixture
def synthetic(tmp_path) -> h5.Reader:
    """Two blurs of each sharp crop, in an order of their own, so that `source` is needed."""
    source = np.arange(SYNTHETIC)[::-1] % CROPS
    with h5.create(tmp_path / "synthetic.h5") as file:
        file.append("synthetic/blurred", np.stack([crop(REALISTIC, i) for i in source]))
        file.append("synthetic/source", source)
    return h5.Reader(tmp_path / "synthetic.h5")


@pytest.fixture
def deblur(crops, synthetic):
    return lambda realistic=0.5, seed=3: DeblurBatches(crops, synthetic, MixParams(realistic), BATCH, PATCH, seed)


def kinds(data: DeblurBatches, count: int) -> Counter:
    levels = [(data[n][0][:, 2, 0, 0] * 255).round().int().tolist() for n in range(count)]
    return Counter(level // 50 for batch in levels for level in batch)


def equal(first, second) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_batch_has_the_shape_and_range_of_images(deblur):
    for images in deblur()[0]:
        assert images.shape == (BATCH, 3, PATCH, PATCH)
        assert images.dtype == torch.float32
        assert images.min() >= 0
        assert images.max() <= 1


def test_item_n_is_a_function_of_seed_and_n(deblur):
    data = deblur()
    forward = [data[n] for n in range(4)]
    backward = [deblur()[n] for n in reversed(range(4))][::-1]
    assert all(equal(a, b) for a, b in zip(forward, backward, strict=True))
    assert not equal(forward[0], forward[1])
    assert not equal(forward[0], deblur(seed=4)[0])


@pytest.mark.parametrize("realistic", [0, 0.5, 1])
def test_a_blurred_image_and_its_sharp_one_are_the_same_place(deblur, realistic):
    data = deblur(realistic)
    for n in range(10):
        blurred, sharp = data[n]
        assert torch.equal(blurred[:, :2], sharp[:, :2])
        assert not sharp[:, 2].any()
        assert (blurred[:, 2] > 0).all()


@pytest.mark.parametrize(("realistic", "kind"), [(0, PAIRED), (1, REALISTIC)])
def test_a_share_of_none_or_all_is_exactly_that(deblur, realistic, kind):
    assert kinds(deblur(realistic), 20) == {kind: 20 * BATCH}


def test_a_share_of_half_is_about_half(deblur):
    counts = kinds(deblur(0.5), 100)
    assert counts.keys() == {PAIRED, REALISTIC}
    assert 160 <= counts[REALISTIC] <= 240


@pytest.mark.parametrize("realistic", [-0.1, 1.1])
def test_a_share_beyond_all_is_refused(realistic):
    with pytest.raises(ValueError, match=r"mix\.realistic must be from 0 to 1"):
        MixParams(realistic)


def test_a_blur_batch_holds_a_pair_and_an_unpaired_real_photograph(crops):
    data = BlurBatches(crops, BATCH, PATCH, seed=3)
    unlike = 0
    for n in range(10):
        sharp, blurred, real = data[n]
        assert torch.equal(sharp[:, :2], blurred[:, :2])
        assert not sharp[:, 2].any()
        assert (blurred[:, 2] * 255).round().eq(50 * PAIRED).all()
        assert (real[:, 2] * 255).round().eq(50 * REALISTIC).all()
        unlike += not torch.equal(real[0, :2] % (20 / 255), sharp[0, :2] % (20 / 255))
    assert unlike > 5  # the real one is cut elsewhere
    assert equal(data[4], BlurBatches(crops, BATCH, PATCH, seed=3)[4])
    assert not equal(data[4], BlurBatches(crops, BATCH, PATCH, seed=4)[4])


def test_without_real_photographs_blurred_halves_stand_in(tmp_path):
    with h5.create(tmp_path / "crops.h5") as file:
        file.append("paired/sharp", np.stack([crop(SHARP, i) for i in range(CROPS)]))
        file.append("paired/blurred", np.stack([crop(PAIRED, i) for i in range(CROPS)]))
    *_, real = BlurBatches(h5.Reader(tmp_path / "crops.h5"), BATCH, PATCH, seed=3)[0]
    assert (real[:, 2] * 255).round().eq(50 * PAIRED).all()


def test_a_patch_larger_than_the_crops_is_refused_with_the_file(crops, synthetic):
    with pytest.raises(ValueError, match=r"crops\.h5: a patch of 13 pixels .* 12"):
        DeblurBatches(crops, synthetic, MixParams(0.5), BATCH, SIZE + 1, 0)
    with pytest.raises(ValueError, match=r"crops\.h5"):
        BlurBatches(crops, BATCH, SIZE + 1, 0)
    DeblurBatches(crops, synthetic, MixParams(0.5), BATCH, SIZE, 0)[0]


def test_digests_name_both_files(deblur, crops, synthetic):
    assert deblur().digests() == [crops.digest, synthetic.digest]


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # more workers than cores
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("workers", [0, 2])
def test_a_stream_is_the_same_with_workers_and_when_it_starts_later(deblur, workers):
    expected = [[deblur()[2 * step], deblur()[2 * step + 1]] for step in range(5)]
    for start in (0, 3):
        groups = list(stream(deblur(), start, 5, accumulate=2, workers=workers))
        assert len(groups) == 5 - start
        for group, want in zip(groups, expected[start:], strict=True):
            assert len(group) == 2
            assert all(equal(a, b) for a, b in zip(group, want, strict=True))
