"""Fine-tune DBGAN against its critic:
python -m stages.finetune data/crops.h5 data/synthetic.h5 models/dbgan_pretrained.safetensors models/dbgan.safetensors
"""

from dataclasses import replace
from pathlib import Path

from dbgan import checkpoint, processes, runtime, tracking
from dbgan import params as settings

USED = [
    "seed",
    "threads",
    "init_std",
    "alpha",
    "beta",
    "objective",
    "critic",
    "mix",
    "perceptual",
    "imagenet_vgg19",
    "finetune",
]


def main(
    crops: Path,
    synthetic: Path,
    pretrained: Path,
    out: Path,
    params: Path = Path("params.yaml"),
    metrics: Path = Path("metrics/finetune.json"),
    curve: Path = Path("metrics/finetune_curve.csv"),
) -> None:
    """Train the pre-trained generator on by perceptual + alpha * content + beta * adversarial loss."""
    from torch.utils.data import Subset

    from dbgan.data import fetch
    from dbgan.data.batches import DeblurBatches, MixParams, stream
    from dbgan.data.h5 import Reader
    from dbgan.models.critics import build_critic
    from dbgan.models.features import PerceptualParams, VGGFeatures
    from dbgan.models.generators import DEBLURS, build_generator, gaussian_init
    from dbgan.models.recompute import recompute_blocks
    from dbgan.training import distributed, loop, resume
    from dbgan.training.finetune import FinetuneParams, FinetuneStep

    values = settings.load(params)
    seed = settings.value(values, "seed", int)
    std = settings.value(values, "init_std", float)
    threads = settings.value(values, "threads", int)
    p = settings.section(
        values, "finetune", FinetuneParams, alpha="alpha", beta="beta", objective="objective", critic="critic"
    )
    vgg = settings.section(values, "perceptual", PerceptualParams)
    imagenet = settings.section(values, "imagenet_vgg19", fetch.Download)
    mix = settings.section(values, "mix", MixParams)
    device = runtime.device(threads)
    place = distributed.place(p.batch, p.accumulate)
    data = DeblurBatches(Reader(crops), Reader(synthetic), mix, p.batch, p.patch, seed, place.rows(p.batch))
    ours = Subset(data, place.order(p.steps, p.accumulate))
    network, config = checkpoint.recipe(pretrained)
    cache = runtime.root() / fetch.CACHE
    weights, vgg_digest = fetch.weights(vgg.weights, imagenet, cache, runtime.progress, runtime.say)
    features = replace(vgg, weights=weights)

    def build() -> FinetuneStep:
        critic = gaussian_init(build_critic(p.critic, p.critic_width, p.patch, luminance=False), seed, std)
        generator = checkpoint.load(pretrained, build_generator, DEBLURS)
        if p.checkpointing:
            recompute_blocks(generator)
        return FinetuneStep(generator, critic, VGGFeatures(features), p, seed, device, place)

    def batches(start: int):
        return stream(ours, start, p.steps, len(place.batches(p.accumulate)), runtime.workers(), device)

    same = [key for key in USED if key not in ("perceptual", "imagenet_vgg19")]  # wherever the weights come from
    determines = [
        {key: values[key] for key in same},
        vgg.width,
        vgg_digest,
        *data.digests(),
        runtime.digest(pretrained),
    ]
    with (
        tracking.run("finetune", values, USED) as log,
        resume.state(runtime.root(), "finetune", determines) as state,
        runtime.memory(f"scales.{values['scale']}.finetune"),
    ):
        trained = loop.fit(state, build, batches, p, seed, log.metrics, runtime.progress)
        if processes.first():
            with runtime.whole(out) as part:
                checkpoint.save(part, trained, network, config)
            runtime.write_csv(curve, state.rows)
            runtime.write_json(metrics, state.rows[-1] | {"perceptual_weights": vgg_digest})
            log.files(metrics, curve)


app = runtime.app(main, together=True)

if __name__ == "__main__":
    app()
