"""Camera-shake simulator: a sharp photograph averaged, in linear light, along a random smooth camera path."""

import io
from typing import Annotated

import numpy as np
import torch
from PIL import Image
from pydantic import AfterValidator, Field, NonNegativeFloat, PositiveFloat
from scipy.ndimage import gaussian_filter1d
from torch.nn import functional as F

from dbgan.data.photos import to_float, to_uint8
from dbgan.settings import Params


def _ascending(limits: tuple[float, float]) -> tuple[float, float]:
    if limits[0] > limits[1]:
        raise ValueError("the smaller number comes first")
    return limits


Limits = Annotated[tuple[NonNegativeFloat, NonNegativeFloat], AfterValidator(_ascending)]


class ShakeParams(Params):
    length_px: Limits  # extent of the path over the exposure, drawn evenly between the two, pixels
    rotation_deg: NonNegativeFloat  # standard deviation of the roll over the exposure, degrees
    defocus_px: Limits  # radius of the out-of-focus disc, drawn evenly, pixels; 0 is in focus
    response_gamma: PositiveFloat  # stored value = light ** (1 / gamma); light is averaged, not stored values
    noise: NonNegativeFloat  # standard deviation of the sensor noise at full light, as a share of it (shot and read)
    jpeg_quality: Annotated[int, Field(ge=1, le=100)] | None  # of the JPEG that the camera stores; null: PNG


def camera_path(p: ShakeParams, points: int, rng: np.random.Generator) -> np.ndarray:
    """An accelerated random walk, smoothed, as a hand moves: (points, 3) of dx, dy in pixels and roll in radians. Its
    mean is 0, so that the blurred photograph stays registered with the sharp one."""
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
    if np.ceil(p.defocus_px[1]) >= min(height, width):
        raise ValueError(
            f"defocus_px, {p.defocus_px[1]:g}: a photograph of {width}x{height} pixels is too small for it"
        )
    light = to_float(sharp)[None] ** p.response_gamma
    path = camera_path(p, points=32, rng=rng)
    averaged = torch.zeros_like(light)
    for dx, dy, roll in path:  # the scene seen by a camera moved and rolled about its centre, mirrored at the border
        cos, sin = float(np.cos(roll)), float(np.sin(roll))
        affine = [[cos, -sin * height / width, 2 * dx / width], [sin * width / height, cos, 2 * dy / height]]
        where = F.affine_grid(torch.tensor([affine], dtype=light.dtype), light.shape, align_corners=False)
        moved = F.grid_sample(light, where, mode="bilinear", padding_mode="reflection", align_corners=False)
        averaged += moved / len(path)
    averaged = _defocused(averaged, rng.uniform(*p.defocus_px))
    # Shot noise grows with the root of the light; a hundredth of its variance is read noise, in the dark too.
    deviation = p.noise * torch.sqrt(0.99 * averaged.clamp(0, 1) + 0.01)
    noisy = averaged + deviation * torch.from_numpy(rng.standard_normal(averaged.shape, dtype=np.float32))
    stored = to_uint8(noisy.clamp(0, 1) ** (1 / p.response_gamma))[0]
    if p.jpeg_quality is None:
        return stored
    memory = io.BytesIO()
    Image.fromarray(stored).save(memory, "JPEG", quality=p.jpeg_quality)
    return np.asarray(Image.open(memory))


def _defocused(light: torch.Tensor, radius: float) -> torch.Tensor:
    """Convolution with a disc of `radius` pixels, its rim anti-aliased."""
    if radius < 0.5:
        return light
    reach = int(np.ceil(radius))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1)
    kernel = torch.from_numpy(disc / disc.sum()).to(light.dtype).expand(3, 1, -1, -1)
    return F.conv2d(F.pad(light, [reach] * 4, mode="reflect"), kernel, groups=3)
