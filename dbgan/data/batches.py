"""Training batches. Batch n is a function of (seed, n), whatever was read before it."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Protocol

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from dbgan.data.h5 import Reader
from dbgan.data.photos import to_float
from dbgan.settings import Params
from dbgan.utils import ordered


class MixParams(Params):
    realistic: Annotated[float, Field(ge=0, le=1)]  # share of BGAN's blurs; the rest are the paired set's


class Batches(Protocol):
    """Batches by their number, each a tuple of (batch, patch, patch, 3) uint8."""

    digests: list[str]  # of the files that they are read from

    def __getitem__(self, n: int) -> tuple[Tensor, ...]: ...


class DeblurBatches:
    """Batch n: (blurred, sharp). Each pair is, with the chance `mix.realistic`, BGAN's blur, else of the paired set.

    Raises ValueError when the patch is larger than the crops, or the blurs were made of other crops.
    """

    def __init__(self, crops: Reader, synthetic: Reader, mix: MixParams, batch: int, patch: int, seed: int) -> None:
        self.side = _side(crops, patch)
        self.counts = [synthetic.length("synthetic/blurred"), crops.length("paired/sharp")]
        if synthetic.made_of != crops.digest:
            raise ValueError(f"{synthetic.path}: not made of the crops in {crops.path}; run the stage synthesize again")
        self.crops, self.synthetic, self.mix = crops, synthetic, mix
        self.batch, self.patch, self.seed = batch, patch, seed
        self.digests = [crops.digest, synthetic.digest]

    def __getitem__(self, n: int) -> tuple[Tensor, Tensor]:
        rng = np.random.default_rng([self.seed, n])
        made = rng.random(self.batch) < self.mix.realistic
        which = np.where(made, *rng.integers(self.counts, size=(self.batch, 2)).T)
        windows = random_windows(rng, self.batch, self.side, self.patch)
        pairs = [self._pair(of_bgan, i) for of_bgan, i in zip(made.tolist(), which.tolist(), strict=True)]
        blurred, sharp = (patches(images, windows, self.patch) for images in zip(*pairs, strict=True))
        return blurred, sharp

    def _pair(self, of_bgan: bool, i: int) -> tuple[np.ndarray, np.ndarray]:
        if of_bgan:
            source = int(self.synthetic.rows("synthetic/source", i))
            return self.synthetic.rows("synthetic/blurred", i), self.crops.rows("paired/sharp", source)
        return self.crops.rows("paired/blurred", i), self.crops.rows("paired/sharp", i)


class BlurBatches:
    """Batch n: (sharp, blurred, real): pairs, and unpaired photographs with real blur.

    Without a set of real blur the blurred halves of other pairs stand in for it.
    """

    def __init__(self, crops: Reader, batch: int, patch: int, seed: int) -> None:
        self.side = _side(crops, patch)
        self.crops, self.batch, self.patch, self.seed = crops, batch, patch, seed
        self.real = "real/blurred" if "real/blurred" in crops else "paired/blurred"
        self.digests = [crops.digest]

    def __getitem__(self, n: int) -> tuple[Tensor, Tensor, Tensor]:
        rng = np.random.default_rng([self.seed, n])
        pairs, real = (rng.integers(self.crops.length(of), size=self.batch) for of in ("paired/sharp", self.real))
        here, elsewhere = (random_windows(rng, self.batch, self.side, self.patch) for _ in range(2))

        def read(name: str, which: np.ndarray, windows: np.ndarray) -> Tensor:
            return patches([self.crops.rows(name, i) for i in which.tolist()], windows, self.patch)

        return read("paired/sharp", pairs, here), read("paired/blurred", pairs, here), read(self.real, real, elsewhere)


def random_windows(rng: np.random.Generator, batch: int, side: int, patch: int) -> np.ndarray:
    """Patches and flips for a batch (paper: random 128 x 128 crops and flips) of images of `side` pixels: (batch, 4) of
    y, x, flipped vertically, flipped horizontally."""
    room = side - patch + 1
    return rng.integers([room, room, 2, 2], size=(batch, 4))


def patches(images: Iterable[np.ndarray], windows: np.ndarray, patch: int) -> Tensor:
    """The patch of each image (H, W, 3) uint8 at its row of `random_windows`: (batch, patch, patch, 3) uint8."""
    cut = [
        image[y : y + patch, x : x + patch][:: 1 - 2 * vertically, :: 1 - 2 * horizontally]
        for image, (y, x, vertically, horizontally) in zip(images, windows.tolist(), strict=True)
    ]
    return torch.from_numpy(np.stack(cut))


def _side(crops: Reader, patch: int) -> int:
    side = crops.rows("paired/sharp", 0).shape[0]
    if patch > side:
        raise ValueError(f"{crops.path}: a patch of {patch} pixels does not fit into its crops of {side}")
    return side


def stream(
    data: Batches, numbers: Iterable[int], group: int, device: torch.device | str = "cpu"
) -> Iterator[list[tuple[Tensor, ...]]]:
    """The batches of these numbers, `group` at a time: tensors (batch, 3, patch, patch) in [0, 1] on `device`, channels
    last in memory.

    One thread reads ahead. To a GPU each group is on its way, from pinned memory and as bytes, before the group before
    it is given out.
    """
    gpu = torch.device(device).type == "cuda"

    def read(n: int) -> tuple[Tensor, ...]:
        return tuple(images.pin_memory() if gpu else to_float(images.numpy()) for images in data[n])

    def sent(images: Tensor) -> Tensor:
        return to_float(images.to(device, non_blocking=True)) if gpu else images

    ahead: list[tuple[Tensor, ...]] = []
    for batch in ordered(read, numbers, workers=1):
        ahead.append(tuple(map(sent, batch)))
        if len(ahead) == 2 * group:
            yield ahead[:group]
            del ahead[:group]
    if ahead:
        yield ahead
