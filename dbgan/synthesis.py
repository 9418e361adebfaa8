"""Blurs of the sharp training crops, stored as the real blur's camera stores photographs: BGAN's, or the oracle's."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from dbgan.data import camera_shake, photos
from dbgan.data.development import jpeg
from dbgan.data.h5 import Reader
from dbgan.models.camera import WHITE, Camera
from dbgan.panels import evenly
from dbgan.realism import noise_level

PROBED = 48  # crops by which noise is matched and BGAN's change is judged
LOOKED = 1000  # crops of each kind in which bright pixels are looked for, at most
LIT = 192  # of the sharp crops that have some, those that are blurred to find the headroom
BRIGHT = 0.9  # value from which a pixel counts as bright
STRONGEST = 16.0  # levels of 255 of noise that are tried
BRIGHTEST = 16.0  # headroom of white pixels that is tried
Made = tuple[np.ndarray, np.ndarray]  # indices of the sharp crops, and their blurs (n, S, S, 3) uint8


class Bgan:
    """BGAN's blurs. tables: as in `development.jpeg`, of all real photographs; zeros leave JPEG out. `noise`, which
    `match_noise` finds: of the sensor, levels of 255: the same at all of them, as shot noise is after a response curve
    of gamma 2."""

    def __init__(self, network: nn.Module, crops: Reader, tables: Tensor, seed: int) -> None:
        self.network, self.crops, self.tables, self.seed, self.noise = network, crops, tables, seed, 0.0

    def blurred(self, crops: np.ndarray, draw: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """The network's blurs, and what is drawn for their storage: the grain of the sensor, and each one's tables."""
        device = self.tables.device
        sharp = photos.to_float(crops).to(device)
        blurred = self.network(sharp, self.network.draw_noise(sharp, draw)).float().clamp(0, 1)
        grain = torch.randn(sharp.shape, generator=draw).to(device)
        chosen = torch.randint(len(self.tables), (len(sharp),), generator=draw)
        return blurred, grain, self.tables[chosen.to(device)]

    def stored(self, blurred: Tensor, grain: Tensor, tables: Tensor) -> np.ndarray:
        return photos.to_uint8(jpeg(blurred + self.noise / 255 * grain, tables))

    def made(self, batch: range, maps: int) -> Iterator[Made]:
        """A batch of crops, blurred with each of `maps` noise maps."""
        crops = self.crops.rows("paired/sharp", slice(batch.start, batch.stop))
        for k in range(maps):
            draw = torch.Generator().manual_seed(self.seed + batch.start * maps + k)
            yield np.asarray(batch), self.stored(*self.blurred(crops, draw))

    @cached_property
    def _probed(self) -> tuple[np.ndarray, tuple[Tensor, Tensor, Tensor]]:
        """PROBED crops, evenly chosen, and their blurs before storage."""
        chosen = evenly(self.crops.length("paired/sharp"), PROBED)
        crops = np.stack([self.crops.rows("paired/sharp", i) for i in chosen])
        return crops, self.blurred(crops, torch.Generator().manual_seed(self.seed))

    def probe(self) -> np.ndarray:
        """Blurs of some crops, as they are stored."""
        return self.stored(*self._probed[1])

    def change(self) -> float:
        """How far blurs are from their crops, in the mean, levels of 255."""
        return float(np.abs(self.probe().astype(float) - self._probed[0]).mean())

    def match_noise(self, real: Sequence[np.ndarray]) -> None:
        """Choose the noise that gives blurs the mean noise level of real crops; 0 where they have as much without."""

        def found(noise: float) -> float:
            self.noise = noise
            return level(self.probe())

        self.noise = halved(found, level(real), 0.0, STRONGEST)

    def match_highlights(self, camera: Camera) -> None:
        """Choose the headroom that makes as large a share of blurs' bright pixels white as of real crops'; 1 where it
        is as large without. Blur turns white into merely bright, unless its light was more than white's."""
        real, sharp = (
            [self.crops.rows(name, k) for k in evenly(self.crops.length(name), LOOKED)]
            for name in ("real/blurred", "paired/sharp")
        )
        lit = [crop for crop in sharp if bright(crop).any()]
        if not lit:
            return
        some = np.stack([lit[k] for k in evenly(len(lit), LIT)])

        def found(headroom: float) -> float:
            camera.headroom = headroom
            draw = torch.Generator().manual_seed(self.seed)
            return whiteness(self.stored(*self.blurred(some, draw)))

        camera.headroom = halved(found, whiteness(real), 1.0, BRIGHTEST)


def halved(found: Callable[[float], float], wanted: float, low: float, high: float) -> float:
    """Where the growing function `found` reaches `wanted`, to 1 / 512 of the range; `low` where it is above already."""
    if found(low) >= wanted:
        return low
    for _ in range(9):
        middle = (low + high) / 2
        low, high = (low, middle) if found(middle) > wanted else (middle, high)
    return low


def bright(crop: np.ndarray, least: float = BRIGHT) -> np.ndarray:
    """Which pixels of (H, W, 3) uint8 have at least this value in all channels, (H, W)."""
    return crop.min(-1) >= 255 * least


def whiteness(crops: Iterable[np.ndarray]) -> float:
    """The share of white pixels among the bright ones, each crop that has some counted alike: how many pixels are white
    says what was photographed, not how."""
    found = [bright(crop, WHITE).sum() / bright(crop).sum() for crop in crops if bright(crop).any()]
    return float(np.mean(found)) if found else 0.0


def level(crops: Iterable[np.ndarray]) -> float:
    return float(np.mean([*map(noise_level, crops)]))


def oracle(crops: Reader, photograph: int, maps: int, camera: camera_shake.ShakeParams, seed: int) -> Iterator[Made]:
    """The simulated real camera's own blurs of a training photograph, cut into its crops: what a perfect BGAN would
    make."""
    windows = crops.windows("paired/sharp")
    of_it = np.flatnonzero(windows[:, 0] == photograph)
    sharp, side = crops.photograph("paired/sharp", photograph), crops.rows("paired/sharp", 0).shape[0]
    for k in range(maps):
        blurred = camera_shake.blur(sharp, camera, np.random.default_rng([seed, photograph, 5, k]))
        yield of_it, np.stack([blurred[y : y + side, x : x + side] for _, y, x in windows[of_it]])
