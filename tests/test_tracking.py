"""Records: a parent run for the pipeline, a child for each stage, the network; and that none of it costs a training."""

import os
import subprocess
import sys
from pathlib import Path

import mlflow
import numpy as np
import pytest

from dbgan import checkpoint, tracking, utils
from dbgan.models.build import new_generator
from dbgan.models.dbgan import DeblurConfig
from dbgan.use import inference

ROOT = Path(__file__).parents[1]
PARAMS = {"scale": "sample", "seed": 7, "crop": {"side": 64, "stride": 32}, "bgan": {"width": 4, "noise": "vector"}}


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
    with pytest.raises(ZeroDivisionError), tracking.run("pretrain", PARAMS, ["seed"]) as log:
        log.metrics({"loss": 1.0}, 1)
        log.files(tmp_path / "missing")
        log.pipeline({"pretrain": {"loss": 1.0}})
        log.model(tmp_path / "missing", 4, 20.0)
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())


def test_stages_record_under_one_parent(on):
    (on / "note.json").write_text("{}")
    with tracking.run("pretrain", PARAMS, ["seed", "crop"]) as log:
        for step in (1, 2):
            log.metrics({"loss": 1.0 / step, "shift": [1, 2]}, step)
        log.metrics({"name": "a text"})
    with pytest.raises(ZeroDivisionError), tracking.run("finetune", PARAMS, ["bgan"]):
        raise ZeroDivisionError
    with pytest.raises(KeyboardInterrupt), tracking.run("synthesize", PARAMS, ["seed"]):
        raise KeyboardInterrupt
    with tracking.run("evaluate", PARAMS, ["seed"]) as log:
        log.pipeline({"evaluate": {"psnr": 30.5, "real": None, "shift": [0.5, 1]}}, on / "note.json")
    with tracking.run("pretrain", PARAMS | {"seed": 8}, ["seed"]):
        pass

    assert (on / "mlflow.db").exists()
    assert not list((on / "workspace").iterdir())
    client = mlflow.MlflowClient()
    found = client.get_experiment_by_name("dbgan")
    assert "evaluate/psnr" in found.tags["mlflow.note.content"]
    runs = {(r.info.run_name, r.data.params.get("seed")): r for r in client.search_runs([found.experiment_id])}
    parents = [run for run in runs.values() if run.data.tags["pipeline.kind"] == "pipeline"]
    assert (len(runs), len(parents)) == (7, 2)  # other parameters, another parent
    parent = next(run for run in parents if run.data.params["seed"] == "7")
    assert parent.data.tags["pipeline.id"].startswith("exp-a-")
    assert parent.data.tags["scale"] == "sample"
    assert parent.data.params["crop.stride"] == "32"
    assert parent.data.params.keys() == {"scale", "seed", "crop.side", "crop.stride", "bgan.width", "bgan.noise"}
    assert parent.data.metrics == {"evaluate/psnr": 30.5, "evaluate/shift/0": 0.5, "evaluate/shift/1": 1}
    assert [f.path for f in client.list_artifacts(parent.info.run_id)] == ["note.json"]
    ended = {"pretrain": "FINISHED", "finetune": "FAILED", "synthesize": "KILLED", "evaluate": "FINISHED"}
    for name, status in ended.items():
        run = runs[name, None if name == "finetune" else "7"]
        assert run.info.status == status
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert (run.data.tags["stage"], run.data.tags["pipeline.kind"]) == (name, "stage")
    child = runs["pretrain", "7"]
    assert child.data.params == {"seed": "7", "crop.side": "64", "crop.stride": "32"}
    assert (child.data.tags["name"], child.data.metrics["shift/1"]) == ("a text", 2)
    assert [(m.step, m.value) for m in client.get_metric_history(child.info.run_id, "loss")] == [(1, 1.0), (2, 0.5)]


@pytest.mark.parametrize("uri", ["http://127.0.0.1:9", "nowhere://at/all", "sqlite:///no.db"])
def test_a_store_that_cannot_be_reached_ends_in_one_line_before_any_work(on, monkeypatch, uri):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    (on / "no.db").write_text("this is no database, and long enough to differ from an empty one")
    worked = False
    with pytest.raises(OSError, match=r"MLflow: .*DBGAN_TRACKING=off") as error, tracking.run("a", PARAMS, []):
        worked = True
    assert not worked
    assert "\n" not in str(error.value)


