"""The trained generator as an MLflow model, which tracking.py logs as code: see docs/serving.md."""

import base64
import threading
from pathlib import Path
from typing import Any

import imagecodecs
import mlflow
import numpy as np
import torch
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc.model import PythonModel

from dbgan import checkpoint, outputs
from dbgan.data import photos
from dbgan.models.build import DEBLUR
from dbgan.use import inference


class Restorer(PythonModel):
    def load_context(self, context: Any) -> None:
        self.device = outputs.device(torch.get_num_threads())
        self.network = checkpoint.load(Path(context.artifacts["weights"]), DEBLUR).to(self.device)
        self.margin = context.model_config["margin"]
        self.one_at_a_time = threading.Lock()

    def predict(self, context: Any, model_input, params: Any = None) -> Any:
        """An array, an image file's bytes or base64 text, a list or table of files -> alike; else status 400."""
        data = model_input.iloc[:, 0].tolist() if hasattr(model_input, "iloc") else model_input
        data = data.tolist() if isinstance(data, np.ndarray) and data.dtype.kind in "UO" else data  # arrays of texts
        try:
            with self.one_at_a_time:
                return self.restored(data)
        except (ValueError, TypeError) as error:
            raise mlflow.MlflowException(" ".join(str(error).split()), INVALID_PARAMETER_VALUE) from None

    def restored(self, data: Any) -> Any:
        if isinstance(data, list) and data and isinstance(data[0], bytes | str):
            return [self.restored(one) for one in data]
        if isinstance(data, str):
            return base64.b64encode(self.restored(base64.b64decode(data))).decode()
        if isinstance(data, bytes):
            name = Path("the image")
            return imagecodecs.png_encode(self.restored(photos.to_srgb(name, photos.decode(name, data))[0]))
        images = np.asarray(data)
        if images.ndim == 4:
            return np.stack([self.restored(image) for image in images])
        levels = images.astype(np.uint8)
        if images.ndim != 3 or images.shape[-1] != 3 or not images.size or (levels != images).any():
            needed = "(height, width, 3) or (number, height, width, 3) of whole numbers from 0 to 255, or an image file"
            raise ValueError(f"{images.dtype} of shape {images.shape}; needed is {needed}")
        return inference.restore(self.network, levels, self.margin, device=self.device)


mlflow.models.set_model(Restorer())
