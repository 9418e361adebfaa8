"""Where results come from: versions, the commit, parameters that differ from those of the run, DVC's experiments."""

import json
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "numpy", "scipy", "scikit-image", "pillow", "h5py", "dvc", "mlflow")
EXPERIMENT_FIGURES = ("psnr_blurred", "psnr", "ssim", "bgan_realism")  # from metrics/evaluate.json
PATIENCE = 30  # seconds for DVC to list its experiments; it may wait forever for one that just ended elsewhere


def versions(root: Path) -> list[tuple[str, str]]:
    """Name and version of what computes here, and the commit of the repository `root`."""
    rows = [("Commit", _commit(root)), ("Python", platform.python_version())]
    for package in PACKAGES:
        try:
            rows.append((package, version(package)))
        except PackageNotFoundError:
            rows.append((package, "not installed"))
    return rows


def _commit(root: Path) -> str:
    head = _git(root, "rev-parse", "--short=12", "HEAD")
    changes = _git(root, "status", "--porcelain", "--untracked-files=no")
    return f"{head}, with uncommitted changes" if head and changes else head or "not a git repository"


def flat(values: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one with dotted keys."""
    if not isinstance(values, dict):
        return {prefix: values}
    return {k: v for key, inner in values.items() for k, v in flat(inner, f"{prefix}.{key}" if prefix else key).items()}


def outdated(lock: Any, params: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """Key, value at the run, value now: where the loaded dvc.lock and params.yaml differ.

    The evaluation's own keys are left out: DVC notes them only after the evaluation, which may be what writes the
    report.
    """
    if not isinstance(lock, dict) or not isinstance(lock.get("stages"), dict):
        raise ValueError("dvc.lock: not a lock file of DVC")
    now, rows = flat(params), {}
    for stage, entry in lock["stages"].items():
        if stage != "evaluate":
            for key, then in flat(entry.get("params", {}).get("params.yaml", {})).items():
                name = key.split(".", 2)[2] if key.startswith("scales.") else key
                if name in now and now[name] != then:
                    rows[name] = (name, then, now[name])
    return list(rows.values())


def experiments(root: Path) -> tuple[list[str], list[list[Any]]]:
    """DVC's experiments as columns and rows: name, the parameters that differ between them, figures of the evaluation.

    The workspace and the commits that experiments started from stand among them. Both are empty when there is no
    experiment. Raises ValueError when DVC cannot tell.
    """
    if not _git(root, "for-each-ref", "--count=1", "refs/exps/"):
        return [], []  # DVC takes seconds to say so
    return table(json.loads(output(root, sys.executable, "-m", "dvc", "exp", "show", "--json", patience=PATIENCE)))


def table(shown: list[dict[str, Any]]) -> tuple[list[str], list[list[Any]]]:
    """`dvc exp show --json` as columns and rows (see `experiments`)."""
    states = []
    for baseline in shown:
        states.append((_named(baseline), baseline.get("data")))
        for experiment in baseline.get("experiments") or []:
            last = (experiment.get("revs") or [{}])[0]
            states.append((experiment.get("name") or _named(last), last.get("data")))
    if len(states) <= len(shown):
        return [], []
    params = [flat(((data or {}).get("params") or {}).get("params.yaml", {}).get("data") or {}) for _, data in states]
    metrics = [
        ((data or {}).get("metrics") or {}).get("metrics/evaluate.json", {}).get("data") or {} for _, data in states
    ]
    keys = [key for key in params[0] if len({repr(values.get(key)) for values in params if values}) > 1]
    figures = [key for key in EXPERIMENT_FIGURES if any(key in values for values in metrics)]
    rows = [
        [name, *(p.get(key) for key in keys), *(m.get(key) for key in figures)]
        for (name, _), p, m in zip(states, params, metrics, strict=True)
    ]
    return ["experiment", *keys, *figures], rows


def _named(state: dict[str, Any]) -> str:
    """A branch or experiment by its name, another commit by the start of its id."""
    revision = state.get("rev", "?")
    return state.get("name") or (revision if revision == "workspace" else revision[:7])


def _git(root: Path, *arguments: str) -> str:
    """What git says; nothing where it is missing or there is no repository."""
    try:
        return output(root, "git", *arguments, patience=PATIENCE).strip()
    except (OSError, ValueError):
        return ""


def output(root: Path, *command: str, patience: float | None = None) -> str:
    """What a command prints. Raises ValueError with its last line when it fails, or has not ended in so many seconds;
    OSError when it is missing."""
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=patience)
    except subprocess.TimeoutExpired as error:
        raise ValueError(str(error)) from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise ValueError(f"{' '.join(command)}: {lines[-1]}")
    return done.stdout
