"""Blur sharp photographs as BGAN has learnt, for training: python -m dbgan blur photos --out pairs --variants 4"""

import filecmp
import hashlib
import os
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from dbgan import utils
from dbgan.models.build import BLUR
from dbgan.use import batch, inference, photo_files


def main(
    inputs: batch.Inputs,
    out: Annotated[Path, typer.Option(help="Folder for the pairs: blur and sharp below it.")],
    variants: Annotated[int, typer.Option(min=1, help="Blurs of each photograph.")] = 1,
    seed: Annotated[int, typer.Option(help="Another seed, other blurs.")] = 0,
    model: Annotated[Path | None, typer.Option(help="Weights of another BGAN that this project trained.")] = None,
    form: batch.Form = None,
    tile: batch.Tile = inference.TILE,
    force: batch.Force = False,
) -> None:
    """Blur sharp photographs realistically: training pairs for any network.

    Writes OUT/blur/<name>_<k> and OUT/sharp/<name>_<k>, the upright photograph, linked where possible. A blur depends
    on the seed, the pair's name and k, not on the other photographs.

    \b
    python -m dbgan blur photos --out pairs --variants 4
    python -m dbgan blur "photos/*.png" --out pairs --seed 7 --model models/bgan.safetensors
    """

    def targets(path: Path, shared: bool) -> list[Path]:
        stem = path.name.replace(".", "_") if shared else path.stem  # pairs are told by their stems
        return [out / "blur" / photo_files.written_as(path, form).with_stem(f"{stem}_{k}") for k in range(variants)]

    def sharp(target: Path) -> Path:
        return out / "sharp" / target.relative_to(out / "blur")

    jobs = batch.jobs(inputs, out, targets, beside=lambda target: [sharp(target)])
    network = batch.network(model, "bgan.safetensors", BLUR)
    restore = batch.restorer(network, tile)

    def work(photo: photo_files.Photo, source: Path, target: Path) -> np.ndarray:
        partner = sharp(target)
        name = target.relative_to(out / "blur").with_suffix("").as_posix()  # equal blurs in each format
        digest = hashlib.sha256(os.fsencode(f"{seed}/{name}")).digest()
        noise = partial(network.draw_noise, generator=torch.Generator().manual_seed(int.from_bytes(digest[:7])))
        with utils.atomic_write(partner) as part:
            # Who reads pixels alone would get pairs of unlike sides from a photograph that is stored turned.
            if photo.turned or source.suffix != partner.suffix:
                photo_files.write(part, photo, photo.pixels)
            else:
                utils.link(source.resolve(), part)
            if partner.exists() and not force and not filecmp.cmp(partner, part, shallow=False):
                why = "another photograph is there; choose another --out, or --force replaces it"
                raise ValueError(f"{partner}: {why}")
            return restore(photo.pixels, noise=noise, name=target.name)

    batch.each(jobs, work, force, "blur")
