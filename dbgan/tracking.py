"""MLflow: a parent run for the pipeline, a child run for each stage that ran, the final network as a registered model.

The store is MLFLOW_TRACKING_URI, else mlflow.db in the repository. DBGAN_TRACKING=off turns it off; where mlflow is not
installed it is off too. The JSON in metrics/, which DVC compares, is written by the stages themselves; a fault of the
tracker never costs a training.
"""

import functools
import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from filelock import FileLock

from dbgan import distributed, utils

EXPERIMENT = MODEL = "dbgan"
NOTE = """A row is a pipeline with all parameters and results; its stages and their curves fold out below it.

- Compare: filter `tags.pipeline.kind = 'pipeline' and tags.scale = 'sample'`, tick rows, press Compare, and choose
  `evaluate/psnr` under Metrics. Columns adds parameters and metrics to this table.
- Pictures: open a row, Artifacts, `panels`. Networks: Model registry, `dbgan`."""
MODEL_NOTE = """The deblurring generator of each evaluated pipeline; a version's tags name the pipeline and its PSNR.

docs/serving.md shows how to load and to serve it."""
BATCH = 1000  # points that MLflow takes in one call
NEEDED = ("mlflow", "torch", "numpy", "pillow", "imagecodecs", "tifffile", "pydantic", "safetensors", "typer", "tqdm")


def recorded(method: Callable[..., None]) -> Callable[..., None]:
    """A method of Log that does nothing without a client; its first fault is logged and turns the recording off."""

    @functools.wraps(method)
    def quiet(self: "Log", *args, **kwargs) -> None:
        if self.client is None:
            return
        try:
            method(self, *args, **kwargs)
        except Exception as error:  # any fault of a server, a database or a disk
            self.client = None
            utils.log(f"MLflow: nothing more of this stage is recorded ({' '.join(str(error).split())})")

    return quiet


class Log:
    """What a stage records; without a client, as where tracking is off, nothing."""

    def __init__(self, client: Any = None, run_id: str = "", parent_id: str = "") -> None:
        self.client, self.run_id, self.parent_id = client, run_id, parent_id
        self._points: list = []

    @recorded
    def metrics(self, values: dict[str, Any], step: int = 0) -> None:
        """Named numbers of one step; lists get one name an item, texts become tags, None is left out."""
        numbers, texts = flat(values)
        self._points += points(numbers, step)
        if len(self._points) >= BATCH:
            self.flush()
        for key, value in texts.items():
            self.client.set_tag(self.run_id, key, value)

    @recorded
    def flush(self) -> None:
        """Send the points that wait."""
        waiting, self._points = self._points, []
        for i in range(0, len(waiting), BATCH):
            self.client.log_batch(self.run_id, metrics=waiting[i : i + BATCH])

    @recorded
    def files(self, *paths: Path) -> None:
        """Copies of small files or folders (never data or weights: DVC has those)."""
        self._copy(self.run_id, paths)

    @recorded
    def pipeline(self, metrics: dict[str, dict], *paths: Path) -> None:
        """The results of the whole pipeline, {stage: values}, and its files, for the parent run."""
        numbers, texts = flat(metrics)
        self.client.log_batch(self.parent_id, metrics=points(numbers, 0))
        for key, value in texts.items():
            self.client.set_tag(self.parent_id, key, value)
        self.client.set_terminated(self.parent_id)
        self._copy(self.parent_id, paths)

    @recorded
    def model(self, weights: Path, margin: int, psnr: float) -> None:
        """The final network for use: an MLflow model of the parent run (use/serve.py, this package, the weights), and a
        version of the registered name. margin: as in `inference.restore`."""
        import mlflow

        package = Path(__file__).parent
        tags = {"pipeline.id": self.client.get_run(self.parent_id).data.tags["pipeline.id"], "psnr": f"{psnr:.4f}"}
        with mlflow.start_run(run_id=self.parent_id):
            logged = mlflow.pyfunc.log_model(
                name=MODEL,
                python_model=str(package / "use" / "serve.py"),
                artifacts={"weights": str(weights)},
                code_paths=[str(package)],
                model_config={"margin": margin},
                pip_requirements=[f"{name}=={version(name).partition('+')[0]}" for name in NEEDED],
                tags=tags,
            )
        if not self.client.search_registered_models(f"name = '{MODEL}'"):
            self.client.create_registered_model(MODEL, description=MODEL_NOTE)
        made = self.client.create_model_version(MODEL, logged.model_uri, self.parent_id, tags, model_id=logged.model_id)
        utils.log(f"MLflow: the network is models:/{MODEL}/{made.version}")

    def _copy(self, run_id: str, paths: tuple[Path, ...]) -> None:
        for path in map(Path, paths):
            if path.is_dir():
                self.client.log_artifacts(run_id, str(path), path.name)
            elif path.exists():
                self.client.log_artifact(run_id, str(path))


