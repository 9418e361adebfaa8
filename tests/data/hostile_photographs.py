"""Files that declare far more pixels than a photograph has."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

HUGE = 60_000  # pixels a side, 3,600 megapixels


def good(kind: str) -> bytes:
    """A small photograph of a format."""
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 48, 3), dtype=np.uint8)).save(file, kind)
    return file.getvalue()


def bombs() -> dict[str, bytes]:
    """Files that declare, or hold in little space, far more pixels than a photograph."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", HUGE, HUGE, 8, 2, 0, 0, 0))
    rows = chunk(b"IDAT", zlib.compress(bytes(5_000_000), 9)) + chunk(b"IEND", b"")
    jpeg = bytearray(good("JPEG"))
    at = jpeg.index(b"\xff\xc0") + 5
    jpeg[at : at + 4] = struct.pack(">HH", HUGE, HUGE)
    gif = bytearray(good("GIF"))
    gif[6:10] = struct.pack("<HH", HUGE, HUGE)
    bmp = bytearray(good("BMP"))
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
