"""Training batches. The batch of step n is a function of (seed, n): any number of workers gives the same ones."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from dbgan.data.augment import patch_and_flip
from dbgan.data.frames import to_float
from dbgan.data.h5 import Reader


@dataclass(frozen=True)
class MixParams:
    """What DBGAN learns from."""

    realistic: float  # share of BGAN's blurs; the rest are the paired set's

    def __post_init__(self) -> None:
        if not 0 <= self.realistic <= 1:
            raise ValueError("mix.realistic must be from 0 to 1")


class DeblurBatches(Dataset):
    """Item n: (blurred, sharp), each (batch, 3, patch, patch) in [0, 1].

    Each pair is, with the chance `mix.realistic`, a blur made by BGAN, else one of the paired set. Raises
    ValueError when the patch is larger than the crops.
    """

    def __init__(self, crops: Reader, synthetic: Reader, mix: MixParams, batch: int, patch: int, seed: int) -> None:
        _check(crops, patch)
        synthetic.length("synthetic/blurred"), synthetic.length("synthetic/source")
        self.crops, self.synthetic, self.mix = crops, synthetic, mix
        self.batch, self.patch, self.seed = batch, patch, seed

    def digests(self) -> list[str]:
        """Identity of the data."""
        return [self.crops.digest, self.synthetic.digest]

    def __getitem__(self, n: int) -> tuple[Tensor, Tensor]:
        rng = np.random.default_rng([self.seed, n])
        pairs = [patch_and_flip(self._pair(rng), self.patch, rng) for _ in range(self.batch)]
        blurred, sharp = (to_float(np.stack(images)) for images in zip(*pairs, strict=True))
        return blurred, sharp

    def _pair(self, rng: np.random.Generator) -> list[np.ndarray]:
        if rng.random() < self.mix.realistic:
            i = rng.integers(self.synthetic.length("synthetic/blurred"))
            source = self.synthetic.rows("synthetic/source", i)
            return [self.synthetic.rows("synthetic/blurred", i), self.crops.rows("paired/sharp", source)]
        i = rng.integers(self.crops.length("paired/sharp"))
        return [self.crops.rows("paired/blurred", i), self.crops.rows("paired/sharp", i)]


class BlurBatches(Dataset):
    """Item n: (sharp, blurred, real), each (batch, 3, patch, patch) in [0, 1].

    sharp and blurred are a pair; real is an unpaired real blurred photograph. Without a real-blur set the
    blurred halves of other pairs stand in for it.
    """

    def __init__(self, crops: Reader, batch: int, patch: int, seed: int) -> None:
        _check(crops, patch)
        self.crops, self.batch, self.patch, self.seed = crops, batch, patch, seed
        self.real = "real/blurred" if "real/blurred" in crops else "paired/blurred"

    def __getitem__(self, n: int) -> tuple[Tensor, Tensor, Tensor]:
        rng = np.random.default_rng([self.seed, n])
        triples = [self._triple(rng) for _ in range(self.batch)]
        sharp, blurred, real = (to_float(np.stack(images)) for images in zip(*triples, strict=True))
        return sharp, blurred, real

    def _triple(self, rng: np.random.Generator) -> list[np.ndarray]:
        i = rng.integers(self.crops.length("paired/sharp"))
        j = rng.integers(self.crops.length(self.real))
        pair = [self.crops.rows(f"paired/{half}", i) for half in ("sharp", "blurred")]
        return patch_and_flip(pair, self.patch, rng) + patch_and_flip([self.crops.rows(self.real, j)], self.patch, rng)


def _check(crops: Reader, patch: int) -> None:
    size = crops.rows("paired/sharp", 0).shape[0]
    if patch > size:
        raise ValueError(f"{crops.path}: a patch of {patch} pixels does not fit into its crops of {size}")


def stream(data: Dataset, start: int, steps: int, accumulate: int, workers: int) -> Iterator[list[tuple]]:
    """For each step after `start` up to `steps`, the `accumulate` batches whose gradients it adds up."""
    order = range(start * accumulate, steps * accumulate)
    loader = DataLoader(data, batch_size=None, sampler=order, num_workers=workers, pin_memory=torch.cuda.is_available())
    batches = iter(loader)
    while group := list(islice(batches, accumulate)):
        yield group
