"""Learn how real blur looks: python -m stages.train_bgan data/crops.h5 models/bgan.safetensors"""

from pathlib import Path

from dbgan import settings, utils
from dbgan.data import development
from dbgan.data.batches import BlurBatches
from dbgan.data.h5 import Reader
from dbgan.models.build import BLUR, BlurGeneratorParams, new_generator, reverse
from dbgan.training.bgan import HARDLY, CycleBgan, TrainBgan, TrainBganParams
from dbgan.training.loop import Training
from dbgan.training.networks import new_critic, vgg_features
from dbgan.training.run import Job

TOP = ("beta", "objective")
USED = ["seed", "threads", "init_std", *TOP, "perceptual", "archives", "blur_generator", "train_bgan"]


def main(
    crops: Path,
    out: Path,
    params: Path = Path("params.yaml"),
    metrics: Path = Path("metrics/train_bgan.json"),
    curve: Path = Path("metrics/train_bgan_curve.csv"),
) -> None:
    """Train BGAN's generator as `train_bgan.method` says: unpaired as in the paper, in a cycle, or from pairs first."""
    job = Job("train_bgan", params, out, metrics, curve)
    values, seed, std = job.values, job.common.seed, job.common.init_std
    p = settings.section(values, "train_bgan", TrainBganParams, TOP)
    name = settings.section(values, "blur_generator", BlurGeneratorParams).name
    config = settings.section(values, name, BLUR[name][1])
    data = BlurBatches(Reader(crops), p.batch, p.patch, seed)
    if "real/blurred" not in data.crops:
        utils.log(f"{crops}: no real blurred photographs in it; the blurred halves of the pairs stand in")
    tables = development.tables_of(data.crops).to(job.device)
    features, digest = vgg_features(values, job.device)
    blur, critic = new_generator(name, config, seed, std), new_critic(p, p.critic_luminance, seed + 1, std)
    training: Training = TrainBgan(p, features, tables, blur=blur, critic=critic)
    if p.method == "cycle":
        deblur = new_generator(*reverse(name, config), seed + 2, std)
        other = new_critic(p, p.critic_luminance, seed + 3, std)
        training = CycleBgan(p, features, tables, blur=blur, deblur=deblur, blur_critic=critic, sharp_critic=other)
    row = job.train(training, p, data, (name, config), [*USED, name], perceptual_weights=digest)
    if row.get("change", HARDLY) < HARDLY:  # an update by L1 has none
        weights = "lower the weights that keep content against beta, or set perceptual.divisor"
        utils.log(f"BGAN hardly blurs: it changes its input by {row['change']:.2f} levels of 255; {weights}")


app = utils.app(main, together=True)

if __name__ == "__main__":
    app()
