"""Learn how real blur looks: python -m stages.train_bgan data/crops.h5 models/bgan.safetensors"""

from pathlib import Path

from torch import nn

from dbgan import outputs, settings, utils
from dbgan.data import download
from dbgan.data.batches import BlurBatches
from dbgan.data.h5 import Reader
from dbgan.models.build import BLUR, BlurGeneratorParams, gaussian_init, new_generator, reverse
from dbgan.models.critics import CriticConfig, build_critic
from dbgan.models.grad_checkpoint import checkpoint_blocks
from dbgan.models.vgg import PerceptualParams, VGGFeatures
from dbgan.settings import Params
from dbgan.training.bgan import CycleBgan, TrainBgan, TrainBganParams
from dbgan.training.loop import Training
from dbgan.training.run import train

TOP = ("beta", "objective", "critic")
USED = ["seed", "threads", "init_std", *TOP, "perceptual", "archives", "blur_generator", "train_bgan"]


def main(
    crops: Path,
    out: Path,
    params: Path = Path("params.yaml"),
    metrics: Path = Path("metrics/train_bgan.json"),
    curve: Path = Path("metrics/train_bgan_curve.csv"),
) -> None:
    """Train BGAN's generator as `train_bgan.method` says: unpaired as in the paper, in a cycle, or from pairs first."""
    values = settings.load(params)
    common = settings.top(values, settings.Common)
    p = settings.section(values, "train_bgan", TrainBganParams, TOP)
    vgg = settings.section(values, "perceptual", PerceptualParams)
    name = settings.section(values, "blur_generator", BlurGeneratorParams).name
    config = settings.section(values, name, BLUR[name][1])
    device = outputs.device(common.threads)
    data = BlurBatches(Reader(crops), p.batch, p.patch, common.seed)
    if "real/blurred" not in data.crops:
        utils.log(f"{crops}: no real blurred photographs in it; the blurred halves of the pairs stand in")
    weights, digest = download.vgg19(vgg.weights, settings.section(values, "archives", download.Archives).vgg19)
    features = VGGFeatures(vgg.model_copy(update={"weights": weights})).to(device)

    def generator(name: str, config: Params, seed: int) -> nn.Module:
        network = new_generator(name, config, seed, common.init_std)
        return checkpoint_blocks(network) if p.checkpointing else network

    def critic(seed: int) -> nn.Module:
        config = CriticConfig(kind=p.critic, width=p.critic_width, patch=p.patch, luminance=p.critic_luminance)
        return gaussian_init(build_critic(config), seed, common.init_std)

    blur, blur_critic = generator(name, config, common.seed), critic(common.seed + 1)
    training: Training
    if p.method == "cycle":
        deblur = generator(*reverse(name, config), common.seed + 2)
        training = CycleBgan(blur, deblur, blur_critic, critic(common.seed + 3), features, p)
    else:
        training = TrainBgan(blur, blur_critic, features, p)
    inputs, paths = [data.crops.digest, str(vgg.width), digest], (out, metrics, curve)
    used, recipe = [*USED, name], (name, config)
    train("train_bgan", values, used, inputs, training, recipe, data, p, device, paths, perceptual_weights=digest)


app = utils.app(main, together=True)

if __name__ == "__main__":
    app()
