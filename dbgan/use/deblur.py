"""Deblur photographs: python -m dbgan deblur photo.jpg --out restored"""

from pathlib import Path
from typing import Annotated

import typer

from dbgan import outputs, settings, utils
from dbgan.use import batch

AUTHORS = Path("authors")  # instead of a file: the one that params.yaml names


def main(
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT", help='Photographs, folders, or patterns ("*.jpg").')],
    out: Annotated[Path, typer.Option(help="Folder for the results, under the same names.")],
    model: Annotated[Path | None, typer.Option(help="Weights of another network that this project trained.")] = None,
    released: Annotated[
        tuple[str, Path] | None,
        typer.Option(
            metavar="NAME FILE",
            help="An authors' checkpoint: dbgan, srresnet, deblurgan, mprnet or nafnet. `dbgan authors`: fetch it.",
        ),
    ] = None,
    ensemble: Annotated[
        bool, typer.Option("--ensemble", help="Mean of eight flips and turns: slower by as much.")
    ] = False,
    tile: Annotated[int, typer.Option(min=32, help="Pixels a side of the tiles: larger ones need more memory.")] = 1024,
    force: Annotated[bool, typer.Option("--force", help="Make results anew that are there already.")] = False,
) -> None:
    """Deblur photographs.

    Format, size, 16 bits, transparency, EXIF data and colour profile are kept; pixels are turned upright. Exit code 0:
    all done, 1: some failed, each with one line that says why, 2: wrong options.

    \b
    python -m dbgan deblur photo.jpg --out restored
    python -m dbgan deblur holidays "scans/*.tif" --out restored --ensemble
    python -m dbgan deblur photo.jpg --out restored --model models/dbgan_pretrained.safetensors
    python -m dbgan deblur photo.jpg --out restored --released nafnet NAFNet-GoPro-width64.pth
    python -m dbgan deblur photo.jpg --out restored --released dbgan authors
    """
    # Imported here, so that --help is fast.
    import torch

    from dbgan import checkpoint
    from dbgan.models.build import DEBLUR
    from dbgan.models.deblurgan import DeblurGAN
    from dbgan.models.released import load_released
    from dbgan.use import inference, photo_files

    if model and released:
        raise typer.BadParameter("--model and --released: name one network, not two")
    jobs = batch.jobs(inputs, out, lambda path: [out / photo_files.written_as(path)])
    if released:
        name, file = released
        if name == "sftnet":
            raise ValueError("SFTGAN's network enlarges and needs a map of what is where; it does not deblur")
        changes = {"train_size": 256} if name == "nafnet" else {}  # as its authors test on GoPro (TLC)
        network = load_released(name, authors_file() if (name, file) == ("dbgan", AUTHORS) else file, **changes)
        if isinstance(network, DeblurGAN):
            network.signed = False  # photographs are in [0, 1] here
    else:
        network = checkpoint.load(batch.weights(model, "dbgan.safetensors"), DEBLUR)
    device = outputs.device(torch.get_num_threads())
    network.to(device)

    def one(source: Path, targets: list[Path]) -> str:
        photo = photo_files.read(source)
        pixels = inference.restore(
            network, photo.pixels, batch.MARGIN, tile, device, ensemble=ensemble, name=source.name
        )
        with utils.atomic_write(targets[0]) as part:
            photo_files.write(part, photo, pixels)
        return photo.note

    batch.each(jobs, one, force, "deblur")


def authors_file() -> Path:
    """The paper's authors' own weights, fetched once."""
    from dbgan.data import download

    values = settings.load(utils.project_root() / "params.yaml")
    archive = settings.section(values, "archives", download.Archives).authors_dbgan
    return download.fetch(archive, "archives.authors_dbgan")
