"""Provide the photographs, check and list them: python -m stages.download data/raw results/contact_sheet.png"""

import warnings
from pathlib import Path

from dbgan import outputs, settings, tracking, utils
from dbgan.data import check, contact_sheet, disk, download, manifest, sources
from dbgan.data.camera_shake import ShakeParams
from dbgan.data.crops import CropParams
from dbgan.data.download import Archives

USED = ["seed", "data", "pair_camera", "real_camera", "archives", "perceptual.weights"]


def main(
    out: Path,
    sheet: Path,
    params: Path = Path("params.yaml"),
    metrics: Path = Path("metrics/download.json"),
) -> None:
    """Find the photographs of `data.source` and `data.real`, check each, list them in OUT/frames.json, show some of
    them on SHEET; counts and PSNR to METRICS."""
    values = settings.load(params)
    p = settings.section(values, "data", sources.DataParams)
    archives = settings.section(values, "archives", Archives)
    camera = settings.section(values, "pair_camera", ShakeParams)
    real_camera = settings.section(values, "real_camera", ShakeParams)
    seed = settings.top(values, settings.Common).seed
    weights = settings.value(values, "perceptual.weights", str)
    outputs.log_cpu(utils.workers(), values["scale"])
    needs = sources.missing(p, archives)
    if weights == "imagenet":
        needs |= download.missing(archives.vgg19, "archives.vgg19", unpack=False)
    if p.source == "gopro":  # of other pairs the sizes are known when they are listed, to build_h5
        crop = settings.section(values, "crop", CropParams)
        needs |= disk.gopro(crop, settings.value(values, "synthesize.noise_maps", int))
    utils.enough_disk(needs, out)
    warnings.filterwarnings("ignore", module=r"PIL\.")  # of odd files; photos.read notes the conversions that matter

    with tracking.run("download", values, USED) as log:
        if weights == "imagenet":
            download.fetch(archives.vgg19, "archives.vgg19")
        with utils.atomic_write(out) as part:
            part.mkdir()
            found = sources.find(p, archives, part, camera, real_camera, seed)
            with utils.out_of_memory("set DBGAN_WORKERS to fewer photographs at once"):
                frames, summary = check.check(found, p.min_side, p.max_rejected, utils.workers())
            listing = manifest.save_listing(part, found.root, found.real_root, frames)
            with utils.atomic_write(sheet) as file:
                contact_sheet.save(file, listing, found.root, found.real_root)
        outputs.write_json(metrics, summary)
        log.metrics(summary)
        log.files(metrics, sheet)
    for line in check.lines(summary):
        utils.log(line)


app = utils.app(main)

if __name__ == "__main__":
    app()
