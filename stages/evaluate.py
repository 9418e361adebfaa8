"""Measure what was learnt, on whole photographs that no training saw:
python -m stages.evaluate data/raw data/crops.h5 models results/panels
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from pydantic import NonNegativeInt, PositiveInt

from dbgan import checkpoint, distributed, outputs, realism, report, settings, tracking, utils
from dbgan import metrics as measure
from dbgan.data import camera_shake, h5, manifest
from dbgan.data.crops import CropParams, cut, grid, reduced
from dbgan.data.manifest import Frame
from dbgan.models.build import BLUR, DEBLUR
from dbgan.panels import evenly, join
from dbgan.use import inference

USED = ["seed", "threads", "real_camera", "crop", "evaluate"]
SHAKES = 6  # simulated real blurs of each test photograph
NOISE_MAPS = 4  # that BGAN blurs each crop with; a panel shows three


class EvaluateParams(settings.Params):
    margin: NonNegativeInt  # pixels mirrored around a photograph before a network sees it, and cut off again
    real: PositiveInt  # real blurred photographs, at most, evenly chosen
    crops: PositiveInt  # crops of each kind whose blur is compared, at most
    panels: PositiveInt  # of each kind; the worst and the best test photograph have one, too


def main(
    raw: Path, crops: Path, models: Path, out: Path, params: Path = Path("params.yaml"), metrics: Path = Path("metrics")
) -> None:
    """Restore the test and the real blurred photographs with the networks in MODELS; write evaluate.json and frames.csv
    to METRICS and panels to OUT."""
    values = settings.load(params)
    p = settings.section(values, "evaluate", EvaluateParams)
    common = settings.top(values, settings.Common)
    crop = settings.section(values, "crop", CropParams)
    camera = settings.section(values, "real_camera", camera_shake.ShakeParams)
    device = outputs.device(common.threads, values["scale"])
    outputs.log_device(device, "float32")
    crops_file = h5.Reader(crops, "paired/sharp")
    listing = manifest.load_listing(raw)
    root, real_root = manifest.roots(listing, raw)
    load = partial(manifest.load_frame, root)
    bgan, *deblurs = (
        checkpoint.load(models / f"{file}.safetensors", names).to(device)
        for file, names in (("bgan", BLUR), ("dbgan_pretrained", DEBLUR), ("dbgan", DEBLUR))
    )
    restore = partial(inference.restore, margin=p.margin, device=device)
    deblurs = [partial(restore, generator) for generator in deblurs]
    pairs = list(zip(listing.test_blurred, listing.test_sharp, strict=True))
    # Where the real blur is simulated, any photograph can have it, so each test photograph gets some.
    scenes = [] if listing.real_root else list({frame.path: frame for frame in listing.test_sharp}.values())
    shaken = list(enumerate(frame for frame in scenes for _ in range(SHAKES)))
    reals = [(listing.real_blur[k],) for k in evenly(len(listing.real_blur), p.real)]
    if left := len(listing.real_blur) - len(reals):
        utils.log(f"{left} of {len(listing.real_blur)} real blurred photographs are left out (evaluate.real: {p.real})")
    sources = [pairs[k] for k in evenly(len(pairs), p.crops)]  # test pairs that BGAN blurs crops of
    panels: dict[str, list[np.ndarray]] = {}

    def blur(sharp: np.ndarray, number: int) -> np.ndarray:
        """BGAN's blur with noise map `number`."""
        draw = torch.Generator().manual_seed(common.seed + number)
        return restore(bgan, sharp, noise=lambda frame: bgan.draw_noise(frame, draw))

    # Of each kind of photograph: its figures, not yet computed, and its images.

    def test(blurred: Frame, sharp: Frame) -> tuple:
        images = restored(load(blurred), load(sharp))
        return partial(measure.pair, blurred.name, *images), shown(images)

    def real(frame: Frame) -> tuple:
        photo = reduced(manifest.load_frame(real_root, frame), crop)
        images = [photo, deblurs[1](photo)]
        return partial(measure.real, *images), images

    def simulated(k: int, frame: Frame) -> tuple:
        sharp = load(frame)
        shake = np.random.default_rng([common.seed, k, 4, 0])  # sets have (seed, photograph, part 0 to 3, shake)
        images = restored(camera_shake.blur(sharp, camera, shake), sharp)
        return partial(measure.simulated, *images), shown(images)

    def restored(blurred: np.ndarray, sharp: np.ndarray) -> list[np.ndarray]:
        return [blurred, *(deblur(blurred) for deblur in deblurs), sharp]

    def shown(images: list[np.ndarray]) -> list[np.ndarray]:
        return images[:1] + images[2:]  # without the pre-trained network's

    def blurred(k: int, *pair: Frame) -> tuple:
        paired, sharp = map(load, pair)
        corners = grid(sharp.shape[0], sharp.shape[1], crop)
        corners = [corners[i] for i in evenly(len(corners), p.crops // len(sources))]
        paired_crops, sharp_crops = (list(cut(photo, corners, crop.side)) for photo in (paired, sharp))
        made = [[blur(image, number) for image in sharp_crops] for number in range(NOISE_MAPS)]
        shake = np.random.default_rng([common.seed, k, 4, 1])
        real = [] if listing.real_root else list(cut(camera_shake.blur(sharp, camera, shake), corners, crop.side))
        return lambda: (sharp_crops, paired_crops, made, real), chain(
            [sharp], (blur(sharp, number) for number in range(3))
        )

    def each(kind: str, one: Callable[..., tuple], items: Sequence[tuple]) -> list:
        """The figures of all, computed by threads while the networks work on; `panels` get the images of some, and
        memory holds few others."""
        chosen = evenly(len(items), p.panels)

        def restore(k: int) -> Callable[[], tuple]:
            figures, images = one(*items[k])
            kept = list(images) if k in chosen else []
            return lambda: (figures(), kept)

        def ahead(function: Callable, shard: Sequence[int]) -> Iterator[tuple]:
            watched = utils.progress(shard, desc=kind, unit="photograph")
            return utils.ordered(lambda figures: figures(), map(function, watched), utils.workers())

        found = distributed.gather_map(restore, range(len(items)), ahead)
        panels.update({f"{kind}_{k:04d}": images for k, (_, images) in enumerate(found) if images})
        return [figures for figures, _ in found]

    with tracking.run("evaluate", values, USED) as log, utils.out_of_memory("a machine or GPU with more is needed"):
        rows = each("test", test, pairs)
        real_rows = each("real", real, reals)
        simulated_rows = each("simulated", simulated, shaken)
        blurs = each("bgan", blurred, [(k, *pair) for k, pair in enumerate(sources)])
        if not distributed.is_main():
            return
        gains = measure.by_gain(rows)
        extremes = {f"test_{k:04d}": k for k in gains[:1] + gains[-1:]}
        panels |= {name: test(*pairs[k])[1] for name, k in extremes.items() if name not in panels}
        count = crops_file.length("real/blurred") if "real/blurred" in crops_file else 0
        # The simulated real camera blurs the same crops; real photographs show other scenes.
        alike = [crop for *_, real in blurs for crop in real]
        real_crops = alike or [crops_file.rows("real/blurred", k) for k in evenly(count, p.crops)]
        sharp_crops, paired_crops, bgan_crops = measure.kinds(blurs)
        summary = measure.means(rows, simulated_rows, real_rows)
        summary |= measure.bgan_blurs(sharp_crops, paired_crops, bgan_crops, real_crops)
        made = [crop for one_map in bgan_crops for crop in one_map]
        summary["real_color_shift"] = measure.mean_shift(alike, sharp_crops) if alike else None
        summary |= realism.compare(sharp_crops, paired_crops, made, real_crops, sharp_crops if alike else ())
        summary["flat_deviation"] = measure.flat_deviation(deblurs[1])
        with utils.atomic_write(out) as part:
            part.mkdir()
            for name, images in panels.items():
                Image.fromarray(join(images)).save(part / f"{name}.png")
        outputs.write_csv(metrics / "frames.csv", rows)
        outputs.write_json(metrics / "evaluate.json", summary)
        log.metrics(summary)
        stages = {path.stem: settings.read(path) for path in sorted(metrics.glob("*.json"))}
        log.pipeline(stages, out, params, Path("dvc.lock"))
        log.model(models / "dbgan.safetensors", p.margin, summary["psnr"])
        log.files(*report.attempt(metrics, out, params, metrics.parent / "reports" / "report.html"))
    utils.log("PSNR: {psnr_blurred:.2f} dB blurred, {psnr:.2f} dB restored".format(**summary))


app = utils.app(main, together=True)

if __name__ == "__main__":
    app()
