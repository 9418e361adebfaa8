"""The whole pipeline on four small pairs, by the commands that dvc.yaml gives, and its bad ends."""

import importlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner

from dbgan.data import h5
from dbgan.metrics import evaluation

STAGES = yaml.safe_load((Path(__file__).parents[2] / "dvc.yaml").read_text())["stages"]
MEASURED = {
    *(f"{figure}{state}" for figure in ("psnr", "ssim", "ssim_2d") for state in ("_blurred", "_pretrained", "")),
    *("delta_e_blurred", "delta_e", "color_shift", "bgan_color_shift", "bgan_diversity"),
    *(f"blur_effect_{of}" for of in ("sharp", "paired", "bgan", "real", "real_before", "real_after")),
    *("bgan_realism", "paired_realism"),
}
NEEDS_REAL_BLUR = {
    *("blur_effect_real", "blur_effect_real_before", "blur_effect_real_after"),
    *("bgan_realism", "paired_realism"),
}


def run(stage: str):
    """A stage in the current folder, by its command in dvc.yaml."""
    _, _, module, *arguments = STAGES[stage]["cmd"].split()
    return CliRunner().invoke(importlib.import_module(module).app, arguments)


def run_well(*stages: str) -> None:
    for stage in stages:
        result = run(stage)
        assert result.exit_code == 0, result.stderr


def promised(stage: str) -> set[str]:
    entries = [entry for kind in ("outs", "metrics", "plots") for entry in STAGES[stage].get(kind, [])]
    return {path for entry in entries for path in ([entry] if isinstance(entry, str) else entry)}


def files(root: Path) -> dict[str, bytes]:
    """All that lies in a folder, except the locks and unfinished states of trainings."""
    found = (path for path in root.rglob("*") if path.is_file())
    return {
        name: path.read_bytes()
        for path in found
        if not (name := path.relative_to(root).as_posix()).startswith(".state/")
    }


@pytest.fixture(scope="module")
def inside() -> Iterator:
    """inside(folder): the stages' current folder and repository, tracking off."""
    with pytest.MonkeyPatch.context() as patch:

        def go(folder: Path) -> Path:
            folder.mkdir(parents=True, exist_ok=True)
            patch.chdir(folder)
            patch.setenv("DVC_ROOT", str(folder))
            patch.setenv("DBGAN_TRACKING", "off")
            return folder

        yield go


@pytest.fixture(scope="module")
def chain(tmp_path_factory, inside, write_photos, write_params) -> Path:
    """A folder in which every stage ran once; it is only read."""
    root = inside(tmp_path_factory.mktemp("chain") / "repository")
    write_photos(root / "photos")
    write_params(root / "params.yaml")
    given = set(files(root))
    for stage in STAGES:
        before = set(files(root))
        run_well(stage)
        new = set(files(root)) - before
        for path in promised(stage):
            assert {name for name in new if name == path or name.startswith(f"{path}/")}, f"{stage} left no {path}"
            new = {name for name in new if name != path and not name.startswith(f"{path}/")}
        assert not new, f"{stage} left more than dvc.yaml promises"
    assert given <= set(files(root))
    return root


@pytest.fixture
def copied(tmp_path, inside, monkeypatch, chain) -> Path:
    """A copy of the finished chain, as current folder, to change at will."""
    root = tmp_path / "repository"
    shutil.copytree(chain, root)
    monkeypatch.setenv("DVC_ROOT", str(root))
    monkeypatch.chdir(root)
    return root


def evaluated(root: Path) -> dict:
    return json.loads((root / "metrics" / "evaluate.json").read_text())


def test_every_stage_leaves_exactly_what_dvc_yaml_promises(chain):
    assert not list(chain.rglob("*.part"))
    assert not list((chain / ".state").rglob("*.pt"))


def test_evaluation_measures_restoration_colour_and_realism(chain):
    found = evaluated(chain)
    assert found.keys() == MEASURED
    for name in MEASURED - {"color_shift", "bgan_color_shift"}:
        assert isinstance(found[name], float), name
    for name in ("color_shift", "bgan_color_shift"):
        assert len(found[name]) == 3
    rows = (chain / "metrics" / "frames.csv").read_text().splitlines()
    assert len(rows) == 1 + 2
    kinds = ("bgan", "real", "test")
    pictures = {"curves.png", *(f"{kind}_{number:04d}.png" for kind in kinds for number in range(2))}
    assert {path.name for path in (chain / "results" / "panels").iterdir()} == pictures


@pytest.mark.parametrize("limit", [1, 2, 3, 4])
def test_no_more_crops_of_a_kind_are_compared_than_the_parameters_say(copied, write_params, monkeypatch, limit):
    compared, measure = {}, evaluation.blurs_of_bgan

    def spy(sharp, blurs, paired, real):
        compared.update(sharp=len(sharp), bgan=len(blurs[0]), paired=len(paired), real=len(real))
        return measure(sharp, blurs, paired, real)

    monkeypatch.setattr(evaluation, "blurs_of_bgan", spy)
    write_params(copied / "params.yaml", {"evaluate.crops": limit})
    run_well("evaluate")
    assert compared["sharp"] == compared["bgan"] == compared["paired"]
    assert 1 <= compared["sharp"] <= limit
    assert compared["real"] == limit


def test_crops_and_blurs_are_as_many_as_the_parameters_say(chain):
    metrics = {path.stem: json.loads(path.read_text()) for path in (chain / "metrics").glob("*.json")}
    assert metrics["download"] == {"train_pairs": 4, "test_pairs": 2, "real_blur": 2}
    assert metrics["build_h5"] == {"paired_crops": 8, "real_crops": 4}
    assert metrics["synthesize"] == {"synthetic_crops": 16}
    for training in ("train_bgan", "pretrain", "finetune"):
        assert metrics[training]["step"] == 4
        curve = (chain / "metrics" / f"{training}_curve.csv").read_text().splitlines()
        assert [row.split(",")[0] for row in curve] == ["step", "2", "4"]


