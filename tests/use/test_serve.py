"""The network as an MLflow model: what goes in and comes out, and what is refused."""

import base64
import http.client
import io
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import numpy as np
import pandas
import pytest
from PIL import Image

from dbgan import checkpoint, tracking
from dbgan.models.build import new_generator
from dbgan.models.dbgan import DeblurConfig
from dbgan.use import inference

MARGIN = 4
PIXELS = np.zeros((8, 8, 3), np.uint8)


def encoded(image, kind="PNG"):
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind)
    return file.getvalue()


def text(image):
    return base64.b64encode(encoded(image)).decode()


def decoded(content):
    with Image.open(io.BytesIO(base64.b64decode(content) if isinstance(content, str) else content)) as image:
        assert image.format == "PNG"
        return np.asarray(image)


@pytest.fixture(scope="module")
def network():
    """One that visibly changes a photograph."""
    return new_generator("dbgan", DeblurConfig(width=4, blocks=1, growth=4, downsample=2), 0, 0.3).eval()


@pytest.fixture(scope="module")
def logged(tmp_path_factory, network) -> str:
    """The folder of the model."""
    folder = tmp_path_factory.mktemp("store")
    weights = folder / "dbgan.safetensors"
    checkpoint.save(weights, network, "dbgan", DeblurConfig(width=4, blocks=1, growth=4, downsample=2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_ROOT", str(folder))
        for name in ("DBGAN_TRACKING", "MLFLOW_TRACKING_URI"):
            patch.delenv(name, raising=False)
        with tracking.run("evaluate", {}, []) as log:
            log.model(weights, MARGIN, 20.0)
        return mlflow.artifacts.download_artifacts("models:/dbgan/1")


@pytest.fixture(scope="module")
def predict(logged):
    return mlflow.pyfunc.load_model(logged).predict


@pytest.fixture(scope="module")
def restored(network):
    return lambda image: inference.restore(network, image, MARGIN)


def test_an_array_comes_back_restored(predict, restored, photo):
    one, two = photo(1, 40, 32), photo(2, 40, 32)
    assert not np.array_equal(restored(one), one)
    np.testing.assert_array_equal(predict(one), restored(one))
    np.testing.assert_array_equal(predict(np.stack([one, two])), np.stack([restored(one), restored(two)]))
    np.testing.assert_array_equal(predict(one.tolist()), restored(one))
    assert predict(one.astype(np.int64)).dtype == np.uint8


def test_a_file_comes_back_as_png_in_the_form_it_came(predict, restored, photo):
    image = photo(3, 33, 47)
    for given in (encoded(image), text(image), np.array(text(image)), base64.encodebytes(encoded(image)).decode()):
        np.testing.assert_array_equal(decoded(predict(given)), restored(image))
    for given in ([encoded(image)] * 2, np.array([text(image)]), pandas.DataFrame({"image": [text(image)]})):
        np.testing.assert_array_equal(decoded(predict(given)[-1]), restored(image))
    assert isinstance(predict(encoded(image)), bytes)
    assert decoded(predict(encoded(image, "JPEG"))).shape == image.shape


REFUSED = {
    "cut short": (encoded(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))[:900], "truncated"),
    "no base64": ("%%%", "an empty file"),
    "floats": (PIXELS + 0.5, "float64"),
    "above 255": ([[[0, 1, 256]]], "whole numbers from 0 to 255"),
    "grey": (PIXELS[..., 0], "shape (8, 8)"),
    "nothing": (None, "NoneType"),
}


@pytest.mark.parametrize(("given", "reason"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_the_callers_fault(predict, given, reason):
    with pytest.raises(mlflow.MlflowException) as refused:
        predict(given)
    assert refused.value.get_http_status_code() == 400
    assert reason in refused.value.message
    assert "\n" not in refused.value.message


def ask(port, body, kind="application/json"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/invocations", json.dumps(body), {"Content-Type": kind})
    response = connection.getresponse()
    content = response.read()
    return response.status, json.loads(content) if response.status == 200 else content


@pytest.mark.slow
def test_a_server_answers(logged, tmp_path, restored, photo):
    """`mlflow models serve` as docs/serving.md starts it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", logged, "--env-manager", "local"]
    command += ["-h", "127.0.0.1", "-p", str(port)]
    path = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(command, cwd=tmp_path, env=os.environ | path, stderr=log, stdout=log)
    try:
        image = photo(5, 40, 32)
        for _ in range(1800):
            assert server.poll() is None, (tmp_path / "log").read_text()
            try:
                ask(port, {})
                break
            except OSError:
                time.sleep(0.1)
        for form, take in (
            ({"inputs": text(image)}, lambda found: decoded(found)),
            ({"inputs": [text(image)] * 2}, lambda found: decoded(found[1])),
            ({"inputs": image.tolist()}, np.array),
            ({"instances": [image.tolist()]}, lambda found: np.array(found).reshape(image.shape)),
            ({"dataframe_split": {"columns": ["a"], "data": [[text(image)]]}}, lambda found: decoded(found[0])),
            ({"dataframe_records": [{"a": text(image)}]}, lambda found: decoded(found[0])),
        ):
            status, answer = ask(port, form)
            assert status == 200
            np.testing.assert_array_equal(take(answer["predictions"]), restored(image))
        for body in ({"inputs": "x"}, {"inputs": 3}, {"image": "x"}, [1]):
            assert ask(port, body)[0] == 400
        assert ask(port, {"inputs": "x"}, "image/png")[0] == 415
        assert ask(port, {"inputs": text(image)})[0] == 200
    finally:
        server.terminate()
        server.wait(30)
