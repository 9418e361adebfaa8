"""Pre-train DBGAN: python -m stages.pretrain data/crops.h5 data/synthetic.h5 models/dbgan_pretrained.safetensors"""

from dataclasses import asdict
from pathlib import Path

from dbgan import outputs, settings, tracking, utils

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
    from dbgan import training_stage
    from dbgan.data.batches import DeblurBatches, MixParams
    from dbgan.data.h5 import Reader
    from dbgan.models.build import DEBLUR, GeneratorParams, new_generator
    from dbgan.models.grad_checkpoint import recompute_blocks
    from dbgan.training import distributed, loop
    from dbgan.training.optim import OptimParams
    from dbgan.training.pretrain import PretrainStep

    values = settings.load(params)
    seed = settings.value(values, "seed", settings.Seed)
    std = settings.value(values, "init_std", training_stage.Deviation)
    threads = settings.value(values, "threads", int)
    chosen = settings.section(values, "generator", GeneratorParams).name
    network, kind = DEBLUR[chosen]
    config = asdict(settings.section(values, chosen, kind))
    p = settings.section(values, "pretrain", OptimParams)
    mix = settings.section(values, "mix", MixParams)
    device = outputs.device(threads)
    place = distributed.place(p.batch, p.accumulate)
    data = DeblurBatches(Reader(crops), Reader(synthetic), mix, p.batch, p.patch, seed)

    def build() -> PretrainStep:
        generator = new_generator(network, seed, std, **config)
        return PretrainStep(recompute_blocks(generator) if p.checkpointing else generator, p, device, place)

    used = [*USED, chosen]
    determines = [{key: values[key] for key in used}, *data.digests]
    with (
        tracking.run("pretrain", values, used) as log,
        training_stage.unfinished("pretrain", values, network, determines) as state,
    ):
        batches = training_stage.batches(data, p, place, device)
        trained = loop.fit(state, build, batches, p, seed, log.metrics, utils.progress)
        training_stage.write(trained, (network, config), state.rows, (out, metrics, curve), log)


app = utils.app(main, together=True)

if __name__ == "__main__":
    app()
