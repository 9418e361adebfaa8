"""What storing and reading crops costs, beside the plain way: python -m benchmarks.data [ROOT]

ROOT is a folder like data.root; without it the photographs that params.yaml names are taken. Only training pairs are
measured, and every ratio is of two measurements in one run. See benchmarks/README.md.
"""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import typer
import yaml

from benchmarks.networks import in_own_process, peak_memory
from dbgan import settings, utils

TIMES = 10  # as many photographs, to see whether memory grows with them
RUNS = 3  # of each way to build, in turns; the fastest counts, as other work on the machine only slows
SECONDS = 2.0  # for which each way of reading is measured, in turns as well
PATCH, BATCH = 128, 4  # (paper)


def photographs(folder: Path, root: Path | None) -> None:
    """The training pairs as the download stage lists them, in `folder`/raw, and `folder`/params.yaml."""
    from dbgan.data import manifest
    from stages import download

    values = settings.read(utils.project_root() / "params.yaml")
    if root:
        values["data"] |= {"source": "folder", "root": str(root.resolve())}
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    download.main(folder / "raw", folder / "sheet.png", folder / "params.yaml", folder / "data.json")
    listing = manifest.load_listing(folder / "raw")
    manifest.save_listing(
        folder / "raw" / "frames.json", replace(listing, test_blurred=[], test_sharp=[], real_blur=[])
    )


def more(folder: Path) -> None:
    """TIMES as many photographs in `folder`/more, each rolled by other pixels, so that none is stored once for two."""
    from dbgan.data import manifest, photos

    listing = manifest.load_listing(folder / "raw")
    root, out = Path(listing.root) if listing.root else folder / "raw", folder / "more"

    def rolled(at: tuple[str, int]) -> list[manifest.Frame]:
        side, i = at
        photo, found = manifest.load_frame(root, getattr(listing, side)[i]), []
        for k in range(TIMES):
            path = Path(side, f"{i}_{k}.jpg")
            photos.write(out / path, np.roll(photo, TIMES * i + k, axis=1), quality=90)
            found.append(manifest.describe(out, path)[0])
        return found

    sides = {}
    for side in ("train_blurred", "train_sharp"):
        at = [(side, i) for i in range(len(getattr(listing, side)))]
        sides[side] = [frame for found in utils.ordered(rolled, at, utils.workers()) for frame in found]
    manifest.save_listing(out / "frames.json", replace(listing, root="", **sides))


def build(raw: Path, out: Path, params: Path) -> dict[str, float]:
    """The stage in this process: seconds once all is imported, crops (both sides counted), peak memory, bytes."""
    import skimage.registration  # noqa: F401, it is slow to import and the stage does so when it needs it

    from dbgan.data import crops, h5, manifest, match_color, parallel, registration  # noqa: F401
    from stages import build_h5

    start = time.perf_counter()
    build_h5.main(raw, out, params, out.with_suffix(".json"))
    seconds = time.perf_counter() - start
    made = 2 * json.loads(out.with_suffix(".json").read_text())["paired_crops"]
    return {"seconds": seconds, "crops": made, "peak_bytes": peak_memory(), "bytes": out.stat().st_size}


def plain_build(raw: Path, out: Path, params: Path) -> dict[str, float]:
    """The same crops the plain way: one photograph after the other, as floats, all in memory, written at once."""
    import h5py
    from PIL import Image

    from dbgan.data import crops, manifest

    p = settings.section(settings.load(params), "crop", crops.CropParams)
    start = time.perf_counter()
    listing = manifest.load_listing(raw)
    found: dict[str, np.ndarray] = {}
    for side, listed in (("blurred", listing.train_blurred), ("sharp", listing.train_sharp)):
        cut: list[np.ndarray] = []
        for frame in listed:
            photo = np.asarray(Image.open(Path(listing.root or raw) / frame.path).convert("RGB"), np.float32)
            cut += [crop / 255 for crop in crops.cut(photo, crops.grid(frame.height, frame.width, p), p.size)]
        found[side] = np.stack(cut)
    with h5py.File(out, "w") as file:
        for side, stacked in found.items():
            file[side] = stacked
    made = sum(map(len, found.values()))
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "crops": made, "peak_bytes": peak_memory(), "bytes": out.stat().st_size}


def read(crops: Path, synthetic: Path) -> tuple[float, float]:
    """Pairs a second: bytes, as they are read and sent to a GPU, and floats, as `stream` gives them to a training on a
    CPU that needs no time itself."""
    from dbgan.data.batches import DeblurBatches, MixParams, stream
    from dbgan.data.h5 import Reader, create

    reader = Reader(crops)
    few = min(100, reader.length("paired/blurred"))
    with create(synthetic) as file:
        file.made_of(reader)
        file.write("synthetic/blurred", reader.rows("paired/blurred", slice(few)))
        file.write("synthetic/source", np.arange(few))
    data = DeblurBatches(reader, Reader(synthetic), MixParams(0.2), BATCH, PATCH, seed=0)
    batches = stream(data, 0, 10**9, accumulate=1, workers=utils.workers())
    return _rate(data.__getitem__), _rate(lambda _: next(batches))


