"""Camera-shake simulator: a sharp photograph averaged, in linear light, along a random smooth camera path."""

import io
from typing import Annotated, Literal

import numpy as np
import torch
from PIL import Image
from pydantic import AfterValidator, Field, NonNegativeFloat, PositiveFloat
from scipy.ndimage import gaussian_filter1d
from torch.nn import functional as F

from dbgan.data.photos import to_float, to_uint8
from dbgan.models.camera import white
from dbgan.settings import Params


def _ascending(limits: tuple[float, float]) -> tuple[float, float]:
    if limits[0] > limits[1]:
        raise ValueError("the smaller number comes first")
    return limits


def _polygon(blades: int) -> int:
    if blades in (1, 2):
        raise ValueError("an aperture has 3 blades or more, 0 for a round one")
    return blades


Limits = Annotated[tuple[NonNegativeFloat, NonNegativeFloat], AfterValidator(_ascending)]


class ShakeParams(Params):
    path: Literal["walk", "tremor"]  # a smoothed random walk, or a straight drift with a tremor of 1 to 4 periods
    length_px: Limits  # extent of the path over the exposure, drawn evenly between the two, pixels
    rotation_deg: NonNegativeFloat  # standard deviation of the roll over the exposure, degrees
    defocus_px: Limits  # radius of the out-of-focus disc, drawn evenly, pixels; 0 is in focus
    blades: Annotated[
        int, Field(ge=0), AfterValidator(_polygon)
    ]  # of the aperture, which make that disc a polygon; 0: none
    response_gamma: PositiveFloat  # stored value = light ** (1 / gamma); light is averaged, not stored values
    contrast: Annotated[float, Field(ge=0, le=1)]  # share of an S-curve in the stored value, as film has; 0: none
    headroom: Annotated[float, Field(ge=1)]  # how much brighter than white the light of white pixels was
    noise: NonNegativeFloat  # standard deviation of the sensor noise at full light, as a share of it (shot and read)
    jpeg_quality: Annotated[int, Field(ge=1, le=100)] | None  # of the JPEG that the camera stores; null: PNG


def camera_path(p: ShakeParams, points: int, rng: np.random.Generator) -> np.ndarray:
    """How a hand moves: (points, 3) of dx, dy in pixels and roll in radians. Its mean is 0, so that the blurred
    photograph stays registered with the sharp one. walk: an accelerated random walk, smoothed."""
    if p.path == "tremor":
        times = np.linspace(0, 1, points)[:, None]
        phases = 2 * np.pi * (rng.uniform(1, 4) * times + rng.random(3))
        path = rng.standard_normal(3) * times + 0.2 * rng.standard_normal(3) * np.sin(phases)
    else:
        walk = np.cumsum(np.cumsum(rng.standard_normal((points, 3)), axis=0) + 2 * rng.standard_normal(3), axis=0)
        path = gaussian_filter1d(walk, points / 16, axis=0, mode="nearest")
    path -= path.mean(axis=0)
    extent = max(float(np.linalg.norm(path[:, :2].max(0) - path[:, :2].min(0))), 1e-9)
    path[:, :2] *= rng.uniform(*p.length_px) / extent
    path[:, 2] *= np.deg2rad(p.rotation_deg) * rng.standard_normal() / max(float(path[:, 2].std()), 1e-9)
    return path


def blur(sharp: np.ndarray, p: ShakeParams, rng: np.random.Generator) -> np.ndarray:
    """A photograph as the camera `p` would have blurred it. sharp: (H, W, 3) uint8; so is the result. Raises
    ValueError for a photograph that the disc of `defocus_px` may reach beyond."""
    height, width, _ = sharp.shape
    if _reach(p.defocus_px[1], p.blades) >= min(height, width):
        raise ValueError(
            f"defocus_px, {p.defocus_px[1]:g}: a photograph of {width}x{height} pixels is too small for it"
        )
    light = to_light(to_float(sharp)[None], p)
    path = camera_path(p, points=32, rng=rng)
    averaged = torch.zeros_like(light)
    for dx, dy, roll in path:  # the scene seen by a camera moved and rolled about its centre, mirrored at the border
        cos, sin = float(np.cos(roll)), float(np.sin(roll))
        affine = [[cos, -sin * height / width, 2 * dx / width], [sin * width / height, cos, 2 * dy / height]]
        where = F.affine_grid(torch.tensor([affine], dtype=light.dtype), light.shape, align_corners=False)
        moved = F.grid_sample(light, where, mode="bilinear", padding_mode="reflection", align_corners=False)
        averaged += moved / len(path)
    averaged = _defocused(averaged, rng.uniform(*p.defocus_px), p.blades)
    # Shot noise grows with the root of the light; a hundredth of its variance is read noise, in the dark too.
    deviation = p.noise * torch.sqrt(0.99 * averaged.clamp(0, 1) + 0.01)
    noisy = averaged + deviation * torch.from_numpy(rng.standard_normal(averaged.shape, dtype=np.float32))
    stored = to_uint8(_curved(noisy.clamp(0, 1) ** (1 / p.response_gamma), p.contrast))[0]
    if p.jpeg_quality is None:
        return stored
    memory = io.BytesIO()
    Image.fromarray(stored).save(memory, "JPEG", quality=p.jpeg_quality)
    return np.asarray(Image.open(memory))


def to_light(stored: torch.Tensor, p: ShakeParams) -> torch.Tensor:
    """The light that the camera stores as these values in [0, 1]; that of white pixels is `headroom`."""
    lamps = white(stored)
    if p.contrast:
        grid = torch.linspace(0, 1, 4096)
        stored = torch.from_numpy(np.interp(stored, _curved(grid, p.contrast), grid).astype(np.float32))
    light = stored**p.response_gamma
    return torch.where(lamps, p.headroom * light, light)


def _curved(value: torch.Tensor, contrast: float) -> torch.Tensor:
    return value + contrast * (value * value * (3 - 2 * value) - value) if contrast else value


def _defocused(light: torch.Tensor, radius: float, blades: int) -> torch.Tensor:
    """Convolution with a disc of `radius` pixels, or the regular polygon around it, its rim anti-aliased."""
    if radius < 0.5:
        return light
    reach = _reach(radius, blades)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    distance = np.hypot(x, y)
    if blades:  # from the middle to the nearest side's line
        distance = distance * np.cos((np.arctan2(y, x) % (2 * np.pi / blades)) - np.pi / blades)
    disc = np.clip(radius + 0.5 - distance, 0, 1)
    kernel = torch.from_numpy(disc / disc.sum()).to(light.dtype).expand(3, 1, -1, -1)
    return F.conv2d(F.pad(light, [reach] * 4, mode="reflect"), kernel, groups=3)


def _reach(radius: float, blades: int) -> int:
    """How far the disc goes, or the polygon's corners."""
    return int(np.ceil(radius / np.cos(np.pi / blades) if blades else radius))
