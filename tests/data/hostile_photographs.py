"""Files that pretend to be photographs, made from a seed."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "AVIF", "JPEG2000")
SUFFIX = {"JPEG": "jpg", "TIFF": "tif", "JPEG2000": "jp2"}
HUGE = 60_000  # pixels a side, 3,600 megapixels


def good(kind: str, rng: np.random.Generator) -> bytes:
    """A small photograph of a format."""
    file = io.BytesIO()
    compressed = {"compression": "tiff_lzw"} if kind == "TIFF" and rng.random() < 0.5 else {}
    Image.fromarray(rng.integers(0, 256, (40, 48, 3), dtype=np.uint8)).save(file, kind, **compressed)
    return file.getvalue()


def bombs() -> dict[str, bytes]:
    """Files that declare, or hold in little space, far more pixels than a photograph."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", HUGE, HUGE, 8, 2, 0, 0, 0))
    rows = chunk(b"IDAT", zlib.compress(bytes(5_000_000), 9)) + chunk(b"IEND", b"")
    jpeg = bytearray(good("JPEG", np.random.default_rng(0)))
    at = jpeg.index(b"\xff\xc0") + 5
    jpeg[at : at + 4] = struct.pack(">HH", HUGE, HUGE)
    gif = bytearray(good("GIF", np.random.default_rng(0)))
    gif[6:10] = struct.pack("<HH", HUGE, HUGE)
    bmp = bytearray(good("BMP", np.random.default_rng(0)))
    bmp[18:26] = struct.pack("<ii", HUGE, HUGE)
    tags = [
        (256, 4, HUGE),
        (257, 4, HUGE),
        (258, 3, 8),
        (259, 3, 1),
        (262, 3, 1),
        (273, 4, 8),
        (277, 3, 1),
        (279, 4, 9),
    ]
    tiff = struct.pack("<2sHIH", b"II", 42, 8, len(tags))
    tiff += b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags) + bytes(100)
    return {
        "bomb.png": b"\x89PNG\r\n\x1a\n" + header + rows,
        "bomb.jpg": bytes(jpeg),
        "bomb.gif": bytes(gif),
        "bomb.bmp": bytes(bmp),
        "bomb.tif": tiff,
        "bomb.ppm": f"P6 {HUGE} {HUGE} 255\n".encode() + bytes(1000),
        "bomb.webp": b"RIFF\x40\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\xfe\x3f\0" * 2 + bytes(44),
    }


def spoiled(seed: int) -> tuple[str, bytes]:
    """A name and the content of a photograph that was cut, flipped, overwritten, mixed up or never one."""
    rng = np.random.default_rng(seed)
    kind, how = FORMATS[seed % len(FORMATS)], ("cut", "flip", "overwrite", "insert", "random", "splice")[seed % 6]
    content = bytearray(good(kind, rng))
    at = int(rng.integers(0, len(content)))
    if how == "cut":
        content = content[:at]
    elif how == "flip":
        for place in rng.integers(0, min(len(content), int(rng.choice([40, 200, 10**9]))), int(rng.integers(1, 30))):
            content[place] ^= 1 << int(rng.integers(0, 8))
    elif how == "overwrite":
        content[at : at + 64] = rng.bytes(64)
    elif how == "insert":
        content[at:at] = rng.bytes(int(rng.integers(1, 500)))
    elif how == "random":
        content = bytearray(content[: int(rng.integers(2, 24))] + rng.bytes(2000))
    else:
        content[at:] = good(FORMATS[int(rng.integers(0, len(FORMATS)))], rng)[at:]
    return f"{seed:04d} {how}.{SUFFIX.get(kind, kind.lower())}", bytes(content)
