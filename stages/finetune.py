"""Fine-tune DBGAN against its critic:
python -m stages.finetune data/crops.h5 data/synthetic.h5 models/dbgan_pretrained.safetensors models/dbgan.safetensors
"""

from dataclasses import replace
from pathlib import Path

from dbgan import checkpoint, outputs, settings, tracking, utils

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
    "archives",
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
    from dbgan import training_stage
    from dbgan.data import download
    from dbgan.data.batches import DeblurBatches, MixParams
    from dbgan.data.h5 import Reader
    from dbgan.models.build import DEBLURS, build_generator, gaussian_init
    from dbgan.models.critics import build_critic
    from dbgan.models.grad_checkpoint import recompute_blocks
    from dbgan.models.vgg import PerceptualParams, VGGFeatures
    from dbgan.training import distributed, loop
    from dbgan.training.finetune import FinetuneParams, FinetuneStep

    values = settings.load(params)
    seed = settings.value(values, "seed", settings.Seed)
    std = settings.value(values, "init_std", training_stage.Deviation)
    threads = settings.value(values, "threads", int)
    p = settings.section(
        values, "finetune", FinetuneParams, alpha="alpha", beta="beta", objective="objective", critic="critic"
    )
    vgg = settings.section(values, "perceptual", PerceptualParams)
    archives = settings.section(values, "archives", download.Archives)
    mix = settings.section(values, "mix", MixParams)
    device = outputs.device(threads)
    place = distributed.place(p.batch, p.accumulate)
    data = DeblurBatches(Reader(crops), Reader(synthetic), mix, p.batch, p.patch, seed)
    network, config = checkpoint.recipe(pretrained)
    weights, vgg_digest = download.vgg19(vgg.weights, archives.vgg19)
    features = replace(vgg, weights=weights)

    def build() -> FinetuneStep:
        critic = gaussian_init(build_critic(p.critic, p.critic_width, p.patch, luminance=False), seed, std)
        generator = checkpoint.load(pretrained, build_generator, DEBLURS)
        generator = recompute_blocks(generator) if p.checkpointing else generator
        return FinetuneStep(generator, critic, VGGFeatures(features), p, seed, device, place)

    same = [key for key in USED if key not in ("perceptual", "archives")]  # wherever the weights come from
    determines = [
        {key: values[key] for key in same},
        vgg.width,
        vgg_digest,
        *data.digests,
        utils.sha256(pretrained),
    ]
    with (
        tracking.run("finetune", values, USED) as log,
        training_stage.unfinished("finetune", values, network, determines) as state,
    ):
        batches = training_stage.batches(data, p, place, device)
        trained = loop.fit(state, build, batches, p, seed, log.metrics, utils.progress)
        training_stage.write(
            trained, (network, config), state.rows, (out, metrics, curve), log, perceptual_weights=vgg_digest
        )


app = utils.app(main, together=True)

if __name__ == "__main__":
    app()
