"""Deblur photographs: python -m dbgan deblur photo.jpg --out restored"""

from pathlib import Path
from typing import Annotated

import torch
import typer

from dbgan import settings, utils
from dbgan.data import download
from dbgan.models.build import DEBLUR
from dbgan.models.released import load_released
from dbgan.use import batch, inference, photo_files

RELEASED = "An authors' checkpoint: dbgan, srresnet, deblurgan, mprnet or nafnet. `dbgan authors`: fetch it."


def main(
    inputs: batch.Inputs,
    out: Annotated[Path, typer.Option(help="Folder for the results, under the same names.")],
    model: Annotated[Path | None, typer.Option(help="Weights of another network that this project trained.")] = None,
    released: Annotated[tuple[str, Path] | None, typer.Option(metavar="NAME FILE", help=RELEASED)] = None,
    ensemble: Annotated[bool, typer.Option("--ensemble", help="Mean of eight turns: slower by as much.")] = False,
    form: batch.Form = None,
    tile: batch.Tile = inference.TILE,
    force: batch.Force = False,
) -> None:
    """Deblur photographs.

    Size, 16 bits, transparency, EXIF data and colour profile are kept where the format can hold them. Exit code 0: all
    done, 1: some failed.

    \b
    python -m dbgan deblur photo.jpg --out restored
    python -m dbgan deblur holidays "scans/*.tif" --out restored --ensemble
    python -m dbgan deblur IMG_1.HEIC --out restored --format tiff
    python -m dbgan deblur photo.jpg --out restored --released nafnet NAFNet-GoPro-width64.pth
    """
    if model and released:
        raise typer.BadParameter("--model and --released: name one network, not two")
    jobs = batch.jobs(inputs, out, lambda path, _: [out / photo_files.written_as(path, form)])
    network = authors_network(*released) if released else batch.network(model, "dbgan.safetensors", DEBLUR)
    restore = batch.restorer(network, tile, ensemble=ensemble)
    batch.each(jobs, lambda photo, source, target: restore(photo.pixels, name=source.name), force, "deblur")


def authors_network(name: str, file: Path) -> torch.nn.Module:
    """The network of an authors' file, for photographs in [0, 1]; "authors" is the file that params.yaml names."""
    if name == "sftnet":
        raise ValueError("SFTGAN's network enlarges and needs a map of what is where; it does not deblur")
    if (name, file) == ("dbgan", Path("authors")):
        params = settings.load(utils.project_root() / "params.yaml")
        archives = settings.section(params, "archives", download.Archives)
        file = download.fetch(archives.authors_dbgan, "archives.authors_dbgan")
    changes = {"train_size": 256} if name == "nafnet" else {}  # as its authors test on GoPro (TLC)
    network = load_released(name, file, **changes)
    if name == "deblurgan":
        network.signed = False
    return network