def plain_read(path: Path) -> float:
    """Pairs a second the plain way: the file of `plain_build` opened for each, mirrored by NumPy."""
    import h5py
    import torch

    rng = np.random.default_rng(0)

    def pair() -> list[np.ndarray]:
        with h5py.File(path) as file:
            i = rng.integers(len(file["sharp"]))
            down, right = (1 - 2 * rng.integers(2, size=2)).tolist()
            return [file[side][i][::down, ::right] for side in ("blurred", "sharp")]

    def batch(_: int) -> list[torch.Tensor]:
        pairs = zip(*(pair() for _ in range(BATCH)), strict=True)
        return [torch.from_numpy(np.stack(images)).movedim(-1, -3) for images in pairs]

    return _rate(batch)


def _rate(batch: Callable[[int], object]) -> float:
    """Pairs a second, of batches made for a while, after some to warm up."""
    for n in range(100):
        batch(n)
    start = time.perf_counter()
    for n in count(1):
        batch(n)
        if (seconds := time.perf_counter() - start) > SECONDS:
            return n * BATCH / seconds
    raise AssertionError


def measure(folder: Path, root: Path | None) -> dict[str, Any]:
    """All figures; each measurement in a process of its own, files in `folder`."""
    params = folder / "params.yaml"
    in_own_process(photographs, folder, root)
    in_own_process(more, folder)
    runs = [
        (
            in_own_process(build, folder / "raw", folder / "crops.h5", params),
            in_own_process(plain_build, folder / "raw", folder / "plain.h5", params),
        )
        for _ in range(RUNS)
    ]
    ours, plain = (min(found, key=lambda run: run["seconds"]) for found in zip(*runs, strict=True))
    rates = [
        (
            in_own_process(read, folder / "crops.h5", folder / "synthetic.h5"),
            in_own_process(plain_read, folder / "plain.h5"),
        )
        for _ in range(RUNS)
    ]
    plain_rate = max(rate for _, rate in rates)
    read_rate = [max(found) for found in zip(*(both for both, _ in rates), strict=True)]
    figures: dict[str, Any] = {
        "build": ours,
        "plain_build": plain,
        "build_more": in_own_process(build, folder / "more", folder / "more.h5", params),
        "read": read_rate,
        "plain_read": plain_rate,
    }

    def speed(name: str) -> float:
        return figures[name]["crops"] / figures[name]["seconds"]

    return figures | {
        "build_speed": speed("build") / speed("plain_build"),
        "build_size": figures["build"]["bytes"] / figures["plain_build"]["bytes"],
        "more_memory": figures["build_more"]["peak_bytes"] / figures["build"]["peak_bytes"],
        "read_speed": figures["read"][0] / figures["plain_read"],
        "float_speed": figures["read"][1] / figures["plain_read"],
    }


def table(figures: dict[str, Any]) -> str:
    """The figures in Markdown."""

    def row(title: str, name: str) -> str:
        found = figures[name]
        rate, peak, size = found["crops"] / found["seconds"], found["peak_bytes"] / 2**20, found["bytes"] / 2**20
        return f"| {title} | {found['crops']} | {rate:.0f} | {peak:.0f} | {size:.0f} |"

    return "\n".join(
        [
            "| crops.h5 | crops | crops/s | peak MiB | file MiB |",
            "|---|---|---|---|---|",
            row("build_h5", "build"),
            row(f"build_h5, {TIMES} times the photographs", "build_more"),
            row("plain", "plain_build"),
            "",
            f"build_h5: {figures['build_speed']:.1f} times as fast as the plain way, "
            f"{figures['build_size']:.3f} of its file; {figures['more_memory']:.2f} times the memory "
            f"for {TIMES} times the photographs.",
            f"Batches: {figures['read'][0]:.0f} pairs/s, {figures['read_speed']:.1f} times as fast as the plain way's "
            f"{figures['plain_read']:.0f}; as floats {figures['read'][1]:.0f}, {figures['float_speed']:.1f} times.",
        ]
    )


def main(root: Annotated[Path | None, typer.Argument()] = None) -> None:
    """Measure on the training pairs of ROOT, or on those that params.yaml names."""
    with TemporaryDirectory() as folder:
        typer.echo(table(measure(Path(folder), root)))


app = utils.app(main)

if __name__ == "__main__":
    app()
