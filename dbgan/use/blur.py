"""Blur sharp photographs as BGAN has learnt, for training: python -m dbgan blur photos --out pairs --variants 4"""

import hashlib
import os
import shutil
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from dbgan import outputs, utils
from dbgan.use import batch


def main(
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT", help="Sharp photographs, folders, or patterns.")],
    out: Annotated[Path, typer.Option(help="Folder for the pairs: blur and sharp below it.")],
    variants: Annotated[int, typer.Option(min=1, help="Blurs of each photograph.")] = 1,
    seed: Annotated[int, typer.Option(help="Another seed, other blurs.")] = 0,
    model: Annotated[Path | None, typer.Option(help="Weights of another BGAN that this project trained.")] = None,
    tile: Annotated[int, typer.Option(min=32, help="Pixels a side of the tiles: larger ones need more memory.")] = 1024,
    force: Annotated[bool, typer.Option("--force", help="Make results anew that are there already.")] = False,
) -> None:
    """Blur sharp photographs realistically: training pairs for any network.

    Writes OUT/blur/<name>_<k> and, of the same name, OUT/sharp/<name>_<k>: the photograph itself, linked where the file
    system can, or written upright where it is stored turned. Linked as train/blur and train/sharp of a folder, they are
    data for this pipeline (data.source folder). A blur depends on the seed, the photograph's path in its folder and k,
    not on the other photographs.

    \b
    python -m dbgan blur photos --out pairs --variants 4
    python -m dbgan blur "photos/*.png" --out pairs --seed 7 --model models/bgan.safetensors
    """
    # Imported here, so that --help is fast.
    import torch

    from dbgan import checkpoint
    from dbgan.models.build import BLUR
    from dbgan.use import inference, photo_files

    def targets(path: Path) -> list[Path]:
        return [out / "blur" / photo_files.written_as(path).with_stem(f"{path.stem}_{k}") for k in range(variants)]

    jobs = batch.jobs(inputs, out, targets)
    network = checkpoint.load(batch.weights(model, "bgan.safetensors"), BLUR)
    device = outputs.device(torch.get_num_threads())
    network.to(device)

    def one(source: Path, missing: list[Path]) -> str:
        photo = photo_files.read(source)
        for target in missing:
            name = target.relative_to(out / "blur")
            digest = hashlib.sha256(f"{seed}/{name.as_posix()}".encode()).digest()
            noise = partial(network.draw_noise, generator=torch.Generator().manual_seed(int.from_bytes(digest[:7])))
            pixels = inference.restore(network, photo.pixels, batch.MARGIN, tile, device, noise, name=target.name)
            sharp = out / "sharp" / name
            if photo.turned:  # who reads pixels alone would get pairs of unlike sides
                with utils.atomic_write(sharp) as part:
                    photo_files.write(part, photo, photo.pixels)
            else:
                with utils.atomic_write(sharp.with_suffix(source.suffix)) as part:
                    link(source, part)
            with utils.atomic_write(target) as part:
                photo_files.write(part, photo, pixels)
        return photo.note

    batch.each(jobs, one, force, "blur")


def link(source: Path, target: Path) -> None:
    """The file under a second name; a copy where the file system has no hard links."""
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)
