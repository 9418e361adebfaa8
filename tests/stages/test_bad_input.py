"""Bad photographs, files and parameters: every stage ends in one line and changes nothing."""

import shutil

import pytest
from commands import STAGES, ends_in_one_line, run_well
from PIL import Image

from dbgan.data import h5

SEEDED = ("train_bgan", "synthesize", "pretrain", "finetune")
READ_CROPS = (*SEEDED, "evaluate")


def test_too_many_photographs_that_cannot_be_used(copied, write_params):
    (copied / "photos" / "train" / "sharp" / "2.png").write_bytes(b"")
    write_params(copied / "params.yaml", {"data.max_rejected": 0.1})
    ends_in_one_line(copied, "download", "1 of 8", "0.1", "train/sharp/2.png")


def test_no_folder_at_all(copied):
    shutil.rmtree(copied / "photos")
    ends_in_one_line(copied, "download", "data.root", "photos")


@pytest.mark.parametrize(("part", "size"), [("train", (63, 80)), ("test", (80, 63))])
def test_a_photograph_smaller_than_a_crop_stops_before_any_training(copied, photo, part, size):
    for number, half in enumerate(("blur", "sharp")):
        Image.fromarray(photo(number, *size)).save(copied / "photos" / part / half / "0.png")
    run_well("download")
    ends_in_one_line(copied, "build_h5", f"{part}/blur/0.png", f"{size[1]}x{size[0]}", "crop.side")


@pytest.mark.parametrize(("stage", "part"), [("build_h5", "train"), ("evaluate", "test")])
def test_a_photograph_that_changed_after_the_download(copied, photo, stage, part):
    Image.fromarray(photo(77)).save(copied / "photos" / part / "blur" / "0.png")
    ends_in_one_line(copied, stage, f"{part}/blur/0.png", "changed")


@pytest.mark.parametrize("stage", READ_CROPS)
def test_crops_that_are_damaged_or_lack_pairs(copied, stage):
    path = copied / "data" / "crops.h5"
    path.write_bytes(path.read_bytes()[:5000])
    ends_in_one_line(copied, stage, "data/crops.h5")
    with h5.create(path):
        pass
    ends_in_one_line(copied, stage, "data/crops.h5", "paired/sharp")


@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
def test_synthetic_blurs_that_are_damaged_or_others(copied, photo, stage):
    path = copied / "data" / "synthetic.h5"
    whole = path.read_bytes()
    path.write_bytes(b"")
    ends_in_one_line(copied, stage, "data/synthetic.h5")
    shutil.copy(copied / "data" / "crops.h5", path)
    ends_in_one_line(copied, stage, "data/synthetic.h5", "synthetic/blurred")
    path.write_bytes(whole)  # as many and as large, but of other photographs
    Image.fromarray(photo(77)).save(copied / "photos" / "train" / "sharp" / "0.png")
    run_well("download", "build_h5")
    ends_in_one_line(copied, stage, "data/synthetic.h5", "data/crops.h5", "synthesize")


@pytest.mark.parametrize(
    ("stage", "name"),
    [("synthesize", "bgan"), ("finetune", "dbgan_pretrained"), ("evaluate", "bgan"), ("evaluate", "dbgan")],
)
def test_weights_of_another_network(copied, stage, name):
    other = "dbgan" if name == "bgan" else "bgan"
    shutil.copy(copied / "models" / f"{other}.safetensors", copied / "models" / f"{name}.safetensors")
    ends_in_one_line(copied, stage, f"models/{name}.safetensors")


