"""Many photographs through a network, one after the other: what the commands for users share."""

import os
import sys
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

import typer

from dbgan import utils

MARGIN = 16  # pixels mirrored around a photograph, as `evaluate.margin` in params.yaml

Job = tuple[Path, list[Path]]  # a photograph and the files that it becomes


def jobs(inputs: list[str], out: Path, targets: Callable[[Path], list[Path]]) -> list[Job]:
    """What `inputs` name, and the files that each becomes by its path in `out`.

    Raises ValueError as dbgan.use.cli_paths does.
    """
    from dbgan.use import cli_paths as given

    if out.exists() and not out.is_dir():
        raise ValueError(f"{out}: is no folder")
    found = given.photographs(inputs, out)
    given.check_targets(found, targets)
    return [(file, targets(name)) for file, name in found]


def each(all_jobs: list[Job], work: Callable[[Path, list[Path]], str], force: bool, verb: str) -> None:
    """Do all jobs except those whose results are there; `work` makes the files and gives a note, "" for none.

    A photograph that fails costs one line on stderr; the others go on, and the exit code is 1 at the end.
    """
    warnings.filterwarnings("ignore", module=r"PIL\.")  # of odd files; what matters about them is said
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


def tiles_watched(name: str) -> Callable[[list], Iterable]:
    """A progress bar for the tiles of one photograph, when there are several."""

    def watch(tiles: list) -> Iterable:
        return utils.progress(tiles, desc=name, unit="tile", leave=False) if len(tiles) > 1 else tiles

    return watch
