"""Deblur photographs: python -m dbgan deblur photo.jpg --out restored"""

from pathlib import Path
from typing import Annotated

import typer

from dbgan import checkpoint, outputs, settings, utils
from dbgan.use import batch

AUTHORS = Path("authors")  # instead of a file: the one that `authors_dbgan` in params.yaml tells where to find


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
    from dbgan.data import download
    from dbgan.use import photo_files

    if model and released:
        raise typer.BadParameter("--model and --released: name one network, not two")
    work = batch.jobs(inputs, out, lambda path: [out / photo_files.written_as(path)])

    import torch

    from dbgan.models.build import DEBLURS, build_generator
    from dbgan.models.released import read_released
    from dbgan.use import inference as photo_network
    from dbgan.use import inference as tiles
    from dbgan.use.inference import ensemble as turned

    if released:
        name, file = released
        if (name, file) == ("dbgan", AUTHORS):
            values = settings.load(utils.project_root() / "params.yaml")
            archive = settings.section(values, "archives", download.Archives).authors_dbgan
            file = download.fetch(archive, "archives.authors_dbgan")
        sizes = {"train_size": 256} if name == "nafnet" else {}  # as its authors test on GoPro (TLC)
        network, config = read_released(name, file, **sizes)
    else:
        model = batch.weights(model, "dbgan.safetensors")
        network, (name, config) = checkpoint.load(model, build_generator, DEBLURS), checkpoint.recipe(model)
    function = photo_network.photo_network(network, name, config)
    cuts = tiles.cuts_for(*photo_network.sees(function, name, config), tile)
    device = outputs.device(torch.get_num_threads())
    network.to(device)
    function = turned(function) if ensemble else function

    @torch.inference_mode()
    def restored(levels, _):
        return photo_files.to_pixels(function(photo_files.to_image(levels).to(device)), levels)

    def one(source: Path, targets: list[Path]) -> str:
        (target,) = targets
        photo = photo_files.read(source)
        pixels = tiles.in_tiles(restored, photo.pixels, batch.MARGIN, cuts, batch.tiles_watched(source.name))
        with utils.atomic_write(target) as part:
            photo_files.write(part, photo, pixels)
        return photo.note

    batch.each(work, one, force, "deblur")
