"""Fine-tune DBGAN against its critic:
python -m stages.finetune data/crops.h5 data/synthetic.h5 models/dbgan_pretrained.safetensors models/dbgan.safetensors
"""

from pathlib import Path

from dbgan import checkpoint, outputs, settings, utils
from dbgan.data import download
from dbgan.data.batches import DeblurBatches, MixParams
from dbgan.data.h5 import Reader
from dbgan.models.build import DEBLUR, gaussian_init
from dbgan.models.critics import CriticConfig, build_critic
from dbgan.models.grad_checkpoint import checkpoint_blocks
from dbgan.models.vgg import PerceptualParams, VGGFeatures
from dbgan.training.dbgan import Finetune, FinetuneParams
from dbgan.training.run import train

TOP = ("alpha", "beta", "objective", "critic")
USED = ["seed", "threads", "init_std", *TOP, "mix", "perceptual", "archives", "finetune"]


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
    values = settings.load(params)
    common = settings.top(values, settings.Common)
    p = settings.section(values, "finetune", FinetuneParams, TOP)
    mix = settings.section(values, "mix", MixParams)
    vgg = settings.section(values, "perceptual", PerceptualParams)
    device = outputs.device(common.threads)
    data = DeblurBatches(Reader(crops), Reader(synthetic), mix, p.batch, p.patch, common.seed)
    generator, recipe = checkpoint.load(pretrained, DEBLUR), checkpoint.recipe(pretrained)
    if p.checkpointing:
        checkpoint_blocks(generator)
    critic = build_critic(CriticConfig(kind=p.critic, width=p.critic_width, patch=p.patch, luminance=False))
    gaussian_init(critic, common.seed, common.init_std)
    weights, digest = download.vgg19(vgg.weights, settings.section(values, "archives", download.Archives).vgg19)
    features = VGGFeatures(vgg.model_copy(update={"weights": weights})).to(device)
    inputs = [*data.digests, utils.sha256(pretrained), str(vgg.width), digest]
    training, paths = Finetune(generator, critic, features, p), (out, metrics, curve)
    train("finetune", values, USED, inputs, training, recipe, data, p, device, paths, perceptual_weights=digest)


app = utils.app(main, together=True)

if __name__ == "__main__":
    app()
