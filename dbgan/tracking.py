"""The one place that opens MLflow: a parent run for the pipeline, a child run for each stage that ran.

The store is MLFLOW_TRACKING_URI, else mlflow.db in the repository. DBGAN_TRACKING=off turns it off; where mlflow is
not installed it is off too. What DVC compares is the JSON in metrics/, which the stages write themselves; a fault of
the tracker never costs a training.
"""

import hashlib
import json
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dbgan import distributed, registry, utils

EXPERIMENT = "dbgan"
NOTE = """A row is a pipeline with all parameters and results; its stages and their curves fold out below it.

- Compare: filter `tags.pipeline.kind = 'pipeline' and tags.scale = 'sample'`, tick rows, press Compare, and choose
  `evaluate/psnr` under Metrics. Columns adds parameters and metrics to this table.
- Pictures: open a row, Artifacts, `panels`. Networks: Model registry, `dbgan`."""
BATCH = 1000  # points that MLflow takes in one call


class Log:
    """What a stage may record; this one, for tracking that is off, records nothing."""

    def metrics(self, values: dict[str, Any], step: int = 0) -> None:
        """Named numbers of one step; lists get one name an item, texts become tags, the rest is left out."""

    def files(self, *paths: Path) -> None:
        """Copies of small files or folders (never data or weights: DVC has those)."""

    def tags(self, **values: object) -> None:
        """Named texts."""

    def pipeline(self, metrics: dict[str, dict], *paths: Path) -> None:
        """The results of the whole pipeline, {stage: values}, and its files, for the parent run."""

    def model(self, weights: Path, margin: int, psnr: float) -> None:
        """The final network for use: an MLflow model of the parent run, and a version of the registered name, tagged
        with the pipeline and its PSNR; serving.py says what it takes and gives. margin: as in whole_frame."""


class _MlflowLog(Log):
    def __init__(self, client, run_id: str, parent_id: str) -> None:
        self._client, self._run, self._parent = client, run_id, parent_id
        self._points: list = []

    def metrics(self, values: dict[str, Any], step: int = 0) -> None:
        numbers, texts = _flat(values)
        self._points += _points(numbers, step)
        if len(self._points) >= BATCH:
            self.flush()
        if texts:
            self.tags(**texts)

    def flush(self) -> None:
        points, self._points = self._points, []
        for i in range(0, len(points), BATCH):
            with _no_harm():
                self._client.log_batch(self._run, metrics=points[i : i + BATCH])

    def files(self, *paths: Path) -> None:
        self._copy(self._run, paths)

    def tags(self, **values: object) -> None:
        with _no_harm():
            for key, value in values.items():
                self._client.set_tag(self._run, key, str(value))

    def pipeline(self, metrics: dict[str, dict], *paths: Path) -> None:
        with _no_harm():
            for stage, values in metrics.items():
                numbers, texts = _flat({stage: values})
                self._client.log_batch(self._parent, metrics=_points(numbers, 0))
                for key, value in texts.items():
                    self._client.set_tag(self._parent, key, value)
            self._client.set_terminated(self._parent)
        self._copy(self._parent, paths)

    def model(self, weights: Path, margin: int, psnr: float) -> None:
        with _no_harm():
            pipeline_id = self._client.get_run(self._parent).data.tags["pipeline.id"]
            tags = {"pipeline.id": pipeline_id, "psnr": f"{psnr:.4f}"}
            utils.log(f"MLflow: the network is {registry.publish(self._client, self._parent, weights, margin, tags)}")

    def _copy(self, run_id: str, paths: tuple[Path, ...]) -> None:
        with _no_harm():
            for path in map(Path, paths):
                if path.is_dir():
                    self._client.log_artifacts(run_id, str(path), path.name)
                elif path.exists():
                    self._client.log_artifact(run_id, str(path))


@contextmanager
def run(stage: str, params: dict[str, Any], used: list[str]) -> Iterator[Log]:
    """The child run of a stage under the pipeline's run; of several processes the first records. params: all of
    params.yaml, the scale merged in; `used`: the keys of it that the stage depends on. A fault within ends the run as
    FAILED, Ctrl-C as KILLED. Raises OSError when the store cannot be opened."""
    if not distributed.is_main() or os.environ.get("DBGAN_TRACKING", "").lower() in ("off", "0", "false", "no"):
        yield Log()
        return
    if not find_spec("mlflow"):  # as on a machine that is rented for the training alone
        utils.log(f"{stage}: mlflow is not installed, so nothing is recorded")
        yield Log()
        return
    try:
        log = _start(stage, params, used)
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
        with _no_harm():
            log._client.set_terminated(log._run, status)


