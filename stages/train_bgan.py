"""Learn how real blur looks: python -m stages.train_bgan data/crops.h5 models/bgan.safetensors"""

from pathlib import Path

from dbgan import outputs, settings, tracking, utils

# and <name>_network, the section of the blur generator's name
USED = [
    "seed",
    "threads",
    "init_std",
    "beta",
    "objective",
    "critic",
    "perceptual",
    "imagenet_vgg19",
    "blur_generator",
    "bgan",
]


def main(
    crops: Path,
    out: Path,
    params: Path = Path("params.yaml"),
    metrics: Path = Path("metrics/train_bgan.json"),
    curve: Path = Path("metrics/train_bgan_curve.csv"),
) -> None:
    """Train BGAN's generator, unpaired in a cycle or from pairs, as `bgan.pairing` says."""
    from dbgan import training_stage
    from dbgan.data import fetch
    from dbgan.data.batches import BlurBatches
    from dbgan.data.h5 import Reader
    from dbgan.models.build import BLUR, BlurGeneratorParams, gaussian_init, new_generator, reverse
    from dbgan.models.critics import CriticConfig, build_critic
    from dbgan.models.grad_checkpoint import checkpoint_blocks
    from dbgan.models.vgg import PerceptualParams, VGGFeatures
    from dbgan.training import distributed, loop
    from dbgan.training.bgan_cycle import BganParams, CycleStep
    from dbgan.training.bgan_paired import PairedStep

    values = settings.load(params)
    seed = settings.value(values, "seed", settings.Seed)
    std = settings.value(values, "init_std", training_stage.Deviation)
    threads = settings.value(values, "threads", int)
    chosen = settings.section(values, "blur_generator", BlurGeneratorParams).name
    _, kind = BLUR[chosen]
    config = settings.section(values, f"{chosen}_network", kind)
    p = settings.section(values, "bgan", BganParams, beta="beta", objective="objective", critic="critic")
    vgg = settings.section(values, "perceptual", PerceptualParams)
    imagenet = settings.section(values, "imagenet_vgg19", fetch.Download)
    cache = utils.project_root() / fetch.CACHE
    weights, vgg_digest = fetch.weights(vgg.weights, imagenet, cache, utils.progress, utils.log)
    features = vgg.model_copy(update={"weights": weights})
    device = outputs.device(threads)
    place = distributed.place(p.batch, p.accumulate)
    data = BlurBatches(Reader(crops), p.batch, p.patch, seed, place.rows(p.batch))
    if data.real != "real/blurred":
        utils.log(f"{crops}: no real blurred photographs in it; the blurred halves of the pairs stand in")

    def generator(name: str, size: settings.Params, seed: int):
        made = new_generator(name, size, seed, std)
        return checkpoint_blocks(made) if p.checkpointing else made

    def critic(seed: int):
        size = CriticConfig(kind=p.critic, width=p.critic_width, patch=p.patch, luminance=p.critic_luminance)
        return gaussian_init(build_critic(size), seed, std)

    def build() -> CycleStep | PairedStep:
        blur, blur_critic = generator(chosen, config, seed), critic(seed + 1)
        if p.pairing == "paired":
            return PairedStep(blur, blur_critic, VGGFeatures(features), p, seed, device, place)
        deblur, sharp_critic = generator(*reverse(chosen, config), seed + 2), critic(seed + 3)
        return CycleStep(blur, deblur, blur_critic, sharp_critic, VGGFeatures(features), p, seed, device, place)

    used = [*USED, f"{chosen}_network"]
    same = [key for key in used if key not in ("perceptual", "imagenet_vgg19")]  # wherever the weights come from
    determines = [{key: values[key] for key in same}, vgg.width, vgg_digest, data.crops.digest]
    with (
        tracking.run("train_bgan", values, used) as log,
        training_stage.unfinished("train_bgan", values, chosen, determines) as state,
    ):
        batches = training_stage.batches(data, p, place, device)
        trained = loop.fit(state, build, batches, p, seed, log.metrics, utils.progress)
        training_stage.write(
            trained, (chosen, config), state.rows, (out, metrics, curve), log, perceptual_weights=vgg_digest
        )


app = utils.app(main, together=True)

if __name__ == "__main__":
    app()
