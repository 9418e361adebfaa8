"""The ablations' plan, what is collected from DVC's records, and the tables' statistics by hand."""

import io
import json
import math
import subprocess
from pathlib import Path

import pandas as pd
import pytest
import yaml
from PIL import Image

from ablations import plan, run, table
from dbgan import settings
from dbgan.panels import join
from dbgan.report import flat

ROOT = Path(__file__).parents[1]
SHIPPED = settings.read(ROOT / "params.yaml")


def figures(**psnr):
    """Figures of variants, {name: PSNR for each seed}; every other figure is 0."""
    rows = [
        {"variant": name, "seed": seed} | dict.fromkeys(table.RECORDED, 0.0) | {"psnr": value}
        for name, values in psnr.items()
        for seed, value in zip(plan.SEEDS, values, strict=False)
    ]
    return pd.DataFrame(rows).pivot(index="seed", columns="variant")


def files(name, psnr=30.0, code="1", **changes):
    """What `git show` prints of an experiment that is done."""
    params = json.loads(json.dumps(SHIPPED))
    for dotted, new in (dict(change.split("=") for change in plan.experiments()[name]) | changes).items():
        *sections, key = dotted.split(".")
        at = params
        for section in sections:
            at = at[section]
        at[key] = settings.parse(new)
    measured = dict.fromkeys(table.RECORDED, 0.5) | {"psnr": psnr, "psnr_real": None, "color_shift": [0.1, -0.4, 0.2]}
    measured |= {"bgan_color_shift": [0.1, 0.2, 0.3]}
    deps = [{"path": "stages/finetune.py", "md5": code}, {"path": "data/raw", "md5": name}]
    lock = {"stages": {"finetune": {"deps": deps}}}
    return {"params.yaml": params, "metrics/evaluate.json": measured, "dvc.lock": lock}


@pytest.fixture
def collected(monkeypatch):
    """collected({name: files}): the table of these experiments."""

    def collect(done):
        def show(root, git, command, file):
            name, path = file.split(":")
            return yaml.safe_dump(done[name][path])

        monkeypatch.setattr(table, "output", show)
        return table.collected(ROOT, {name: name for name in done})

    return collect


def test_the_plan_changes_existing_keys_and_each_variant_differs_from_the_baseline():
    shipped = flat(SHIPPED)
    for name, changes in plan.experiments().items():
        assert {change.split("=")[0] for change in changes} <= shipped.keys()
        assert "baseline" in name or any(
            settings.parse(value) != shipped[key] for key, value in (change.split("=") for change in changes[2:])
        )
    names = list(plan.experiments())
    assert len(names) == len(plan.VARIANTS) * len(plan.SEEDS) + len(plan.SHARES[0]) * len(plan.MORE)
    assert all("baseline" in name for name in names[: len(plan.SEEDS)])  # queued first


def test_figures_of_what_is_done_are_collected(collected):
    found = collected(
        {
            "ablation-baseline-118": files("ablation-baseline-118", 30.25),
            "ablation-mix-0.5-119": files("ablation-mix-0.5-119"),
        }
    )
    assert found[["variant", "seed"]].values.tolist() == [["baseline", 118], ["mix-0.5", 119]]
    first = found.iloc[0]
    assert (first["psnr"], first["color_shift"], first["bgan_color_shift"]) == (30.25, -0.4, 0.3)
    assert math.isnan(first["psnr_real"])


