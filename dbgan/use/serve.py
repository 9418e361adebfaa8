"""The trained generator as an MLflow model: an array or the bytes of a photograph in, the restored one out.

    mlflow models serve -m models:/dbgan/1 -h 127.0.0.1 -p 5001 --env-manager local

MLflow imports this file from the copy of the package that lies in the logged model (see tracking.py), calls
`_load_pyfunc`, and runs `predict` for a caller in Python or for a request. One server computes one photograph at a
time, on the GPU where there is one, else on as many threads as OMP_NUM_THREADS says or the machine has cores.
"""

import base64
import binascii
import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc import scoring_server
from PIL import Image

from dbgan import checkpoint
from dbgan.data import photos
from dbgan.models.build import DEBLURS, build_generator
from dbgan.use import inference as photo_network
from dbgan.use import inference as tiles

NAME = "the image"  # in what is said of a file
TILE = 1024  # pixels a side of what the network sees at once, so that memory for a large photograph is small


@dataclass(frozen=True)
class ServeParams:
    """The model's config in MLflow."""

    margin: int  # pixels mirrored around a photograph before the network sees it, and cut off again
    max_megapixels: float  # a larger photograph is refused by its header, before it takes any memory

    def __post_init__(self) -> None:
        if self.margin < 0 or self.max_megapixels <= 0:
            raise ValueError("margin must be at least 0, max_megapixels above 0")


class Refused(MlflowException):
    """Bad input: the server answers with status 400 and this one line.

    MLflow's server puts the whole request, here a photograph as text, before the message; hence no setter.
    """

    message = property(str, lambda self, longer: None)

    def __init__(self, message: str) -> None:
        super().__init__(message, error_code=INVALID_PARAMETER_VALUE)


class Restorer:
    """What `mlflow.pyfunc.load_model` gives to work with."""

    def __init__(self, restore_photo: Callable[[np.ndarray], np.ndarray], limit: float) -> None:
        """restore_photo: (H, W, 3) uint8 -> the same, restored. limit: of a photograph, in megapixels."""
        self._restore, self._limit = restore_photo, limit
        # A server calls predict from many threads. One thread for all: memory for one photograph, taken in turn, and
        # cores that are not fought over.
        self._turn = ThreadPoolExecutor(1)

    def predict(self, model_input: Any) -> Any:
        """Restored photographs, in the form in which the blurred ones came:

        - (H, W, 3) or (N, H, W, 3) uint8 RGB, or whole numbers of that range -> uint8 of that shape;
        - the bytes of an image file -> the bytes of a PNG file;
        - such bytes as base64 text, as JSON needs it -> base64 text;
        - a list, a pandas column or a one-dimensional array of objects, such bytes or texts -> a list.

        Raises Refused for anything else, and for photographs of more than `max_megapixels`.
        """
        try:
            return self._answer(model_input)
        except ValueError as error:
            raise Refused(" ".join(str(error).split())) from None

    def _answer(self, data: Any) -> Any:
        if hasattr(data, "columns"):  # MLflow's dataframe forms
            if len(data.columns) != 1:
                raise ValueError(f"a table of one column is needed, each row a photograph, not {len(data.columns)}")
            data = data.iloc[:, 0].to_list()
        elif isinstance(data, np.ndarray) and data.dtype.kind in "UO":  # MLflow makes arrays of texts too
            data = data.tolist()
        if isinstance(data, bytes | bytearray):
            return self._in_turn(self._file, bytes(data))
        if isinstance(data, str):
            return base64.b64encode(self._in_turn(self._file, _from_base64(data))).decode("ascii")
        if isinstance(data, list | tuple) and data and all(isinstance(one, bytes | bytearray | str) for one in data):
            return [self._answer(one) for one in data]
        return self._array(data)

    def _file(self, content: bytes) -> bytes:
        with photos.opened(Path(NAME), content) as (header, _):
            height, width = header.height, header.width
        self._check_size(height, width)
        image, _ = photos.decode(content, NAME)
        file = io.BytesIO()
        Image.fromarray(self._restore(image)).save(file, "PNG")
        return file.getvalue()

    def _array(self, data: Any) -> np.ndarray:
        needed = "(height, width, 3) or (number, height, width, 3) of whole numbers from 0 to 255, or an image file"
        try:
            images = np.asarray(data)
        except ValueError:
            raise ValueError(f"rows of unlike length; needed is {needed}") from None
        if images.ndim not in (3, 4) or images.shape[-1] != 3 or not images.size:
            raise ValueError(f"{type(data).__name__} of shape {images.shape}; needed is {needed}")
        if images.dtype.kind not in "ui":
            raise ValueError(f"values of type {images.dtype}; needed is {needed}")
        if images.min() < 0 or images.max() > 255:
            raise ValueError(f"values from {images.min()} to {images.max()}; needed is {needed}")
        self._check_size(*images.shape[-3:-1])
        images = images.astype(np.uint8)
        if images.ndim == 3:
            return self._in_turn(self._restore, images)
        return np.stack([self._in_turn(self._restore, image) for image in images])

    def _check_size(self, height: int, width: int) -> None:
        if height * width > self._limit * 1e6:
            raise ValueError(f"{NAME}: {width} x {height} pixels, more than max_megapixels ({self._limit:g}) allows")

    def _in_turn(self, work: Callable, image: Any) -> Any:
        return self._turn.submit(work, image).result()


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)  # MLflow's own encoder breaks lines
    except (binascii.Error, ValueError):
        raise ValueError(f"a text of {len(text)} characters that is no base64 of an image file") from None


def _refuse_what_breaks_the_server() -> None:
    """MLflow 3.17 answers 500 to a request without Content-Type and to JSON nested too deep: both are the client's
    faults, and come before `predict`, so the function that handles a request is wrapped, once a process."""
    handle = scoring_server.invocations
    if handle.__module__ == __name__:
        return

    def invocations(data, content_type, *rest):
        try:
            return handle(data, content_type or "none", *rest)
        except RecursionError:
            raise Refused("the JSON is nested too deep") from None

    scoring_server.invocations = invocations


def _load_pyfunc(path: str, model_config: dict[str, Any]) -> Restorer:
    """MLflow's hook: the weights file of the logged model, and its config."""
    _refuse_what_breaks_the_server()
    p = ServeParams(**model_config)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network, (name, config) = checkpoint.load(Path(path), build_generator, DEBLURS), checkpoint.recipe(Path(path))
    function = photo_network.photo_network(network, name, config)
    cuts = tiles.cuts_for(*photo_network.sees(function, name, config), TILE)
    network.to(device)

    @torch.inference_mode()
    def forward(tile: np.ndarray, _: tiles.Place) -> np.ndarray:
        return photos.to_uint8(function(photos.to_float(tile)[None].to(device)))[0]

    return Restorer(lambda image: tiles.in_tiles(forward, image, p.margin, cuts), p.max_megapixels)
