"""EXIF data as their file holds them: bytes that are changed in place, or copied value by value out of a TIFF file.

Decoding and writing them anew would lose texts outside ASCII, maker notes that count from the start of the data and,
for one damaged tag, everything.
"""

import struct
from typing import Any

MARK = b"Exif\0\0"  # before EXIF data in most formats
DAMAGED = "damaged EXIF data are left out"
ORIENTATION, CAMERA, MAKER_NOTE = 274, 0x8769, 0x927C
# TIFF tags about the photograph and its camera; the others lay out the file, or hold layers of the blurred photograph.
DESCRIPTIVE = {270, 271, 272, 274, 282, 283, 296, 305, 306, 315, 316, 18246, 33432, *range(40091, 40096)}
INNER: dict[int, Any] = {CAMERA: {0xA005: {}}, 0x8825: {}}  # directories: in the camera's one of exchange; of the place
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 18: 8}  # bytes of each type

Tags = dict[int, tuple[int, int, Any]]  # by number: type, count, and the value's bytes or an inner directory's Tags


def upright(exif: bytes, drop: bool = False) -> bytes:
    """The data with orientation 1, or by `drop` with none, and no link to a thumbnail. Raises ValueError where their
    first directory is cut."""
    data, order = bytearray(exif.removeprefix(MARK)), _order(exif.removeprefix(MARK))
    try:
        (at,) = struct.unpack_from(order + "I", data, 4)
        end = at + 2 + 12 * struct.unpack_from(order + "H", data, at)[0]
        for entry in range(at + 2, end, 12):
            if struct.unpack_from(order + "H", data, entry)[0] == ORIENTATION:
                struct.pack_into(order + "HIHH", data, entry + 2, 3, 1, 1, 0)
                if drop:
                    data[entry:end] = data[entry + 12 : end] + bytes(12)
                    struct.pack_into(order + "H", data, at, (end - at - 2) // 12 - 1)
                    end -= 12
                break
    except struct.error:
        raise ValueError("cut short") from None
    data[end : end + 4] = bytes(len(data[end : end + 4]))
    return MARK + bytes(data)


def of_tiff(content: bytes, at: int) -> tuple[bytes, list[str]]:
    """What the directory at `at` of a TIFF file says of photograph and camera, and what is lost of it."""
    damaged: list[int] = []
    tags = read(content, at, damaged)
    notes = [DAMAGED] if damaged else []
    if MAKER_NOTE in tags.get(CAMERA, (0, 0, {}))[2]:  # with offsets that may count from the start of the file
        notes.append("its maker note may have become unreadable")
    return (header(_order(content), 8) + directory(tags, _order(content), 8)) if tags else b"", notes


def read(content: bytes, at: int, damaged: list[int], wanted: set[int] = DESCRIPTIVE, inner: Any = INNER) -> Tags:
    """The directory at `at`, of BigTIFF too, without the tags that are `damaged`."""
    tags: Tags = {}
    order, big = _order(content), content[2:4] in (b"+\0", b"\0+")
    start, size, fields, number = (8, 20, "HHQ", "Q") if big else (2, 12, "HHI", "I")
    try:
        (entries,) = struct.unpack_from(order + ("Q" if big else "H"), content, at)
        for entry in range(at + start, at + start + size * entries, size):
            tag, kind, count = struct.unpack_from(order + fields, content, entry)
            if wanted and tag not in wanted and tag not in inner:
                continue
            place, length = entry + struct.calcsize(order + fields), SIZES.get(kind, 0) * count
            if tag in inner:
                (place,) = struct.unpack_from(order + ("Q" if kind == 18 else "I"), content, place)
                tags[tag] = 4, 1, read(content, place, damaged, set(), inner[tag])
                continue
            if length > struct.calcsize(number):
                (place,) = struct.unpack_from(order + number, content, place)
            if length and place + length <= len(content):
                tags[tag] = kind, count, content[place : place + length]
            else:
                damaged.append(tag)
    except (struct.error, OverflowError):  # the latter: an offset of BigTIFF from 2**63 on
        damaged.append(0)
    return tags


def directory(tags: Tags, order: str, at: int) -> bytes:
    """The bytes of a directory that stands at `at` of a TIFF file, its values behind it."""
    entries, values = struct.pack(order + "H", len(tags)), b""
    for tag, (kind, count, value) in sorted(tags.items()):
        place = at + 2 + 12 * len(tags) + 4 + len(values)
        if isinstance(value, dict):
            value = directory(value, order, place)
        entries += struct.pack(order + "HHI", tag, kind, count)
        entries += struct.pack(order + "I", place) if len(value) > 4 else value.ljust(4, b"\0")
        values += value + bytes(len(value) % 2) if len(value) > 4 else b""
    return entries + bytes(4) + values


def header(order: str, at: int) -> bytes:
    """The beginning of a TIFF file whose directory stands at `at`."""
    return (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, at)


def _order(content: bytes) -> str:
    if content[:2] not in (b"II", b"MM"):
        raise ValueError("no EXIF data")
    return "<" if content[:2] == b"II" else ">"
