"""Store the training frames and where their crops lie: python -m stages.build_h5 data/raw data/crops.h5"""

from pathlib import Path

from dbgan import outputs, settings, tracking, utils


def main(
    raw: Path,
    out: Path,
    params: Path = Path("params.yaml"),
    metrics: Path = Path("metrics/build_h5.json"),
) -> None:
    """Write the training pairs and the real blurred photographs listed in RAW, with the grid of their crops, to OUT."""
    import numpy as np
    from threadpoolctl import threadpool_limits

    from dbgan.data import crops, h5, manifest, match_color, registration
    from dbgan.data.manifest import Frame

    values = settings.load(params)
    p = settings.section(values, "crop", crops.CropParams)
    listing = manifest.load_listing(raw)
    root, real_root = manifest.roots(listing, raw, utils.project_root())
    workers = utils.workers()
    pairs, real = list(zip(listing.train_blurred, listing.train_sharp, strict=True)), listing.real_blur
    listed = [(root, frame) for frame in [*listing.train_blurred, *listing.test_blurred]]
    for folder, frame in [*listed, *((real_root, frame) for frame in real)]:
        if min(frame.height, frame.width) < p.size:
            raise ValueError(
                f"{folder / frame.path}: {frame.width}x{frame.height} pixels are less than a crop; "
                f"remove it or lower crop.size, now {p.size}"
            )
    shifts: dict[str, float] = {}

    def each(function, items: list, desc: str):
        """function(item) of every item, in order, some made ahead."""
        return utils.progress(utils.ordered(function, items, workers), desc=desc, unit="frame", total=len(items))

    def from_pair(pair: tuple[Frame, Frame]):
        blurred, sharp = (manifest.load_frame(root, frame) for frame in pair)
        shifts[pair[0].path] = registration.shift(sharp, blurred)
        return {"blurred": blurred, "sharp": sharp}, crops.textured(sharp, p)

    def levels_of_real(frame: Frame):
        blurred = manifest.load_frame(real_root, frame)
        return match_color.levels(blurred), len(crops.textured(blurred, p))

    def from_real(frame: Frame):
        blurred = manifest.load_frame(real_root, frame)
        corners = crops.textured(blurred, p)  # before the curves, which depend on what is left out
        return {"blurred": match_color.apply(blurred, curves) if p.match_color else blurred}, corners

    def store(file: h5.Writer, group: str, domain: list[Frame], made) -> list[int]:
        """Write photographs that have crops, and where those lie; how many each of the domain has."""
        windows, kept, counts = [], [], []
        for frame, (sides, corners) in zip(domain, made, strict=True):
            counts.append(len(corners))
            if corners:
                for side, photo in sides.items():
                    file.write(f"{group}/{side}/{len(kept):06}", photo)
                windows.append(np.insert(corners, 0, len(kept), axis=1))
                kept.append(frame.path)
        if not kept:
            raise ValueError(f"crop.min_texture, {p.min_texture:g}: no crop of the {group} photographs has as much")
        file.crops(group, np.concatenate(windows), p.size)
        file.names(f"{group}/frames", kept)
        return counts

    def figures(group: str, name: str, domain: list[Frame], counts: list[int]) -> dict:
        """Crops, those left out, and the mean of a domain, in which a photograph counts as often as it has crops."""
        total = sum(len(crops.grid(frame.height, frame.width, p)) for frame in domain)
        mean = match_color.average(zip((frame.mean for frame in domain), counts, strict=True))
        left_out = total - sum(counts)
        return {f"{group}_crops": sum(counts), f"{group}_crops_left_out": left_out, f"mean_{name}": mean.tolist()}

    # The small products of matrices in `shift` are slower on threads of their own beside ours, up to 20 times.
    with threadpool_limits(1, "blas"), tracking.run("build_h5", values, ["crop"]) as log:
        with utils.atomic_write(out) as part, h5.create(part) as file:
            counts = store(file, "paired", listing.train_blurred, each(from_pair, pairs, "paired"))
            found = figures("paired", "sharp", listing.train_sharp, counts)
            if real:
                if p.match_color:
                    shares = match_color.average(each(levels_of_real, real, "colors"))
                    curves = match_color.matching(shares, np.array(found["mean_sharp"]))
                    found["mean_real_matched"] = match_color.mean(shares, curves).tolist()
                counts = store(file, "real", real, each(from_real, real, "real"))
                found |= figures("real", "real", real, counts)
        found |= registration.summary({frame.path: shifts[frame.path] for frame in listing.train_blurred})
        outputs.write_json(metrics, found)
        log.metrics(found)
        log.files(metrics)
    utils.log(", ".join(f"{found[key]} {key.replace('_', ' ')}" for key in found if "_crops" in key))
    if found["shift_over_1px"]:
        utils.log(
            "{shift_over_1px} pairs are shifted by over a pixel, most {shift_worst}: {shift_max:.1f}".format(**found)
        )


app = utils.app(main)

if __name__ == "__main__":
    app()
