"""Store the training frames and where their crops lie: python -m stages.build_h5 data/raw data/crops.h5"""

from pathlib import Path

from dbgan import params as settings
from dbgan import runtime, tracking


def main(
    raw: Path,
    out: Path,
    params: Path = Path("params.yaml"),
    metrics: Path = Path("metrics/build_h5.json"),
) -> None:
    """Write the training pairs and the real blurred photographs listed in RAW, with the grid of their crops, to OUT."""
    import numpy as np
    from threadpoolctl import threadpool_limits

    from dbgan.data import color, crops, frames, h5, parallel, shift
    from dbgan.data.frames import Frame

    values = settings.load(params)
    p = settings.section(values, "crop", crops.CropParams)
    listing = frames.load_listing(raw)
    root = runtime.root() / Path(listing.root).expanduser() if listing.root else raw
    workers = runtime.workers()
    pairs, real = list(zip(listing.train_blurred, listing.train_sharp, strict=True)), listing.real_blur
    for frame in [*listing.train_blurred, *real, *listing.test_blurred]:
        if min(frame.height, frame.width) < p.size:
            raise ValueError(
                f"{root / frame.path}: {frame.width}x{frame.height} pixels are less than a crop; "
                f"remove it or lower crop.size, now {p.size}"
            )
    shifts: dict[str, float] = {}

    def each(function, items: list, desc: str):
        """function(item) of every item, in order, some made ahead."""
        return runtime.progress(parallel.ordered(function, items, workers), desc=desc, unit="frame", total=len(items))

    def mean(of, domain: list[Frame]) -> np.ndarray:
        """The mean that a domain's crops have: a photograph counts as often as it has crops."""
        return color.average(of, [len(crops.grid(frame.height, frame.width, p)) for frame in domain])

    def from_pair(pair: tuple[Frame, Frame]):
        blurred, sharp = (frames.load_frame(root, frame) for frame in pair)
        shifts[pair[0].path] = shift.shift(sharp, blurred)
        return {"blurred": blurred, "sharp": sharp}, crops.textured(sharp, p)

    def from_real(frame: Frame):
        blurred = frames.load_frame(root, frame)
        if p.match_color:
            blurred = color.apply(blurred, curves)
        return {"blurred": blurred}, crops.textured(blurred, p)

    def store(file: h5.Writer, group: str, domain: list[Frame], made) -> dict[str, int]:
        """Write photographs that have crops, and where those lie; how many crops there are and were left out."""
        windows, kept = [], []
        for frame, (sides, corners) in zip(domain, made, strict=True):
            if corners:
                for side, photo in sides.items():
                    file.write(f"{group}/{side}/{len(kept):06}", photo)
                windows.append(np.insert(corners, 0, len(kept), axis=1))
                kept.append(frame.path)
        if not kept:
            raise ValueError(f"crop.min_texture, {p.min_texture:g}: no crop of the {group} photographs has as much")
        file.crops(group, np.concatenate(windows), p.size)
        file.names(f"{group}/frames", kept)
        count = sum(map(len, windows))
        total = sum(len(crops.grid(frame.height, frame.width, p)) for frame in domain)
        return {f"{group}_crops": count, f"{group}_crops_left_out": total - count}

    # The small products of matrices in `shift` are slower on threads of their own beside ours, up to 20 times.
    with threadpool_limits(1, "blas"), tracking.run("build_h5", values, ["crop"]) as log:
        found: dict = {"mean_sharp": mean((frame.mean for frame in listing.train_sharp), listing.train_sharp).tolist()}
        if real:
            found["mean_real"] = mean((frame.mean for frame in real), real).tolist()
        if real and p.match_color:
            shares = mean(each(lambda frame: color.levels(frames.load_frame(root, frame)), real, "colors"), real)
            curves = color.matching(shares, np.array(found["mean_sharp"]))
            found["mean_real_matched"] = color.mean(shares, curves).tolist()
        with runtime.whole(out) as part, h5.create(part) as file:
            found |= store(file, "paired", listing.train_blurred, each(from_pair, pairs, "paired"))
            if real:
                found |= store(file, "real", real, each(from_real, real, "real"))
        found |= shift.summary({frame.path: shifts[frame.path] for frame in listing.train_blurred})
        runtime.write_json(metrics, found)
        log.metrics(found)
        log.files(metrics)
    runtime.say(", ".join(f"{found[key]} {key.replace('_', ' ')}" for key in found if "_crops" in key))
    if found["shift_over_1px"]:
        runtime.say(
            "{shift_over_1px} pairs are shifted by over a pixel, most {shift_worst}: {shift_max:.1f}".format(**found)
        )


app = runtime.app(main)

if __name__ == "__main__":
    app()