@pytest.mark.parametrize(
    ("stage", "key", "wrong", "message"),
    [
        ("download", "data.train_shakes", "6", "params.yaml, data.train_shakes"),
        ("download", "data.source", "nowhere", "params.yaml, data.source"),
        ("download", "scale", "huge", "scale"),
        ("build_h5", "crop.side", 1.5, "params.yaml, crop.side"),
        ("build_h5", "crop.stride", 0, "params.yaml, crop.stride"),
        ("train_bgan", "train_bgan.method", "twice", "params.yaml, train_bgan.method"),
        ("train_bgan", "train_bgan.patch", 128, "data/crops.h5: a patch of 128"),
        ("train_bgan", "train_bgan.jpeg", 1, "params.yaml, train_bgan.jpeg"),
        ("train_bgan", "train_bgan.method", "cycle", "blur_generator.name: camera has no deblurring network"),
        ("train_bgan", "camera.reach", 0, "params.yaml, camera.reach"),
        ("train_bgan", "train_bgan.critic", "resnet", "params.yaml, train_bgan.critic"),
        ("train_bgan", "train_bgan.momentum", 1.0, "params.yaml, train_bgan.momentum"),
        ("train_bgan", "train_bgan.patch", 8, "params.yaml, train_bgan.patch"),
        ("train_bgan", "scales.sample.train_bgan.cycle", -1.0, "params.yaml, train_bgan.cycle"),
        ("train_bgan", "perceptual.weights", "gone.pth", "perceptual"),
        ("train_bgan", "scales.sample.blur_generator.name", "dbgan", "params.yaml, blur_generator.name"),
        ("train_bgan", "objective", "hinge", "params.yaml, objective"),
        ("train_bgan", "init_std", -0.01, "params.yaml, init_std"),
        *((stage, "seed", seed, "params.yaml, seed") for stage in SEEDED for seed in (-1, 2**64)),
        ("download", "real_camera.path", "run", "params.yaml, real_camera.path"),
        ("download", "pair_camera.blades", 2, "params.yaml, pair_camera.blades"),
        ("synthesize", "synthesize.source", "sharp", "params.yaml, synthesize.source"),
        ("synthesize", "synthesize.batch", True, "params.yaml, synthesize.batch"),
        ("pretrain", "generator.name", "bgan", "params.yaml, generator.name"),
        ("pretrain", "pretrain.precision", "float16", "params.yaml, pretrain.precision"),
        ("pretrain", "pretrain.ema", 1.0, "params.yaml, pretrain.ema"),
        ("pretrain", "scales.sample.pretrain.clip", -1.0, "params.yaml, pretrain.clip"),
        ("pretrain", "mix.realistic", 2, "params.yaml, mix.realistic"),
        ("pretrain", "scales.sample.pretrain.save_every", 3, "params.yaml, pretrain: save_every"),
        ("pretrain", "scales.sample.dbgan.width", None, "params.yaml, dbgan.width"),
        ("pretrain", "scales.sample.pretrain.lr", 1e30, "no longer finite"),
        ("finetune", "alpha", -1, "params.yaml, alpha"),
        ("finetune", "finetune.critic", "resnet", "params.yaml, finetune.critic"),
        (
            "finetune",
            "scales.sample.finetune.patch",
            48,
            "params.yaml, finetune: patch must be a multiple of 32",
        ),
        ("finetune", "scales.sample.finetune.lr", -1.0, "params.yaml, finetune.lr"),
        ("finetune", "scales.sample.finetune.critic_width", 0, "params.yaml, finetune.critic_width"),
        ("evaluate", "evaluate.panels", 0, "params.yaml, evaluate.panels"),
        ("evaluate", "scales.sample.threads", "all", "params.yaml, threads"),
    ],
)
def test_wrong_parameters(copied, write_params, stage, key, wrong, message):
    write_params(copied / "params.yaml", {key: wrong})
    ends_in_one_line(copied, stage, message)


@pytest.mark.parametrize(
    ("stage", "changes", "message"),
    [
        ("train_bgan", {"train_bgan.method": "paired"}, "pixel_steps must be above 0"),
        ("train_bgan", {"train_bgan.pixel_steps": 2}, "pixel_steps must be 0 with method paper"),
        ("pretrain", {"generator.name": "nafnet", "scales.sample.nafnet.encoder_blocks": [1, 1]}, "equally many"),
        ("pretrain", {"generator.name": "srresnet", "scales.sample.srresnet.width": "8"}, "srresnet.width"),
    ],
)
def test_parameters_that_do_not_go_together(copied, write_params, stage, changes, message):
    write_params(copied / "params.yaml", changes)
    ends_in_one_line(copied, stage, "params.yaml", message)


def test_no_parameters_at_all(copied):
    (copied / "params.yaml").unlink()
    for stage in STAGES:
        ends_in_one_line(copied, stage, "params.yaml")
