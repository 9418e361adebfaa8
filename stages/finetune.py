"""Fine-tune DBGAN against its critic:
python -m stages.finetune data/crops.h5 data/synthetic.h5 models/dbgan_pretrained.safetensors models/dbgan.safetensors
"""

from pathlib import Path

from dbgan import checkpoint, settings, utils
from dbgan.data.batches import DeblurBatches, MixParams
from dbgan.data.h5 import Reader
from dbgan.models.build import DEBLUR
from dbgan.training.dbgan import Finetune, FinetuneParams
from dbgan.training.networks import new_critic, vgg_features
from dbgan.training.run import Job

TOP = ("alpha", "beta", "objective")
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
    job = Job("finetune", params, out, metrics, curve)
    values, common = job.values, job.common
    p = settings.section(values, "finetune", FinetuneParams, TOP)
    mix = settings.section(values, "mix", MixParams)
    data = DeblurBatches(Reader(crops), Reader(synthetic), mix, p.batch, p.patch, common.seed)
    generator, recipe = checkpoint.load(pretrained, DEBLUR), checkpoint.recipe(pretrained)
    data.digests.append(utils.sha256(pretrained))
    features, digest = vgg_features(values, job.device)
    critic = new_critic(p, False, common.seed, common.init_std)
    training = Finetune(p, features, generator=generator, critic=critic)
    job.train(training, p, data, recipe, USED, perceptual_weights=digest)


app = utils.app(main, together=True)

if __name__ == "__main__":
    app()
