"""Where results come from: versions, the commit, parameters that differ from those of the run, DVC's experiments."""

import json
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml

PACKAGES = ("torch", "numpy", "scipy", "scikit-image", "pillow", "h5py", "dvc", "mlflow")
FIGURES = ("psnr_blurred", "psnr", "ssim", "bgan_realism")  # of an experiment, from metrics/evaluate.json
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
    head = _output(root, "git", "rev-parse", "--short=12", "HEAD").strip()
    changes = _output(root, "git", "status", "--porcelain", "--untracked-files=no").strip()
    return f"{head}, with uncommitted changes" if head and changes else head or "not a git repository"


def flat(values: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one with dotted keys."""
    if not isinstance(values, dict):
        return {prefix: values}
    return {k: v for key, inner in values.items() for k, v in flat(inner, f"{prefix}.{key}" if prefix else key).items()}


def outdated(lock: Path, params: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """Key, value at the run, value now: where dvc.lock and the loaded params.yaml differ.

    The evaluation's own keys are left out: DVC notes them only after the evaluation, which may be what writes the
    report. No lock, no rows.
    """
    try:
        stages = yaml.safe_load(lock.read_text(encoding="utf-8"))["stages"]
    except FileNotFoundError:
        return []
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise ValueError(f"{lock}: not a lock file of DVC: {' '.join(str(error).split())}") from None
    now, rows = flat(params), {}
    for stage, entry in stages.items():
        if stage != "evaluate":
            for key, then in flat(entry.get("params", {}).get("params.yaml", {})).items():
                name = key.split(".", 2)[2] if key.startswith("scales.") else key
                if name in now and now[name] != _number(then):
                    rows[name] = (name, then, now[name])
    return list(rows.values())


def _number(value: Any) -> Any:
    """1e-06, as DVC writes it, is a text to PyYAML."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def experiments(root: Path) -> tuple[list[str], list[list[Any]]] | None:
    """DVC's experiments as columns and rows: name, the parameters that differ between them, figures of the evaluation.

    The workspace and the commits that experiments started from stand among them. None when there is no experiment, or
    DVC cannot tell.
    """
    if not _output(root, "git", "for-each-ref", "--count=1", "refs/exps/").strip():
        return None  # DVC takes seconds to say so
    shown = _output(root, sys.executable, "-m", "dvc", "exp", "show", "--json")
    try:
        return table(json.loads(shown))
    except ValueError:
        return None


def table(shown: list[dict[str, Any]]) -> tuple[list[str], list[list[Any]]] | None:
    """`dvc exp show --json` as columns and rows (see `experiments`)."""
    states = []
    for baseline in shown:
        states.append((_named(baseline), baseline.get("data")))
        for experiment in baseline.get("experiments") or []:
            last = (experiment.get("revs") or [{}])[0]
            states.append((experiment.get("name") or _named(last), last.get("data")))
    if len(states) <= len(shown):
        return None
    params = [flat(((data or {}).get("params") or {}).get("params.yaml", {}).get("data") or {}) for _, data in states]
    metrics = [
        ((data or {}).get("metrics") or {}).get("metrics/evaluate.json", {}).get("data") or {} for _, data in states
    ]
    keys = [key for key in params[0] if len({repr(values.get(key)) for values in params if values}) > 1]
    figures = [key for key in FIGURES if any(key in values for values in metrics)]
    rows = [
        [name, *(p.get(key) for key in keys), *(m.get(key) for key in figures)]
        for (name, _), p, m in zip(states, params, metrics, strict=True)
    ]
    return ["experiment", *keys, *figures], rows


def _named(state: dict[str, Any]) -> str:
    """A branch or experiment by its name, another commit by the start of its id."""
    revision = state.get("rev", "?")
    return state.get("name") or (revision if revision == "workspace" else revision[:7])


def _output(root: Path, *command: str) -> str:
    """What a command prints; nothing where it is missing, fails or does not end."""
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=PATIENCE)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