def test_plots_name_columns_that_the_curves_have(chain):
    for plot in yaml.safe_load((Path(__file__).parents[2] / "dvc.yaml").read_text())["plots"]:
        (entry,) = plot.values()
        for file, columns in entry["y"].items():
            header = (chain / file).read_text().splitlines()[0].split(",")
            assert {entry["x"], *([columns] if isinstance(columns, str) else columns)} <= set(header)


def test_two_runs_give_equal_bytes(tmp_path, inside, chain, write_photos, write_params):
    root = inside(tmp_path / "elsewhere")
    write_photos(root / "photos")
    write_params(root / "params.yaml")
    run_well(*STAGES)
    first, second = files(chain), files(root)
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []


def test_bgan_learns_from_pairs_too(copied, write_params):
    unpaired = (copied / "models" / "bgan.safetensors").read_bytes()
    write_params(copied / "params.yaml", {"bgan.pairing": "paired"})
    run_well("train_bgan", "synthesize")
    assert (copied / "models" / "bgan.safetensors").read_bytes() != unpaired
    header = (copied / "metrics" / "train_bgan_curve.csv").read_text().splitlines()[0]
    assert "pixel" in header.split(",")


def test_all_goes_without_real_blurred_photographs(copied):
    shutil.rmtree(copied / "photos" / "real_blur")
    run_well("download", "build_h5")
    result = run("train_bgan")
    assert result.exit_code == 0
    assert "stand in" in result.stderr
    run_well("evaluate")
    found = evaluated(copied)
    assert {name for name in MEASURED if found[name] is None} == NEEDS_REAL_BLUR


@pytest.mark.parametrize("share", [0, 1])
def test_all_blurs_may_come_from_one_source(copied, write_params, share):
    write_params(copied / "params.yaml", {"mix.realistic": share})
    run_well("pretrain")


def test_what_is_converted_is_said(copied):
    for path in (copied / "photos").rglob("1.png"):
        Image.open(path).convert("L").save(path)
    result = run("download")
    assert result.exit_code == 0
    assert "L read as RGB" in result.stderr


def ends_in_one_line(root: Path, stage: str, *said: str) -> None:
    """The stage ends with code 1 and one line that holds `said`; nothing in the folder has changed."""
    before = files(root)
    result = run(stage)
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert result.stdout == ""
    lines = [line for line in result.stderr.splitlines() if line and "%|" not in line]  # without progress bars
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith(f"{stage}: ")
    for text in said:
        assert text in lines[0]
    assert files(root) == before
    assert not list(root.rglob("*.part"))


def test_an_unreadable_photograph(copied):
    (copied / "photos" / "train" / "sharp" / "2.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    ends_in_one_line(copied, "download", "train/sharp/2.png")


def test_a_missing_partner(copied):
    (copied / "photos" / "test" / "sharp" / "1.png").unlink()
    ends_in_one_line(copied, "download", "test/blur/1.png", "partner")


def test_an_empty_folder(copied):
    for path in (copied / "photos" / "train" / "blur").iterdir():
        path.unlink()
    ends_in_one_line(copied, "download", "train/blur", "no photographs")


def test_no_folder_at_all(copied):
    shutil.rmtree(copied / "photos")
    ends_in_one_line(copied, "download", "data.root", "photos")


def test_a_photograph_smaller_than_a_crop(copied, photo):
    for half in ("blur", "sharp"):
        Image.fromarray(photo(0, 63, 80)).save(copied / "photos" / "train" / half / "0.png")
    run_well("download")
    ends_in_one_line(copied, "build_h5", "train/blur/0.png", "80x63", "crop.size")


def test_a_test_photograph_smaller_than_a_crop_is_told_before_any_training(copied, photo):
    for half in ("blur", "sharp"):
        Image.fromarray(photo(0, 80, 63)).save(copied / "photos" / "test" / half / "0.png")
    run_well("download")
    ends_in_one_line(copied, "build_h5", "test/blur/0.png", "63x80", "crop.size")


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
        ("build_h5", "crop.size", 1.5, "crop.size"),
        ("build_h5", "crop.stride", 0, "crop"),
        ("train_bgan", "bgan.pairing", "twice", "bgan.pairing"),
        ("train_bgan", "scales.sample.bgan.patch", 128, "data/crops.h5: a patch of 128"),
        ("train_bgan", "scales.sample.bgan.patch", 48, "patch"),
        ("train_bgan", "perceptual.weights", "gone.pth", "perceptual"),
        ("synthesize", "scales.sample.synthesize.batch", True, "synthesize.batch"),
        ("pretrain", "mix.realistic", 2, "mix"),
        ("pretrain", "scales.sample.pretrain.save_every", 3, "save_every"),
        ("pretrain", "scales.sample.dbgan.width", None, "dbgan.width"),
        ("pretrain", "scales.sample.pretrain.lr", 1e30, "no longer finite"),
        ("finetune", "alpha", "much", "alpha"),
        ("finetune", "scales.sample.finetune.lr", -1.0, "finetune"),
        ("evaluate", "evaluate.panels", 0, "evaluate"),
        ("evaluate", "scales.sample.threads", "all", "threads"),
    ],
)
def test_wrong_parameters(copied, write_params, stage, key, wrong, said):
    write_params(copied / "params.yaml", {key: wrong})
    ends_in_one_line(copied, stage, said)


def test_no_parameters_at_all(copied):
    (copied / "params.yaml").unlink()
    for stage in STAGES:
        ends_in_one_line(copied, stage, "params.yaml")
