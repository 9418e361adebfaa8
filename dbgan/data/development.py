"""What a camera does to a photograph after the blur: noise, and JPEG with the real blur's own quantisation tables."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor
from torch.nn import functional as F

from dbgan.data.h5 import Reader

TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))  # JFIF
BLOCK = 8  # pixels a side of what is quantised together


def tables(path: Path) -> np.ndarray:
    """(2, 8, 8) quantisation tables of a JPEG file, of luminance and of colour; zeros for any other file."""
    try:
        with Image.open(path, formats=["JPEG"]) as image:
            found = list(image.quantization.values())  # type: ignore[attr-defined]  # of JPEG files
    except UnidentifiedImageError:
        found = [[0] * BLOCK**2]
    return np.asarray([found[0], found[-1]], np.int32).reshape(2, BLOCK, BLOCK)


def tables_of(crops: Reader) -> Tensor:
    """(P, 2, 8, 8): the tables of all real photographs of crops.h5; zeros for one without real blur."""
    known = "real/jpeg" in crops
    return torch.from_numpy(crops.rows("real/jpeg", slice(None)) if known else np.zeros((1, 2, BLOCK, BLOCK))).float()


def jpeg(image: Tensor, quantisation: Tensor) -> Tensor:
    """Photographs as JPEG stores them (ITU T.81): (N, 3, H, W) in [0, 1] and (N, 2, 8, 8) tables -> the same size.

    Colour is stored at half the resolution. Rounding passes gradients on unchanged. Tables of zeros leave a photograph
    as it is.
    """
    height, width = image.shape[-2:]
    padded = F.pad(image, (0, -width % (2 * BLOCK), 0, -height % (2 * BLOCK)), mode="replicate")
    matrix = torch.tensor(TO_YCC, dtype=image.dtype)
    # Constants are made on the CPU: a GPU's inverse waits for its check, and a small copy for nothing.
    constants = (matrix, matrix.inverse(), cosine_transform(image.dtype))
    to_ycc, to_rgb, transform = (each.to(image.device, non_blocking=True) for each in constants)
    planes = torch.einsum("ij,njhw->nihw", to_ycc, 255 * padded)
    luminance = coded(planes[:, :1] - 128, quantisation[:, :1], transform) + 128
    colour = coded(F.avg_pool2d(planes[:, 1:], 2), quantisation[:, 1:], transform)
    colour = F.interpolate(colour, scale_factor=2, mode="bilinear")
    decoded = torch.einsum("ij,njhw->nihw", to_rgb, torch.cat([luminance, colour], 1))
    decoded = rounded(decoded).clamp(0, 255)[..., :height, :width] / 255
    return torch.where(quantisation.amax((1, 2, 3), keepdim=True) > 0, decoded, image)


def coded(planes: Tensor, quantisation: Tensor, transform: Tensor) -> Tensor:
    """Planes (N, C, H, W) through the quantised cosine transform of each block; tables (N, 1, 8, 8)."""
    n, channels, height, width = planes.shape
    blocks = planes.reshape(n, channels, height // BLOCK, BLOCK, width // BLOCK, BLOCK).transpose(3, 4)
    step = quantisation[:, :, None, None].clamp_min(1)
    blocks = transform.T @ (rounded(transform @ blocks @ transform.T / step) * step) @ transform
    return blocks.transpose(3, 4).reshape(planes.shape)


def cosine_transform(dtype: torch.dtype) -> Tensor:
    """The orthonormal (8, 8) DCT-II."""
    order = torch.arange(BLOCK, dtype=dtype)
    rows = torch.cos(torch.pi * order[:, None] * (order + 0.5) / BLOCK) * (2 / BLOCK) ** 0.5
    return torch.cat([rows[:1] / 2**0.5, rows[1:]])


def rounded(values: Tensor) -> Tensor:
    return values + (values.round() - values).detach()
