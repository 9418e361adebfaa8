"""A tiny network in a weights file, and image files, for the tests of the MLflow model."""

import base64
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from dbgan import checkpoint
from dbgan.data import photos
from dbgan.models.build import build_generator, new_generator
from dbgan.use import inference as restore

NETWORK = {"width": 4, "blocks": 1, "growth": 4, "downsample": 2}
MARGIN = 4
PNG_HEADER_END = 33  # signature, then the header chunk: length, name, 13 bytes, checksum


def save_weights(path: Path) -> Path:
    """A network that visibly changes a photograph."""
    checkpoint.save(path, new_generator("dbgan", 0, 0.3, **NETWORK), "dbgan", NETWORK)
    return path


def restorer(weights: Path) -> Callable[[np.ndarray], np.ndarray]:
    """What the network makes of a photograph, without MLflow."""
    network = checkpoint.load(weights, build_generator, ["dbgan"])
    return lambda image: photos.to_uint8(restore.whole_frame(network, photos.to_float(image), MARGIN))


def encoded(image: np.ndarray, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind)
    return file.getvalue()


def decoded(content: bytes | str) -> np.ndarray:
    content = base64.b64decode(content) if isinstance(content, str) else content
    with Image.open(io.BytesIO(content)) as image:
        assert image.format == "PNG"
        return np.asarray(image)


def text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def declares(width: int, height: int) -> bytes:
    """A PNG whose header says that it has this size; its few bytes of pixels do not."""
    small = encoded(np.zeros((4, 4, 3), np.uint8))
    header = b"IHDR" + struct.pack(">II", width, height) + small[24:29]
    return small[:12] + header + struct.pack(">I", zlib.crc32(header)) + small[PNG_HEADER_END:]
