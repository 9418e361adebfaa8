"""Which photographs a user means, and where the results go."""

import glob
from collections.abc import Callable, Iterable
from pathlib import Path

from dbgan.data import photos


def photographs(inputs: Iterable[str], out: Path) -> list[tuple[Path, Path]]:
    """Files, folders and patterns such as "*.jpg" -> each photograph and its path in the folder of results.

    That of a file is its name, that of a photograph in a folder its path there. What lies in `out` is no input, unless
    it is named itself. Raises ValueError for an input that gives none.
    """
    found: dict[tuple[Path, Path], tuple[Path, Path]] = {}
    for given in inputs:
        for path in _matches(given, out):
            if path.is_dir():
                pairs = [(path / name, name) for name in photos.find(path) if not _inside(path / name, out)]
                if not pairs:
                    raise ValueError(f"{path}: no photographs in it but those in {out}")
            else:
                pairs = [(path, Path(path.name))]
            found |= {(file.resolve(), name): (file, name) for file, name in pairs}
    return list(found.values())


def _matches(given: str, out: Path) -> list[Path]:
    if Path(given).exists():
        return [Path(given)]
    if not glob.has_magic(given):
        raise ValueError(f"{given}: there is no such photograph or folder")
    paths = map(Path, sorted(glob.glob(given, recursive=True)))  # noqa: PTH207 - Path.glob takes no absolute pattern
    if not (found := [path for path in paths if not _inside(path, out)]):
        raise ValueError(f"{given}: nothing has such a name outside {out}")
    return found


def _inside(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def check_targets(found: list[tuple[Path, Path]], targets: Callable[[Path], list[Path]]) -> None:
    """Raises ValueError when two photographs would become the same file, or one would take an input's place.

    `targets` gives the files that a photograph becomes, by its path in the folder of results.
    """
    sources = {file.resolve() for file, _ in found}
    makers: dict[Path, Path] = {}
    for file, name in found:
        for target in targets(name):
            if target.resolve() in sources:
                raise ValueError(f"{target}: is one of the inputs; choose another folder for the results")
            if target in makers:
                raise ValueError(f"{makers[target]} and {file}: both would become {target}; run them one by one")
            makers[target] = file
