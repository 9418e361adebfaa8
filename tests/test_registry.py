"""The network in MLflow: logged, registered, loaded without this repository, and served under load."""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import served

from dbgan import tracking


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    return served.save_weights(tmp_path_factory.mktemp("weights") / "dbgan.safetensors")


@pytest.fixture(scope="module")
def restored(weights):
    return served.restorer(weights)


@pytest.fixture(scope="module")
def store(tmp_path_factory, weights) -> Path:
    """A folder with MLflow's store, in which two pipelines logged and registered their network."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("store")
        tracked(patch, folder)
        for seed, psnr in ((1, 20.0), (2, 21.5)):
            with tracking.run("evaluate", {"scale": "sample", "seed": seed}, ["seed"]) as log:
                log.pipeline({"evaluate": {"psnr": psnr}})
                log.model(weights, served.MARGIN, psnr)
    return folder


def tracked(patch: pytest.MonkeyPatch, folder: Path) -> None:
    patch.delenv("DBGAN_TRACKING", raising=False)
    patch.setenv("DVC_ROOT", str(folder))


def test_the_network_is_logged_registered_and_loads_anywhere(store, tmp_path, restored, photo):
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{store / 'mlflow.db'}")
    client = mlflow.MlflowClient()
    versions = {v.version: v for v in client.search_model_versions("name = 'dbgan'")}
    assert {v.tags["psnr"] for v in versions.values()} == {"20.0000", "21.5000"}
    run = client.get_run(versions[2].run_id)
    assert run.data.tags["pipeline.kind"] == "pipeline"
    assert run.data.tags["pipeline.id"] == versions[2].tags["pipeline.id"]
    assert run.info.status == "FINISHED"

    info = mlflow.models.get_model_info("models:/dbgan/2")
    pins = dict(line.split("==") for line in Path("requirements.txt").read_text().split() if "==" in line)
    folder = Path(mlflow.artifacts.download_artifacts("models:/dbgan/2"))
    needed = dict(line.split("==") for line in (folder / "requirements.txt").read_text().split())
    assert set(needed) == {"mlflow", "torch", "numpy", "pillow", "imagecodecs", "safetensors"}
    assert needed == {name: pins[name] for name in needed}
    assert info.signature.outputs is not None

    # Another process, in another folder, that has only what was logged.
    np.save(tmp_path / "photo.npy", photo(4, 40, 40))
    code = (
        "import sys, mlflow, numpy\n"
        "model = mlflow.pyfunc.load_model(sys.argv[1])\n"
        "image = numpy.load(sys.argv[2])\n"
        "numpy.save(sys.argv[2], model.predict(image))\n"
        "import dbgan.use.serve\n"
        "assert dbgan.use.serve.__file__.startswith(sys.argv[1])\n"
        "assert len(model.predict(model.input_example)) == 1\n"
    )
    command = [sys.executable, "-c", code, str(folder), str(tmp_path / "photo.npy")]
    subprocess.run(command, check=True, cwd=tmp_path)
    np.testing.assert_array_equal(np.load(tmp_path / "photo.npy"), restored(photo(4, 40, 40)))


def test_a_store_without_a_registry_costs_a_warning(store, monkeypatch, weights):
    import mlflow

    def missing(*args, **kwargs):
        raise mlflow.MlflowException("there is no registry")

    tracked(monkeypatch, store)
    before = len(list(store.rglob("MLmodel")))
    monkeypatch.setattr(mlflow.MlflowClient, "create_model_version", missing)
    with tracking.run("evaluate", {"seed": 1}, []) as log, pytest.warns(UserWarning, match="no registry"):
        log.pipeline({})
        log.model(weights, served.MARGIN, 20.0)
    assert len(list(store.rglob("MLmodel"))) == before + 1


def ask(port: int, body: bytes, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/invocations", body, headers)
    response = connection.getresponse()
    return response.status, response.read()


@pytest.fixture
def server(store, tmp_path):
    """`mlflow models serve` as a user starts it; its port. Slow: two processes import MLflow."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", "models:/dbgan/2", "--env-manager", "local"]
    environment = os.environ | {
        "MLFLOW_TRACKING_URI": f"sqlite:///{store / 'mlflow.db'}",
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
    }
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "-h", "127.0.0.1", "-p", str(port)], cwd=tmp_path, env=environment, stderr=log, stdout=log
        )
    try:
        for _ in range(1800):
            assert process.poll() is None, (tmp_path / "log").read_text()
            try:
                ask(port, b"")
                break
            except OSError:
                time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def test_a_server_answers_200_at_once_refuses_nonsense_and_lives(server, restored, photo):
    images = [photo(5, 64, 64), photo(6, 512, 512)]
    bodies = [json.dumps({"inputs": served.text(served.encoded(image))}).encode() for image in images]
    typed = {"Content-Type": "application/json"}
    with ThreadPoolExecutor(200) as clients:
        answers = list(clients.map(lambda i: ask(server, bodies[i % 20 == 0], **typed), range(200)))
    assert [status for status, _ in answers] == [200] * 200
    for i in (0, 1):
        answer = served.decoded(json.loads(answers[i][1])["predictions"])
        np.testing.assert_array_equal(answer, restored(images[i % 20 == 0]))

    bomb = json.dumps({"inputs": served.text(served.declares(10_000, 10_000))}).encode()
    deep = b'{"inputs": ' + b"[" * 5000 + b"]" * 5000 + b"}"
    for body in (b"x", b"", bomb, deep, b'{"inputs": 3}', b'{"inputs": [[[NaN, 1, 2]]]}', b'{"image": "x"}', b"[1]"):
        status, said = ask(server, body, **typed)
        assert status == 400, said
    assert "max_megapixels (25)" in json.loads(ask(server, bomb, **typed)[1])["message"]
    assert ask(server, b"x")[0] == 415  # no Content-Type at all
    assert ask(server, served.encoded(images[0]), **{"Content-Type": "image/png"})[0] == 415

    pixels = images[0][:4, :4].tolist()
    for form in (
        {"instances": [pixels]},
        {"dataframe_split": {"columns": ["image"], "data": [[served.text(served.encoded(images[0]))]]}},
    ):
        assert ask(server, json.dumps(form).encode(), **typed)[0] == 200
