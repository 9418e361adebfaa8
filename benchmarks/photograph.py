"""A large photograph through `python -m dbgan deblur`, imports and files included: python -m benchmarks.photograph"""

import resource
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import imagecodecs
import numpy as np
import skimage.data
import typer
from PIL import Image

from benchmarks import measure
from dbgan import checkpoint, markdown, settings, utils
from dbgan.models.build import new_generator
from dbgan.models.dbgan import DeblurConfig

FILES = ("8-bit.jpg", "8-bit.png", "16-bit.png", "16-bit.tif")
NOISE = 0.005  # of a camera, as a share of full light: what files of photographs have to hold


def prepare(folder: Path, height: int, width: int) -> None:
    """Write the photograph in all formats, and a network of the sample scale; its weights do not change the time."""
    scene = Image.fromarray(skimage.data.coffee()).resize((width, height), Image.Resampling.BICUBIC)
    grain = np.random.default_rng(0).standard_normal((height, width, 3), dtype=np.float32)
    light = (np.asarray(scene, np.float32) / 255 + NOISE * grain).clip(0, 1)
    deep = np.rint(light * 65535).astype(np.uint16)
    for name in FILES[:2]:
        Image.fromarray((deep >> 8).astype(np.uint8)).save(folder / name)
    (folder / FILES[2]).write_bytes(imagecodecs.png_encode(deep))
    (folder / FILES[3]).write_bytes(imagecodecs.tiff_encode(deep))
    config = settings.section(measure.params("sample"), "dbgan", DeblurConfig)
    checkpoint.save(folder / "dbgan.safetensors", new_generator("dbgan", config, 0, 0.01), "dbgan", config)


def deblur(folder: Path, name: str) -> tuple[float, int]:
    """Seconds and peak memory of the command."""
    command = [sys.executable, "-m", "dbgan", "deblur", str(folder / name), "--out", str(folder / "out"), "--force"]
    command += ["--model", str(folder / "dbgan.safetensors")]
    taken = measure.seconds(lambda: subprocess.run(command, check=True, capture_output=True))
    return taken, measure.peak_bytes(resource.RUSAGE_CHILDREN)


def main(height: int = 4000, width: int = 6000) -> None:
    """Measure each kind of file; the whole 24 megapixels write their table to benchmarks/README.md."""
    rows: list[list] = [["file", "seconds", "peak MB"]]
    with TemporaryDirectory() as folder:
        measure.in_own_process(prepare, Path(folder), height, width)
        for name in FILES:
            taken, peak = measure.in_own_process(deblur, Path(folder), name)
            rows.append([name, f"{taken:.1f}", f"{peak / 1e6:.0f}"])
    text = f"One photograph of {width} x {height}; {measure.machine()}\n\n{markdown.table(rows)}"
    typer.echo(text)
    if (height, width) == (4000, 6000):
        markdown.fill(measure.README, {"photograph": text})


app = utils.app(main)

if __name__ == "__main__":
    app()
