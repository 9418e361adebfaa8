"""Pre-train DBGAN: python -m stages.pretrain data/crops.h5 data/synthetic.h5 models/dbgan_pretrained.safetensors"""

from pathlib import Path

from dbgan import settings, utils
from dbgan.data.batches import DeblurBatches, MixParams
from dbgan.data.h5 import Reader
from dbgan.models.build import DEBLUR, GeneratorParams, new_generator
from dbgan.training.dbgan import Pretrain, PretrainParams
from dbgan.training.run import Job

USED = ["seed", "threads", "init_std", "mix", "generator", "pretrain"]  # and the section of the generator's name


def main(
    crops: Path,
    synthetic: Path,
    out: Path,
    params: Path = Path("params.yaml"),
    metrics: Path = Path("metrics/pretrain.json"),
    curve: Path = Path("metrics/pretrain_curve.csv"),
) -> None:
    """Fit the deblurring generator by the content loss to a mix of BGAN's blurs and the paired ones."""
    job = Job("pretrain", params, out, metrics, curve)
    values, common = job.values, job.common
    p = settings.section(values, "pretrain", PretrainParams)
    mix = settings.section(values, "mix", MixParams)
    name = settings.section(values, "generator", GeneratorParams).name
    config = settings.section(values, name, DEBLUR[name][1])
    data = DeblurBatches(Reader(crops), Reader(synthetic), mix, p.batch, p.patch, common.seed, p.augment)
    generator = new_generator(name, config, common.seed, common.init_std)
    job.train(Pretrain(p, generator), p, data, (name, config), [*USED, name])


app = utils.app(main, together=True)

if __name__ == "__main__":
    app()
