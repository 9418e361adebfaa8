"""What BGAN's share of the training pairs does to real blur, as a picture: python -m ablations.pictures

Test photographs with the simulated real blur, as the evaluation makes them, restored by the experiments' networks.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import dvc.api

from ablations import plan, records
from dbgan import checkpoint, settings, utils
from dbgan.data import camera_shake, manifest
from dbgan.models.build import DEBLUR
from dbgan.panels import save_jpeg, side_by_side, stacked
from dbgan.use.inference import restore
from stages.evaluate import simulated

VARIANTS = ("mix-0", "baseline", "mix-0.5", "mix-1")
SHOWN = ((0, 60, 170), (4, 60, 180))  # the evaluation's number of a simulated real blur, and a corner (y, x) in it
SIDE = 140  # pixels of what is cut out


def main(raw: Path = Path("data/raw"), out: Path = Path("docs/gallery/mix.jpg")) -> None:
    """Write rows of parts of photographs to OUT: blurred, restored by VARIANTS, sharp."""
    root, seed = utils.project_root(), plan.SEEDS[0]
    names = [f"ablation-{variant}-{seed}" for variant in VARIANTS]
    revisions = records.revisions(root)
    if missing := [name for name in names if name not in revisions]:
        raise ValueError(f"{', '.join(missing)}: no such experiment is done; `make ablations` runs them")
    values = settings.load(root / "params.yaml")
    camera = settings.section(values, "real_camera", camera_shake.ShakeParams)
    margin = values["evaluate"]["margin"]
    networks = [network(root, revisions[name]) for name in names]
    listing = manifest.load_listing(raw)
    folder, _ = manifest.roots(listing, raw, root)
    rows = []
    for number, y, x in SHOWN:
        blurred, sharp = simulated(listing, folder, camera, seed, number)
        restored = [restore(one, blurred, margin) for one in networks]
        rows.append(side_by_side([photo[y : y + SIDE, x : x + SIDE] for photo in (blurred, *restored, sharp)]))
    with utils.atomic_write(out) as part:
        save_jpeg(part, stacked(rows))


def network(root: Path, revision: str):
    """The fine-tuned network of an experiment."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "dbgan.safetensors")
        path.write_bytes(dvc.api.read("models/dbgan.safetensors", str(root), rev=revision, mode="rb"))
        return checkpoint.load(path, DEBLUR)


app = utils.app(main)

if __name__ == "__main__":
    app()
