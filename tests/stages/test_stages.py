"""The whole pipeline on four small pairs, by the commands that dvc.yaml gives."""

import json
import shutil
import sys
from pathlib import Path

import h5py
import pytest
import yaml
from commands import STAGES, evaluated, files, run, run_well

from dbgan import realism

MEASURED = {
    *(f"{figure}{state}" for figure in ("psnr", "ssim", "ssim_2d") for state in ("_blurred", "_pretrained", "")),
    *("delta_e_blurred", "delta_e", "color_shift", "bgan_color_shift", "real_color_shift", "bgan_diversity"),
    *(f"blur_effect_{of}" for of in ("sharp", "paired", "bgan", "real", "real_before", "real_after")),
    *("bgan_realism", "paired_realism", "flat_deviation"),
    *("psnr_real_blurred", "psnr_real_pretrained", "psnr_real"),
}
OF_REAL = {f"{figure}_real" for figure in ("blur_radius", "blur_anisotropy", "noise_level", "blocking")}
DISTANCES = {f"{name}_distance_{kind}" for name in realism.DISTANCES for kind in ("sharp", "paired", "bgan")}
PEAKS = {f"periodic_peak{of}_{kind}" for of in ("", "_period") for kind in ("paired", "bgan", "real_blur")}
MEASURED |= {figure.replace("real", kind) for figure in OF_REAL for kind in ("sharp", "paired", "bgan", "real")}
MEASURED |= DISTANCES | PEAKS
NEEDS_REAL_BLUR = (
    OF_REAL
    | DISTANCES
    | {
        *("blur_effect_real", "blur_effect_real_before", "blur_effect_real_after"),
        *("bgan_realism", "paired_realism"),
    }
)
NEEDS_SIMULATED_BLUR = {"psnr_real_blurred", "psnr_real_pretrained", "psnr_real"}
NEEDS_SIMULATED_BLUR |= {"periodic_peak_real_blur", "periodic_peak_period_real_blur", "real_color_shift"}


def test_every_stage_leaves_exactly_what_dvc_yaml_promises(chain):
    assert not list(chain.rglob("*.part"))
    assert not list((chain / ".state").rglob("*.pt"))


def test_evaluation_measures_restoration_colour_and_realism(chain):
    found = evaluated(chain)
    assert found.keys() == MEASURED
    for name in MEASURED - NEEDS_SIMULATED_BLUR - {"color_shift", "bgan_color_shift"}:
        assert isinstance(found[name], float), name
    for name in NEEDS_SIMULATED_BLUR:  # the real blur is of the folder
        assert found[name] is None
    for name in ("color_shift", "bgan_color_shift"):
        assert len(found[name]) == 3
    rows = (chain / "metrics" / "frames.csv").read_text().splitlines()
    assert len(rows) == 1 + 2
    kinds = ("bgan", "real", "test")
    pictures = {f"{kind}_{number:04d}.png" for kind in kinds for number in range(2)}
    assert {path.name for path in (chain / "results" / "panels").iterdir()} == pictures


def test_crops_and_blurs_are_as_many_as_the_parameters_say(chain):
    metrics = {path.stem: json.loads(path.read_text()) for path in (chain / "metrics").glob("*.json")}
    photographs = {"train_pairs": 4, "test_pairs": 2, "real_blur": 2}
    assert photographs.items() <= metrics["download"].items()
    crops = {"paired_crops": 8, "paired_crops_left_out": 0, "real_crops": 4, "real_crops_left_out": 0}
    assert crops.items() <= metrics["build_h5"].items()
    assert metrics["synthesize"].keys() == {"synthetic_crops", "change", "headroom", "added_noise"}
    assert metrics["synthesize"]["synthetic_crops"] == 16
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


def test_all_goes_without_real_blurred_photographs(copied):
    shutil.rmtree(copied / "photos" / "real_blur")
    run_well("download", "build_h5")
    result = run("train_bgan")
    assert result.exit_code == 0
    assert "stand in" in result.stderr
    run_well("evaluate")
    found = evaluated(copied)
    assert {name for name in MEASURED if found[name] is None} == NEEDS_REAL_BLUR | NEEDS_SIMULATED_BLUR


@pytest.mark.parametrize("share", [0, 1])
def test_all_blurs_may_come_from_one_source(copied, write_params, share):
    """Then the other source's do not matter."""
    results, path = [], copied / "data" / "synthetic.h5"
    write_params(copied / "params.yaml", {"mix.realistic": share})
    for _ in range(2):
        run_well("pretrain")
        results.append((copied / "models" / "dbgan_pretrained.safetensors").read_bytes())
        with h5py.File(path, "r+") as file:
            file["synthetic/blurred"][...] = 255 - file["synthetic/blurred"][...]
            file.attrs["digest"] = "of other blurs"
    assert (results[0] == results[1]) == (share == 0)


def test_a_second_run_gives_equal_bytes_where_neither_dvc_nor_mlflow_is_installed(
    tmp_path, inside, chain, write_photos, write_params, monkeypatch
):
    """As on a machine that is rented for a training; each says in one line that nothing is recorded."""
    root = inside(tmp_path / "elsewhere")
    write_photos(root / "photos")
    write_params(root / "params.yaml")
    for name in ("dvc", "mlflow"):
        monkeypatch.setitem(sys.modules, name, None)  # which makes an import fail
    monkeypatch.delenv("DBGAN_TRACKING")
    for stage in STAGES:
        result = run(stage)
        assert result.exit_code == 0, result.stderr
        assert f"{stage}: mlflow is not installed, so nothing is recorded" in result.stderr.splitlines()
    first, second = files(chain), files(root)
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []
