"""Measure what was learnt, on whole photographs that no training saw:
python -m stages.evaluate data/raw data/crops.h5 models results/panels
"""

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dbgan import checkpoint, distributed, outputs, report, settings, tracking, utils

USED = ["seed", "threads", "real_camera", "crop", "evaluate"]
CURVES = {
    "BGAN": "train_bgan_curve.csv",
    "pre-training": "pretrain_curve.csv",
    "fine-tuning": "finetune_curve.csv",
}
SHAKES = 2  # by the simulated real blur's camera, of each sharp test photograph


@dataclass(frozen=True)
class EvaluateParams:
    """What is measured and shown."""

    margin: int  # pixels mirrored around a frame before the network sees it, and cut off again
    crops: int  # crops of each kind whose blur is compared, at most
    panels: int  # pictures of each kind; the worst and the best test frame beside them

    def __post_init__(self) -> None:
        if self.margin < 0 or self.crops < 1 or self.panels < 1:
            raise ValueError("margin must be at least 0, crops and panels at least 1")


def simulated(listing, root: Path, camera, seed: int, number: int) -> tuple:
    """(blurred, sharp): a test photograph with simulated real blur `number`, which no training saw in a pair, and as
    it is. Each photograph has SHAKES numbers."""
    import numpy as np

    from dbgan.data import camera_shake, manifest

    scenes = list({frame.path: frame for frame in listing.test_sharp}.values())
    sharp = manifest.load_frame(root, scenes[number // SHAKES])
    apart = [seed, number, 0, 1]  # the data set's own shakes are drawn from [seed, photograph, shake]
    return camera_shake.blur(sharp, camera, np.random.default_rng(apart)), sharp


def main(
    raw: Path,
    crops: Path,
    models: Path,
    out: Path,
    params: Path = Path("params.yaml"),
    metrics: Path = Path("metrics"),
) -> None:
    """Restore all test frames and real blurred photographs with the networks in MODELS; write evaluate.json and
    photos.csv to METRICS and the pictures to OUT."""
    import torch

    from dbgan import metrics as evaluation
    from dbgan import metrics as realism
    from dbgan import panels as pictures
    from dbgan.data import camera_shake, h5, manifest
    from dbgan.data import crops as grid
    from dbgan.models.build import BLUR, DEBLUR
    from dbgan.reporting.results import curve
    from dbgan.use import inference

    values = settings.load(params)
    seed = settings.value(values, "seed", settings.Seed)
    p = settings.section(values, "evaluate", EvaluateParams)
    crop = settings.section(values, "crop", grid.CropParams)
    camera = settings.section(values, "real_camera", camera_shake.ShakeParams)
    device = outputs.device(settings.value(values, "threads", int))
    networks = {
        file: checkpoint.load(models / f"{file}.safetensors", names).to(device)
        for file, names in (("bgan", BLUR), ("dbgan_pretrained", DEBLUR), ("dbgan", DEBLUR))
    }
    cut_crops = h5.Reader(crops, "paired/sharp")
    listing = manifest.load_listing(raw)
    root, real_root = manifest.roots(listing, raw, utils.project_root())

    def through(network) -> evaluation.Network:
        return lambda photo: inference.restore(network, photo, p.margin, device=device)

    def blur(number: int) -> evaluation.Network:
        """BGAN with noise map `number`."""
        generator = torch.Generator()
        bgan = networks["bgan"]
        return through(lambda sharp: bgan(sharp, bgan.draw_noise(sharp, generator.manual_seed(seed + number))))

    pretrained, final = through(networks["dbgan_pretrained"]), through(networks["dbgan"])
    pairs = list(zip(listing.test_blurred, listing.test_sharp, strict=True))
    chosen = realism.evenly(len(pairs), p.crops)  # test frames that BGAN blurs crops of
    shown = {
        "test": realism.evenly(len(pairs), p.panels),
        "real": realism.evenly(len(listing.real_blur), p.panels),
        "bgan": realism.evenly(len(chosen), p.panels),
    }

    def test(k: int) -> tuple[dict, list]:
        b, s = pairs[k]
        photos = manifest.load_frame(root, b), manifest.load_frame(root, s)
        row, images = evaluation.restored_pair(b.name, *photos, pretrained, final)
        return row, images if k in shown["test"] else []

    def real(k: int) -> tuple[dict, list]:
        row, images = evaluation.restored_real(manifest.load_frame(real_root, listing.real_blur[k]), final)
        return row, images if k in shown["real"] else []

    # Where the real blur is simulated, any photograph can have it.
    count = 0 if listing.real_root else SHAKES * len({frame.path for frame in listing.test_sharp})

    def known(k: int) -> dict[str, float]:
        return evaluation.restored_known(*simulated(listing, root, camera, seed, k), pretrained, final)

    def bgan(i: int) -> tuple[list, list, list, list]:
        """Crops of a frame, sharp and blurred, BGAN's blurs of them by each noise map, and, if the frame is shown, the
        frame and BGAN's blurs of it."""
        b, s = pairs[chosen[i]]
        photo = manifest.load_frame(root, s)
        corners = grid.grid(s.height, s.width, crop)
        corners = [corners[k] for k in realism.evenly(len(corners), p.crops // len(chosen))]
        sharp = list(grid.cut(photo, corners, crop.side))
        paired = list(grid.cut(manifest.load_frame(root, b), corners, crop.side))
        made = [[blur(k)(image) for image in sharp] for k in range(4)]
        return sharp, paired, made, [photo, *(blur(k)(photo) for k in range(3))] if i in shown["bgan"] else []

    def spread(function, count: int, name: str) -> list:
        return distributed.gather_map(function, range(count), partial(utils.progress, desc=name, unit="frame"))

    less = "photographs are restored whole here: smaller test and real photographs need less, or more memory is needed"
    with tracking.run("evaluate", values, USED) as log, utils.out_of_memory(less):
        tested = spread(test, len(pairs), "test")
        reals = spread(real, len(listing.real_blur), "real blur")
        knowns = spread(known, count, "simulated real blur")
        blurred = spread(bgan, len(chosen), "BGAN")
        if not distributed.is_main():
            return
        rows = [row for row, _ in tested]
        for k in set(evaluation.extremes(rows)) - set(shown["test"]):
            shown["test"].append(k)
            tested[k] = test(k)
        summary = evaluation.means_of_pairs(rows) | evaluation.means_of_real([row for row, _ in reals])
        summary |= evaluation.means_of_known(knowns)
        summary["flat_deviation"] = evaluation.flat_deviation(final)
        sharp = [image for images, _, _, _ in blurred for image in images]
        paired = [image for _, images, _, _ in blurred for image in images]
        made = [[image for _, _, by_noise, _ in blurred for image in by_noise[k]] for k in range(4)]
        found = cut_crops.length("real/blurred") if "real/blurred" in cut_crops else 0
        real_crops = [cut_crops.rows("real/blurred", k) for k in realism.evenly(found, p.crops)]
        summary |= evaluation.blurs_of_bgan(sharp, made, paired, real_crops)
        with utils.atomic_write(out) as part:
            for kind, results in {"test": tested, "real": reals, "bgan": blurred}.items():
                for k, (*_, images) in enumerate(results):
                    if images:
                        pictures.save_panel(part / f"{kind}_{k:04d}.png", images)
            curves = {title: curve(metrics / file) for title, file in CURVES.items()}
            pictures.save_curves(part / "curves.png", curves)

        outputs.write_csv(metrics / "frames.csv", rows)
        outputs.write_json(metrics / "evaluate.json", summary)
        page = metrics.parent / "reports" / "report.html"
        report.main(metrics, out, params, page)
        log.files(page)
        log.metrics(summary)
        results = {file.stem: json.loads(file.read_text()) for file in sorted(metrics.glob("*.json"))}
        log.pipeline(results, out, params, Path("dvc.lock"))
        log.model(models / "dbgan.safetensors", p.margin, summary["psnr"])
    for key in ("psnr", "ssim"):
        figures = [summary[key + suffix] for suffix in ("_blurred", "_pretrained", "")]
        utils.log("{}: blurred {:.4g}, pre-trained {:.4g}, fine-tuned {:.4g}".format(key, *figures))


app = utils.app(main, together=True)

if __name__ == "__main__":
    app()
