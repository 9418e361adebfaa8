"""Cut the training frames into crops: python -m stages.build_h5 data/raw data/crops.h5"""

from pathlib import Path

from dbgan import params as settings
from dbgan import runtime, tracking


def main(
    raw: Path,
    out: Path,
    params: Path = Path("params.yaml"),
    metrics: Path = Path("metrics/build_h5.json"),
) -> None:
    """Cut the training pairs and the real blurred photographs listed in RAW into the crops of OUT."""
    import numpy as np

    from dbgan.data import crops, frames, h5

    values = settings.load(params)
    p = settings.section(values, "crop", crops.CropParams)
    listing = frames.load_listing(raw)
    root, real_root = frames.roots(listing, raw, runtime.root())
    folders = {"paired": root, "real": real_root}
    groups = {
        "paired": {"blurred": listing.train_blurred, "sharp": listing.train_sharp},
        "real": {"blurred": listing.real_blur},
    }
    listed = [(folders[g], frame) for g, sides in groups.items() for side in sides.values() for frame in side]
    for folder, frame in [*listed, *((root, frame) for frame in listing.test_blurred)]:
        if min(frame.height, frame.width) < p.size:
            raise ValueError(
                f"{folder / frame.path}: {frame.width}x{frame.height} pixels are less than a crop; "
                f"remove it or lower crop.size, now {p.size}"
            )
    counts = {}
    with tracking.run("build_h5", values, ["crop"]) as log:
        with runtime.whole(out) as part, h5.create(part) as file:
            for group, sides in groups.items():
                blurred = sides["blurred"]
                for i in runtime.progress(range(len(blurred)), desc=group, unit="frame"):
                    corners = crops.grid(blurred[i].height, blurred[i].width, p)
                    for side, listed in sides.items():
                        image = frames.load_frame(folders[group], listed[i])
                        file.append(f"{group}/{side}", np.stack(list(crops.cut(image, corners, p.size))))
                    file.append(f"{group}/frame", np.full(len(corners), i, np.int32))
                    file.append(f"{group}/y", np.array([y for y, _ in corners], np.int32))
                    file.append(f"{group}/x", np.array([x for _, x in corners], np.int32))
                    counts[f"{group}_crops"] = counts.get(f"{group}_crops", 0) + len(corners)
                file.names(f"{group}/frames", [frame.path for frame in blurred])
        runtime.write_json(metrics, counts)
        log.metrics(counts)
        log.files(metrics)
    runtime.say(", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items()))


app = runtime.app(main)

if __name__ == "__main__":
    app()
