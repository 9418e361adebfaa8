"""Records: a parent run for the pipeline, a child for each stage; and that none of it can cost a training."""

from pathlib import Path

import pytest

from dbgan import tracking

PARAMS = {"scale": "sample", "seed": 7, "crop": {"size": 64, "stride": 32}, "bgan": {"lr": 0.001, "kind": "paired"}}


@pytest.fixture
def on(tmp_path, monkeypatch) -> Path:
    """Tracking on, and the current folder not the repository, as in a temporary workspace of DVC."""
    monkeypatch.delenv("DBGAN_TRACKING")
    monkeypatch.setenv("DVC_EXP_NAME", "exp-a")
    (tmp_path / "workspace").mkdir()
    monkeypatch.chdir(tmp_path / "workspace")
    return tmp_path


@pytest.mark.parametrize("word", ["off", "OFF", "0", "false", "no"])
def test_tracking_can_be_off_and_leaves_nothing_then(tmp_path, monkeypatch, word):
    monkeypatch.setenv("DBGAN_TRACKING", word)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nowhere://at/all")
    with tracking.run("pretrain", PARAMS, ["seed"]) as log:
        log.metrics({"loss": 1.0}, 1)
        log.files(tmp_path / "missing")
        log.tags(a="b")
        log.pipeline({"pretrain": {"loss": 1.0}})
        log.model(tmp_path / "missing", 4, 20.0)
    assert not list(tmp_path.iterdir())


def test_a_fault_of_the_stage_goes_through_when_tracking_is_off():
    with pytest.raises(ZeroDivisionError), tracking.run("pretrain", PARAMS, ["seed"]):
        raise ZeroDivisionError


def test_stages_record_under_one_parent(on):
    note = on / "note.json"
    note.write_text("{}")
    with tracking.run("pretrain", PARAMS, ["seed", "crop"]) as log:
        for step in (1, 2):
            log.metrics({"loss": 1.0 / step, "shift": [1, 2]}, step)
        log.metrics({"name": "a text"})
    with pytest.raises(ZeroDivisionError), tracking.run("finetune", PARAMS, ["bgan"]):
        raise ZeroDivisionError
    with pytest.raises(KeyboardInterrupt), tracking.run("synthesize", PARAMS, ["seed"]):
        raise KeyboardInterrupt
    with tracking.run("evaluate", PARAMS, ["seed"]) as log:
        log.pipeline({"evaluate": {"psnr": 30.5, "real": None, "shift": [0.5, 1]}, "pretrain": {"loss": 0.5}}, note)
    with tracking.run("pretrain", PARAMS | {"seed": 8}, ["seed"]):
        pass

    assert (on / "mlflow.db").exists()
    assert not list((on / "workspace").iterdir())
    import mlflow

    client = mlflow.MlflowClient()
    found = client.get_experiment_by_name("dbgan")
    assert "evaluate/psnr" in found.tags["mlflow.note.content"]
    experiment = found.experiment_id
    runs = {(run.info.run_name, run.data.params.get("seed")): run for run in client.search_runs([experiment])}
    parents = [run for run in runs.values() if run.data.tags["pipeline.kind"] == "pipeline"]
    assert len(runs) == 7
    assert len(parents) == 2  # other parameters, another parent
    parent = next(run for run in parents if run.data.params["seed"] == "7")
    child = runs["pretrain", "7"]

    assert parent.data.tags["pipeline.id"].startswith("exp-a-")
    assert parent.data.tags["scale"] == "sample"
    assert "dvc.baseline" not in parent.data.tags  # empty, so left out
    assert parent.data.params == {
        "scale": "sample",
        "seed": "7",
        "crop.size": "64",
        "crop.stride": "32",
        "bgan.lr": "0.001",
        "bgan.kind": "paired",
    }
    assert parent.data.metrics == {
        "evaluate/psnr": 30.5,
        "evaluate/shift/0": 0.5,
        "evaluate/shift/1": 1,
        "pretrain/loss": 0.5,
    }
    assert [f.path for f in client.list_artifacts(parent.info.run_id)] == ["note.json"]

    for name, seed, status in (
        ("pretrain", "7", "FINISHED"),
        ("finetune", None, "FAILED"),
        ("synthesize", "7", "KILLED"),
        ("evaluate", "7", "FINISHED"),
    ):
        run = runs[name, seed]
        assert run.info.status == status
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert run.data.tags["pipeline.id"] == parent.data.tags["pipeline.id"]
        assert run.data.tags["pipeline.kind"] == "stage"
        assert run.data.tags["stage"] == name
    assert child.data.params == {"seed": "7", "crop.size": "64", "crop.stride": "32"}
    assert child.data.tags["name"] == "a text"
    assert [(m.step, m.value) for m in client.get_metric_history(child.info.run_id, "loss")] == [(1, 1.0), (2, 0.5)]
    assert child.data.metrics["shift/1"] == 2


def test_a_relative_store_and_its_files_lie_in_the_repository(on, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///records.db")
    (on / "note.json").write_text("{}")
    with tracking.run("pretrain", PARAMS, ["seed"]) as log:
        log.files(on / "note.json")
    assert (on / "records.db").exists()
    assert not list((on / "workspace").iterdir())
    assert len(list(on.rglob("note.json"))) == 2


@pytest.mark.parametrize("uri", ["http://127.0.0.1:9", "nowhere://at/all", "sqlite:///no.db"])
def test_a_store_that_cannot_be_reached_is_told_in_one_line_before_any_work(on, monkeypatch, uri):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    (on / "no.db").write_text("this is no database, and long enough to be told apart from an empty one")
    worked = False
    with pytest.raises(OSError, match=r"MLflow: .*DBGAN_TRACKING=off") as error, tracking.run("a", PARAMS, []):
        worked = True
    assert not worked
    assert "\n" not in str(error.value)
