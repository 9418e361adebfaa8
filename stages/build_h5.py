"""Store the training photographs and the windows of their crops: python -m stages.build_h5 data/raw data/crops.h5"""

from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from dbgan import outputs, settings, tracking, utils
from dbgan.data import development, disk, h5, manifest, registration
from dbgan.data.crops import CropParams, grid, reduced, reduced_size, textured
from dbgan.data.manifest import Frame, load_frame
from dbgan.utils import ordered, progress

USED = ["crop"]


def main(
    raw: Path,
    out: Path,
    params: Path = Path("params.yaml"),
    metrics: Path = Path("metrics/build_h5.json"),
) -> None:
    """Write the training pairs and the real blurred photographs listed in RAW, with the grid of their crops, to OUT."""
    values = settings.load(params)
    p = settings.section(values, "crop", CropParams)
    listing = manifest.load_listing(raw)
    root, real_root = manifest.roots(listing, raw)
    workers = utils.workers()
    outputs.log_cpu(workers, values["scale"])
    utils.enough_disk(disk.h5_files(listing, p, settings.value(values, "synthesize.noise_maps", int)), out)
    check_sizes(root, [*listing.train_blurred, *listing.test_blurred], p.side)
    check_sizes(real_root, listing.real_blur, p.side)

    # The small matrix products of the registration are up to 20 times slower on threads of their own beside ours.
    with threadpool_limits(1, "blas"), tracking.run("build_h5", values, USED) as log:
        with utils.atomic_write(out) as part, h5.create(part) as file:
            pairs = {"blurred": listing.train_blurred, "sharp": listing.train_sharp}
            found = write(file, "paired", root, pairs, p, workers)
            if real := listing.real_blur:
                found |= write(file, "real", real_root, {"blurred": real}, p, workers)
                # A photograph that was reduced shows no blocks any more.
                kept = [reduced_size(frame.height, frame.width, p) == (frame.height, frame.width) for frame in real]
                tables = [
                    development.tables(real_root / frame.path) * keep for frame, keep in zip(real, kept, strict=True)
                ]
                file.write("real/jpeg", np.stack(tables))
                if not all(kept):
                    utils.log(f"{len(kept) - sum(kept)} real photographs are reduced to {p.real_short_side} pixels")
        outputs.write_json(metrics, found)
        log.metrics(found)
        log.files(metrics)
    utils.log(", ".join(f"{found[key]} {key.replace('_', ' ')}" for key in found if "_crops" in key))
    if found["shift_over_1px"]:
        worst = "{shift_worst}: {shift_max:.1f}".format(**found)
        utils.log(f"{found['shift_over_1px']} pairs are shifted by over a pixel, most {worst}")


def check_sizes(root: Path, frames: list[Frame], side: int) -> None:
    """Raises ValueError for a photograph that is smaller than a crop."""
    for frame in frames:
        if min(frame.height, frame.width) < side:
            size = f"{frame.width}x{frame.height} pixels, less than a crop"
            raise ValueError(f"{root / frame.path}: {size}; remove it or lower crop.side, now {side}")


def write(file: h5.Writer, group: str, root: Path, sides: dict[str, list[Frame]], p: CropParams, workers: int) -> dict:
    """Store a group of photographs with their crops, chosen by the texture of the last side; the group's counts, the
    mean colour of that side, and for pairs the shifts between the sides. Real photographs are reduced first."""

    def load(frames: tuple[Frame, ...]) -> tuple[list[np.ndarray], list[tuple[int, int]], float]:
        images = [load_frame(root, frame) for frame in frames]
        if group == "real":
            images = [reduced(image, p) for image in images]
        shift = registration.shift(images[1], images[0]) if len(images) == 2 else 0.0
        return images, textured(images[-1], p), shift

    items = list(zip(*sides.values(), strict=True))
    windows: list[np.ndarray] = []
    every, counts, shifts = 0, [], []
    loaded = progress(ordered(load, items, workers), desc=group, unit="frame", total=len(items))
    for images, corners, shift in loaded:
        every += len(grid(images[0].shape[0], images[0].shape[1], p))
        counts.append(len(corners))
        shifts.append(shift)
        if corners:
            for side, image in zip(sides, images, strict=True):
                file.write(f"{group}/{side}/{len(windows):06}", image)
            windows.append(np.insert(corners, 0, len(windows), axis=1))
    if not windows:
        raise ValueError(f"crop.min_texture, {p.min_texture:g}: no crop of the {group} photographs has as much")
    names = [frames[0].path for frames, count in zip(items, counts, strict=True) if count]
    file.crops(group, np.concatenate(windows), p.side, names)
    figures = {f"{group}_crops": sum(counts), f"{group}_crops_left_out": every - sum(counts)}
    mean = np.average([frames[-1].mean for frames in items], axis=0, weights=counts).tolist()
    if "sharp" not in sides:
        return figures | {f"mean_{group}": mean}
    # Motion that is uneven over the exposure may shift a blur by a little more than a pixel.
    worst = int(np.argmax(shifts))
    shifted = {"shift_mean": float(np.mean(shifts)), "shift_max": shifts[worst], "shift_worst": items[worst][0].path}
    return figures | {"mean_sharp": mean, **shifted, "shift_over_1px": sum(shift > 1 for shift in shifts)}


app = utils.app(main)

if __name__ == "__main__":
    app()
