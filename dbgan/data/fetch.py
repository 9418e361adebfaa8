"""Download of one public file into a cache: resumed, checked, and in place only when it is whole."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Progress = Callable[..., object]


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
        if self.sha256 is not None and not (
            8 <= len(self.sha256) <= 64 and set(self.sha256) <= set("0123456789abcdef")
        ):
            raise ValueError("sha256 must be 8 to 64 of the digits 0-9 and a-f")


def file(d: Download, key: str, cache: Path, progress: Progress, say: Callable[[str], None]) -> Path:
    """The file of a Download, from `path` or the cache, fetched into the cache if it is in neither.

    `key` is the section's name in params.yaml, for messages. Raises ValueError or OSError, one line.
    """
    raise NotImplementedError
