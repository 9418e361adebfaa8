"""Public archives and weights: downloaded once into .downloads/, compared by SHA-256, unpacked whole or not at all."""

import errno
import shutil
import tarfile
import zipfile
from pathlib import Path
from typing import Annotated, Any

import gdown
from filelock import FileLock
from pydantic import Field, PositiveFloat

from dbgan.settings import Params
from dbgan.utils import atomic_write, log, project_root, sha256

RETRIES = 10  # after cuts and timeouts; a later run goes on where this one ended
TIMEOUT = (10, 60)  # seconds for a connection, and without a byte


class Archive(Params):
    path: str | None  # your own copy, instead of a download; of an archive also the folder with its files
    file: Annotated[str, Field(pattern=r"^\w[\w. -]*$")]  # its name in the cache
    gb: PositiveFloat | None  # its size; null: not known
    url: str | None  # its address, tried first
    drive: str | None  # its id at Google Drive
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{8,64}$")] | None  # or its first digits; null: not known


class Archives(Params):
    gopro: Archive  # GOPRO_Large (Nah et al., CVPR 2017)
    rwbi: Archive  # the paper's real blurred photographs, no sharp partners
    vgg19: Archive  # torchvision's weights for the perceptual loss
    authors_dbgan: Archive  # the paper's authors' deblurring network


def fetch(archive: Archive, key: str, online: bool = True) -> Path:
    """Your own copy, or the file in the cache, downloaded where it is not there. `key`: its section in params.yaml. The
    first digest of a file that has none there is recorded beside it, and holds from then on. Not `online`: a file that
    is not there is a ValueError, as where a training runs there may be no network."""
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
    with FileLock(f"{out}.lock"):
        if not (online or out.is_file()):
            raise ValueError(f"{out}: there is no such file; the stage download fetches it: dvc repro -f -s download")
        if not out.is_file():
            _download(archive, key, out)
        digest, expected = sha256(out), archive.sha256 or _recorded(out)
        if not digest.startswith(expected):
            raise ValueError(f"{out}: its SHA-256 {digest} is not {expected} ({key}.sha256); delete it to try again")
        if not expected:
            log(f"{out}: SHA-256 {digest}, recorded beside it; nobody has vouched for this first copy")
        Path(f"{out}.sha256").write_text(f"{digest}  {out.name}\n", encoding="utf-8")
    return out


def missing(archive: Archive, key: str, unpack: bool) -> dict[str, float | None]:
    """The bytes that `fetch`, or `unpacked`, would write, by what they are; None: not known."""
    out, size = _cached(archive.file), archive.gb and archive.gb * 1e9
    if archive.path:
        own = project_root() / Path(archive.path).expanduser()
        return (
            {f"{own.name} unpacked, unless it is already": size or own.stat().st_size}
            if unpack and own.is_file()
            else {}
        )
    if unpack and _cached(f"{key.rpartition('.')[2]}-{_recorded(out)[:16]}").is_dir():
        return {}
    begun = sum(part.stat().st_size for part in out.parent.glob(f"{out.name}*.part"))
    needs = {} if out.is_file() else {f"download of {out.name}": size and max(size - begun, 0)}
    return needs | ({f"{out.name} unpacked": size} if unpack else {})


def unpacked(archive: Archive, key: str) -> Path:
    """The folder with an archive's files: your own, or one in the cache, named by the archive's digest."""
    name = key.rpartition(".")[2]
    digest = "" if archive.path else _recorded(_cached(archive.file))
    out = _cached(f"{name}-{digest[:16]}")
    if out.is_dir() and digest.startswith(archive.sha256 or ""):
        return out
    file = fetch(archive, key)
    if file.is_dir():
        return file
    out = _cached(f"{name}-{sha256(file)[:16]}")
    with FileLock(f"{out}.lock"):
        if not out.is_dir():
            _unpack(file, out)
    return out


def vgg19(weights: str, archive: Archive) -> tuple[str, str]:
    """The choice of `perceptual.weights`: "random" or a file, and its digest; the stage download has fetched it."""
    if weights == "random":
        return weights, weights
    own = project_root() / Path(weights).expanduser()
    path = fetch(archive, "archives.vgg19", online=False) if weights == "imagenet" else own
    if not path.is_file():
        raise ValueError(f"params.yaml, perceptual.weights: there is no file {path}")
    return str(path), sha256(path)


def _cached(name: str) -> Path:
    (folder := project_root() / ".downloads").mkdir(exist_ok=True)
    return folder / name


def _recorded(file: Path) -> str:
    record = Path(f"{file}.sha256")
    return record.read_text(encoding="utf-8").partition(" ")[0] if record.is_file() else ""


def _download(archive: Archive, key: str, out: Path) -> None:
    errors = []
    for url in filter(None, (archive.url, archive.drive and f"https://drive.google.com/uc?id={archive.drive}")):
        try:
            gdown.download(url, str(out), resume=True, retries=RETRIES, timeout=TIMEOUT, use_cookies=False)
            return
        except Exception as error:  # gdown raises errors of many kinds
            errors.append(f"{url}: {' '.join(str(error).split())}")
            if "byte range" in errors[-1]:
                errors.append(f"this server cannot go on; delete {out}*.part to start again")
    raise OSError(f"params.yaml, {key}: {'; '.join(errors)} (your own copy can be named as {key}.path)")


def _unpack(archive: Path, out: Path) -> None:
    """A zip or tar file into the new folder `out`: all of it or nothing, and nothing outside."""
    log(f"unpack {archive}")
    try:
        tar = tarfile.is_tarfile(archive)
        opened: Any = tarfile.open if tar else zipfile.ZipFile
        with opened(archive) as file, atomic_write(out) as part:
            size = sum(member.size for member in file) if tar else sum(member.file_size for member in file.infolist())
            if size > (free := shutil.disk_usage(out.parent).free):
                raise OSError(errno.ENOSPC, f"{size / 1e9:.1f} GB to unpack, {free / 1e9:.1f} GB free", str(out.parent))
            file.extractall(part, **({"filter": "data"} if tar else {}))
    except Exception as error:  # both formats' libraries raise errors of many kinds for damaged files
        if isinstance(error, OSError) and error.errno:
            raise
        raise ValueError(
            f"{archive}: no undamaged zip or tar file ({error}); replace it, or delete the downloaded one"
        ) from None
