"""MLflow: a parent run for the pipeline, a child run for each stage that ran, the final network as a registered model.

The store is MLFLOW_TRACKING_URI, else mlflow.db in the repository; without mlflow, or by DBGAN_TRACKING=off, none.
"""

import functools
import hashlib
import json
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
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
MODEL_NOTE = "The deblurring generator of an evaluated pipeline, which the tags name; docs/serving.md shows its use."
# A grey image file of 16 x 16 pixels: the logged example of a request.
GREY = "iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAAAAAA6mKC9AAAAEUlEQVR42mNsYEAFTAwjWgAAmZAAoFDIQrAAAAAASUVORK5CYII="
NEEDED = (  # by the served model, beside Python
    *("mlflow", "torch", "numpy", "scikit-image", "pillow", "pillow-heif", "imagecodecs", "tifffile"),
    *("pydantic", "pyyaml", "safetensors", "typer", "tqdm"),
)
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # MLflow's own seven take four minutes before they fail
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}


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

    @recorded
    def metrics(self, values: dict[str, Any], step: int = 0, run_id: str = "") -> None:
        """Named values of one step: numbers; texts become tags, None is left out."""
        from mlflow.entities import Metric, RunTag

        now, metrics, tags = int(time.time() * 1000), [], []
        for key, value in flat(values).items():
            if isinstance(value, str | bool):
                tags.append(RunTag(key, str(value)))
            elif value is not None:
                metrics.append(Metric(key.replace(".", "/"), float(value), now, step))  # / makes groups
        self.client.log_batch(run_id or self.run_id, metrics=metrics, tags=tags)

    @recorded
    def files(self, *paths: Path, run_id: str = "") -> None:
        """Copies of small files or folders, never of data or weights: DVC has those."""
        for path in filter(Path.exists, paths):
            self.client.log_artifact(run_id or self.run_id, str(path))

    def pipeline(self, metrics: dict[str, dict], *paths: Path) -> None:
        """The results of the whole pipeline, {stage: values}, and its files, for the parent run."""
        self.metrics(metrics, run_id=self.parent_id)
        self.files(*paths, run_id=self.parent_id)
        self.end("FINISHED", self.parent_id)

    @recorded
    def model(self, weights: Path, margin: int, psnr: float) -> None:
        """The final network as an MLflow model of the parent run, registered. margin: as in `inference.restore`."""
        import mlflow
        from mlflow.types.schema import AnyType, ColSpec, Schema

        package = Path(__file__).parent
        tags = {"pipeline.id": self.client.get_run(self.parent_id).data.tags["pipeline.id"], "psnr": f"{psnr:.4f}"}
        with mlflow.start_run(run_id=self.parent_id):
            logged = mlflow.pyfunc.log_model(
                name=MODEL,
                python_model=str(package / "use" / "serve.py"),
                artifacts={"weights": str(weights)},
                code_paths=[str(package)],
                model_config={"margin": margin},
                signature=mlflow.models.ModelSignature(outputs=Schema([ColSpec(AnyType())])),  # arrays or files
                input_example=[GREY],
                pip_requirements=[f"{name}=={version(name).partition('+')[0]}" for name in NEEDED],
                tags=tags,
            )
        if not self.client.search_registered_models(f"name = '{MODEL}'"):
            self.client.create_registered_model(MODEL, description=MODEL_NOTE)
        made = self.client.create_model_version(MODEL, logged.model_uri, self.parent_id, tags, model_id=logged.model_id)
        utils.log(f"MLflow: the network is models:/{MODEL}/{made.version}")

    @recorded
    def end(self, status: str, run_id: str = "") -> None:
        self.client.set_terminated(run_id or self.run_id, status)


@contextmanager
def run(stage: str, params: dict[str, Any], used: list[str]) -> Iterator[Log]:
    """A stage's run, by the main process. params: all of params.yaml; used: its keys that the stage depends on."""
    log = Log()
    wanted = distributed.is_main() and os.environ.get("DBGAN_TRACKING", "").lower() not in ("off", "0", "false", "no")
    if wanted and not find_spec("mlflow"):  # as on a machine that is rented for the training alone
        utils.log(f"{stage}: mlflow is not installed, so nothing is recorded")
    elif wanted:
        try:
            log = start(stage, params, used)
        except Exception as error:  # any fault of a server, a database or a disk, before any work is done
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
        log.end(status)


