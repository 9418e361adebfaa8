"""A photograph of 24 megapixels through `python -m dbgan deblur`, imports and files included."""

import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import imagecodecs
import numpy as np
import skimage.data
from PIL import Image

from benchmarks import measure
from dbgan import checkpoint, settings
from dbgan.models.build import new_generator
from dbgan.models.dbgan import DeblurConfig

SIZE = (4000, 6000)
FILES = ("8-bit.jpg", "8-bit.png", "16-bit.png", "16-bit.tif")
NOISE = 0.005  # of a camera, as a share of full light: what files of photographs have to hold


def prepare(folder: Path) -> None:
    scene = Image.fromarray(skimage.data.coffee()).resize(SIZE[::-1], Image.Resampling.BICUBIC)
    grain = np.random.default_rng(0).standard_normal((*SIZE, 3), dtype=np.float32)
    light = (np.asarray(scene, np.float32) / 255 + NOISE * grain).clip(0, 1)
    deep = np.rint(light * 65535).astype(np.uint16)
    for name in FILES[:2]:
        Image.fromarray((deep >> 8).astype(np.uint8)).save(folder / name)
    (folder / FILES[2]).write_bytes(imagecodecs.png_encode(deep))
    (folder / FILES[3]).write_bytes(imagecodecs.tiff_encode(deep))
    config = settings.section(measure.params("sample"), "dbgan", DeblurConfig)
    checkpoint.save(folder / "dbgan.safetensors", new_generator("dbgan", config, 0, 0.01), "dbgan", config)


def deblur(folder: Path, name: str) -> measure.Row:
    command = [sys.executable, "-m", "dbgan", "deblur", str(folder / name), "--out", str(folder / "out"), "--force"]
    command += ["--model", str(folder / "dbgan.safetensors")]
    seconds = measure.seconds(lambda: subprocess.run(command, check=True, capture_output=True))
    return {"seconds": f"{seconds:.1f}", "peak MB": f"{measure.peak_bytes(resource.RUSAGE_CHILDREN) / 1e6:.0f}"}


def rows() -> Iterator[measure.Row]:
    with TemporaryDirectory() as folder:
        measure.in_own_process(prepare, Path(folder))
        for name in FILES:
            yield {"file": name} | measure.in_own_process(deblur, Path(folder), name)
