"""Store the training photographs and the windows of their crops: python -m stages.build_h5 data/raw data/crops.h5"""

from pathlib import Path

from threadpoolctl import threadpool_limits

from dbgan import outputs, settings, tracking, utils
from dbgan.data import crops, h5, manifest
from dbgan.data.crops import CropParams

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
    root, real_root = manifest.roots(listing, raw, utils.project_root())
    workers = utils.workers()
    crops.check_sizes(root, [*listing.train_blurred, *listing.test_blurred], p.side)
    crops.check_sizes(real_root, listing.real_blur, p.side)

    # The small matrix products of the registration are up to 20 times slower on threads of their own beside ours.
    with threadpool_limits(1, "blas"), tracking.run("build_h5", values, USED) as log:
        with utils.atomic_write(out) as part, h5.create(part) as file:
            pairs = {"blurred": listing.train_blurred, "sharp": listing.train_sharp}
            found = crops.write(file, "paired", root, pairs, p, workers)
            if real := listing.real_blur:
                curves = None
                if p.match_color:
                    curves, matched = crops.matching_curves(real_root, real, found["mean_sharp"], p, workers)
                    found["mean_real_matched"] = matched
                found |= crops.write(file, "real", real_root, {"blurred": real}, p, workers, curves)
        outputs.write_json(metrics, found)
        log.metrics(found)
        log.files(metrics)
    utils.log(", ".join(f"{found[key]} {key.replace('_', ' ')}" for key in found if "_crops" in key))
    if found["shift_over_1px"]:
        worst = "{shift_worst}: {shift_max:.1f}".format(**found)
        utils.log(f"{found['shift_over_1px']} pairs are shifted by over a pixel, most {worst}")


app = utils.app(main)

if __name__ == "__main__":
    app()
