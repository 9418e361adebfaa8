"""Archives made to harm who unpacks them, by seed: names that lead outside, links, bombs, lies and damage."""

import gzip
import io
import stat
import struct
import tarfile
import warnings
import zipfile
import zlib

import numpy as np

NAMES = [
    *("/evil", "//evil", "../evil", "a/../../evil", "a/..", "..", "..\\evil", "\\evil", "C:\\evil", "C:/evil"),
    *("a\nb", "a\x1b[31m", "a\u2028b", "x" * 300, "é" * 150, "/".join("d" * 40), "a/" * 60 + "b"),
]
LINKS = {"symlink": stat.S_IFLNK, "fifo": stat.S_IFIFO, "device": stat.S_IFBLK, "socket": stat.S_IFSOCK}
TYPES = {"symlink": tarfile.SYMTYPE, "hard link": tarfile.LNKTYPE, "fifo": tarfile.FIFOTYPE, "device": tarfile.CHRTYPE}
SPARSE = {"sparse": tarfile.GNUTYPE_SPARSE, "odd": b"Z"}
REFUSED = ["name", "kind", "twice", "case", "file as folder", "bomb", "many", "encrypted", "lie", "method", "header"]
KINDS = [*REFUSED, "flip", "cut", "noise"]  # the last ones may by chance do no harm


def photo(rng: np.random.Generator) -> bytes:
    return rng.bytes(int(rng.integers(1, 3000)))


def clean(rng: np.random.Generator) -> list[tuple[str, bytes]]:
    """A few honest members."""
    return [(f"top/{part}/{i}.png", photo(rng)) for part in ("blur", "sharp") for i in range(3)]


def members(kind: str, rng: np.random.Generator) -> list[tuple[str, bytes]]:
    """Honest members and those of a hostile kind, in any order."""
    added = {
        "name": [(str(rng.choice(NAMES)), b"evil")],
        "twice": [("top/blur/0.png", b"evil")],
        "case": [("TOP/blur/0.PNG", b"evil")],
        "file as folder": [("top/blur/0.png/evil", b"evil")],
        "bomb": [("zeros.png", bytes(3 << 20))],
        "many": [(f"{i}.png", b"") for i in range(400)],
    }.get(kind, [])
    found = [*clean(rng), *added]
    return [found[i] for i in rng.permutation(len(found))] if kind == "name" else found


def a_zip(kind: str, rng: np.random.Generator) -> bytes:
    """A zip with what `kind` says. Lies are written over the finished archive."""
    made = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")  # of a name that stands twice
        for name, data in members(kind, rng):
            info = zipfile.ZipInfo("placeholder")
            info.filename, info.compress_type = name, zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
        if kind == "kind":
            info = zipfile.ZipInfo("link")
            info.create_system, info.external_attr = 3, (LINKS[str(rng.choice(list(LINKS)))] | 0o777) << 16
            archive.writestr(info, "/etc/passwd")
        if kind == "method":
            methods = [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
            archive.writestr("packed.png", bytes(1 << 16), methods[rng.integers(2)])
        if kind == "header":
            archive.comment = b"x"
    data = bytearray(made.getvalue())
    at = data.rindex(b"PK\x01\x02")  # the last entry of the list of files
    if kind == "encrypted":
        data[at + 8] |= 1
    if kind == "lie":
        data[at + 24 : at + 28] = struct.pack("<I", int(rng.choice([0, 1, 1 << 19, 1 << 31])))
    if kind == "header":
        end = data.rindex(b"PK\x05\x06")
        data[end + 12 : end + 16] = struct.pack("<I", int(rng.choice([1, end + 5, 1 << 31])))
    return bytes(data)


def a_tar(kind: str, rng: np.random.Generator) -> bytes:
    """A tar or tar.gz with what `kind` says; the kinds that only a zip can have become links."""
    made = io.BytesIO()
    zipped = kind == "bomb" or rng.random() < 0.5
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, data in members(kind, rng):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        if kind in ("kind", "encrypted", "method"):
            info = tarfile.TarInfo("link")
            types = TYPES | SPARSE
            info.type, info.linkname = types[str(rng.choice(list(types)))], "../../../etc/passwd"
            archive.addfile(info)
    data = bytearray(made.getvalue())
    if kind == "lie":
        data[124:136] = [b"77777777777\0", b"\x80" + b"\0" * 6 + b"\xff" * 5, b"\xff" * 12][rng.integers(3)]
        rewrite_checksum(data)
    if kind == "header":  # headers without end before the first file
        block = bytearray(tarfile.TarInfo("x").tobuf()[:512])
        block[156:157] = rng.choice([b"x", b"L"])
        block[124:136] = b"%011o\0" % int(rng.choice([512, 9 << 20]))
        rewrite_checksum(block)
        data = (block + bytes(512)) * 3000 + bytes(9 << 20) + data
    return gzip.compress(data, 1) if zipped else bytes(data)


def long_header(size: int) -> bytes:
    """A tar.gz whose first header has so many bytes of text."""
    block = bytearray(tarfile.TarInfo("x").tobuf()[:512])
    block[156:157] = b"x"
    block[124:136] = b"%011o\0" % size
    rewrite_checksum(block)
    return gzip.compress(block + bytes(size), 1)


def rewrite_checksum(header: bytearray) -> None:
    """Make the first 512 bytes a valid tar header again."""
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header[:512])


def archive(kind: str, rng: np.random.Generator) -> bytes:
    """A hostile archive."""
    data = (a_zip if rng.random() < 0.5 else a_tar)(kind, rng)
    if kind == "cut":
        return data[: rng.integers(len(data))]
    if kind == "flip":
        changed = np.frombuffer(data, np.uint8).copy()
        changed[rng.integers(len(data), size=rng.integers(1, 30))] ^= rng.integers(1, 256, dtype=np.uint8)
        return changed.tobytes()
    if kind == "noise":
        return data[: rng.integers(200)] + rng.bytes(2000) + zlib.compress(bytes(1000))
    return data
