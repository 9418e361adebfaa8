"""The ablations' plan, what is collected from DVC's records, and the statistics of their page by hand."""

import math
import subprocess
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from ablations import page, pictures, plan, records, run
from dbgan import settings
from dbgan.reporting.origin import flat

ROOT = Path(__file__).parents[1]
PSNR = page.COMPARED["psnr"]


def rows(**psnr):
    """Figures of variants, {name: PSNR for each seed}; every other figure is 0."""
    nothing = dict.fromkeys(records.RECORDED, 0.0)
    return {
        (name.replace("_", "-"), seed): nothing | {"psnr": value}
        for name, values in psnr.items()
        for seed, value in zip(plan.SEEDS, values, strict=False)
    }


def shown(variant, seed, psnr=30.0, code="1", **changes):
    """An experiment of the plan that is done."""
    params = settings.read(ROOT / "params.yaml")
    for dotted, new in (plan.settings(variant, seed) | changes).items():
        *sections, key = dotted.split(".")
        at = params
        for section in sections:
            at = at[section]
        at[key] = settings.parse(new)
    figures = dict.fromkeys(records.RECORDED, 0.5) | {"psnr": psnr, "color_shift": [0.1, -0.4, 0.2]}
    return {plan.experiment(variant, seed): records.Experiment(flat(params), figures, {"stages/finetune.py": code})}


def test_the_plan_changes_existing_keys_and_each_variant_differs_from_the_baseline():
    shipped = flat(settings.read(ROOT / "params.yaml"))
    for variant in plan.VARIANTS:
        assert len(variant.changes) == 1
        assert plan.settings(variant, 1).keys() <= shipped.keys()
        for key, value in variant.changes.items():
            assert settings.parse(value) != shipped[key]
    names = [plan.experiment(*one) for one in plan.experiments()]
    assert len(set(names)) == len(names) == (1 + len(plan.VARIANTS)) * len(plan.SEEDS)


def test_baselines_are_queued_first():
    assert [variant for variant, _ in plan.experiments()[: len(plan.SEEDS)]] == [plan.BASELINE] * len(plan.SEEDS)


def test_figures_of_what_is_done_are_collected():
    variant = plan.VARIANTS[0]
    found = shown(plan.BASELINE, 118, 30.25) | shown(variant, 118, 30.5)
    collected = records.collected(found)
    assert list(collected) == [("baseline", 118), (variant.name, 118)]
    assert collected["baseline", 118]["psnr"] == 30.25
    assert collected["baseline", 118]["color_shift"] == -0.4


def test_an_experiment_of_other_settings_is_refused_by_name():
    with pytest.raises(ValueError, match=r"ablation-baseline-118: .*threads is 2, not 1; `dvc exp rm abl.*-118`"):
        records.collected(shown(plan.BASELINE, 118, **{"scales.sample.threads": "2"}))


def test_experiments_that_differ_in_more_than_the_plan_says_are_refused():
    found = shown(plan.BASELINE, 118) | shown(plan.BASELINE, 119, alpha="0.5")
    with pytest.raises(ValueError, match=r"ablation-baseline-118 and ablation-baseline-119 ran with unlike alpha"):
        records.collected(found)


def test_experiments_of_unlike_code_are_refused_by_file():
    found = shown(plan.BASELINE, 118) | shown(plan.BASELINE, 119, code="2")
    with pytest.raises(ValueError, match=r"ablation-baseline-118 and ablation-baseline-119.*stages/finetune\.py"):
        records.collected(found)


def test_figures_survive_the_file(tmp_path):
    written = rows(baseline=[30.1, 30.2], mix_0=[29.9])
    written["mix-0", 118]["psnr_real"] = math.nan
    records.write(tmp_path / "figures.csv", written)
    read = records.read(tmp_path / "figures.csv")
    assert list(read) == list(written)
    for key in written:
        np.testing.assert_equal(read[key], written[key])


def test_differences_are_taken_seed_by_seed():
    found = page.difference(rows(baseline=[30, 40, 50], vanilla=[31, 42, 53]), "vanilla", "baseline", "psnr")
    assert found.mean == pytest.approx(2)
    assert found.deviation == pytest.approx(1)
    margin = 4.302653 / math.sqrt(3)  # Student's t, 97.5 %, 2 degrees
    assert found.interval == pytest.approx((2 - margin, 2 + margin), rel=1e-6)
    assert found.count == 3
    assert not found.sure


