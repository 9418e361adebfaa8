"""Public archives and weights: downloaded once into .downloads/, compared by SHA-256, unpacked in full or not at all.

The digest of each file is recorded beside it; a later download of a file without a known digest must equal it.
"""

import errno
import hashlib
import shutil
import tarfile
import zipfile
from pathlib import Path
from typing import Annotated

import gdown
from filelock import FileLock
from gdown.exceptions import DownloadError
from pydantic import Field

from dbgan.settings import Params
from dbgan.utils import atomic_write, log, progress, project_root, sha256

RETRIES = 10  # after cuts and timeouts; a later run goes on where this one ended
TIMEOUT = (10, 60)  # seconds for a connection, and without a byte
RESERVE = 1 << 30  # bytes of the disk that stay free


class Archive(Params):
    """A public file."""

    path: str | None  # your own copy, instead of a download; of an archive also the folder with its files
    file: Annotated[str, Field(pattern=r"^\w[\w. -]*$")]  # its name in the cache
    url: str | None  # its address, tried first
    drive: str | None  # its id at Google Drive
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{8,64}$")] | None  # or its first digits; null: not known


class Archives(Params):
    gopro: Archive  # GOPRO_Large (Nah et al., CVPR 2017)
    rwbi: Archive  # the paper's real blurred photographs, no sharp partners
    vgg19: Archive  # torchvision's weights for the perceptual loss
    authors_dbgan: Archive  # the paper's authors' deblurring network


def fetch(archive: Archive, key: str) -> Path:
    """Your own copy, or the file in the cache, downloaded where it is not there. `key`: its section in params.yaml.

    Raises ValueError or OSError, one line that names the key.
    """
    if archive.path:
        own = project_root() / Path(archive.path).expanduser()
        if not own.exists():
            raise ValueError(f"params.yaml, {key}.path: there is no file {own}")
        if own.is_file() and archive.sha256 and not (digest := sha256(own)).startswith(archive.sha256):
            log(f"{own}: your copy is used, though it is not the public file (its SHA-256 is {digest})")
        return own
    out = _cached(archive.file)
    if not (archive.url or archive.drive or out.is_file()):
        raise ValueError(f"params.yaml, {key}: give your own copy as path, or a url, or a drive id")
    with _alone(out):
        recorded = _recorded(out)
        expected = archive.sha256 or recorded
        digest = sha256(out) if out.is_file() else _download(archive, key, out, expected)
        if not digest.startswith(expected):
            raise ValueError(f"{out}: its SHA-256 {digest} is not {key}.sha256; delete it to download it again")
        if digest != recorded:
            _record(out).write_text(f"{digest}  {out.name}\n", encoding="utf-8")
        if not expected:
            log(f"{out}: SHA-256 {digest}, recorded beside it; nobody has vouched for this first copy")
    return out


def unpacked(archive: Archive, key: str) -> Path:
    """The folder with an archive's files: your own, or one in the cache, named by the archive's digest. The archive may
    be deleted when its folder is there."""
    digest = "" if archive.path else _recorded(_cached(archive.file))
    out = _cached(f"{key.rpartition('.')[2]}-{digest[:16]}")
    if not digest or not digest.startswith(archive.sha256 or "") or not out.is_dir():
        file = fetch(archive, key)
        if file.is_dir():
            return file
        digest = sha256(file) if archive.path else _recorded(file)
        out = _cached(f"{key.rpartition('.')[2]}-{digest[:16]}")
        with _alone(out):
            if not out.is_dir():
                _unpack(file, out)
    return out


def vgg19(weights: str, archive: Archive) -> tuple[str, str]:
    """The choice of `perceptual.weights` as "random" or a file, and its digest: equal ones train equally, wherever the
    file lies."""
    if weights == "random":
        return weights, weights
    path = fetch(archive, "archives.vgg19") if weights == "imagenet" else project_root() / Path(weights).expanduser()
    if not path.is_file():
        raise ValueError(f"params.yaml, perceptual.weights: there is no file {path}")
    return str(path), sha256(path)


def _cached(name: str) -> Path:
    return project_root() / ".downloads" / name


def _alone(out: Path) -> FileLock:
    out.parent.mkdir(exist_ok=True)
    return FileLock(out.with_name(out.name + ".lock"))


def _record(file: Path) -> Path:
    return file.with_name(file.name + ".sha256")


def _recorded(file: Path) -> str:
    """The digest recorded beside a file of the cache; "" where there is none."""
    return _record(file).read_text(encoding="utf-8").partition(" ")[0] if _record(file).is_file() else ""


def _download(archive: Archive, key: str, out: Path, expected: str) -> str:
    """Bring the file to `out` from the first source that gives the right one; its SHA-256."""
    sources = {kind: value for kind, value in (("url", archive.url), ("id", archive.drive)) if value}
    errors = []
    for kind, value in sources.items():
        part = out.with_name(f"{out.name}.{kind}")
        try:
            digest = _transfer(part, **{kind: value})
            if not digest.startswith(expected):
                part.unlink()
                raise ValueError(f"its SHA-256 is {digest}, not {expected}")
            part.rename(out)
            return digest
        except (DownloadError, OSError, ValueError, LookupError, AssertionError) as error:  # all that gdown raises
            errors.append(f"{value}: {' '.join(str(error).split())}")
    raise OSError(f"params.yaml, {key}: {'; '.join(errors)} (your own copy can be named as {key}.path)")


def _transfer(part: Path, **source: str) -> str:
    """Download to `part`, and go on where an earlier run was cut; the SHA-256."""
    part.unlink(missing_ok=True)  # gdown would return a finished file without hashing it
    options = {"quiet": True, "use_cookies": False, "retries": RETRIES, "timeout": TIMEOUT}

    def show(done: int, total: int | None) -> None:
        bar.total = total
        bar.update(done - bar.n)
        _check_room(part, (total or done) - done)

    for attempt in (1, 2):
        hasher = hashlib.sha256()
        try:
            with progress(desc=part.stem, unit="B", unit_scale=True) as bar:
                gdown.download(output=str(part), resume=True, hasher=hasher, progress=show, **options, **source)
            break
        except DownloadError as error:
            if attempt == 2 or "byte range" not in str(error):
                raise
        for old in part.parent.glob(f"{part.name}*.part"):  # the server cannot go on: from the start
            old.unlink()
    return hasher.hexdigest()


def _unpack(archive: Path, out: Path) -> None:
    """A zip or tar file into the new folder `out`: all of it or nothing, and nothing outside."""
    log(f"unpack {archive}")
    try:
        with atomic_write(out) as part:
            part.mkdir()
            if tarfile.is_tarfile(archive):
                with tarfile.open(archive) as file:
                    _check_room(part, sum(member.size for member in file.getmembers()))
                    file.extractall(part, filter="data")
            else:
                with zipfile.ZipFile(archive) as file:
                    _check_room(part, sum(member.file_size for member in file.infolist()))
                    file.extractall(part)
    except Exception as error:  # both libraries raise errors of many kinds for damaged files
        if isinstance(error, OSError) and error.errno:
            raise
        raise ValueError(f"{archive}: no undamaged zip or tar file ({error}); delete it to download it again") from None


def _check_room(at: Path, size: int) -> None:
    free = shutil.disk_usage(at.parent).free - RESERVE
    if size > free:
        raise OSError(
            errno.ENOSPC, f"needs {size / 1e9:.1f} GB, the disk has {max(free, 0) / 1e9:.1f} to spare", str(at)
        )