@contextmanager
def run(stage: str, params: dict[str, Any], used: list[str]) -> Iterator[Log]:
    """The child run of a stage under the pipeline's run, recorded by the main process.

    params: all of params.yaml, the scale merged in; used: the keys of it that the stage depends on. A fault within ends
    the run as FAILED, Ctrl-C as KILLED. Raises OSError when the store cannot be opened.
    """
    if not distributed.is_main() or os.environ.get("DBGAN_TRACKING", "").lower() in ("off", "0", "false", "no"):
        yield Log()
        return
    if not find_spec("mlflow"):  # as on a machine that is rented for the training alone
        utils.log(f"{stage}: mlflow is not installed, so nothing is recorded")
        yield Log()
        return
    try:
        log = start(stage, params, used)
    except Exception as error:  # any fault of a server, a database or a disk, told before any work is done
        reason = " ".join(str(error).split())
        raise OSError(f"MLflow: {reason}; check MLFLOW_TRACKING_URI or set DBGAN_TRACKING=off") from None
    status = "FAILED"
    try:
        yield log
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        log.flush()
        terminate(log, status)


@recorded
def terminate(log: Log, status: str) -> None:
    """End the stage's run."""
    log.client.set_terminated(log.run_id, status)


def start(stage: str, params: dict[str, Any], used: list[str]) -> Log:
    """Open the store, and the stage's run below the pipeline's."""
    # Few short tries of a server: MLflow's own seven take four minutes before they fail.
    for name, value in {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_LOGGING_LEVEL": "WARNING",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    }.items():
        os.environ.setdefault(name, value)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # the migrations of a new store are no news
    import mlflow

    home = utils.project_root()
    uri = store(home)
    if uri.startswith("http"):
        utils.log(f"MLflow: waiting for {uri}")
    lock = home / ".dvc" / "tmp" / "mlflow.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(lock):  # two processes that create one store at once leave it broken
        mlflow.set_tracking_uri(uri)
        client = mlflow.MlflowClient()
        found = client.get_experiment_by_name(EXPERIMENT)
        artifacts = (home / "mlartifacts").as_uri() if uri.startswith("sqlite:") else None
        note = {"mlflow.note.content": NOTE}
        experiment = found.experiment_id if found else client.create_experiment(EXPERIMENT, artifacts, note)
        parent = parent_run(client, experiment, params)
    tags = {"mlflow.parentRunId": parent, "stage": stage, "pipeline.kind": "stage", "pipeline.id": pipeline_id(params)}
    child = client.create_run(experiment, run_name=stage, tags=tags)
    log_params(client, child.info.run_id, {key: params.get(key) for key in used})
    return Log(client, child.info.run_id, parent)


def store(home: Path) -> str:
    """The tracking URI. A relative sqlite path is taken from the repository, not from a temporary copy of it."""
    uri = os.environ.get("MLFLOW_TRACKING_URI", "").strip() or f"sqlite:///{home / 'mlflow.db'}"
    if uri.startswith("sqlite:///") and not uri.startswith("sqlite:////"):
        return f"sqlite:///{home / uri.removeprefix('sqlite:///')}"
    return uri


def pipeline_id(params: dict[str, Any]) -> str:
    """One id per experiment and parameters: a run's parameters cannot be changed afterwards."""
    digest = hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()[:8]
    return f"{os.environ.get('DVC_EXP_NAME') or 'repro'}-{digest}"


def parent_run(client, experiment: str, params: dict[str, Any]) -> str:
    """The id of the pipeline's run, which is made where it is missing."""
    name = pipeline_id(params)
    query = f"tags.`pipeline.id` = '{name}' and tags.`pipeline.kind` = 'pipeline'"
    if found := client.search_runs([experiment], query, max_results=1):
        return found[0].info.run_id
    tags = {
        "pipeline.id": name,
        "pipeline.kind": "pipeline",
        "scale": str(params.get("scale")),
        "dvc.exp": os.environ.get("DVC_EXP_NAME", ""),
        "dvc.baseline": os.environ.get("DVC_EXP_BASELINE_REV", ""),
    }
    known = {key: text for key, text in tags.items() if text}
    parent = client.create_run(experiment, run_name=name, tags=known).info.run_id
    log_params(client, parent, params)
    return parent


def log_params(client, run_id: str, params: dict[str, Any]) -> None:
    """All parameters under dotted names."""
    from mlflow.entities import Param

    numbers, texts = flat(params)
    everything = [Param(key, str(value)) for key, value in (numbers | texts).items()]
    for i in range(0, len(everything), 100):
        client.log_batch(run_id, params=everything[i : i + 100])


def points(numbers: dict[str, float], step: int) -> list:
    """Numbers as MLflow takes them, dots as slashes, which group them in its pages."""
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    return [Metric(key.replace(".", "/"), float(value), now, step) for key, value in numbers.items()]


def flat(values: Any, prefix: str = "") -> tuple[dict[str, float], dict[str, str]]:
    """Nested values with dotted keys: the numbers, and everything else as text (None is left out)."""
    numbers: dict[str, float] = {}
    texts: dict[str, str] = {}
    if isinstance(values, dict | list):
        for key, value in values.items() if isinstance(values, dict) else enumerate(values):
            inner_numbers, inner_texts = flat(value, f"{prefix}.{key}" if prefix else str(key))
            numbers |= inner_numbers
            texts |= inner_texts
    elif isinstance(values, int | float) and not isinstance(values, bool):
        numbers[prefix] = values
    elif values is not None:
        texts[prefix] = str(values)
    return numbers, texts
