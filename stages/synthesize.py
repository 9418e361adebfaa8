"""Blur the sharp crops as BGAN does:
python -m stages.synthesize data/crops.h5 models/bgan.safetensors data/synthetic.h5
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pydantic import NonNegativeFloat, PositiveInt

from dbgan import checkpoint, distributed, outputs, settings, tracking, utils
from dbgan.data import camera_shake, development, disk, h5
from dbgan.models.build import BLUR
from dbgan.models.camera import Camera
from dbgan.panels import evenly
from dbgan.synthesis import PROBED, Bgan, Made, oracle
from dbgan.training.state import code, unfinished

USED = ["seed", "threads", "real_camera", "synthesize"]


class SynthesizeParams(settings.Params):
    # bgan; oracle: the simulated real camera's own blurs in BGAN's place, the most that BGAN could reach
    source: Literal["bgan", "oracle"]
    noise_maps: PositiveInt  # blurs of each sharp training crop, each with a noise map of its own
    batch: PositiveInt  # crops blurred at once
    highlights: bool  # white pixels are taken for more light, as far as the bright parts of real blur are white
    noise: bool  # as much noise is added as gives BGAN's blurs the noise level of the real ones
    jpeg: bool  # BGAN's blurs are stored with the quantisation tables of the real photographs
    min_change: NonNegativeFloat  # levels of 255; a BGAN that changes its input by less is refused


def main(
    crops: Path,
    bgan: Path,
    out: Path,
    params: Path = Path("params.yaml"),
    metrics: Path = Path("metrics/synthesize.json"),
) -> None:
    """Blur every sharp training crop with several noise maps by the trained BGAN, and store it as a camera does."""
    values = settings.load(params)
    common = settings.top(values, settings.Common)
    p = settings.section(values, "synthesize", SynthesizeParams)
    camera = settings.section(values, "real_camera", camera_shake.ShakeParams)
    device = outputs.device(common.threads, values["scale"])
    outputs.log_device(device, "float32")
    file = h5.Reader(crops)
    count = file.length("paired/sharp")
    side = file.rows("paired/sharp", 0).shape[0]
    figures: dict[str, float] = {"synthetic_crops": count * p.noise_maps}
    make: Callable[..., Iterator[Made]]
    jobs: Sequence
    if p.source == "oracle":
        make = partial(oracle, file, maps=p.noise_maps, camera=camera, seed=common.seed)
        photographs, counts = np.unique(file.windows("paired/sharp")[:, 0], return_counts=True)
        jobs = photographs.tolist()
    else:
        tables = development.tables_of(file).to(device) * p.jpeg
        network = checkpoint.load(bgan, BLUR).to(device)
        made = Bgan(network, file, tables, common.seed)
        real = "real/blurred" in file
        with torch.inference_mode(), utils.out_of_memory("lower synthesize.batch"):
            if p.highlights and real and isinstance(network, Camera):  # other networks see no more than white
                made.match_highlights(network)
                figures["headroom"] = network.headroom
            figures["change"] = change = made.change()
            if change < p.min_change:
                advice = "train it with other weights (docs/training.md), or set synthesize.min_change: 0"
                hardly = f"BGAN hardly blurs, it changes its input by {change:.2f} levels of 255"
                raise ValueError(f"{bgan}: {hardly}; {advice}")
            if p.noise and real:
                made.match_noise([file.rows("real/blurred", k) for k in evenly(file.length("real/blurred"), PROBED)])
        figures["added_noise"] = made.noise
        make = partial(made.made, maps=p.noise_maps)
        jobs = [range(start, min(start + p.batch, count)) for start in range(0, count, p.batch)]
        counts = np.array([len(job) for job in jobs])

    ends = p.noise_maps * np.cumsum(counts)  # rows of the file that are filled after each job
    determines = [code("synthesize"), {key: values[key] for key in USED}, file.digest, device.type]
    determines += [] if p.source == "oracle" else [utils.sha256(bgan)]
    world_size = distributed.world_size()
    with tracking.run("synthesize", values, USED) as log, unfinished("synthesize", determines) as state:
        if distributed.is_main():
            rows = h5.Rows(state.folder / out.name, file, count * p.noise_maps, side)
            utils.enough_disk({out.name: disk.synthetic(count, p.noise_maps, side) - rows.done * 3 * side**2}, out)
        done = int(np.searchsorted(ends, distributed.from_main(lambda: rows.done), side="right"))
        if distributed.is_main() and done:
            utils.log(f"goes on after {ends[done - 1]} of {ends[-1]} blurs")
            rows.go_on(int(ends[done - 1]))
        rounds = [jobs[k : k + world_size] for k in range(done, len(jobs), world_size)]
        with utils.out_of_memory("lower synthesize.batch"), torch.inference_mode():
            for round_ in utils.progress(rounds, unit="batch"):
                for blurs in distributed.gather_map(lambda job: list(make(job)), round_):
                    for source, images in blurs:
                        rows.append(images, source)
                if distributed.is_main():
                    rows.save()
        if distributed.is_main():
            rows.finish()
            with utils.atomic_write(out) as part:
                utils.link(rows.path, part)
            outputs.write_json(metrics, figures)
            log.metrics(figures)
            log.files(metrics)


app = utils.app(main, together=True)

if __name__ == "__main__":
    app()
