"""One public file in a cache: fetched once, checked by its SHA-256, and in place only when it is whole."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from dbgan.data.transfer import Progress, Say, forget, transfer

CACHE = ".downloads"  # folder of the repository, outside what DVC keeps
DIGITS = set("0123456789abcdef")


@dataclass(frozen=True)
class Download:
    """A public file and where it is found."""

    file: str  # its name in the cache
    url: str | None  # where it is fetched; tried first
    drive: str | None  # or its id at Google Drive
    sha256: str | None  # its digest, or the first digits of it; null: the first download's is recorded and kept
    path: str | None  # your own copy, instead of a download; of an archive also the folder with its files

    def __post_init__(self) -> None:
        if not self.file or Path(self.file).name != self.file:
            raise ValueError(f"file must be a plain name, not {self.file!r}")
        if self.sha256 is not None and not (8 <= len(self.sha256) <= 64 and set(self.sha256) <= DIGITS):
            raise ValueError("sha256 must be 8 to 64 of the digits 0-9 and a-f")


def file(
    d: Download,
    key: str,
    cache: Path,
    progress: Progress,
    say: Say,
    check: Callable[[Path], None] = lambda path: None,
    copies: int = 1,
) -> tuple[Path, str]:
    """The file of a Download and its SHA-256: the one at `path`, else the one in the cache, fetched if it is not there.

    `key` is the section's name in params.yaml, for messages; a relative `path` is one below the folder of the cache.
    `check` looks at a new file whose digest nobody knows yet and raises ValueError for a damaged one. `copies` is how
    often the file must fit on the disk. Raises ValueError or OSError, one line that names the key or file.
    """
    if d.path:
        return own(d, key, cache, progress, say)
    out = cache / d.file
    if not (d.url or d.drive or out.is_file()):
        raise ValueError(f"params.yaml, {key}: give your own copy as path, or a url, or a drive id")
    with alone(out, say):
        if not out.is_file():
            return out, fetched(d, key, out, progress, say, check, copies)
        found = digest(out, progress)
        if not found.startswith(known(d, cache) or ""):
            raise ValueError(
                f"{out}: its SHA-256 {found[:16]}... is not {key}.sha256 or the one recorded beside it; "
                "delete it to fetch it again"
            )
        record(d, cache, found, say)
        return out, found


def weights(choice: str, imagenet: Download, cache: Path, progress: Progress, say: Say) -> tuple[str, str]:
    """What `perceptual.weights` asks for, as random or a file, and its digest: equal ones train equally, whatever the
    file's place. "imagenet" is fetched; a relative file is one below the folder of the cache. Raises ValueError or
    OSError as `file`, or for a file that is not there."""
    if choice == "random":
        return choice, choice
    if choice == "imagenet":
        path, found = file(imagenet, "imagenet_vgg19", cache, progress, say)
        return str(path), found
    path = cache.parent / Path(choice).expanduser()
    if not path.is_file():
        raise ValueError(f"params.yaml, perceptual.weights: there is no file {path}")
    return str(path), digest(path, progress)


def own(d: Download, key: str, cache: Path, progress: Progress, say: Say) -> tuple[Path, str]:
    """The user's copy and its digest; another digest than the public one is said, and accepted."""
    path = cache.parent / Path(d.path).expanduser()
    if not path.is_file():
        raise ValueError(f"params.yaml, {key}.path: there is no file {path}")
    found = digest(path, progress)
    if d.sha256 and not found.startswith(d.sha256):
        say(f"{path}: your copy is used, though it is not the public file (SHA-256 {found}, not {d.sha256})")
    return path, found


def fetched(
    d: Download, key: str, out: Path, progress: Progress, say: Say, check: Callable[[Path], None], copies: int
) -> str:
    """Bring the file to `out` from the first source that gives a right one; its SHA-256."""
    part = out.with_name(out.name + ".part")
    sources = [(url, drive) for url, drive in ((d.url, None), (None, d.drive)) if url or drive]
    expected, faults = known(d, out.parent), []
    for url, drive in sources:
        try:
            transfer(url, drive, part, copies, progress, say)
            found = digest(part, progress)
            right(part, url or drive, found, expected, check)
        except OSError as fault:
            full = fault.errno is not None and fault.filename is None  # a full disk does not say which file
            faults.append(f"{part}: {fault.strerror}" if full else str(fault))
            continue
        except ValueError as fault:
            faults.append(str(fault))
            continue
        part.replace(out)
        forget(part)
        record(d, out.parent, found, say)
        return found
    raise OSError(f"params.yaml, {key}: {'; '.join(faults)} (your own copy can be named as {key}.path)")


def right(part: Path, source: str, found: str, expected: str | None, check: Callable[[Path], None]) -> None:
    """Raises ValueError for a file that is not the one expected, and removes it: resuming could not mend it."""
    try:
        if expected is None:
            check(part)
        elif not found.startswith(expected):
            raise ValueError(f"what came has the SHA-256 {found}, the file has {expected}")
    except ValueError as fault:
        forget(part)
        raise ValueError(f"{source}: {fault}") from None


def known(d: Download, cache: Path) -> str | None:
    """What the digest of the file must begin with: all of it if it was recorded or stands in params.yaml."""
    beside = record_of(d, cache)
    recorded = beside.read_text(encoding="utf-8").partition(" ")[0] if beside.is_file() else ""
    if len(recorded) != 64 or not set(recorded) <= DIGITS or not recorded.startswith(d.sha256 or ""):
        return d.sha256
    return recorded


def record(d: Download, cache: Path, found: str, say: Say) -> None:
    """Keep the digest beside the file, in the form of the command sha256sum."""
    if known(d, cache) == found:
        return
    if d.sha256 is None:
        say(f"{d.file}: SHA-256 {found}, recorded in {record_of(d, cache)}; nobody has vouched for this first copy")
    part = cache / f"{d.file}.sha256.part"
    part.write_text(f"{found}  {d.file}\n", encoding="utf-8")
    part.replace(record_of(d, cache))


def record_of(d: Download, cache: Path) -> Path:
    """The file beside the download that keeps its digest."""
    return cache / f"{d.file}.sha256"


def digest(path: Path, progress: Progress) -> str:
    """SHA-256 of a file, with a bar, as an archive takes a while."""
    found = hashlib.sha256()
    named = {"desc": f"check {path.name}", "unit": "B", "unit_scale": True, "unit_divisor": 1024}
    with path.open("rb") as read, progress(total=path.stat().st_size, **named) as bar:
        while chunk := read.read(1 << 20):
            found.update(chunk)
            bar.update(len(chunk))
    return found.hexdigest()


@contextmanager
def alone(out: Path, say: Say) -> Iterator[None]:
    """While it lasts no other process makes `out`; who comes second waits, and says so."""
    out.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(out.with_name(out.name + ".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say(f"{out}: another process works on it; waiting")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
