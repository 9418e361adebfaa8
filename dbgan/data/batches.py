"""Training batches. Batch n is a function of (seed, n): any number of workers and of ranks gives the same ones."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from dbgan import utils
from dbgan.data import augment
from dbgan.data.h5 import Reader
from dbgan.data.photos import to_float

ALL = slice(None)


@dataclass(frozen=True)
class MixParams:
    """What DBGAN learns from."""

    realistic: float  # share of BGAN's blurs; the rest are the paired set's

    def __post_init__(self) -> None:
        if not 0 <= self.realistic <= 1:
            raise ValueError("mix.realistic must be from 0 to 1")


class DeblurBatches:
    """Item n: (blurred, sharp), each (batch, patch, patch, 3) uint8, of which `share` is read.

    Each pair is, with the chance `mix.realistic`, a blur made by BGAN, else one of the paired set. All of a batch is
    drawn whatever the share, so shares that make up a batch are that batch. Raises ValueError when the patch is
    larger than the crops, or the blurs are those of other crops.
    """

    def __init__(
        self, crops: Reader, synthetic: Reader, mix: MixParams, batch: int, patch: int, seed: int, share: slice = ALL
    ) -> None:
        self.size = _size(crops, patch)
        synthetic.length("synthetic/blurred"), synthetic.length("synthetic/source")
        if synthetic.made_of != crops.digest:
            raise ValueError(f"{synthetic.path}: not made of the crops in {crops.path}; run the stage synthesize again")
        self.crops, self.synthetic, self.mix = crops, synthetic, mix
        self.batch, self.patch, self.seed, self.share = batch, patch, seed, share

    def digests(self) -> list[str]:
        """Identity of the data."""
        return [self.crops.digest, self.synthetic.digest]

    def __getitem__(self, n: int) -> tuple[Tensor, Tensor]:
        rng = np.random.default_rng([self.seed, n])
        made = rng.random(self.batch) < self.mix.realistic
        counts = [self.synthetic.length("synthetic/blurred"), self.crops.length("paired/sharp")]
        which = np.where(made, *rng.integers(counts, size=(self.batch, 2)).T)
        places = augment.places(rng, self.batch, self.size, self.patch)[self.share]
        drawn = zip(made[self.share].tolist(), which[self.share].tolist(), strict=True)
        pairs = [self._made(i) if from_bgan else self._paired(i) for from_bgan, i in drawn]
        blurred, sharp = (augment.patches(images, places, self.patch) for images in zip(*pairs, strict=True))
        return torch.from_numpy(blurred), torch.from_numpy(sharp)

    def _made(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        source = int(self.synthetic.rows("synthetic/source", i))
        return self.synthetic.rows("synthetic/blurred", i), self.crops.rows("paired/sharp", source)

    def _paired(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        return self.crops.rows("paired/blurred", i), self.crops.rows("paired/sharp", i)


class BlurBatches:
    """Item n: (sharp, blurred, real), each (batch, patch, patch, 3) uint8, of which `share` is read.

    sharp and blurred are a pair; real is an unpaired real blurred photograph. Without a real-blur set the
    blurred halves of other pairs stand in for it.
    """

    def __init__(self, crops: Reader, batch: int, patch: int, seed: int, share: slice = ALL) -> None:
        self.size = _size(crops, patch)
        self.crops, self.batch, self.patch, self.seed, self.share = crops, batch, patch, seed, share
        self.real = "real/blurred" if "real/blurred" in crops else "paired/blurred"

    def __getitem__(self, n: int) -> tuple[Tensor, Tensor, Tensor]:
        rng = np.random.default_rng([self.seed, n])
        paired, real = (rng.integers(self.crops.length(of), size=self.batch) for of in ("paired/sharp", self.real))
        at, elsewhere = (augment.places(rng, self.batch, self.size, self.patch)[self.share] for _ in range(2))

        def read(name: str, which: np.ndarray, places: np.ndarray) -> Tensor:
            images = (self.crops.rows(name, i) for i in which[self.share].tolist())
            return torch.from_numpy(augment.patches(images, places, self.patch))

        return read("paired/sharp", paired, at), read("paired/blurred", paired, at), read(self.real, real, elsewhere)


def _size(crops: Reader, patch: int) -> int:
    size = crops.rows("paired/sharp", 0).shape[0]
    if patch > size:
        raise ValueError(f"{crops.path}: a patch of {patch} pixels does not fit into its crops of {size}")
    return size


class Batches(Protocol):
    """Batches by their number: all of them, or a Subset."""

    def __getitem__(self, n: int) -> tuple[Tensor, ...]: ...


def stream(
    data: Batches,
    start: int,
    steps: int,
    accumulate: int,
    workers: int,
    device: torch.device | str = "cpu",
) -> Iterator[list[tuple[Tensor, ...]]]:
    """For each step after `start` up to `steps`, the `accumulate` batches whose gradients it adds up: tensors
    (batch, 3, patch, patch) in [0, 1] on `device`, channels last in memory.

    A thread reads ahead where there are workers; more than one would only wait for each other. To a GPU each step's
    batches are on their way, from pinned memory and as bytes, before the step before them is given out.
    """
    gpu = torch.device(device).type == "cuda"

    def read(n: int) -> tuple[Tensor, ...]:
        return tuple(images.pin_memory() if gpu else to_float(images.numpy()) for images in data[n])

    def sent(images: Tensor) -> Tensor:
        return to_float(images.to(device, non_blocking=True)) if gpu else images

    ahead: list[tuple[Tensor, ...]] = []
    for batch in utils.ordered(read, range(start * accumulate, steps * accumulate), min(workers, 1)):
        ahead.append(tuple(map(sent, batch)))
        if len(ahead) == 2 * accumulate:
            yield ahead[:accumulate]
            del ahead[:accumulate]
    if ahead:
        yield ahead
