"""The whole pipeline through DVC and MLflow, on a copy of the project with tiny settings."""

import hashlib
from pathlib import Path

import mlflow
import pytest
import yaml
from whole_project import ROOT, STAGES, committed, ran, run

pytestmark = pytest.mark.slow


def runs(project: Path, kind: str) -> list:
    """MLflow's runs of a kind in the project's own store, oldest first."""
    client = mlflow.MlflowClient(f"sqlite:///{project / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("dbgan").experiment_id
    found = client.search_runs([experiment], f"tags.`pipeline.kind` = '{kind}'")
    return sorted(found, key=lambda run: run.info.start_time)


@pytest.fixture(scope="module")
def project(tmp_path_factory, write_photos, write_params) -> Path:
    return committed(tmp_path_factory.mktemp("clone") / "project", write_photos, write_params)


def test_nothing_runs_twice_and_git_stays_clean(project):
    assert ran(run(project, "dvc", "repro")) == []
    assert run(project, "git", "status", "--porcelain") == ""
    committed = run(project, "git", "ls-files", "metrics").split()
    assert {"metrics/evaluate.json", "metrics/frames.csv", "metrics/finetune_curve.csv"} <= set(committed)


def test_forced_again_gives_the_same_lock(project):
    before = (project / "dvc.lock").read_bytes()
    assert ran(run(project, "dvc", "repro", "-f")) == STAGES
    assert (project / "dvc.lock").read_bytes() == before


def test_metrics_and_curves_are_shown(project):
    shown = run(project, "dvc", "metrics", "show", "--md")
    assert "psnr_blurred" in shown
    assert "bgan_realism" in shown
    assert "fine-tuning" in run(project, "dvc", "plots", "show", "--json").lower()


def test_what_is_pushed_comes_back_in_a_fresh_clone_and_nothing_runs_there(project):
    remote, fresh = project.parent / "remote", project.parent / "fresh"
    run(project, "dvc", "remote", "add", "--local", "--default", "store", str(remote))
    run(project, "dvc", "push")
    run(project, "git", "clone", "-q", ".", str(fresh))
    run(fresh, "dvc", "remote", "add", "--local", "--default", "store", str(remote))
    run(fresh, "dvc", "pull")
    for name in ("models/dbgan.safetensors", "data/crops.h5", "results/panels/test_0000.png"):
        assert (fresh / name).read_bytes() == (project / name).read_bytes()
    assert ran(run(fresh, "dvc", "repro")) == []
    assert run(fresh, "git", "status", "--porcelain") == ""


def test_one_pipeline_run_holds_the_stages_and_results(project):
    """Before the experiments below, which add theirs."""
    [parent] = runs(project, "pipeline")
    children = runs(project, "stage")
    assert [child.data.tags["stage"] for child in children] == STAGES
    assert {child.data.tags["mlflow.parentRunId"] for child in children} == {parent.info.run_id}
    assert {child.info.status for child in [parent, *children]} == {"FINISHED"}
    assert parent.data.params["alpha"] == "0.005"
    assert "evaluate/psnr" in parent.data.metrics


def test_another_alpha_in_place_runs_fine_tuning_and_evaluation_alone(project):
    output = run(project, "dvc", "exp", "run", "-S", "alpha=0.02", "-n", "alpha-here")
    assert ran(output) == ["finetune", "evaluate"]
    assert yaml.safe_load((project / "params.yaml").read_text())["alpha"] == 0.02
    run(project, "git", "reset", "-q", "--hard")
    run(project, "dvc", "checkout", "-q")


@pytest.mark.parametrize(
    ("choice", "name", "stages"),
    [
        ("generator", "nafnet", ["pretrain", "finetune", "evaluate"]),
        ("scales.sample.blur_generator", "sftnet_blur", ["train_bgan"]),  # more when its weights are there
    ],
)
def test_another_generator_runs_all_stages_that_build_it_and_no_other(project, write_params, choice, name, stages):
    path = project / "params.yaml"
    committed = path.read_text()
    write_params(path, {"data.root": "../photos", f"{choice}.name": name})
    output = run(project, "dvc", "repro", "--dry")
    path.write_text(committed)
    assert ran(output) == stages


@pytest.mark.parametrize(("alpha", "how"), [("0.03", "temp"), ("0.04", "queue")])
def test_another_alpha_elsewhere_does_so_too_and_is_recorded_here(project, alpha, how):
    before = len(runs(project, "stage"))
    run(project, "dvc", "exp", "run", "-S", f"alpha={alpha}", "-n", f"alpha-{how}", f"--{how}", tracking=True)
    if how == "queue":
        run(project, "dvc", "exp", "run", "--run-all", tracking=True)
    children = runs(project, "stage")[before:]
    assert [child.data.tags["stage"] for child in children] == ["finetune", "evaluate"]
    parent = runs(project, "pipeline")[-1]
    assert {child.data.tags["mlflow.parentRunId"] for child in children} == {parent.info.run_id}
    assert {child.info.status for child in [parent, *children]} == {"FINISHED"}
    assert parent.data.params["alpha"] == alpha
    assert parent.data.tags["dvc.exp"] == f"alpha-{how}"
    assert "evaluate/psnr" in parent.data.metrics
    assert run(project, "git", "status", "--porcelain") == ""


def test_committed_lock_names_what_dvc_yaml_names_and_is_of_this_code():
    """So that the committed results are those of the committed code."""
    locked = yaml.safe_load((ROOT / "dvc.lock").read_text())["stages"]
    written = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    chosen = values["generator"]["name"]
    assert list(locked) == list(written) == STAGES
    for stage in STAGES:
        deps = {dep.replace("${generator.name}", chosen) for dep in written[stage]["deps"]}
        assert {dep["path"] for dep in locked[stage]["deps"]} == deps
        made_by = {dep["path"]: dep["md5"] for dep in locked[stage]["deps"] if dep["path"].endswith(".py")}
        assert made_by == {path: hashlib.md5((ROOT / path).read_bytes()).hexdigest() for path in made_by}, stage