def test_a_seed_that_one_setting_lacks_is_left_out():
    found = page.difference(rows(baseline=[30, 40, 50], vanilla=[31, 43]), "vanilla", "baseline", "psnr")
    assert (found.mean, found.count) == (2, 2)
    assert page.difference(rows(baseline=[30]), "vanilla", "baseline", "psnr") is None


@pytest.mark.parametrize(
    ("gains", "better", "said"),
    [
        ([0.2, 0.21, 0.22], 1, "seen"),
        ([0.2, 0.21, 0.22], -1, "not seen: the opposite is"),
        ([0.2, -0.21, 0.22], 1, "too small to tell"),
        ([0.010, 0.011, 0.012], 1, "sure, but too small to matter"),
        ([0.2], 1, "not tried often enough"),
    ],
)
def test_answers(gains, better, said):
    baseline = [30, 31, 32][: len(gains)]
    gained = rows(baseline=baseline, vanilla=[b + g for b, g in zip(baseline, gains, strict=True)])
    found = page.difference(gained, "vanilla", "baseline", "psnr")
    assert page.answer(found, PSNR._replace(better=better)) == said


def test_the_tables_hold_means_and_differences(tmp_path):
    (tmp_path / "page.md").write_text(
        "# Title\n\n<!-- claims -->\nold\n<!-- /claims -->\nReading.\n<!-- settings -->\n<!-- /settings -->\nEnd\n"
    )
    figures = rows(baseline=[30, 40, 50], mix_0=[29, 39.1, 48.9], lsgan=[31, 42, 53])
    written = page.written(tmp_path / "page.md", figures)
    assert "old" not in written
    assert written.startswith("# Title\n\n<!-- claims -->\n| claim |")
    assert "Reading.\n<!-- settings -->\n| setting |" in written
    assert "| as in params.yaml | 3 | 40.000 ± 10.000 |  |" in written
    assert "| 0 (without BGAN) | 3 | 39.000 ± 9.950 | **-1.000 ± 0.100** |" in written
    assert "| lsgan | 3 | 42.000 ± 11.000 | +2.000 ± 1.000 |" in written
    assert (
        "| BGAN helps | baseline less `mix.realistic=0` | PSNR, dB | +1.000 | +0.752 to +1.248 | 3 | seen |" in written
    )
    assert "vanilla" not in written


def test_what_the_digits_do_not_show_is_called_small():
    found = rows(**{"baseline": [30, 40], "alpha-0.001": [30.0001, 40.0003], "lsgan": [30, 40]})
    text = "\n".join(page.settings_table(found))
    assert "| 0.001 | 2 | 35.000 ± 7.071 | under 0.0005 |" in text
    assert "| lsgan | 2 | 35.000 ± 7.071 | same |" in text


def test_pictures_need_the_experiments(tmp_path):
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    with pytest.raises(ValueError, match=r"ablation-mix-0-118, .*: no such experiment is done; `make ablations`"):
        pictures.main(tmp_path, tmp_path / "mix.jpg")


@pytest.fixture
def committed(tmp_path):
    """Arguments of the commands: figures and a page in a repository without any experiment."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    for name in ("figures.csv", "page.md"):
        (tmp_path / name).write_text("committed")
    yield ["--csv", str(tmp_path / "figures.csv"), "--out", str(tmp_path / "page.md")]
    assert {(tmp_path / name).read_text() for name in ("figures.csv", "page.md")} == {"committed"}


def test_without_any_experiment_nothing_is_written(committed):
    result = CliRunner().invoke(page.app, committed)
    assert result.exit_code == 1
    assert result.stderr == "page: no experiment of the plan is done here; `make ablations` runs them\n"


def test_experiments_that_all_failed_are_named(committed, monkeypatch):
    monkeypatch.setattr(run, "POLL", 0)
    monkeypatch.setattr(records, "dvc", lambda root, *arguments: "")
    result = CliRunner().invoke(run.app, committed)
    assert result.exit_code == 1
    names = ", ".join(plan.experiment(*one) for one in plan.experiments())
    assert f"run: {names} failed; `dvc queue logs NAME` says why" in result.stderr


def test_a_page_without_its_marks_is_refused_before_anything_is_written(committed, tmp_path):
    with pytest.raises(ValueError, match=r"page\.md: the marks <!-- claims -->"):
        page.update(rows(baseline=[30]), tmp_path / "figures.csv", tmp_path / "page.md")


def test_the_committed_page_is_made_from_the_committed_figures():
    out = ROOT / "docs" / "ablations.md"
    assert page.written(out, records.read(ROOT / "docs" / "ablations.csv")) == out.read_text(encoding="utf-8")
