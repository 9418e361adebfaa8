"""Blur the sharp crops as BGAN does:
python -m stages.synthesize data/crops.h5 models/bgan.safetensors data/synthetic.h5
"""

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import torch
from pydantic import PositiveInt

from dbgan import checkpoint, distributed, outputs, settings, tracking, utils
from dbgan.data import h5, photos
from dbgan.models.build import BLUR

USED = ["seed", "threads", "synthesize"]


class SynthesizeParams(settings.Params):
    noise_maps: PositiveInt  # blurs of each sharp training crop, each with a noise map of its own
    batch: PositiveInt  # crops blurred at once


def main(
    crops: Path,
    bgan: Path,
    out: Path,
    params: Path = Path("params.yaml"),
    metrics: Path = Path("metrics/synthesize.json"),
) -> None:
    """Blur every sharp training crop with several noise maps by the trained BGAN."""
    values = settings.load(params)
    common = settings.top(values, settings.Common)
    p = settings.section(values, "synthesize", SynthesizeParams)
    device = outputs.device(common.threads)
    sharp_crops = h5.Reader(crops, "paired/sharp")
    network = checkpoint.load(bgan, BLUR).to(device)
    crop_count = sharp_crops.length("paired/sharp")
    total = crop_count * p.noise_maps

    def blurs(start: int) -> list[np.ndarray]:
        """One batch of blurs for each noise map."""
        sharp = photos.to_float(sharp_crops.rows("paired/sharp", slice(start, start + p.batch))).to(device)
        draws = [torch.Generator().manual_seed(common.seed + start * p.noise_maps + k) for k in range(p.noise_maps)]
        return [photos.to_uint8(network(sharp, network.draw_noise(sharp, draw))) for draw in draws]

    starts, world_size = range(0, crop_count, p.batch), distributed.world_size()
    rounds = [starts[k : k + world_size] for k in range(0, len(starts), world_size)]
    with tracking.run("synthesize", values, USED) as log:
        advice = f"lower scales.{values['scale']}.synthesize.batch"
        with utils.out_of_memory(advice), ExitStack() as stack, torch.inference_mode():
            if distributed.is_main():
                file = stack.enter_context(h5.create(stack.enter_context(utils.atomic_write(out))))
                file.made_of(sharp_crops)
            for round_ in utils.progress(rounds, unit="batch"):
                for start, blurred in zip(round_, distributed.gather_map(blurs, round_), strict=distributed.is_main()):
                    for images in blurred:
                        file.append("synthetic/blurred", images, total)
                        file.append("synthetic/source", np.arange(start, start + len(images)), total)
        if distributed.is_main():
            counts = {"synthetic_crops": total}
            outputs.write_json(metrics, counts)
            log.metrics(counts)
            log.files(metrics)


app = utils.app(main, together=True)

if __name__ == "__main__":
    app()
