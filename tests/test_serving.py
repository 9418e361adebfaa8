"""The served network: what goes in and comes out, and what is refused."""

import base64
import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import numpy as np
import pytest
import served
import test_architecture as architecture

from dbgan import registry
from dbgan.use import serve

CONFIG = {"margin": served.MARGIN, "max_megapixels": 0.5}


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    return served.save_weights(tmp_path_factory.mktemp("weights") / "dbgan.safetensors")


@pytest.fixture(scope="module")
def restored(weights):
    return served.restorer(weights)


@pytest.fixture(scope="module")
def model(weights) -> serve.Restorer:
    return serve._load_pyfunc(str(weights), CONFIG)


def test_an_array_comes_back_restored(model, restored, photo):
    one, two = photo(1, 40, 32), photo(2, 40, 32)
    assert not np.array_equal(restored(one), one)
    np.testing.assert_array_equal(model.predict(one), restored(one))
    np.testing.assert_array_equal(model.predict(np.stack([one, two])), np.stack([restored(one), restored(two)]))
    np.testing.assert_array_equal(model.predict(one.tolist()), restored(one))
    assert model.predict(one.astype(np.int64)).dtype == np.uint8


def test_a_large_photograph_passes_in_tiles_without_a_trace(weights, restored, photo, monkeypatch):
    monkeypatch.setattr(serve, "TILE", 64)
    large, seen = photo(5, 150, 210), []
    in_tiles = serve.tiles.in_tiles
    monkeypatch.setattr(serve.tiles, "in_tiles", lambda forward, *rest: in_tiles(watched(forward, seen), *rest))
    model = serve._load_pyfunc(str(weights), CONFIG)
    off = np.abs(model.predict(large).astype(int) - restored(large))
    assert off.max() <= 1  # a conv of another size rounds otherwise
    assert (off > 0).mean() < 1e-3
    assert len(seen) == 3 * 4


def watched(forward, seen):
    def counted(tile, place):
        seen.append(place)
        return forward(tile, place)

    return counted


def test_a_file_comes_back_as_png_in_the_form_it_came(model, restored, photo):
    import pandas

    image, file = photo(3, 33, 47), served.encoded(photo(3, 33, 47))
    for given, take in (
        (file, lambda answer: answer),
        (served.text(file), lambda answer: answer),
        (np.array(served.text(file)), lambda answer: answer),
        ([file, bytearray(file)], lambda answer: answer[1]),
        (np.array([served.text(file)]), lambda answer: answer[0]),
        (pandas.DataFrame({"image": [served.text(file)]}), lambda answer: answer[0]),
        (base64.encodebytes(file).decode(), lambda answer: answer),
    ):
        np.testing.assert_array_equal(served.decoded(take(model.predict(given))), restored(image))
    assert isinstance(model.predict(file), bytes)
    assert isinstance(model.predict(served.text(file)), str)
    assert served.decoded(model.predict(served.encoded(image, "JPEG"))).shape == image.shape


def test_of_many_requests_one_photograph_at_a_time_is_in_memory(monkeypatch, photo):
    decoded, go_on = [], threading.Event()
    decode = serve.photos.decode
    monkeypatch.setattr(serve.photos, "decode", lambda *file: decoded.append(file) or decode(*file))
    model = serve.Restorer(lambda image: go_on.wait(60) and image, 1.0)
    with ThreadPoolExecutor(4) as clients:
        answers = [clients.submit(model.predict, served.encoded(photo(0))) for _ in range(4)]
        wait(answers, timeout=0.5)
        assert len(decoded) == 1
        go_on.set()
    assert [len(answer.result()) > 0 for answer in answers] == [True] * 4


PIXELS = np.zeros((8, 8, 3), np.uint8)
REFUSED = {
    "one byte": (b"x", "of no known format"),
    "no image": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "of no known format"),
    "cut short": (served.encoded(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))[:900], "truncated"),
    "100 megapixels": (served.declares(10_000, 10_000), "10000 x 10000 pixels, more than max_megapixels (0.5)"),
    "10 gigapixels": (served.declares(100_000, 100_000), "over 200 megapixels"),
    "no base64": ("%%%", "no base64"),
    "too large": (np.zeros((1000, 501, 3), np.uint8), "501 x 1000 pixels"),
    "floats": (PIXELS / 1.0, "type float64"),
    "not a number": ([[[float("nan")] * 3]], "type float64"),
    "above 255": ([[[0, 1, 256]]], "values from 0 to 256"),
    "negative": ([[[-1, 1, 255]]], "values from -1 to 255"),
    "yes and no": (PIXELS > 0, "type bool"),
    "grey": (PIXELS[..., 0], "shape (8, 8)"),
    "alpha": (np.zeros((8, 8, 4), np.uint8), "shape (8, 8, 4)"),
    "empty": (np.zeros((0, 8, 3), np.uint8), "shape (0, 8, 3)"),
    "an empty list": ([], "shape (0,)"),
    "rows of unlike length": ([[[1, 2, 3]], [[1, 2, 3], [4, 5, 6]]], "unlike length"),
    "nothing": (None, "NoneType"),
    "a dictionary": ({"image": "x"}, "dict"),
    "a file and a number": ([served.encoded(PIXELS), 3], "list of shape"),
}


@pytest.mark.parametrize(("given", "said"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_the_callers_fault_told_in_one_line(model, given, said):
    with pytest.raises(serve.Refused) as refused:
        model.predict(given)
    assert refused.value.get_http_status_code() == 400
    assert said in refused.value.message
    assert "\n" not in refused.value.message
    refused.value.message = "the whole request, " + refused.value.message  # as MLflow's server does
    assert json.loads(refused.value.serialize_as_json())["message"] == str(refused.value)


@pytest.mark.parametrize("wrong", [{"margin": -1}, {"max_megapixels": 0}])
def test_a_wrong_config_is_refused(weights, wrong):
    with pytest.raises(ValueError, match="margin must be at least 0"):
        serve._load_pyfunc(str(weights), CONFIG | wrong)


def test_every_library_that_serving_needs_is_among_the_models_requirements():
    """A library that is missing there shows only where the model has an environment of its own."""
    files = ["dbgan/serve.py", *architecture.needs("dbgan/serve.py")]
    found = {name.partition(".")[0] for file in files for name in architecture.modules(file)}
    libraries = found - sys.stdlib_module_names - {"dbgan", "__future__"}
    assert {"PIL", "imagecodecs", "torch"} <= libraries  # a check that finds nothing passes always
    assert {"pillow" if name == "PIL" else name for name in libraries} <= set(registry.NEEDED)
