"""Many photographs, one after the other: what the commands for users share."""

import glob
import os
import sys
import tempfile
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer

from dbgan import checkpoint, outputs, utils
from dbgan.data import photos
from dbgan.use import inference, photo_files

FORMAT = "Of the results; by default the photograph's own; JPEG for HEIC, PNG for GIF."
Inputs = Annotated[list[str], typer.Argument(metavar="INPUT", help='Photographs, folders, or patterns ("*.jpg").')]
Tile = Annotated[int, typer.Option(min=32, help="Pixels a side of the tiles: larger ones need more memory.")]
Form = Annotated[photo_files.Format | None, typer.Option("--format", help=FORMAT)]
Force = Annotated[bool, typer.Option("--force", help="Make results anew that are there already.")]

Job = tuple[Path, list[Path], str]  # a photograph, the files that it becomes, and why it cannot
Work = Callable[[photo_files.Photo, Path, Path], np.ndarray]  # a photograph, its file and the target -> pixels


def jobs(
    inputs: list[str],
    out: Path,
    targets: Callable[[Path, bool], list[Path]],
    beside: Callable[[Path], list[Path]] = lambda target: [],
) -> list[Job]:
    """The photographs that `inputs` name and the files that each becomes, in no input's place. `targets` gets a name,
    and whether another differs from it in suffix or case alone; `beside` a target: what else is written with it."""
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out}: is no folder")
    found = photographs(inputs, out)
    try:  # before hours of work
        with tempfile.TemporaryFile(dir=next(folder for folder in (out, *out.absolute().parents) if folder.exists())):
            pass
    except OSError as error:
        raise ValueError(f"{out}: cannot be written ({error.strerror}); choose another --out") from None
    stems = Counter(str(name.with_suffix("")).lower() for _, name in found)
    all_jobs = [(file, targets(name, stems[str(name.with_suffix("")).lower()] > 1)) for file, name in found]
    sources = {file.resolve() for file, _ in found}
    makers: defaultdict[Path, list[Path]] = defaultdict(list)
    for file, made in all_jobs:
        for target in made:
            makers[target].append(file)
            for written in (target, *beside(target)):
                if written.resolve() in sources:
                    raise ValueError(f"{written}: is one of the inputs; choose another folder for the results")
    clash = "{} and {}: both would become {}; give each its own --out".format
    clashes = {target: clash(*files[:2], target) for target, files in makers.items() if len(files) > 1}
    return [
        (file, made, next((clashes[target] for target in made if target in clashes), "")) for file, made in all_jobs
    ]


def photographs(inputs: list[str], out: Path) -> list[tuple[Path, Path]]:
    """Each photograph and its path among the results. What lies in `out` is no input unless it is named itself."""

    def outside(path: Path) -> bool:
        return not path.resolve().is_relative_to(out.resolve())

    listed: dict[tuple[Path, Path], tuple[Path, Path]] = {}
    for given in inputs:
        matches = map(Path, sorted(glob.glob(given, recursive=True)))  # noqa: PTH207 - Path.glob: none absolute
        paths = [Path(given)] if Path(given).exists() else list(filter(outside, matches))
        matched = set(paths)  # by ** a folder and what lies in it, which the folder gives
        paths = [path for path in paths if matched.isdisjoint(path.parents)]
        pairs = [(path, Path(path.name)) for path in paths if not path.is_dir()]
        for folder in filter(Path.is_dir, paths):
            pairs += [(folder / name, name) for name in photos.find(folder) if outside(folder / name)]
        if not pairs:
            raise ValueError(f"{given}: there are no such photographs, or only in {out}")
        listed |= {(file.resolve(), name): (file, name) for file, name in pairs}
    return list(listed.values())


def restorer(network: torch.nn.Module, tile: int, **options: Any) -> Callable[..., np.ndarray]:
    device = outputs.device(torch.get_num_threads())  # the margin is `evaluate.margin` in params.yaml
    return partial(inference.restore, network.to(device), margin=16, tile=tile, device=device, **options)


def network(weights: Path | None, default: str, names: Collection[str]) -> torch.nn.Module:
    """The network of the user's weights file, or of the repository's last run."""
    trained = utils.project_root() / "models" / default
    if not weights and not trained.is_file():
        raise ValueError(f"{trained}: no network is trained yet; run `dvc repro` first, or name one by --model")
    return checkpoint.load(weights or trained, names)


def each(all_jobs: list[Job], work: Work, force: bool, verb: str) -> None:
    """Write the results that are not there. A photograph that fails costs one line on stderr and exit code 1."""
    warnings.filterwarnings("ignore", module=r"PIL\.")  # about odd files; notes say what matters
    kept = failed = 0
    bar = utils.progress(all_jobs, desc=verb, unit="photo")
    for file, targets, problem in bar:
        try:
            if problem:
                raise ValueError(problem)
            missing = [target for target in targets if force or not target.exists()]
            kept += len(targets) - len(missing)
            if not missing:
                continue
            photo = photo_files.read(file, targets[0])
            for target in missing:
                pixels = work(photo, file, target)
                with utils.atomic_write(target) as part:
                    photo_files.write(part, photo, pixels)
            if photo.note:
                bar.write(f"{file}: {photo.note}", file=sys.stderr)
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
