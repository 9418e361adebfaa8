"""Many photographs, one after the other: what the commands for users share."""

import glob
import os
import sys
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

import typer

from dbgan import utils
from dbgan.data import photos

MARGIN = 16  # pixels mirrored around a photograph, as `evaluate.margin` in params.yaml

Job = tuple[Path, list[Path]]  # a photograph and the files that it becomes


def jobs(inputs: list[str], out: Path, targets: Callable[[Path], list[Path]]) -> list[Job]:
    """Each photograph that `inputs` name, and the files that it becomes by its path in `out`.

    Raises ValueError where two would become the same file, or one would take an input's place.
    """
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out}: is no folder")
    found = photographs(inputs, out)
    sources = {file.resolve() for file, _ in found}
    makers: dict[Path, Path] = {}
    for file, name in found:
        for target in targets(name):
            if target.resolve() in sources:
                raise ValueError(f"{target}: is one of the inputs; choose another folder for the results")
            if target in makers:
                raise ValueError(f"{makers[target]} and {file}: both would become {target}; run them one by one")
            makers[target] = file
    return [(file, targets(name)) for file, name in found]


def photographs(inputs: Iterable[str], out: Path) -> list[tuple[Path, Path]]:
    """Files, folders and patterns such as "*.jpg" -> each photograph and its path in the folder of results.

    What lies in `out` is no input, unless it is named itself. Raises ValueError for an input that gives none.
    """

    def outside(path: Path) -> bool:
        return not path.resolve().is_relative_to(out.resolve())

    found: dict[tuple[Path, Path], tuple[Path, Path]] = {}
    for given in inputs:
        paths = [Path(given)]
        if not paths[0].exists():
            matches = map(Path, sorted(glob.glob(given, recursive=True)))  # noqa: PTH207 - Path.glob: none absolute
            paths = [path for path in matches if outside(path)]
        pairs = [(path, Path(path.name)) for path in paths if not path.is_dir()]
        for folder in filter(Path.is_dir, paths):
            pairs += [(folder / name, name) for name in photos.find(folder) if outside(folder / name)]
        if not pairs:
            raise ValueError(f"{given}: there are no such photographs, or only in {out}")
        found |= {(file.resolve(), name): (file, name) for file, name in pairs}
    return list(found.values())


def each(all_jobs: list[Job], work: Callable[[Path, list[Path]], str], force: bool, verb: str) -> None:
    """Do all jobs except those whose results are there; `work` makes the files and returns a note, "" for none.

    A photograph that fails costs one line on stderr; the others go on, and the exit code is 1 at the end.
    """
    warnings.filterwarnings("ignore", module=r"PIL\.")  # about odd files; notes say what matters
    kept = failed = 0
    bar = utils.progress(all_jobs, desc=verb, unit="photo")
    for file, targets in bar:
        missing = targets if force else [target for target in targets if not target.exists()]
        kept += len(targets) - len(missing)
        try:
            if missing and (note := work(file, missing)):
                bar.write(f"{file}: {note}", file=sys.stderr)
        except Exception as error:  # of an encoder, a network or a full memory: the other photographs go on
            if os.environ.get("DBGAN_TRACEBACK"):
                raise
            text = " ".join(str(error).split()) or type(error).__name__
            bar.write(f"{verb}: {text if str(file) in text else f'{file}: {text}'}", file=sys.stderr)
            failed += 1
    if kept:
        utils.log(f"{verb}: {kept} results were there already and are left as they are; --force makes them anew")
    if failed:
        utils.log(f"{verb}: {failed} of {len(all_jobs)} photographs failed")
        raise typer.Exit(1)


def weights(path: Path | None, default: str) -> Path:
    """The weights file to use: the user's, or that of the repository's last run."""
    if path is None and not (path := utils.project_root() / "models" / default).is_file():
        raise ValueError(f"{path}: no network is trained yet; run `dvc repro` first, or name one by --model")
    return path
