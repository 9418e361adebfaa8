"""Blur the sharp crops as BGAN does:
python -m stages.synthesize data/crops.h5 models/bgan.safetensors data/synthetic.h5
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dbgan import checkpoint, distributed, outputs, settings, tracking, utils

USED = ["seed", "threads", "synthesize"]


@dataclass(frozen=True)
class SynthesizeParams:
    """How many blurs are made."""

    noise_maps: int  # blurs of each sharp training crop, each with a noise map of its own
    batch: int  # crops blurred at once

    def __post_init__(self) -> None:
        if self.noise_maps < 1 or self.batch < 1:
            raise ValueError("noise_maps and batch must be at least 1")


def main(
    crops: Path,
    bgan: Path,
    out: Path,
    params: Path = Path("params.yaml"),
    metrics: Path = Path("metrics/synthesize.json"),
) -> None:
    """Blur every sharp training crop with several noise maps by the trained BGAN."""
    import numpy as np
    import torch

    from dbgan.data import h5, photos
    from dbgan.models.build import BLUR

    values = settings.load(params)
    seed = settings.value(values, "seed", settings.Seed)
    p = settings.section(values, "synthesize", SynthesizeParams)
    device = outputs.device(settings.value(values, "threads", int))
    sharp_crops = h5.Reader(crops, "paired/sharp")
    network = checkpoint.load(bgan, BLUR).to(device)
    total = sharp_crops.length("paired/sharp")
    counts = {"synthetic_crops": total * p.noise_maps}

    def blurs(start: int) -> list[np.ndarray]:
        """Of the batch of crops from `start` on, one blur for each noise map."""
        sharp = photos.to_float(sharp_crops.rows("paired/sharp", slice(start, start + p.batch))).to(device)
        seeds = [seed + start * p.noise_maps + k for k in range(p.noise_maps)]
        noises = [network.draw_noise(sharp, torch.Generator().manual_seed(s)) for s in seeds]
        return [photos.to_uint8(network(sharp, noise)) for noise in noises]

    starts, at_once = range(0, total, p.batch), distributed.world_size()
    rounds = [starts[k : k + at_once] for k in range(0, len(starts), at_once)]
    less = f"lower scales.{values['scale']}.synthesize.batch"
    with tracking.run("synthesize", values, USED) as log:
        with utils.out_of_memory(less), _written(out, sharp_crops) as file, torch.inference_mode():
            for batches in utils.progress(rounds, unit="batch"):
                for start, blurred in zip(
                    batches, distributed.gather_map(blurs, batches), strict=distributed.is_main()
                ):
                    for images in blurred:
                        file.append("synthetic/blurred", images, total * p.noise_maps)
                        source = np.arange(start, start + len(images))
                        file.append("synthetic/source", source, total * p.noise_maps)
        if distributed.is_main():
            outputs.write_json(metrics, counts)
            log.metrics(counts)
            log.files(metrics)


@contextmanager
def _written(out: Path, made_of) -> Iterator:
    """The new file, which the first process writes."""
    from dbgan.data import h5

    if not distributed.is_main():
        yield None
        return
    with utils.atomic_write(out) as part, h5.create(part) as file:
        file.made_of(made_of)
        yield file


app = utils.app(main, together=True)

if __name__ == "__main__":
    app()
