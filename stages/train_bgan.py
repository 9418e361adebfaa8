"""Learn how real blur looks: python -m stages.train_bgan data/crops.h5 models/bgan.safetensors"""

from dataclasses import asdict, replace
from pathlib import Path

from dbgan import checkpoint, processes, runtime, tracking
from dbgan import params as settings

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
    from torch.utils.data import Subset

    from dbgan.data import fetch
    from dbgan.data.batches import BlurBatches, stream
    from dbgan.data.h5 import Reader
    from dbgan.models.critics import build_critic
    from dbgan.models.features import PerceptualParams, VGGFeatures
    from dbgan.models.generators import BLUR, BlurGeneratorParams, gaussian_init, new_generator, reverse
    from dbgan.models.recompute import recompute_blocks
    from dbgan.training import distributed, loop, resume
    from dbgan.training.bgan_cycle import BganParams, CycleStep
    from dbgan.training.bgan_paired import PairedStep

    values = settings.load(params)
    seed = settings.value(values, "seed", int)
    std = settings.value(values, "init_std", float)
    threads = settings.value(values, "threads", int)
    chosen = settings.section(values, "blur_generator", BlurGeneratorParams).name
    network, kind = BLUR[chosen]
    config = asdict(settings.section(values, f"{chosen}_network", kind))
    p = settings.section(values, "bgan", BganParams, beta="beta", objective="objective", critic="critic")
    vgg = settings.section(values, "perceptual", PerceptualParams)
    imagenet = settings.section(values, "imagenet_vgg19", fetch.Download)
    cache = runtime.root() / fetch.CACHE
    weights, vgg_digest = fetch.weights(vgg.weights, imagenet, cache, runtime.progress, runtime.say)
    features = replace(vgg, weights=weights)
    device = runtime.device(threads)
    place = distributed.place(p.batch, p.accumulate)
    data = BlurBatches(Reader(crops), p.batch, p.patch, seed, place.rows(p.batch))
    ours = Subset(data, place.order(p.steps, p.accumulate))
    if data.real != "real/blurred":
        runtime.say(f"{crops}: no real blurred photographs in it; the blurred halves of the pairs stand in")

    def build() -> CycleStep | PairedStep:
        blur = new_generator(network, seed, std, **config)
        if p.checkpointing:
            recompute_blocks(blur)
        critic = gaussian_init(build_critic(p.critic, p.critic_width, p.patch, p.critic_luminance), seed + 1, std)
        if p.pairing == "paired":
            return PairedStep(blur, critic, VGGFeatures(features), p, seed, device, place)
        back, size = reverse(network, config)
        deblur = new_generator(back, seed + 2, std, **size)
        if p.checkpointing:
            recompute_blocks(deblur)
        sharp_critic = gaussian_init(build_critic(p.critic, p.critic_width, p.patch, p.critic_luminance), seed + 3, std)
        return CycleStep(blur, deblur, critic, sharp_critic, VGGFeatures(features), p, seed, device, place)

    def batches(start: int):
        return stream(ours, start, p.steps, len(place.batches(p.accumulate)), runtime.workers(), device)

    used = [*USED, f"{chosen}_network"]
    same = [key for key in used if key not in ("perceptual", "imagenet_vgg19")]  # wherever the weights come from
    determines = [{key: values[key] for key in same}, vgg.width, vgg_digest, data.crops.digest]
    with (
        tracking.run("train_bgan", values, used) as log,
        resume.state(runtime.root(), "train_bgan", determines) as state,
        runtime.memory(f"scales.{values['scale']}.bgan"),
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
