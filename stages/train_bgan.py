"""Learn how real blur looks: python -m stages.train_bgan data/crops.h5 models/bgan.safetensors"""

from dataclasses import asdict, replace
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
    "archives",
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
    from dbgan.data import download
    from dbgan.data.batches import BlurBatches
    from dbgan.data.h5 import Reader
    from dbgan.models.build import BLUR, BlurGeneratorParams, gaussian_init, new_generator, reverse
    from dbgan.models.critics import build_critic
    from dbgan.models.grad_checkpoint import recompute_blocks
    from dbgan.models.vgg import PerceptualParams, VGGFeatures
    from dbgan.training import distributed, loop
    from dbgan.training.bgan_cycle import BganParams, CycleStep
    from dbgan.training.bgan_paired import PairedStep

    values = settings.load(params)
    seed = settings.value(values, "seed", settings.Seed)
    std = settings.value(values, "init_std", training_stage.Deviation)
    threads = settings.value(values, "threads", int)
    chosen = settings.section(values, "blur_generator", BlurGeneratorParams).name
    network, kind = BLUR[chosen]
    config = asdict(settings.section(values, f"{chosen}_network", kind))
    p = settings.section(values, "bgan", BganParams, beta="beta", objective="objective", critic="critic")
    vgg = settings.section(values, "perceptual", PerceptualParams)
    archives = settings.section(values, "archives", download.Archives)
    weights, vgg_digest = download.vgg19(vgg.weights, archives.vgg19)
    features = replace(vgg, weights=weights)
    device = outputs.device(threads)
    place = distributed.place(p.batch, p.accumulate)
    data = BlurBatches(Reader(crops), p.batch, p.patch, seed)
    if data.real != "real/blurred":
        utils.log(f"{crops}: no real blurred photographs in it; the blurred halves of the pairs stand in")

    def generator(name: str, size: dict, seed: int):
        made = new_generator(name, seed, std, **size)
        return recompute_blocks(made) if p.checkpointing else made

    def critic(seed: int):
        return gaussian_init(build_critic(p.critic, p.critic_width, p.patch, p.critic_luminance), seed, std)

    def build() -> CycleStep | PairedStep:
        blur, blur_critic = generator(network, config, seed), critic(seed + 1)
        if p.pairing == "paired":
            return PairedStep(blur, blur_critic, VGGFeatures(features), p, seed, device, place)
        deblur, sharp_critic = generator(*reverse(network, config), seed + 2), critic(seed + 3)
        return CycleStep(blur, deblur, blur_critic, sharp_critic, VGGFeatures(features), p, seed, device, place)

    used = [*USED, f"{chosen}_network"]
    same = [key for key in used if key not in ("perceptual", "archives")]  # wherever the weights come from
    determines = [{key: values[key] for key in same}, vgg.width, vgg_digest, data.crops.digest]
    with (
        tracking.run("train_bgan", values, used) as log,
        training_stage.unfinished("train_bgan", values, network, determines) as state,
    ):
        batches = training_stage.batches(data, p, place, device)
        trained = loop.fit(state, build, batches, p, seed, log.metrics, utils.progress)
        training_stage.write(
            trained, (network, config), state.rows, (out, metrics, curve), log, perceptual_weights=vgg_digest
        )


app = utils.app(main, together=True)

if __name__ == "__main__":
    app()
