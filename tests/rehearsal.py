"""The seven stages at the paper's scale, once, on a handful of frames: python -m tests.rehearsal docs/scaling.md

Networks, losses and data path are those of `scale: paper`, photographs have GoPro's size and the camera-shake
simulator's blur; a training takes two updates, after one that is tried. It works in a temporary folder, prints what
each stage took, and writes it as a table into the Markdown file. VGG-19 has random weights at its full width: its file
is a download.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from PIL import Image
from skimage import data

from dbgan import markdown, settings
from dbgan.data import camera_shake

ROOT = Path(__file__).parents[1]
SIZE = (1280, 720)
FRAMES = {"train": ("coffee", "rocket"), "test": ("astronaut",), "real_blur": ("chelsea",)}
TRAININGS = ("train_bgan", "pretrain", "finetune")
TWO_UPDATES = {"steps": 2, "log_every": 1, "save_every": 1}


def write_photographs(folder: Path, params: dict, size: tuple[int, int]) -> None:
    """Pairs and real blur in the layout of data.source folder; scikit-image's photographs, enlarged to `size`."""
    for number, (part, names) in enumerate(FRAMES.items()):
        camera = settings.section(
            params, "real_camera" if part == "real_blur" else "pair_camera", camera_shake.ShakeParams
        )
        for k, name in enumerate(names):
            sharp = Image.fromarray(getattr(data, name)()).resize(size, Image.Resampling.LANCZOS)
            blurred = camera_shake.blur(np.asarray(sharp), camera, np.random.default_rng([number, k]))
            places = (
                {"real_blur": blurred} if part == "real_blur" else {f"{part}/blur": blurred, f"{part}/sharp": sharp}
            )
            for place, image in places.items():
                (folder / place).mkdir(parents=True, exist_ok=True)
                Image.fromarray(np.asarray(image)).save(folder / place / f"{name}.png")


def write_params(path: Path, scale: str, changes: dict[str, Any]) -> dict:
    """The shipped params.yaml with the scale, two updates a training, and `changes` (of the scale, by dotted names);
    merged."""
    values = settings.read(ROOT / "params.yaml")
    values["scale"] = scale
    values["data"] |= {"source": "folder", "root": "photos", "real": None}
    values["synthesize"]["min_change"] = 0.0  # two updates have taught BGAN nothing
    for stage in TRAININGS:
        (values if "steps" in values[stage] else values["scales"][scale])[stage] |= TWO_UPDATES
    for dotted, new in changes.items():
        *sections, key = dotted.split(".")
        at = values["scales"][scale]
        for section in sections:
            at = at[section]
        at[key] = new
    path.write_text(yaml.safe_dump(values))
    return settings.load(path)


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def rehearse(folder: Path, stages: dict[str, dict]) -> list[list]:
    """Each stage in a process of its own in `folder`: [stage, seconds, peak memory in GiB, GB that it leaves]."""
    environment = os.environ | {"DVC_ROOT": str(folder), "DBGAN_TRACKING": "off", "PYTHONPATH": str(ROOT)}
    rows = []
    for stage, entry in stages.items():
        before, begun = size(folder), time.monotonic()
        command = [sys.executable, *entry["cmd"].split()[1:]]
        process = subprocess.Popen(command, cwd=folder, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        if code := os.waitstatus_to_exitcode(status):
            sys.exit(f"{stage} ended with code {code}; its files are in {folder}")
        seconds, memory = time.monotonic() - begun, usage.ru_maxrss / 2**20  # Linux gives KiB
        rows.append([stage, f"{seconds:.0f}", f"{memory:.1f}", f"{(size(folder) - before) / 1e9:.3f}"])
        sys.stderr.write(f"{stage}: {seconds:.0f} s, {memory:.1f} GiB, {rows[-1][-1]} GB\n")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("markdown", type=Path, help="the file with the marks of the table")
    parser.add_argument("--scale", default="paper", choices=settings.SCALES)
    parser.add_argument("--accumulate", type=int, help="batches of an update of DBGAN's trainings, instead of params'")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of the CPU")
    given = parser.parse_args()
    changes: dict[str, Any] = {"threads": given.threads}
    if given.accumulate:
        changes |= {f"{stage}.accumulate": given.accumulate for stage in ("pretrain", "finetune")}
    folder = Path(tempfile.mkdtemp(prefix="rehearsal-"))
    params = write_params(folder / "params.yaml", given.scale, changes)
    write_photographs(folder / "photos", params, SIZE)
    if not torch.cuda.is_available():
        os.environ["DBGAN_DEVICE"] = "cpu"
    rows = rehearse(folder, settings.read(ROOT / "dvc.yaml")["stages"])
    markdown.fill(
        given.markdown, "rehearsal", markdown.table([["stage", "s", "peak memory, GiB", "leaves, GB"], *rows])
    )
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
