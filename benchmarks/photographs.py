"""A large photograph through `python -m dbgan deblur`, beside its tiles alone: python -m benchmarks.photographs"""

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.networks import in_own_process, machine, peak_memory, place
from dbgan import settings, utils

FILES = ("photo.jpg", "photo.png", "photo.tif", "deep.png", "deep.tif")  # deep ones have 16 bits
NOISE = 0.005  # of a camera, as a share of full light: what files of photographs have to hold


def prepare(folder: Path, height: int, width: int) -> None:
    """Write the photograph in all formats, and a network of the sample scale; its weights do not change the time."""
    import imagecodecs
    import skimage.data
    from PIL import Image

    from dbgan import checkpoint
    from dbgan.models.build import new_generator

    scene = Image.fromarray(skimage.data.coffee()).resize((width, height), Image.Resampling.BICUBIC)
    grain = np.random.default_rng(0).standard_normal((height, width, 3), dtype=np.float32)
    light = (np.asarray(scene, np.float32) / 255 + NOISE * grain).clip(0, 1)
    for name in FILES:
        if name.startswith("deep"):
            pixels = np.rint(light * 65535).astype(np.uint16)
            write = {".png": imagecodecs.png_encode, ".tif": imagecodecs.tiff_encode}[Path(name).suffix]
            (folder / name).write_bytes(write(pixels))
        else:
            Image.fromarray(np.rint(light * 255).astype(np.uint8)).save(folder / name)
    config = settings.load(utils.project_root() / "params.yaml")["dbgan"]
    checkpoint.save(folder / "dbgan.safetensors", new_generator("dbgan", 0, 0.01, **config), "dbgan", config)


def once(folder: Path, name: str) -> dict[str, float]:
    """Seconds of the whole command and of the network's tiles within it, and the peak memory of this process."""
    from dbgan.use import deblur
    from dbgan.use import inference as tiles

    within, in_tiles = [], tiles.in_tiles

    def watched(forward, *rest):
        def timed(*tile):
            start = time.perf_counter()
            result = forward(*tile)
            within.append(time.perf_counter() - start)
            return result

        return in_tiles(timed, *rest)

    tiles.in_tiles = watched
    start = time.perf_counter()
    deblur.main([str(folder / name)], folder / "out", model=folder / "dbgan.safetensors", force=True)
    return {"seconds": time.perf_counter() - start, "tiles": sum(within), "peak_bytes": peak_memory()}


def measure(height: int = 4000, width: int = 6000) -> dict[str, Any]:
    """For each file: seconds, of them in tiles, and peak memory."""
    with TemporaryDirectory() as folder:
        in_own_process(prepare, Path(folder), height, width)
        return {name: in_own_process(once, Path(folder), name) for name in FILES}


def main(
    height: Annotated[int, typer.Option(help="Pixels.")] = 4000, width: Annotated[int, typer.Option()] = 6000
) -> None:
    """Print a line for each file; nothing is written."""
    typer.echo(place(in_own_process(machine)))
    for name, found in measure(height, width).items():
        ratio, peak = found["seconds"] / found["tiles"], found["peak_bytes"] / 1e6
        typer.echo(f"{name}: {found['seconds']:.1f} s, {ratio:.3f} x its tiles, peak {peak:.0f} MB")


app = utils.app(main)

if __name__ == "__main__":
    app()
