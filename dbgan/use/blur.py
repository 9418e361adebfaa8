"""Blur sharp photographs as BGAN has learnt, for training: python -m dbgan blur photos --out pairs --variants 4"""

import hashlib
import os
import shutil
from pathlib import Path
from typing import Annotated

import typer

from dbgan import checkpoint, outputs, utils
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
    from dbgan.use import photo_files

    def targets(path: Path) -> list[Path]:
        return [out / "blur" / photo_files.written_as(path).with_stem(f"{path.stem}_{k}") for k in range(variants)]

    work = batch.jobs(inputs, out, targets)

    import torch

    from dbgan.models.build import BLURS, build_generator
    from dbgan.use import inference as photo_network
    from dbgan.use import inference as tiles

    model = batch.weights(model, "bgan.safetensors")
    network, (name, config) = checkpoint.load(model, build_generator, BLURS), checkpoint.recipe(model)
    reach, multiple = photo_network.sees(lambda x: network(x, network.draw_noise(x, torch.Generator())), name, config)
    cuts = tiles.cuts_for(reach, multiple, tile)
    device = outputs.device(torch.get_num_threads())
    network.to(device)

    def blurred(pixels, key: str, watch):
        """A photograph's blur by the noise map of `key`, drawn once for the whole."""
        generator = torch.Generator().manual_seed(int.from_bytes(hashlib.sha256(key.encode()).digest()[:7]))
        height, width = (tiles.framed_size(size, batch.MARGIN, multiple) for size in pixels.shape[:2])
        noise = network.draw_noise(torch.empty(1).expand(1, 3, height, width), generator)

        @torch.inference_mode()
        def forward(levels, place):
            rows, columns = place
            result = network(photo_files.to_image(levels).to(device), noise[..., rows, columns].to(device))
            return photo_files.to_pixels(result, levels)

        return tiles.in_tiles(forward, pixels, batch.MARGIN, cuts, watch)

    def one(source: Path, missing: list[Path]) -> str:
        photo = photo_files.read(source)
        for target in missing:
            place = target.relative_to(out / "blur")
            pixels = blurred(photo.pixels, f"{seed}/{place.as_posix()}", batch.tiles_watched(target.name))
            sharp = out / "sharp" / place
            if photo.turned:  # who reads pixels alone would get pairs of unlike sides
                with utils.atomic_write(sharp) as part:
                    photo_files.write(part, photo, photo.pixels)
            else:
                with utils.atomic_write(sharp.with_suffix(source.suffix)) as part:
                    link(source, part)
            with utils.atomic_write(target) as part:
                photo_files.write(part, photo, pixels)
        return photo.note

    batch.each(work, one, force, "blur")


def link(source: Path, target: Path) -> None:
    """The file under a second name; a copy where the file system has no hard links."""
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)
