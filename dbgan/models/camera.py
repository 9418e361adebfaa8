"""A camera as BGAN's generator, ours: noise becomes the path of a hand, a focus and a sensor's grain. It can only blur.

Its few weights mean something: the lengths of paths and the shares of slow and fast movement in them, focus, response
curve, noise. Colour casts, textures and copies of other photographs are impossible by construction.
"""

import math
from itertools import product

import torch
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.nn import functional as F

from dbgan.models.noise import NoiseDriven
from dbgan.settings import Params

POINTS = 48  # of a path
PEN_PX = 0.5  # standard deviation of the Gaussian pen that draws it
DISC_REACH = 5  # pixels; a larger disc out of focus is cut off
DARKEST = 1e-3  # value of a pixel: the response curve is infinitely steep at 0
WHITE = 0.98  # value from which a pixel counts as white


class CameraConfig(Params):
    modes: PositiveInt  # cosines that make up each coordinate of the path
    reach: PositiveInt  # pixels that a path may lead away from its mean
    roll_deg: float  # over the exposure, standard deviation; not learnt, for in a patch it looks like any movement
    radius_px: PositiveFloat  # where the weights start: root mean square radius of the paths, in the median
    focus_px: PositiveFloat  # radius of the disc out of focus, in the median
    response_gamma: PositiveFloat  # stored value = light ** (1 / gamma)
    noise: PositiveFloat  # of the sensor at full light, standard deviation as a share of it


