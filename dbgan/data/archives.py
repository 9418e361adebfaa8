"""Public archives -> folders of photographs. What an archive says of itself is not believed."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from dbgan.data import fetch
from dbgan.data.fetch import Download
from dbgan.data.members import members
from dbgan.data.transfer import RESERVE, Progress, Say


@dataclass(frozen=True)
class Archives:
    """The archives that the paper trains on."""

    gopro: Download  # GOPRO_Large (Nah et al., CVPR 2017): train|test/<sequence>/{blur,blur_gamma,sharp}/*.png
    rwbi: Download  # real blurred photographs (the paper, Sec. 4), no sharp partners


def folder(d: Download, key: str, cache: Path, progress: Progress, say: Say) -> Path:
    """The folder with the files of an archive: `path` itself where that is a folder, else one below `cache`.

    The archive is fetched where neither `path` nor the cache has it. `key` is the section's name in params.yaml, such
    as data.archives.gopro, for messages. What the archive holds is not looked at: a top folder may be there or not.
    A relative `path` is one below the folder of the cache. Raises ValueError or OSError, one line that names the file
    or key.
    """
    if d.path and (own := cache.parent / Path(d.path).expanduser()).is_dir():
        return own
    if not d.path and (digest := fetch.known(d, cache)) and (done := unpacked(key, cache, digest)).is_dir():
        return done
    archive, digest = fetch.file(d, key, cache, progress, say, check, copies=2)
    out = unpacked(key, cache, digest)
    with fetch.alone(out, say):
        if not out.is_dir():
            extract(archive, out, progress)
    return out


def unpacked(key: str, cache: Path, digest: str) -> Path:
    """Where an archive is unpacked: the name says which one, and the folder is there only when it is whole."""
    return cache / f"{key.rpartition('.')[2]}-{digest[:16]}"


def extract(archive: Path, out: Path, progress: Progress) -> None:
    """Unpack a zip, tar or tar.gz into the new folder `out`: all of it or nothing, and nothing outside.

    Only folders and plain files are made, their permissions and times are not the archive's. Raises ValueError naming
    an archive that is damaged or could do harm (see `members`), OSError for a full disk.
    """
    part = out.with_name(out.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        room(part, archive.stat().st_size, archive)
        with progress(desc=f"unpack {archive.name}", unit="B", unit_scale=True) as bar:
            for name, size, chunks in members(archive):
                at = part / name
                if size is None:
                    at.mkdir(parents=True, exist_ok=True)
                    continue
                room(part, size, archive)
                at.parent.mkdir(parents=True, exist_ok=True)
                with at.open("xb") as file:
                    for chunk in chunks:
                        file.write(chunk)
                        bar.update(len(chunk))
        part.rename(out)
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(part)) from None  # a full disk does not say which file
    finally:
        shutil.rmtree(part, ignore_errors=True)


def room(part: Path, size: int, archive: Path) -> None:
    """Raises OSError where the disk has no room for so many bytes more."""
    if size > shutil.disk_usage(part).free - RESERVE:
        raise OSError(f"{part}: the disk has no room to unpack {archive.name}")


def check(archive: Path) -> None:
    """Read an archive to its end as `extract` would. Raises ValueError for one that it would refuse."""
    for _, _, chunks in members(archive):
        for _ in chunks:
            pass