def _start(stage: str, params: dict[str, Any], used: list[str]) -> _MlflowLog:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    import logging

    logging.getLogger("alembic").setLevel(logging.WARNING)  # the migrations of a new store are no news
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    import mlflow
    from filelock import FileLock

    home = utils.project_root()
    lock = home / ".dvc" / "tmp" / "mlflow.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(lock):  # two processes that create one store at once leave it broken
        uri = _store(home)
        mlflow.set_tracking_uri(uri)
        client = mlflow.MlflowClient()
        found = client.get_experiment_by_name(EXPERIMENT)
        artifacts = (home / "mlartifacts").as_uri() if uri.startswith("sqlite:") else None
        note = {"mlflow.note.content": NOTE}
        experiment = found.experiment_id if found else client.create_experiment(EXPERIMENT, artifacts, note)
        parent = _parent(client, experiment, params)
    tags = {"mlflow.parentRunId": parent, "mlflow.runName": stage, "stage": stage, "pipeline.kind": "stage"}
    child = client.create_run(experiment, run_name=stage, tags=tags | {"pipeline.id": _pipeline_id(params)})
    _log_params(client, child.info.run_id, {key: params.get(key) for key in used})
    return _MlflowLog(client, child.info.run_id, parent)


def _store(home: Path) -> str:
    """The tracking URI. A relative sqlite path is taken from the repository, not from a temporary copy of it."""
    uri = os.environ.get("MLFLOW_TRACKING_URI", "").strip() or f"sqlite:///{home / 'mlflow.db'}"
    if uri.startswith("sqlite:///") and not uri.startswith("sqlite:////"):
        return f"sqlite:///{home / uri.removeprefix('sqlite:///')}"
    return uri


def _pipeline_id(params: dict[str, Any]) -> str:
    """One id per experiment and parameters: a run's parameters cannot be changed afterwards."""
    digest = hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()[:8]
    return f"{os.environ.get('DVC_EXP_NAME') or 'repro'}-{digest}"


def _parent(client, experiment: str, params: dict[str, Any]) -> str:
    pipeline_id = _pipeline_id(params)
    query = f"tags.`pipeline.id` = '{pipeline_id}' and tags.`pipeline.kind` = 'pipeline'"
    if found := client.search_runs([experiment], query, max_results=1):
        return found[0].info.run_id
    tags = {
        "pipeline.id": pipeline_id,
        "pipeline.kind": "pipeline",
        "scale": str(params.get("scale")),
        "dvc.exp": os.environ.get("DVC_EXP_NAME", ""),
        "dvc.baseline": os.environ.get("DVC_EXP_BASELINE_REV", ""),
    }
    known = {key: text for key, text in tags.items() if text}
    parent = client.create_run(experiment, run_name=pipeline_id, tags=known).info.run_id
    _log_params(client, parent, params)
    return parent


def _log_params(client, run_id: str, params: dict[str, Any]) -> None:
    from mlflow.entities import Param

    numbers, texts = _flat(params)
    everything = [Param(key, str(value)) for key, value in (numbers | texts).items()]
    for i in range(0, len(everything), 100):
        client.log_batch(run_id, params=everything[i : i + 100])


def _points(numbers: dict[str, float], step: int) -> list:
    import time

    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    return [Metric(key.replace(".", "/"), float(value), now, step) for key, value in numbers.items()]


def _flat(values: Any, prefix: str = "") -> tuple[dict[str, float], dict[str, str]]:
    """Nested values with dotted keys: the numbers, and everything else as text (None is left out)."""
    numbers: dict[str, float] = {}
    texts: dict[str, str] = {}
    if isinstance(values, dict | list):
        items = values.items() if isinstance(values, dict) else enumerate(values)
        for key, value in items:
            inner_numbers, inner_texts = _flat(value, f"{prefix}.{key}" if prefix else str(key))
            numbers |= inner_numbers
            texts |= inner_texts
    elif isinstance(values, int | float) and not isinstance(values, bool):
        numbers[prefix] = values
    elif values is not None:
        texts[prefix] = str(values)
    return numbers, texts


@contextmanager
def _no_harm() -> Iterator[None]:
    """Turns a fault of the tracker into a warning."""
    try:
        yield
    except Exception as error:  # any fault of a server, a database or a disk
        warnings.warn(f"MLflow: not recorded ({' '.join(str(error).split())})", stacklevel=3)