def test_rows_of_experiments_that_are_not_done_here_stay_and_others_are_replaced(collected, tmp_path):
    """The shares are of all rows: (22.2 - 22) / (22.5 - 22) with a new baseline between older rows."""
    names = [f"ablation-{variant}-119" for variant in ("mix-0", "baseline", "oracle")]
    done = {name: files(name) for name in names}
    for name, value in zip(names, (22.0, 22.4, 22.5), strict=True):
        done[name]["metrics/evaluate.json"] |= {"psnr_real": value}
    first, _ = table.with_earlier(collected(done), tmp_path / "figures.csv")
    first.to_csv(tmp_path / "figures.csv", index=False)
    again = files(names[1])
    again["metrics/evaluate.json"] |= {"psnr_real": 22.2}
    found, kept = table.with_earlier(collected({names[1]: again}), tmp_path / "figures.csv")
    assert kept == 2
    assert found["variant"].tolist() == ["baseline", "mix-0", "oracle"]  # as in the plan
    assert found["psnr_real"].tolist() == [22.2, 22.0, 22.5]
    assert found["oracle_share"][0] == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seed": "7"}, "ablation-baseline-119: seed is not 119; `dvc exp rm abl"),
        ({"init_std": "0.5"}, "ablation-baseline-118 and ablation-baseline-119 ran with unlike init_std"),
        ({"code": "2"}, r"ablation-baseline-118 and ablation-baseline-119 .*stages/finetune\.py"),
    ],
)
def test_an_experiment_that_does_not_belong_in_the_table_is_refused_by_name(collected, changes, said):
    names = ("ablation-baseline-118", "ablation-baseline-119")
    with pytest.raises(ValueError, match=said):
        collected({names[0]: files(names[0]), names[1]: files(names[1], **changes)})


def test_differences_and_their_interval_are_taken_seed_by_seed():
    known = figures(baseline=[30, 40, 50], vanilla=[31, 42, 53], lsgan=[31, 43])
    found = table.difference(known, "vanilla", "baseline", "psnr")
    assert (found.mean(), found.std()) == (2, 1)
    margin = 4.302653 / math.sqrt(3)  # Student's t, 97.5 %, 2 degrees
    assert table.interval(found) == pytest.approx((2 - margin, 2 + margin), rel=1e-6)
    assert list(table.difference(known, "lsgan", "baseline", "psnr")) == [1, 3]  # a seed lacks
    assert len(table.difference(known, "paired", "baseline", "psnr")) == 0


@pytest.mark.parametrize(
    ("gains", "sign", "said"),
    [([0.2, 0.21, 0.22], -1, "not seen: the opposite is"), ([0.010, 0.011, 0.012], 1, "sure, but too small to matter"),
     ([0.2, -0.21, 0.22], 1, "too small to tell"), ([0.2], 1, "not tried often enough")],
)  # fmt: skip
def test_answers(gains, sign, said):
    assert table.answer(pd.Series(gains), sign, matters=0.05) == said


def test_the_tables_hold_means_and_differences():
    known = figures(
        **{
            "baseline": [30, 40, 50],
            "mix-0": [29, 39.1, 48.9],
            "quick": [30, 41, 52],
            "lsgan": [31, 43, 55],
            "alpha-0.01": [30.0001, 41.0003, 52],
        }
    )
    settings_table = table.settings_table(known)
    for row in (
        "| baseline | 3 | 40.000 ± 10.000 |  |",
        "| `mix.realistic=0` | 3 | 39.000 ± 9.950 | **-1.000 ± 0.100** |",
        "| quick run, `objective=lsgan` | 3 | 43.000 ± 12.000 | +2.000 ± 1.000 | 0.000 ± 0.000 | same |",
        "| quick run, `alpha=0.01` | 3 | 41.000 ± 11.000 | under 0.0005 |",
    ):
        assert row in settings_table
    claim = "| BGAN helps | baseline less `mix.realistic=0` | PSNR, dB | +1.000 | +0.752 to +1.248 | 3 | seen |"
    assert claim in table.claims_table(known)
    assert "vanilla" not in settings_table


def test_differences_that_cancel_are_no_small_ones_and_unlike_test_photographs_are_not_compared():
    known = figures(baseline=[20, 30, 40], film=[31, 40, 50], quick=[30, 40, 50], lsgan=[30.2, 39.9, 49.9])
    settings_table = table.settings_table(known)
    assert "0.000 ± 0.173 |" in next(row for row in settings_table.splitlines() if "lsgan" in row)
    assert "| another real camera | 3 | 40.333 ± 9.504 |  |" in settings_table


def test_the_share_of_the_oracles_gain_is_taken_seed_by_seed(collected):
    """By hand: (22.3 - 22.1) / (22.5 - 22.1) = 0.5 and (21.5 - 21) / (22 - 21) = 0.5; the third has no oracle."""
    measured = {118: (22.1, 22.3, 22.5), 119: (21.0, 21.5, 22.0), 120: (21.0, 21.5, None)}
    done = {}
    for seed, values in measured.items():
        for variant, value in zip(("mix-0", "baseline", "oracle"), values, strict=True):
            if value:
                done[f"ablation-{variant}-{seed}"] = files(f"ablation-{variant}-{seed}")
                done[f"ablation-{variant}-{seed}"]["metrics/evaluate.json"] |= {"psnr_real": value}
    found, _ = table.with_earlier(collected(done), Path("nothing.csv"))
    of_baseline = found[found["variant"] == "baseline"].set_index("seed")["oracle_share"]
    assert of_baseline[118] == pytest.approx(0.5) and of_baseline[119] == pytest.approx(0.5)
    assert of_baseline.isna().tolist() == [False, False, True]
    assert found.loc[found["variant"] != "baseline", "oracle_share"].isna().all()
    shown = table.shares_table(found.pivot(index="seed", columns="variant"))
    assert "| **with BGAN** |" in shown and "| **0.50** | 0.50 to 0.50 | 3 |" in shown


PAGES = ("docs/ablations.csv", "docs/ablations.md", "README.md")


@pytest.fixture
def clone(tmp_path):
    """A repository without any experiment that holds the committed figures and pages."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "docs").mkdir()
    for name in PAGES:
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    return tmp_path


def test_the_committed_pages_are_made_from_the_committed_figures(clone):
    table.main(*(clone / name for name in PAGES))
    for name in PAGES:
        assert (clone / name).read_text(encoding="utf-8") == (ROOT / name).read_text(encoding="utf-8")


def test_experiments_that_all_failed_are_named(clone, monkeypatch):
    monkeypatch.setattr(run, "POLL", 0)
    monkeypatch.setattr(run, "dvc", lambda root, *arguments: "")
    with pytest.raises(ValueError, match=f"{', '.join(plan.experiments())} failed; `dvc queue logs NAME` says why"):
        run.main()


def test_the_picture_holds_the_same_part_of_each_experiment(tmp_path, monkeypatch):
    """Panels whose photographs have one level each: blurred 200, restored 10, 20, 30 and 40, sharp 250."""

    def panel(path, repo, revision, mode):
        file = io.BytesIO()
        levels = (200, int(revision), 250)
        photos = [Image.new("RGB", (400, 220), (level,) * 3) for level in levels]
        Image.fromarray(join([table.np.asarray(photo) for photo in photos])).save(file, "PNG")
        file.seek(0)
        return file

    monkeypatch.setattr(table.dvc.api, "open", panel)
    table.save_mix(tmp_path, ["10", "20", "30", "40"], tmp_path / "mix.jpg")
    picture = table.np.asarray(Image.open(tmp_path / "mix.jpg").convert("L")).astype(int)
    assert picture.shape == (2 * 140 + 8, 6 * 140 + 5 * 8)
    for k, level in enumerate((200, 10, 20, 30, 40, 250)):
        assert abs(picture[[70, 218], 148 * k + 70] - level).max() <= 2
