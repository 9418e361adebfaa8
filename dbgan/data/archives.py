"""Public archives -> folders of photographs."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dbgan.data import fetch
from dbgan.data.fetch import Download, Progress


@dataclass(frozen=True)
class Archives:
    """The archives that the paper trains on."""

    gopro: Download  # GOPRO_Large (Nah et al., CVPR 2017): train|test/<sequence>/{blur,blur_gamma,sharp}/*.png
    rwbi: Download  # real blurred photographs (the paper, Sec. 4), no sharp partners


def folder(d: Download, key: str, cache: Path, progress: Progress, say: Callable[[str], None]) -> Path:
    """The folder with the files of an archive: `path` itself where that is a folder, else one below `cache`.

    The archive is fetched where neither `path` nor the cache has it. `key` is the section's name in params.yaml, such
    as data.archives.gopro, for messages. What the archive holds is not looked at: a top folder may be there or not.
    Raises ValueError or OSError, one line that names the file or key.
    """
    if d.path and Path(d.path).expanduser().is_dir():
        return Path(d.path).expanduser()
    return fetch.file(d, key, cache, progress, say)