class Camera(NoiseDriven):
    """sharp (N, 3, H, W) in [0, 1] and noise (N, C, H, W) from `draw_noise` -> (N, 3, H, W) in [0, 1].

    Each coordinate of the path over the exposure is a sum of cosines with normal amplitudes, whose deviations are
    learnt; a cosine's mean is 0, so the blurred photograph stays registered with the sharp one. Light is averaged with
    a kernel for each `multiple` x `multiple` pixels, blended between them (Hirsch et al., "Efficient Filter Flow for
    Space-Variant Multiframe Blind Deconvolution", CVPR 2010): a roll moves the photograph's corners more than its
    middle.
    """

    headroom = 1.0  # how much brighter than white the light of white pixels is taken to be; `synthesize` finds it
    multiple = 128  # pixels between two kernels: tiles of a large photograph start at a multiple of it

    def __init__(self, config: CameraConfig) -> None:
        super().__init__()
        self.modes, self.reach, self.roll = config.modes, config.reach, math.radians(config.roll_deg)
        orders = torch.arange(1, config.modes + 1)
        self.log_amplitudes = nn.Parameter(-2 * orders.log())  # relative: paths are scaled to their radius
        self.log_radius, self.radius_spread = start(math.log(config.radius_px)), start(0.3)  # log-normal
        self.log_focus, self.focus_spread = start(math.log(config.focus_px)), start(0.3)
        self.log_gamma = start(math.log(config.response_gamma))
        self.log_shot, self.log_read = start(math.log(config.noise)), start(math.log(config.noise / 10))
        times = (torch.arange(POINTS) + 0.5) / POINTS
        self.register_buffer("cosines", torch.cos(math.pi * orders[:, None] * times), persistent=False)

    def draw_noise(self, like: Tensor, generator: torch.Generator) -> Tensor:
        """Noise maps (N, 3 * modes + 7, H, W) for images `like`, N(0, 1): amplitudes of both coordinates and of the
        roll, length, focus; then the distance to the image's middle, y and x in pixels; then the sensor's grain."""
        n, _, height, width = like.shape
        constant = torch.randn((n, 3 * self.modes + 2, 1, 1), generator=generator)
        y, x = (torch.arange(size) - (size - 1) / 2 for size in (height, width))
        middle = torch.stack(torch.meshgrid(y, x, indexing="ij")).expand(n, 2, height, width)
        grain = torch.randn((n, 3, height, width), generator=generator)
        noise = torch.cat([constant.expand(-1, -1, height, width), middle, grain], 1)
        return noise.to(like.device, non_blocking=True)

    def forward(self, sharp: Tensor, noise: Tensor) -> Tensor:
        with torch.autocast(sharp.device.type, enabled=False):
            light = (self.log_gamma.exp() * sharp.float().clamp(DARKEST, 1).log()).exp()
            light = torch.where(white(sharp), self.headroom * light, light)
            blurred = self.blur(light, noise).clamp(0, 1)
            # Shot noise grows with the root of the light; read noise is there in the dark, too.
            deviation = ((2 * self.log_shot).exp() * blurred + (2 * self.log_read).exp()).sqrt()
            seen = blurred + deviation * noise[:, -3:]
            darkest = self.log_gamma.detach().exp() * math.log(DARKEST)
            return (torch.maximum(seen.clamp(max=1).clamp_min(1e-12).log(), darkest) / self.log_gamma.exp()).exp()

    def blur(self, light: Tensor, noise: Tensor) -> Tensor:
        """Light averaged along the paths and over the discs, (N, 3, H, W)."""
        height, width = light.shape[-2:]
        pad = self.reach + DISC_REACH
        mode = "reflect" if pad < min(height, width) else "replicate"
        padded = F.pad(light, [pad] * 4, mode=mode)
        nodes = [
            torch.arange(-(-size // self.multiple)) * self.multiple + self.multiple // 2 for size in (height, width)
        ]
        nodes = [at.clamp(max=size - 1).tolist() for at, size in zip(nodes, (height, width), strict=True)]
        if len(nodes[0]) == len(nodes[1]) == 1:
            return self.filtered(padded, noise[:, :-3, height // 2, width // 2])
        blurred = torch.zeros_like(light)
        rows, columns = (hats(at, size, light) for at, size in zip(nodes, (height, width), strict=True))
        for (y, (top, bottom, row)), (x, (left, right, column)) in product(
            zip(nodes[0], rows, strict=True), zip(nodes[1], columns, strict=True)
        ):
            part = padded[..., top : bottom + 2 * pad, left : right + 2 * pad]
            weight = row[:, None] * column
            blurred[..., top:bottom, left:right] += weight * self.filtered(part, noise[:, :-3, y, x])
        return blurred

    def filtered(self, padded: Tensor, z: Tensor) -> Tensor:
        """The part of `padded` that kernels of z reach whole: (N, 3, H + 2 pad, W + 2 pad) -> (N, 3, H, W)."""
        size = padded.shape[-2:]
        transfer = torch.fft.rfft2(self.kernels(z), size) * torch.fft.rfft2(self.discs(z), size)
        blurred = torch.fft.irfft2(torch.fft.rfft2(padded) * transfer[:, None], size)
        pad = self.reach + DISC_REACH
        return blurred[..., 2 * pad :, 2 * pad :]

    def kernels(self, z: Tensor) -> Tensor:
        """The paths, drawn: (N, 3 * modes + 4) -> (N, K, K), K = 2 * reach + 1, none negative, of sum 1."""
        drawn, (y, x) = z[:, : 3 * self.modes].reshape(len(z), 3, self.modes), z[:, -2:].T[:, :, None]
        paths = (drawn * self.log_amplitudes.exp()) @ self.cosines
        move, roll = paths[:, :2], paths[:, 2]
        move = move / move.square().sum(1).mean(1).sqrt().clamp_min(1e-6)[:, None, None]
        move = move * (self.log_radius + self.radius_spread * z[:, -4]).exp()[:, None, None]
        roll = self.roll * roll / roll.square().mean(1).sqrt().clamp_min(1e-6)[:, None]
        rolled = torch.stack([move[:, 0] + roll * x, move[:, 1] - roll * y], 1).clamp(-self.reach, self.reach)
        pen = torch.exp(-((rolled[..., None] - lags(self.reach, z)) ** 2) / (2 * PEN_PX**2))
        kernel = torch.einsum("nty,ntx->nyx", pen[:, 0], pen[:, 1])
        return kernel / kernel.sum((1, 2), keepdim=True)

    def discs(self, z: Tensor) -> Tensor:
        """The discs out of focus, their rims anti-aliased: (N, 3 * modes + 4) -> (N, D, D), of sum 1."""
        radius = (self.log_focus + self.focus_spread * z[:, -3]).exp()[:, None, None]
        at = lags(DISC_REACH, z)
        disc = (radius + 0.5 - torch.hypot(at[:, None], at)).clamp(0, 1)
        return disc / disc.sum((1, 2), keepdim=True)


def white(stored: Tensor) -> Tensor:
    """Where a photograph (N, 3, H, W) in [0, 1] is white, (N, 1, H, W): its light may have been any amount more."""
    return stored.amin(1, keepdim=True) >= WHITE


def start(value: float) -> nn.Parameter:
    return nn.Parameter(torch.tensor(value))


def lags(reach: int, like: Tensor) -> Tensor:
    return torch.arange(-reach, reach + 1, device=like.device, dtype=like.dtype)


def hats(nodes: list[int], size: int, like: Tensor) -> list[tuple[int, int, Tensor]]:
    """For each node along an axis the first and the last pixel that it counts for, and its weights there: a hat between
    its neighbours, flat beyond the outer nodes. At each pixel the weights of all nodes add up to 1."""
    at = torch.arange(size, device=like.device, dtype=like.dtype)
    found = []
    for k, node in enumerate(nodes):
        weight = torch.ones_like(at)
        if k > 0:
            weight = torch.minimum(weight, ((at - nodes[k - 1]) / (node - nodes[k - 1])).clamp_min(0))
        if k < len(nodes) - 1:
            weight = torch.minimum(weight, ((nodes[k + 1] - at) / (nodes[k + 1] - node)).clamp_min(0))
        found.append((nodes[k - 1] if k else 0, nodes[k + 1] if k < len(nodes) - 1 else size, weight))
    return [(first, last, weight[first:last]) for first, last, weight in found]
