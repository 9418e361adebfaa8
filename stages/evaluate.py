"""Measure what was learnt, on whole photographs that no training saw:
python -m stages.evaluate data/raw data/crops.h5 models results/panels
"""

import json
from dataclasses import dataclass
from pathlib import Path

from dbgan import checkpoint, runtime, tracking
from dbgan import params as settings

USED = ["seed", "threads", "crop", "evaluate"]
CURVES = {
    "BGAN": "train_bgan_curve.csv",
    "pre-training": "pretrain_curve.csv",
    "fine-tuning": "finetune_curve.csv",
}


@dataclass(frozen=True)
class EvaluateParams:
    """What is measured and shown."""

    margin: int  # pixels mirrored around a frame before the network sees it, and cut off again
    crops: int  # crops of each kind whose blur is compared, at most
    panels: int  # pictures of each kind

    def __post_init__(self) -> None:
        if self.margin < 0 or self.crops < 1 or self.panels < 1:
            raise ValueError("margin must be at least 0, crops and panels at least 1")


def main(
    raw: Path,
    crops: Path,
    models: Path,
    out: Path,
    params: Path = Path("params.yaml"),
    metrics: Path = Path("metrics"),
) -> None:
    """Restore all test frames and real blurred photographs with the networks in MODELS; write evaluate.json and
    frames.csv to METRICS and the pictures to OUT."""
    import torch

    from dbgan.data import crops as grid
    from dbgan.data import frames, h5
    from dbgan.metrics import evaluation, pictures, realism, restore
    from dbgan.models.generators import BLURS, DEBLURS, build_generator

    values = settings.load(params)
    seed = settings.value(values, "seed", int)
    p = settings.section(values, "evaluate", EvaluateParams)
    crop = settings.section(values, "crop", grid.CropParams)
    device = runtime.device(settings.value(values, "threads", int))
    networks = {
        file: checkpoint.load(models / f"{file}.safetensors", build_generator, names).to(device)
        for file, names in (("bgan", BLURS), ("dbgan_pretrained", DEBLURS), ("dbgan", DEBLURS))
    }
    cut_crops = h5.Reader(crops, "paired/sharp")
    listing = frames.load_listing(raw)
    root, real_root = frames.roots(listing, raw, runtime.root())

    def through(network) -> evaluation.Network:
        return lambda photo: frames.to_uint8(restore.whole_frame(network, frames.to_float(photo), p.margin, device))

    def blur(number: int) -> evaluation.Network:
        """BGAN with noise map `number`."""
        generator = torch.Generator()
        bgan = networks["bgan"]
        return through(lambda sharp: bgan(sharp, bgan.draw_noise(sharp, generator.manual_seed(seed + number))))

    with tracking.run("evaluate", values, USED) as log:
        with runtime.whole(out) as part:

            def show(kind: str, count: int) -> evaluation.Show:
                """Keep p.panels pictures out of `count`."""
                kept = realism.evenly(count, p.panels)
                path = f"{kind}_{{:04d}}.png".format
                return lambda i, images: pictures.save_panel(part / path(i), images) if i in kept else None

            pretrained, final = through(networks["dbgan_pretrained"]), through(networks["dbgan"])
            pairs = list(zip(listing.test_blurred, listing.test_sharp, strict=True))
            photos = (
                (b.name, frames.load_frame(root, b), frames.load_frame(root, s))
                for b, s in runtime.progress(pairs, desc="test", unit="frame")
            )
            rows, summary = evaluation.restored_pairs(photos, pretrained, final, show("test", len(pairs)))

            summary["flat_deviation"] = evaluation.flat_deviation(final)
            real = runtime.progress(listing.real_blur, desc="real blur", unit="frame")
            photos = (frames.load_frame(real_root, frame) for frame in real)
            summary |= evaluation.restored_real(photos, final, show("real", len(listing.real_blur)))

            sharp, paired = [], []
            chosen = [pairs[k] for k in realism.evenly(len(pairs), p.crops)]
            per_frame = p.crops // len(chosen)
            show_bgan = show("bgan", len(chosen))
            for i, (b, s) in enumerate(runtime.progress(chosen, desc="BGAN", unit="frame")):
                photo = frames.load_frame(root, s)
                corners = grid.grid(s.height, s.width, crop)
                corners = [corners[k] for k in realism.evenly(len(corners), per_frame)]
                sharp += grid.cut(photo, corners, crop.size)
                paired += grid.cut(frames.load_frame(root, b), corners, crop.size)
                show_bgan(i, [photo, *(blur(k)(photo) for k in range(3))])
            found = cut_crops.length("real/blurred") if "real/blurred" in cut_crops else 0
            real_crops = [cut_crops.rows("real/blurred", k) for k in realism.evenly(found, p.crops)]
            made = [[blur(k)(photo) for photo in sharp] for k in range(4)]
            summary |= evaluation.blurs_of_bgan(sharp, made, paired, real_crops)

            pictures.save_curves(part / "curves.png", {title: metrics / file for title, file in CURVES.items()})

        runtime.write_csv(metrics / "frames.csv", rows)
        runtime.write_json(metrics / "evaluate.json", summary)
        log.metrics(summary)
        results = {file.stem: json.loads(file.read_text()) for file in sorted(metrics.glob("*.json"))}
        log.pipeline(results, out, params, Path("dvc.lock"))
    for key in ("psnr", "ssim"):
        figures = [summary[key + suffix] for suffix in ("_blurred", "_pretrained", "")]
        runtime.say("{}: blurred {:.4g}, pre-trained {:.4g}, fine-tuned {:.4g}".format(key, *figures))


app = runtime.app(main)

if __name__ == "__main__":
    app()
