"""Where results come from: what DVC and git say, and what happens where there is neither."""

import subprocess
import sys

import pytest

from dbgan.reporting import origin


def test_versions_name_what_computes_here(tmp_path):
    found = dict(origin.versions(tmp_path))
    assert found["Commit"] == "not a git repository"
    assert found["numpy"] == __import__("numpy").__version__
    assert set(origin.PACKAGES) < set(found)


def test_a_package_that_is_absent_and_a_changed_commit_are_said(tmp_path, monkeypatch):
    monkeypatch.setattr(origin, "PACKAGES", ("no-such-package",))
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "-q"], check=True)
    (tmp_path / "file").write_text("one")
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-qm", "first"], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout
    assert dict(origin.versions(tmp_path))["Commit"] == head[:12]
    (tmp_path / "file").write_text("two")
    found = dict(origin.versions(tmp_path))
    assert found["Commit"] == f"{head[:12]}, with uncommitted changes"
    assert found["no-such-package"] == "not installed"


def locked(**stages):
    entries = {stage: {"params": {"params.yaml": values}} for stage, values in stages.items()}
    return {"stages": entries | {"no_params": {}}}


def test_parameters_that_changed_since_the_run_are_found():
    lock = locked(finetune={"alpha": 0.005, "scales.sample.finetune": {"lr": 1e-5, "steps": 100}})
    now = {"alpha": 0.005, "finetune": {"lr": 1e-5, "steps": 100}, "seed": 1}
    assert origin.outdated(lock, now) == []
    now["finetune"] = {"lr": 2e-5, "steps": 200}
    assert origin.outdated(lock, now) == [("finetune.lr", 1e-5, 2e-5), ("finetune.steps", 100, 200)]


def test_a_parameter_of_several_stages_is_named_once_and_the_evaluations_own_never():
    lock = locked(pretrain={"seed": 1}, finetune={"seed": 1}, evaluate={"evaluate": {"panels": 4}})
    assert origin.outdated(lock, {"seed": 2, "evaluate": {"panels": 6}}) == [("seed", 1, 2)]


@pytest.mark.parametrize("lock", [["a"], {"other": 1}, {"stages": None}, None])
def test_a_lock_that_is_none_is_named(lock):
    with pytest.raises(ValueError, match=r"dvc\.lock: not a lock file"):
        origin.outdated(lock, {})


def state(alpha, psnr, **more):
    params = {"alpha": alpha, "seed": 118, "finetune": {"steps": 10}}
    metrics = {"psnr": psnr, "psnr_blurred": 29.0, "delta_e": 2.0}
    data = {
        "params": {"params.yaml": {"data": params}},
        "metrics": {"metrics/evaluate.json": {"data": metrics}, "metrics/pretrain.json": {"data": {"psnr": 1.0}}},
    }
    return {"rev": "0123456789", "data": data} | more


def test_experiments_show_what_differs_between_them_and_their_figures():
    runs = [{"name": "stingy-pug", "revs": [state(0.02, 31.0)]}, {"name": None, "revs": [state(0.03, None)]}]
    shown = [state(0.01, 30.0, rev="workspace"), state(0.01, 30.0, name="main", experiments=runs)]
    assert origin.table(shown) == (
        ["experiment", "alpha", "psnr_blurred", "psnr"],
        [
            ["workspace", 0.01, 29.0, 30.0],
            ["main", 0.01, 29.0, 30.0],
            ["stingy-pug", 0.02, 29.0, 31.0],
            ["0123456", 0.03, 29.0, None],
        ],
    )


def test_an_experiment_that_dvc_cannot_read_is_an_empty_row():
    failed = {"name": "broken", "revs": [{"rev": "abc", "data": None, "error": {"msg": "lost"}}]}
    columns, rows = origin.table([state(0.01, 30.0, rev="workspace", experiments=[failed])])
    assert columns == ["experiment", "psnr_blurred", "psnr"]
    assert rows == [["workspace", 29.0, 30.0], ["broken", None, None]]


def test_without_experiments_there_is_no_table(tmp_path):
    assert origin.table([state(0.01, 30.0), state(0.01, 30.0, experiments=None)]) == ([], [])
    assert origin.experiments(tmp_path) == ([], [])


@pytest.mark.parametrize(
    ("script", "patience", "said"),
    [("exit(3)", None, "exit code 3"), ("exit('no')", None, ": no"), ("while True: pass", 0.1, "timed out")],
)
def test_a_command_that_fails_or_does_not_end_is_named(tmp_path, script, patience, said):
    with pytest.raises(ValueError, match=f"{sys.executable}.*{said}"):
        origin.output(tmp_path, sys.executable, "-c", script, patience=patience)
