"""Batches: a function of (seed, n), made of true pairs, in the share asked for."""

import hashlib
from collections import Counter
from itertools import permutations, product

import numpy as np
import pytest
import torch

from dbgan.data import h5
from dbgan.data.batches import BlurBatches, DeblurBatches, MixParams, patches, stream

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
    blurred = np.stack([crop(REALISTIC, i) for i in source])
    rows = h5.Rows(tmp_path / "synthetic.h5", crops, SYNTHETIC, blurred.shape[1])
    rows.append(blurred, source)
    rows.save()
    rows.finish()
    return h5.Reader(tmp_path / "synthetic.h5")


@pytest.fixture
def deblur(crops, synthetic):
    def make(realistic: float = 0.5, seed: int = 3, augment: bool = False) -> DeblurBatches:
        return DeblurBatches(crops, synthetic, MixParams(realistic=realistic), BATCH, PATCH, seed, augment)

    return make


def equal(first, second) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_item_n_is_a_function_of_seed_and_n(deblur, crops, synthetic):
    data = deblur()
    assert data.digests == [crops.digest, synthetic.digest]
    forward = [data[n] for n in range(4)]
    backward = [deblur()[n] for n in reversed(range(4))][::-1]
    assert all(equal(a, b) for a, b in zip(forward, backward, strict=True))
    assert not equal(forward[0], forward[1])
    assert not equal(forward[0], deblur(seed=4)[0])


def test_augmented_pairs_are_transposed_and_recoloured_alike(deblur):
    plain, data, ways = deblur(), deblur(augment=True), Counter()
    for n in range(60):
        assert equal(data[n], data[n])
        for pair, made in zip(zip(*plain[n], strict=True), zip(*data[n], strict=True), strict=True):
            for turn, order in product((False, True), permutations(range(3))):
                if equal([(image.transpose(0, 1) if turn else image)[..., list(order)] for image in pair], made):
                    ways[turn, order] += 1
    assert len(ways) == 12
    assert min(ways.values()) > 5
    assert sum(ways.values()) >= 60 * BATCH  # none is anything else


@pytest.mark.parametrize(("realistic", "least", "most"), [(0, 0, 0), (0.5, 160, 240), (1, 400, 400)])
def test_pairs_are_of_one_place_and_bgans_blurs_have_the_share_asked_for(deblur, realistic, least, most):
    levels, data = Counter(), deblur(realistic)
    for n in range(100):
        blurred, sharp = data[n]
        assert torch.equal(blurred[..., :2], sharp[..., :2])
        assert not sharp[..., 2].any()
        levels.update((blurred[:, 0, 0, 2] // 50).tolist())
    assert levels[PAIRED] + levels[REALISTIC] == 400
    assert least <= levels[REALISTIC] <= most


def test_a_blur_batch_holds_a_pair_and_an_unpaired_real_photograph(crops):
    data = BlurBatches(crops, BATCH, PATCH, seed=3)
    for n in range(10):
        sharp, blurred, real = data[n]
        assert torch.equal(sharp[..., :2], blurred[..., :2])
        assert not sharp[..., 2].any()
        assert blurred[..., 2].eq(50 * PAIRED).all()
        assert real[..., 2].eq(50 * REALISTIC).all()
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
        DeblurBatches(crops, synthetic, MixParams(realistic=0.5), BATCH, SIZE + 1, 0)
    with pytest.raises(ValueError, match=r"crops\.h5"):
        BlurBatches(crops, BATCH, SIZE + 1, 0)
    DeblurBatches(crops, synthetic, MixParams(realistic=0.5), BATCH, SIZE, 0)[0]


def test_blurs_of_other_crops_are_refused_with_both_files(tmp_path, synthetic):
    """Also where these are as many and as large: index i would be another photograph."""
    with h5.create(tmp_path / "other.h5") as file:
        for side, kind in (("sharp", SHARP), ("blurred", PAIRED)):
            file.write(f"paired/{side}", np.stack([crop(kind, i + 1) for i in range(CROPS)]))
    with pytest.raises(ValueError, match=r"synthetic\.h5: .*other\.h5; run the stage synthesize"):
        DeblurBatches(h5.Reader(tmp_path / "other.h5"), synthetic, MixParams(realistic=0.5), BATCH, PATCH, 0)


def test_a_patch_is_the_one_that_slicing_gives_for_both_images_of_a_pair(deblur):
    images = np.random.default_rng(1).integers(0, 256, (BATCH, SIZE, SIZE, 3), dtype=np.uint8)
    seen = set()
    for seed in range(8):
        windows = deblur().windows(np.random.default_rng(seed))
        seen |= {tuple(flips) for flips in windows[:, 2:].tolist()}
        assert torch.equal(patches(255 - images, windows, PATCH), 255 - patches(images, windows, PATCH))
        for image, patch, (y, x, down, sideways) in zip(images, patches(images, windows, PATCH), windows, strict=True):
            assert np.array_equal(patch, image[y : y + PATCH, x : x + PATCH][:: 1 - 2 * down, :: 1 - 2 * sideways])
    assert len(seen) == 4


def test_batches_are_the_same_as_ever(deblur, crops):
    """Training data of equal parameters stay equal to the last bit: SHA-256 of the first ten batches."""
    found = {}
    for name, data in (("deblur", deblur()), ("blur", BlurBatches(crops, BATCH, PATCH, seed=3))):
        content = b"".join(images.numpy().tobytes() for n in range(10) for images in data[n])
        found[name] = hashlib.sha256(content).hexdigest()[:16]
    assert found == {"deblur": "5916574fb8ba72ee", "blur": "f1d17c33cf540eb0"}


@pytest.mark.parametrize("group", [1, 2])
def test_a_stream_gives_the_batches_to_networks_in_groups(deblur, group):
    data = deblur()
    for start in (0, 3, 5):
        numbers = list(range(start * group, 5 * group))
        groups = list(stream(data, numbers, group))
        assert [len(batches) for batches in groups] == [group] * (5 - start)
        for n, batch in zip(numbers, [batch for batches in groups for batch in batches], strict=True):
            for stored, images in zip(data[n], batch, strict=True):
                assert (stored.shape, stored.dtype) == ((BATCH, PATCH, PATCH, 3), torch.uint8)
                assert images.is_contiguous(memory_format=torch.channels_last)
                assert torch.equal(images, stored.movedim(-1, 1).float() / 255)