def test_a_store_that_dies_on_the_way_is_named_once_and_costs_nothing_more(on, monkeypatch):
    logged, calls = [], []

    def dead(*args, **kwargs):
        calls.append(args)
        raise mlflow.MlflowException("the server is gone")

    monkeypatch.setattr(utils, "log", logged.append)
    with tracking.run("pretrain", PARAMS, []) as log:
        monkeypatch.setattr(log.client, "log_batch", dead)
        monkeypatch.setattr(log.client, "set_terminated", dead)
        for step in range(3):
            log.metrics({"loss": 1.0}, step)
    assert len(calls) == 1
    assert logged == ["MLflow: nothing more of this stage is recorded (the server is gone)"]


@pytest.mark.parametrize("move", ["cp -r", "mv"])
def test_a_copied_or_moved_checkout_records_in_its_own_place(on, tmp_path_factory, monkeypatch, capsys, move):
    (on / "note.json").write_text("{}")
    with tracking.run("evaluate", PARAMS, []) as log:
        log.pipeline({}, on / "note.json")
    first = log.parent_id
    new = tmp_path_factory.mktemp("new") / "place"
    new.mkdir()
    subprocess.run([*move.split(), on / "mlartifacts", on / "mlflow.db", new], check=True)
    left = {*on.rglob("*")}
    monkeypatch.setenv("DVC_ROOT", str(new))
    monkeypatch.delenv("MLFLOW_TRACKING_URI")  # which MLflow has set
    with tracking.run("evaluate", PARAMS | {"seed": 9}, []) as log:
        log.pipeline({}, on / "note.json")
    places = {run: mlflow.MlflowClient().get_run(run).info.artifact_uri for run in (first, log.parent_id)}
    assert all(place.startswith((new / "mlartifacts").as_uri()) for place in places.values())
    assert {*on.rglob("*")} == left
    for run in places:
        assert [file.path for file in log.client.list_artifacts(run)] == ["note.json"]
    assert capsys.readouterr().err.count("MLflow: copied or moved from") == 1


def test_a_checkout_whose_name_has_a_meaning_in_addresses_keeps_its_store(tmp_path):
    place = tmp_path / "a?b%20c#d"
    place.mkdir()
    code = (
        "from dbgan import tracking\nwith tracking.run('a', {'seed': 1}, []) as log: log.files(tracking.Path('note'))"
    )
    (place / "note").touch()
    environment = os.environ | {"DVC_ROOT": str(place), "DBGAN_TRACKING": "on", "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], cwd=place, env=environment, check=True)
    assert {path.name for path in place.iterdir()} == {".dvc", "mlartifacts", "mlflow.db", "note"}
    assert [path.name for path in tmp_path.iterdir()] == [place.name]


@pytest.mark.slow
def test_the_network_is_logged_registered_and_loads_anywhere(on, photo):
    config = DeblurConfig(width=4, blocks=1, growth=4, downsample=2)
    network = new_generator("dbgan", config, seed=1, std=0.1).eval()
    checkpoint.save(on / "dbgan.safetensors", network, "dbgan", config)
    with tracking.run("evaluate", PARAMS, ["seed"]) as log:
        log.pipeline({"evaluate": {"psnr": 21.5}})
        log.model(on / "dbgan.safetensors", 4, 21.5)
    client = mlflow.MlflowClient()
    (made,) = client.search_model_versions("name = 'dbgan'")
    run = client.get_run(made.run_id)
    assert (made.tags["psnr"], run.data.tags["pipeline.kind"]) == ("21.5000", "pipeline")
    assert run.data.tags["pipeline.id"] == made.tags["pipeline.id"]
    folder = Path(mlflow.artifacts.download_artifacts("models:/dbgan/1"))
    pins = {line.split()[0] for line in (ROOT / "requirements.txt").read_text().splitlines() if "==" in line}
    assert set((folder / "requirements.txt").read_text().split()) <= pins
    # Another process, in another folder, that has only what was logged.
    np.save("photo.npy", photo(4, 40, 40))
    code = (
        "import sys, mlflow, numpy\n"
        "model = mlflow.pyfunc.load_model(sys.argv[1])\n"
        "numpy.save('photo.npy', model.predict(numpy.load('photo.npy')))\n"
    )
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True)
    expected = inference.restore(network, photo(4, 40, 40), margin=4)
    np.testing.assert_array_equal(np.load("photo.npy"), expected)
