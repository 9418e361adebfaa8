"""Pre-train DBGAN: python -m stages.pretrain data/crops.h5 data/synthetic.h5 models/dbgan_pretrained.safetensors"""

from dataclasses import asdict
from pathlib import Path

from dbgan import checkpoint, processes, runtime, tracking
from dbgan import params as settings

USED = ["seed", "threads", "init_std", "mix", "generator", "pretrain"]  # and the section of the generator's name


def main(
    crops: Path,
    synthetic: Path,
    out: Path,
    params: Path = Path("params.yaml"),
    metrics: Path = Path("metrics/pretrain.json"),
    curve: Path = Path("metrics/pretrain_curve.csv"),
) -> None:
    """Train the deblurring generator by L1 on a mix of BGAN's blurs and the paired ones."""
    from torch.utils.data import Subset

    from dbgan.data.batches import DeblurBatches, MixParams, stream
    from dbgan.data.h5 import Reader
    from dbgan.models.generators import DEBLUR, GeneratorParams, new_generator
    from dbgan.models.recompute import recompute_blocks
    from dbgan.training import distributed, loop, resume
    from dbgan.training.optim import OptimParams
    from dbgan.training.pretrain import PretrainStep

    values = settings.load(params)
    seed = settings.value(values, "seed", int)
    std = settings.value(values, "init_std", float)
    threads = settings.value(values, "threads", int)
    chosen = settings.section(values, "generator", GeneratorParams).name
    network, kind = DEBLUR[chosen]
    config = asdict(settings.section(values, chosen, kind))
    p = settings.section(values, "pretrain", OptimParams)
    mix = settings.section(values, "mix", MixParams)
    device = runtime.device(threads)
    place = distributed.place(p.batch, p.accumulate)
    data = DeblurBatches(Reader(crops), Reader(synthetic), mix, p.batch, p.patch, seed, place.rows(p.batch))
    ours = Subset(data, place.order(p.steps, p.accumulate))

    def build() -> PretrainStep:
        generator = new_generator(network, seed, std, **config)
        return PretrainStep(recompute_blocks(generator) if p.checkpointing else generator, p, device, place)

    def batches(start: int):
        return stream(ours, start, p.steps, len(place.batches(p.accumulate)), runtime.workers(), device)

    used = [*USED, chosen]
    determines = [{key: values[key] for key in used}, *data.digests()]
    with (
        tracking.run("pretrain", values, used) as log,
        resume.state(runtime.root(), "pretrain", determines) as state,
        runtime.memory(f"scales.{values['scale']}.pretrain"),
    ):
        trained = loop.fit(state, build, batches, p, seed, log.metrics, runtime.progress)
        if processes.first():
            with runtime.whole(out) as part:
                checkpoint.save(part, trained, network, config)
            runtime.write_csv(curve, state.rows)
            runtime.write_json(metrics, state.rows[-1])
            log.files(metrics, curve)


app = runtime.app(main, together=True)

if __name__ == "__main__":
    app()
