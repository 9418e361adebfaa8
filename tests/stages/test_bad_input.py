"""Bad photographs, files and parameters: every stage ends in one line and changes nothing."""

import shutil

import pytest
from commands import STAGES, ends_in_one_line, run_well
from PIL import Image

from dbgan.data import h5

SEEDED = ("train_bgan", "synthesize", "pretrain", "finetune")


def test_an_unreadable_photograph(copied):
    (copied / "photos" / "train" / "sharp" / "2.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    ends_in_one_line(copied, "download", "train/sharp/2.png")


def test_a_missing_partner(copied):
    (copied / "photos" / "test" / "sharp" / "1.png").unlink()
    ends_in_one_line(copied, "download", "test/blur/1.png", "partner")


def test_an_empty_folder(copied):
    for path in (copied / "photos" / "train" / "blur").iterdir():
        path.unlink()
    ends_in_one_line(copied, "download", "no pairs to train on beside 2 to test on", "train/blur and train/sharp")


def test_a_folder_without_photographs(copied):
    for path in (copied / "photos").rglob("*.png"):
        path.unlink()
    ends_in_one_line(copied, "download", "photos", "no photographs")


def test_too_many_photographs_that_cannot_be_used(copied, write_params):
    (copied / "photos" / "train" / "sharp" / "2.png").write_bytes(b"")
    write_params(copied / "params.yaml", {"data.max_rejected": 0.1})
    ends_in_one_line(copied, "download", "1 of 8", "0.1", "1 x an empty file, first train/sharp/2.png")


def test_no_folder_at_all(copied):
    shutil.rmtree(copied / "photos")
    ends_in_one_line(copied, "download", "data.root", "photos")


def test_a_photograph_smaller_than_a_crop(copied, photo):
    for number, half in enumerate(("blur", "sharp")):
        Image.fromarray(photo(number, 63, 80)).save(copied / "photos" / "train" / half / "0.png")
    run_well("download")
    ends_in_one_line(copied, "build_h5", "train/blur/0.png", "80x63", "crop.side")


def test_a_test_photograph_smaller_than_a_crop_is_told_before_any_training(copied, photo):
    for number, half in enumerate(("blur", "sharp")):
        Image.fromarray(photo(number, 80, 63)).save(copied / "photos" / "test" / half / "0.png")
    run_well("download")
    ends_in_one_line(copied, "build_h5", "test/blur/0.png", "63x80", "crop.side")


@pytest.mark.parametrize(("stage", "part"), [("build_h5", "train"), ("evaluate", "test")])
def test_a_photograph_that_changed_after_the_download(copied, photo, stage, part):
    Image.fromarray(photo(77)).save(copied / "photos" / part / "blur" / "0.png")
    ends_in_one_line(copied, stage, f"{part}/blur/0.png", "changed")


@pytest.mark.parametrize("stage", ["train_bgan", "synthesize", "pretrain", "finetune", "evaluate"])
def test_damaged_crops(copied, stage):
    path = copied / "data" / "crops.h5"
    path.write_bytes(path.read_bytes()[:5000])
    ends_in_one_line(copied, stage, "data/crops.h5")


@pytest.mark.parametrize("stage", ["train_bgan", "synthesize", "pretrain", "finetune", "evaluate"])
def test_crops_without_pairs(copied, stage):
    with h5.create(copied / "data" / "crops.h5"):
        pass
    ends_in_one_line(copied, stage, "data/crops.h5", "paired/sharp")


@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
def test_the_wrong_file_for_the_synthetic_blurs(copied, stage):
    shutil.copy(copied / "data" / "crops.h5", copied / "data" / "synthetic.h5")
    ends_in_one_line(copied, stage, "data/synthetic.h5", "synthetic/blurred")


@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
def test_synthetic_blurs_of_other_crops(copied, photo, stage):
    """As many and as large, but of other photographs."""
    Image.fromarray(photo(77)).save(copied / "photos" / "train" / "sharp" / "0.png")
    run_well("download", "build_h5")
    ends_in_one_line(copied, stage, "data/synthetic.h5", "data/crops.h5", "synthesize")


@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
def test_damaged_synthetic_blurs(copied, stage):
    (copied / "data" / "synthetic.h5").write_bytes(b"")
    ends_in_one_line(copied, stage, "data/synthetic.h5")


@pytest.mark.parametrize(
    ("stage", "name"),
    [("synthesize", "bgan"), ("finetune", "dbgan_pretrained"), ("evaluate", "bgan"), ("evaluate", "dbgan")],
)
@pytest.mark.parametrize("damage", ["cut", "missing", "other"])
def test_damaged_weights(copied, stage, name, damage):
    path = copied / "models" / f"{name}.safetensors"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "missing":
        path.unlink()
    else:
        shutil.copy(copied / "models" / ("dbgan.safetensors" if name == "bgan" else "bgan.safetensors"), path)
    ends_in_one_line(copied, stage, f"models/{name}.safetensors")


@pytest.mark.parametrize(
    ("stage", "key", "wrong", "said"),
    [
        ("download", "data.train_shakes", "6", "data.train_shakes"),
        ("download", "data.source", "nowhere", "data.source"),
        ("download", "scale", "huge", "scale"),
        ("build_h5", "crop.side", 1.5, "crop.side"),
        ("build_h5", "crop.stride", 0, "crop"),
        ("train_bgan", "bgan.pairing", "twice", "bgan.pairing"),
        ("train_bgan", "scales.sample.bgan.patch", 128, "data/crops.h5: a patch of 128"),
        ("train_bgan", "scales.sample.bgan.patch", 48, "patch"),
        ("train_bgan", "perceptual.weights", "gone.pth", "perceptual"),
        ("train_bgan", "blur_generator.name", "dbgan", "blur_generator.name"),
        ("train_bgan", "objective", "hinge", "params.yaml, objective"),
        ("train_bgan", "init_std", -0.01, "params.yaml, init_std"),
        ("train_bgan", "scales.sample.bgan.patch", 8, "bgan: patch must be at least 16"),
        *((stage, "seed", seed, "params.yaml, seed") for stage in SEEDED for seed in (-1, 2**64)),
        ("synthesize", "scales.sample.synthesize.batch", True, "synthesize.batch"),
        ("pretrain", "generator.name", "bgan", "generator.name"),
        ("pretrain", "scales.sample.pretrain.precision", "float16", "pretrain.precision"),
        ("pretrain", "mix.realistic", 2, "mix"),
        ("pretrain", "scales.sample.pretrain.save_every", 3, "save_every"),
        ("pretrain", "scales.sample.dbgan.width", None, "dbgan.width"),
        ("pretrain", "scales.sample.pretrain.lr", 1e30, "no longer finite"),
        ("finetune", "alpha", "much", "alpha"),
        ("finetune", "critic", "resnet", "params.yaml, critic"),
        ("finetune", "scales.sample.finetune.lr", -1.0, "finetune"),
        ("evaluate", "evaluate.panels", 0, "evaluate"),
        ("evaluate", "scales.sample.threads", "all", "threads"),
    ],
)
def test_wrong_parameters(copied, write_params, stage, key, wrong, said):
    write_params(copied / "params.yaml", {key: wrong})
    ends_in_one_line(copied, stage, said)


@pytest.mark.parametrize(
    ("stage", "changes", "said"),
    [
        ("train_bgan", {"bgan.pairing": "paired", "scales.sample.bgan.pixel_steps": 0}, ("pixel_steps", "pairing")),
        (
            "finetune",
            {"objective": "wgan-gp", "scales.sample.finetune.compile": True},
            ("compile", "objective wgan-gp"),
        ),
        ("finetune", {"critic": "patch", "scales.sample.finetune.patch": 8}, ("params.yaml, finetune: patch",)),
    ],
)
def test_parameters_that_do_not_go_together(copied, write_params, stage, changes, said):
    write_params(copied / "params.yaml", changes)
    ends_in_one_line(copied, stage, *said)


@pytest.mark.parametrize(
    ("name", "key", "wrong", "said"),
    [
        ("srresnet", "width", "8", "srresnet.width"),
        ("srresnet", "scale", 2, "scale 1"),
        ("nafnet", "encoder_blocks", [1, 1], "equally many"),
        ("nafnet", "encoder_blocks", 1, "nafnet.encoder_blocks"),
        ("deblurgan", "dropout", 0.5, "deblurgan.dropout"),
    ],
)
def test_wrong_sizes_of_the_generator_chosen(copied, write_params, name, key, wrong, said):
    write_params(copied / "params.yaml", {"generator.name": name, f"scales.sample.{name}.{key}": wrong})
    ends_in_one_line(copied, "pretrain", said)


def test_no_parameters_at_all(copied):
    (copied / "params.yaml").unlink()
    for stage in STAGES:
        ends_in_one_line(copied, stage, "params.yaml")
