"""Training batches. Batch n is a function of (seed, n), whatever was read before it."""

from collections.abc import Iterable, Iterator
from typing import Annotated

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


class Batches:
    """Batches by their number, each a tuple of (batch, patch, patch, 3) uint8."""

    def __init__(self, crops: Reader, batch: int, patch: int, seed: int) -> None:
        self.side = crops.rows("paired/sharp", 0).shape[0]
        if patch > self.side:
            raise ValueError(f"{crops.path}: a patch of {patch} pixels does not fit into its crops of {self.side}")
        self.crops, self.batch, self.patch, self.seed = crops, batch, patch, seed
        self.digests = [crops.digest]  # of the files that are read

    def __getitem__(self, n: int) -> tuple[Tensor, ...]:
        drawn = self.draw(np.random.default_rng([self.seed, n]))
        return tuple(patches(images, windows, self.patch) for images, windows in drawn)

    def draw(self, rng: np.random.Generator) -> Iterator[tuple[Iterable[np.ndarray], np.ndarray]]:
        """The crops and the windows of each of a batch's tensors."""
        raise NotImplementedError

    def windows(self, rng: np.random.Generator) -> np.ndarray:
        """Patches and flips (paper: random patches and flips): (batch, 4) of y, x, vertical and horizontal flip."""
        room = self.side - self.patch + 1
        return rng.integers([room, room, 2, 2], size=(self.batch, 4))


class DeblurBatches(Batches):
    """Batch n: (blurred, sharp). Each pair is, with the chance `mix.realistic`, BGAN's blur, else of the paired set."""

    def __init__(
        self,
        crops: Reader,
        synthetic: Reader,
        mix: MixParams,
        batch: int,
        patch: int,
        seed: int,
        augment: bool = False,
    ) -> None:
        super().__init__(crops, batch, patch, seed)
        self.augment = augment  # each pair is transposed or not, too, and its colours come in any order
        self.counts = [synthetic.length("synthetic/blurred"), crops.length("paired/sharp")]
        if synthetic.made_of != crops.digest:
            raise ValueError(f"{synthetic.path}: not made of the crops in {crops.path}; run the stage synthesize again")
        self.synthetic, self.mix = synthetic, mix
        self.digests.append(synthetic.digest)

    def __getitem__(self, n: int) -> tuple[Tensor, ...]:
        images = super().__getitem__(n)
        return augmented(images, np.random.default_rng([self.seed, n, 1])) if self.augment else images

    def draw(self, rng: np.random.Generator) -> Iterator[tuple[Iterable[np.ndarray], np.ndarray]]:
        made = rng.random(self.batch) < self.mix.realistic
        of_synthetic, of_paired = rng.integers(self.counts, size=(self.batch, 2)).T
        which = np.where(made, of_synthetic, of_paired).tolist()
        windows = self.windows(rng)
        pairs = [self.pair(of_bgan, i) for of_bgan, i in zip(made, which, strict=True)]
        return ((images, windows) for images in zip(*pairs, strict=True))

    def pair(self, of_bgan: bool, i: int) -> tuple[np.ndarray, np.ndarray]:
        if of_bgan:
            source = int(self.synthetic.rows("synthetic/source", i))
            return self.synthetic.rows("synthetic/blurred", i), self.crops.rows("paired/sharp", source)
        return self.crops.rows("paired/blurred", i), self.crops.rows("paired/sharp", i)


class BlurBatches(Batches):
    """Batch n: (sharp, blurred, real): pairs, and unpaired photographs with real blur; without a set of these the
    blurred halves of other pairs stand in for it."""

    def draw(self, rng: np.random.Generator) -> Iterator[tuple[Iterable[np.ndarray], np.ndarray]]:
        unpaired = "real/blurred" if "real/blurred" in self.crops else "paired/blurred"
        pairs, real = (rng.integers(self.crops.length(of), size=self.batch) for of in ("paired/sharp", unpaired))
        here, elsewhere = self.windows(rng), self.windows(rng)
        wanted = (("paired/sharp", pairs, here), ("paired/blurred", pairs, here), (unpaired, real, elsewhere))
        for name, which, windows in wanted:
            yield [self.crops.rows(name, i) for i in which.tolist()], windows


def patches(images: Iterable[np.ndarray], windows: np.ndarray, patch: int) -> Tensor:
    """The patch of each image (H, W, 3) uint8 at its row of `Batches.windows`: (batch, patch, patch, 3) uint8."""
    cut = [
        image[y : y + patch, x : x + patch][:: 1 - 2 * vertically, :: 1 - 2 * horizontally]
        for image, (y, x, vertically, horizontally) in zip(images, windows.tolist(), strict=True)
    ]
    return torch.from_numpy(np.stack(cut))


def augmented(images: tuple[Tensor, ...], rng: np.random.Generator) -> tuple[Tensor, ...]:
    """Tensors (batch, side, side, 3) of the same photographs, of which each is transposed or not, the same in all
    tensors, and has its colours in one of six orders."""
    turns = rng.integers(2, size=len(images[0])).tolist()
    orders = rng.permuted(np.tile(np.arange(3), (len(turns), 1)), axis=1).tolist()
    return tuple(
        torch.stack(
            [
                (image.transpose(0, 1) if turn else image)[..., order]
                for image, turn, order in zip(batch, turns, orders, strict=True)
            ]
        )
        for batch in images
    )


def stream(
    data: Batches, numbers: Iterable[int], group: int, device: torch.device | str = "cpu"
) -> Iterator[list[tuple[Tensor, ...]]]:
    """The batches of these numbers, `group` at a time: tensors (batch, 3, patch, patch) in [0, 1], channels last. One
    thread reads ahead; each group is on its way to a GPU, as pinned bytes, before the one before it is given out."""
    gpu = torch.device(device).type == "cuda"

    def read(n: int) -> tuple[Tensor, ...]:
        return tuple(images.pin_memory() if gpu else to_float(images.numpy()) for images in data[n])

    ahead: list[tuple[Tensor, ...]] = []
    for batch in ordered(read, numbers, workers=1):
        ahead.append(tuple(to_float(images.to(device, non_blocking=True)) for images in batch) if gpu else batch)
        if len(ahead) == 2 * group:
            yield ahead[:group]
            del ahead[:group]
    if ahead:
        yield ahead