def start(stage: str, params: dict[str, Any], used: list[str]) -> Log:
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # the migrations of a new store are no news
    import mlflow

    home = utils.project_root()
    uri = os.environ.get("MLFLOW_TRACKING_URI", "").strip() or "sqlite:///mlflow.db"
    own = uri.startswith("sqlite:///") and not uri.startswith("sqlite:////")
    if own:
        database = home / uri.removeprefix("sqlite:///")  # not in a temporary copy of the repository
        # In an address ? and % have a meaning; a relative one does not show what the repository lies in.
        uri = f"sqlite:///{os.path.relpath(database) if {'?', '%'} & {*str(home)} else database}"
    # A run's parameters cannot be changed afterwards.
    digest = hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()[:8]
    pipeline = f"{os.environ.get('DVC_EXP_NAME') or 'repro'}-{digest}"
    lock = home / ".dvc" / "tmp" / "mlflow.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(lock):  # two processes that create one store at once leave it broken
        mlflow.set_tracking_uri(uri)
        client = mlflow.MlflowClient()
        found = client.get_experiment_by_name(EXPERIMENT)
        artifacts = (home / "mlartifacts").as_uri() if uri.startswith("sqlite:") else None
        if own and found and (old := str(found.artifact_location)) != artifacts:
            utils.log(f"MLflow: copied or moved from {old}; the records now name {artifacts}")
            rehome(database, old, str(artifacts))
        note = {"mlflow.note.content": NOTE}
        experiment = found.experiment_id if found else client.create_experiment(EXPERIMENT, artifacts, note)
        query = f"tags.`pipeline.id` = '{pipeline}' and tags.`pipeline.kind` = 'pipeline'"
        if runs := client.search_runs([experiment], query, max_results=1):
            parent = runs[0].info.run_id
        else:
            tags = {"pipeline.id": pipeline, "pipeline.kind": "pipeline", "scale": str(params.get("scale"))}
            known = {"dvc.exp": os.environ.get("DVC_EXP_NAME"), "dvc.baseline": os.environ.get("DVC_EXP_BASELINE_REV")}
            tags |= {tag: value for tag, value in known.items() if value}
            parent = new_run(client, experiment, pipeline, tags, params)
    tags = {"mlflow.parentRunId": parent, "stage": stage, "pipeline.kind": "stage", "pipeline.id": pipeline}
    return Log(
        client,
        new_run(client, experiment, stage, tags, {key: params.get(key, flat(params).get(key)) for key in used}),
        parent,
    )


def rehome(database: Path, old: str, new: str) -> None:
    """Make a store's addresses of files, which are absolute, those of the repository's new place."""
    places = [("experiments", "artifact_location"), ("runs", "artifact_uri"), ("logged_models", "artifact_location")]
    with closing(sqlite3.connect(database)) as store, store:
        for table, column in [*places, ("model_versions", "source"), ("model_versions", "storage_location")]:
            change = f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?"
            store.execute(change, (new, len(old) + 1, len(old), old))


def new_run(client, experiment: str, name: str, tags: dict[str, str], params: dict[str, Any]) -> str:
    from mlflow.entities import Param

    run_id = client.create_run(experiment, run_name=name, tags=tags).info.run_id
    client.log_batch(run_id, params=[Param(key, value) for key, value in flat(params).items() if value is not None])
    return run_id


def flat(values: Any, prefix: str = "") -> dict[str, Any]:
    """Nested dicts and lists as one dict with dotted keys."""
    if not isinstance(values, dict | list):
        return {prefix: values}
    items = values.items() if isinstance(values, dict) else enumerate(values)
    return {k: v for key, inner in items for k, v in flat(inner, f"{prefix}.{key}" if prefix else str(key)).items()}
