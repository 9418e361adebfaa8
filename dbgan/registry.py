"""The trained network as an MLflow model, logged with its run and registered: what serving.py loads and serves."""

from pathlib import Path

# By use/serve.py and what it imports.
NEEDED = ("mlflow", "torch", "numpy", "pillow", "imagecodecs", "safetensors", "pydantic", "pyyaml", "typer", "tqdm")
MODEL = "dbgan"  # the registered name, each evaluated pipeline a version of it
DESCRIPTION = """The deblurring generator of each evaluated pipeline; a version's tags name the pipeline and its PSNR.

`predict` takes (H, W, 3) or (N, H, W, 3) uint8 RGB, or the bytes of an image file, or a list of such
bytes, and gives them back restored, files as PNG. To and from a server, files go as base64: `{"inputs": "iVBORw0..."}`
to `/invocations` gives `{"predictions": "iVBORw0..."}`."""
# The logged example of a request: a grey image file of 16 x 16 pixels.
GREY = "iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAAAAAA6mKC9AAAAEUlEQVR42mNsYEAFTAwjWgAAmZAAoFDIQrAAAAAASUVORK5CYII="


def publish(client, run_id: str, weights: Path, margin: int, tags: dict[str, str]) -> str:
    """Log the network in the file `weights` as a model of a run, and register it with `tags`; the address by which
    MLflow finds that version. client: an open MlflowClient. Raises whatever the store raises; where there is no
    registry, the model is logged before that."""
    import mlflow

    with mlflow.start_run(run_id=run_id):
        logged = _log(weights, margin, tags)
    if not client.search_registered_models(f"name = '{MODEL}'"):
        client.create_registered_model(MODEL, description=DESCRIPTION)
    made = client.create_model_version(MODEL, logged.model_uri, run_id, tags, model_id=logged.model_id)
    return f"models:/{MODEL}/{made.version}"


def _log(weights: Path, margin: int, tags: dict[str, str]):
    """Weights, this package and the exact versions of the libraries that serving.py needs: all that loading takes."""
    from importlib.metadata import version

    import mlflow
    from mlflow.types.schema import AnyType

    # Arrays and files go in, and no schema of MLflow's knows both: the checks of the input are use/serve.py's.
    signature = mlflow.models.ModelSignature(outputs=mlflow.types.Schema([mlflow.types.ColSpec(AnyType())]))
    return mlflow.pyfunc.log_model(
        name=MODEL,
        python_model=str(Path(__file__).parent / "use" / "serve.py"),
        artifacts={"weights": str(weights)},
        code_paths=[str(Path(__file__).parent)],
        model_config={"margin": margin},
        signature=signature,
        input_example=[GREY],
        pip_requirements=[f"{name}=={version(name).partition('+')[0]}" for name in NEEDED],
        tags=tags,
    )
