"""Batches: a function of (seed, n), made of true pairs, in the share asked for."""

from collections import Counter

import numpy as np
import pytest
import torch

from dbgan.data import h5, photos
from dbgan.data.batches import BlurBatches, DeblurBatches, MixParams, stream

SIZE, PATCH, BATCH, CROPS, REAL, SYNTHETIC = 12, 8, 4, 5, 3, 10
SHARP, PAIRED, REALISTIC = range(3)  # blue says what a pixel belongs to; red and green where it lies


def crop(kind: int, index: int) -> np.ndarray:
    y, x = np.mgrid[:SIZE, :SIZE]
    return np.stack([20 * index + y, 20 * index + x, np.full_like(y, 50 * kind)], axis=-1).astype(np.uint8)


@pytest.fixture
def crops(tmp_path) -> h5.Reader:
    with h5.create(tmp_path / "crops.h5") as file:
        file.write("paired/sharp", np.stack([crop(SHARP, i) for i in range(CROPS)]))
        file.write("paired/blurred", np.stack([crop(PAIRED, i) for i in range(CROPS)]))
        file.write("real/blurred", np.stack([crop(REALISTIC, 8 + i) for i in range(REAL)]))
    return h5.Reader(tmp_path / "crops.h5")


@pytest.fixture
def synthetic(tmp_path, crops) -> h5.Reader:
    """Two blurs of each sharp crop, in an order of their own, so that `source` is needed."""
    source = np.arange(SYNTHETIC)[::-1] % CROPS
    with h5.create(tmp_path / "synthetic.h5") as file:
        file.made_of(crops)
        file.write("synthetic/blurred", np.stack([crop(REALISTIC, i) for i in source]))
        file.write("synthetic/source", source)
    return h5.Reader(tmp_path / "synthetic.h5")


@pytest.fixture
def deblur(crops, synthetic):
    def make(realistic: float = 0.5, seed: int = 3, share: slice = slice(None)) -> DeblurBatches:
        return DeblurBatches(crops, synthetic, MixParams(realistic), BATCH, PATCH, seed, share)

    return make


def kinds(data: DeblurBatches, count: int) -> Counter:
    levels = [data[n][0][:, 0, 0, 2].tolist() for n in range(count)]
    return Counter(level // 50 for batch in levels for level in batch)


def equal(first, second) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_batch_holds_images_in_bytes_and_a_stream_gives_them_to_networks(deblur):
    (batch,), *_ = stream(deblur(), 0, 1, accumulate=1, workers=0)
    for stored, images in zip(deblur()[0], batch, strict=True):
        assert stored.shape == (BATCH, PATCH, PATCH, 3)
        assert stored.dtype == torch.uint8
        assert images.shape == (BATCH, 3, PATCH, PATCH)
        assert images.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(images, stored.movedim(-1, 1).float() / 255)


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
        assert torch.equal(blurred[..., :2], sharp[..., :2])
        assert not sharp[..., 2].any()
        assert (blurred[..., 2] > 0).all()


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
        assert torch.equal(sharp[..., :2], blurred[..., :2])
        assert not sharp[..., 2].any()
        assert blurred[..., 2].eq(50 * PAIRED).all()
        assert real[..., 2].eq(50 * REALISTIC).all()
        unlike += not torch.equal(real[0, ..., :2] % 20, sharp[0, ..., :2] % 20)
    assert unlike > 5  # the real one is cut elsewhere
    assert equal(data[4], BlurBatches(crops, BATCH, PATCH, seed=3)[4])
    assert not equal(data[4], BlurBatches(crops, BATCH, PATCH, seed=4)[4])


def test_without_real_photographs_blurred_halves_stand_in(tmp_path):
    with h5.create(tmp_path / "crops.h5") as file:
        file.write("paired/sharp", np.stack([crop(SHARP, i) for i in range(CROPS)]))
        file.write("paired/blurred", np.stack([crop(PAIRED, i) for i in range(CROPS)]))
    *_, real = BlurBatches(h5.Reader(tmp_path / "crops.h5"), BATCH, PATCH, seed=3)[0]
    assert real[..., 2].eq(50 * PAIRED).all()


def test_a_patch_larger_than_the_crops_is_refused_with_the_file(crops, synthetic):
    with pytest.raises(ValueError, match=r"crops\.h5: a patch of 13 pixels .* 12"):
        DeblurBatches(crops, synthetic, MixParams(0.5), BATCH, SIZE + 1, 0)
    with pytest.raises(ValueError, match=r"crops\.h5"):
        BlurBatches(crops, BATCH, SIZE + 1, 0)
    DeblurBatches(crops, synthetic, MixParams(0.5), BATCH, SIZE, 0)[0]


def test_blurs_of_other_crops_are_refused_with_both_files(tmp_path, synthetic):
    """Also where these are as many and as large: index i would be another photograph."""
    with h5.create(tmp_path / "other.h5") as file:
        for side, kind in (("sharp", SHARP), ("blurred", PAIRED)):
            file.write(f"paired/{side}", np.stack([crop(kind, i + 1) for i in range(CROPS)]))
    with pytest.raises(ValueError, match=r"synthetic\.h5: .*other\.h5; run the stage synthesize"):
        DeblurBatches(h5.Reader(tmp_path / "other.h5"), synthetic, MixParams(0.5), BATCH, PATCH, 0)


def test_digests_name_both_files(deblur, crops, synthetic):
    assert deblur().digests() == [crops.digest, synthetic.digest]


@pytest.mark.parametrize("ranks", [1, 2, 4])
@pytest.mark.parametrize("kind", ["deblur", "blur"])
def test_the_shares_of_all_ranks_make_up_the_batch(deblur, crops, kind, ranks):
    def data(share: slice) -> DeblurBatches | BlurBatches:
        return deblur(share=share) if kind == "deblur" else BlurBatches(crops, BATCH, PATCH, 3, share)

    width = BATCH // ranks
    for n in range(3):
        parts = [data(slice(rank * width, (rank + 1) * width))[n] for rank in range(ranks)]
        assert equal([torch.cat(images) for images in zip(*parts, strict=True)], data(slice(None))[n])


@pytest.mark.parametrize("workers", [0, 1, 3])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_stream_is_the_same_with_workers_and_when_it_starts_later(deblur, workers, accumulate):
    expected = [[deblur()[accumulate * step + k] for k in range(accumulate)] for step in range(5)]
    for start in (0, 3, 5):
        groups = list(stream(deblur(), start, 5, accumulate, workers))
        assert [len(group) for group in groups] == [accumulate] * (5 - start)
        for group, want in zip(groups, expected[start:], strict=True):
            for images, stored in zip(group, want, strict=True):
                assert equal(images, [photos.to_float(side) for side in stored])


def test_reading_runs_ahead_of_the_training(deblur):
    """The batch of the next step is made before the training asks for it."""
    made, data = [], deblur()

    class Watched:
        def __getitem__(self, n: int):
            made.append(n)
            return data[n]

    batches = stream(Watched(), 0, 50, accumulate=1, workers=2)
    next(batches)
    assert 1 in made
    assert len(made) < 6
    batches.close()
