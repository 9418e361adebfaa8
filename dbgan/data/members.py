"""The files in a zip, tar or tar.gz of unknown intent: refused where they could leave their folder or fill the disk."""

import gzip
import stat
import tarfile
import unicodedata
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

CHUNK = 1 << 16  # bytes that are read at once
MOST_FILES = 50_000  # GOPRO_Large has about 9,600
MOST_BYTES = 64 << 30  # of all files together; GOPRO_Large has about 10 GB
MOST_RATIO = 100  # of all files together to the archive, above FREE bytes; photographs hardly shrink
FREE = 100 << 20
MOST_INDEX = 8 << 20  # bytes that say which files there are: read into memory at once
LONGEST = 200  # characters of a name on its way from the top folder
DEEPEST = 16  # folders
STORED = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}  # the others may give gigabytes for one read

Member = tuple[PurePosixPath, int | None, Iterator[bytes]]


def members(archive: Path) -> Iterator[Member]:
    """Each file and folder in turn: its path, its size (None: a folder), its bytes in chunks, to be read at once.

    Raises ValueError, one line with the archive's and the member's name, for what is damaged, encrypted, neither file
    nor folder, named outside the folder or twice (also where only case differs), or for too many or too large files.
    """
    names = Names()
    total, most = 0, min(MOST_BYTES, max(FREE, MOST_RATIO * archive.stat().st_size))
    try:
        for name, size, chunks in opened(archive):
            path = names.new(name, size is None)
            total += size or 0
            if not 0 <= (size or 0) <= total <= most:
                raise ValueError(f"unpacked it would have more than {most / 1e9:.1f} GB, too many for such an archive")
            yield path, size, counted(chunks, size, f"{archive}: {shown(name)}")
    except ValueError as fault:
        raise ValueError(f"{archive}: {fault}") from None


def opened(archive: Path) -> Iterator[tuple[str, int | None, Iterator[bytes]]]:
    """As `members`, names and sizes as they stand in the archive. Raises ValueError."""
    with archive.open("rb") as file:
        head = file.read(4)
        file.seek(0)
        if head in (b"PK\x03\x04", b"PK\x05\x06"):
            yield from library_faults(zip_members(file))
        elif head[:2] == b"\x1f\x8b":
            with gzip.open(file) as packed:
                yield from library_faults(tar_members(packed))
        else:
            yield from library_faults(tar_members(file))


def library_faults(found: Iterator) -> Iterator:
    """Whatever the libraries raise for a malformed archive as ValueError; what the disk raises as it is."""
    while True:
        try:
            item = next(found, None)
        except OSError as error:
            if error.errno is not None:
                raise
            raise ValueError(f"damaged ({shown(str(error))})") from None
        except ValueError:
            raise
        except Exception as error:  # the readers of both formats raise nearly every kind for bytes made to fool them
            raise ValueError(f"damaged ({shown(str(error)) or type(error).__name__})") from None
        if item is None:
            return
        yield item


def zip_members(file: BinaryIO) -> Iterator[tuple[str, int | None, Iterator[bytes]]]:
    """The members of a zip. Raises ValueError, or anything that zipfile raises."""
    bounded = Bounded(file, MOST_INDEX)
    with zipfile.ZipFile(bounded) as archive:
        for info in archive.infolist():
            bounded.left = MOST_INDEX
            name = info.orig_filename
            kind = stat.S_IFMT(info.external_attr >> 16) if info.create_system == 3 else 0
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise ValueError(f"{shown(name)} is a link or device")
            if info.flag_bits & 1:
                raise ValueError(f"{shown(name)} is encrypted")
            if info.is_dir():
                yield name, None, iter(())
                continue
            if info.compress_type not in STORED:
                raise ValueError(f"{shown(name)} is packed in a way that is not read (method {info.compress_type})")
            with archive.open(info) as member:
                yield name, info.file_size, library_faults(contents(member, bounded))


def tar_members(file: BinaryIO) -> Iterator[tuple[str, int | None, Iterator[bytes]]]:
    """The members of a tar. Raises ValueError, or anything that tarfile raises."""
    bounded = Bounded(file, MOST_INDEX)
    with tarfile.open(fileobj=bounded, mode="r:") as archive:
        while True:
            bounded.left = MOST_INDEX
            member = archive.next()
            archive.members.clear()  # of a million files their list alone would fill the memory
            if member is None:
                bounded.seek(archive.offset)
                if bounded.read(512) != bytes(512):  # tarfile takes any unreadable block for the end
                    raise ValueError("damaged (its end is missing)")
                return
            if member.isdir():
                yield member.name, None, iter(())
            elif member.isreg() and not member.issparse():
                with archive.extractfile(member) as data:
                    yield member.name, member.size, library_faults(contents(data, bounded))
            else:
                raise ValueError(f"{shown(member.name)} is a link or device")


def contents(member: BinaryIO, bounded: "Bounded") -> Iterator[bytes]:
    """A member's bytes in chunks."""
    while True:
        bounded.left = 2 * CHUNK
        if not (chunk := member.read(CHUNK)):
            return
        yield chunk


def counted(chunks: Iterator[bytes], size: int | None, member: str) -> Iterator[bytes]:
    """The chunks, as many bytes as were declared. Raises ValueError that begins with `member`."""
    left = size or 0
    try:
        for chunk in chunks:
            left -= len(chunk)
            if left < 0:
                break
            yield chunk
    except ValueError as fault:
        raise ValueError(f"{member}: {fault}") from None
    if left:
        raise ValueError(f"{member}: has not the size that it declares")


class Bounded:
    """A file of which only `left` more bytes may be read, until someone sets `left` again."""

    def __init__(self, file: BinaryIO, left: int) -> None:
        self.file, self.left = file, left
        self.seek, self.tell, self.seekable, self.readable = file.seek, file.tell, file.seekable, file.readable

    def read(self, count: int = -1) -> bytes:
        """As of any file. Raises ValueError where more than `left` bytes are asked for, or are there to the end."""
        found = self.file.read(self.left + 1 if count < 0 else count) if count <= self.left else b""
        if max(count, len(found)) > self.left:
            raise ValueError("what it says of its files is larger than any list that is needed")
        self.left -= len(found)
        return found


class Names:
    """The names met so far in one archive."""

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.folders: set[str] = {""}

    def new(self, name: str, is_folder: bool) -> PurePosixPath:
        """The path of the next member. Raises ValueError for one that may not be made."""
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or any(c in name for c in "\\:"):
            raise ValueError(f"{shown(name)} would lie outside the folder")
        odd = any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in name)
        if odd or len(name) > LONGEST or len(path.parts) > DEEPEST or any(len(p.encode()) > 255 for p in path.parts):
            raise ValueError(f"{shown(name)} is no name for a file")
        folded = unicodedata.normalize("NFC", str(path)).casefold() if path.parts else ""
        above = {"" if str(up) == "." else str(up) for up in PurePosixPath(folded).parents}
        if folded in self.files or above & self.files or (not is_folder and folded in self.folders):
            raise ValueError(f"{shown(name)} stands twice in it")
        self.folders |= above
        (self.folders if is_folder else self.files).add(folded)
        if len(self.files) + len(self.folders) > MOST_FILES:
            raise ValueError(f"it has more than {MOST_FILES} files")
        return path


def shown(name: str) -> str:
    """A name that someone chose, short and on one line."""
    return (name if name.isprintable() else ascii(name))[:100]
