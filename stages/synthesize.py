"""Blur the sharp crops as BGAN does:
python -m stages.synthesize data/crops.h5 models/bgan.safetensors data/synthetic.h5
"""

from dataclasses import dataclass
from pathlib import Path

from dbgan import checkpoint, runtime, tracking
from dbgan import params as settings

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

    from dbgan.data import frames, h5
    from dbgan.models.generators import BLURS, build_generator

    values = settings.load(params)
    seed = settings.value(values, "seed", int)
    p = settings.section(values, "synthesize", SynthesizeParams)
    device = runtime.device(settings.value(values, "threads", int))
    sharp_crops = h5.Reader(crops, "paired/sharp")
    network = checkpoint.load(bgan, build_generator, BLURS).to(device)
    total = sharp_crops.length("paired/sharp")
    with tracking.run("synthesize", values, USED) as log:
        with runtime.whole(out) as part, h5.create(part) as file, torch.inference_mode():
            for start in runtime.progress(range(0, total, p.batch), unit="batch"):
                sharp = frames.to_float(sharp_crops.rows("paired/sharp", slice(start, start + p.batch))).to(device)
                source = np.arange(start, start + len(sharp))
                for k in range(p.noise_maps):
                    generator = torch.Generator().manual_seed(seed + start * p.noise_maps + k)
                    blurred = network(sharp, network.draw_noise(sharp, generator))
                    file.append("synthetic/blurred", frames.to_uint8(blurred), total * p.noise_maps)
                    file.append("synthetic/source", source, total * p.noise_maps)
        counts = {"synthetic_crops": total * p.noise_maps}
        runtime.write_json(metrics, counts)
        log.metrics(counts)
        log.files(metrics)


app = runtime.app(main)

if __name__ == "__main__":
    app()
