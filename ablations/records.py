"""What DVC knows of the ablations' experiments, and docs/ablations.csv, which keeps their figures for clones."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from ablations import plan
from dbgan import runtime
from dbgan.reporting.origin import flat

FIGURES = (  # of metrics/evaluate.json
    *("psnr_blurred", "psnr_pretrained", "psnr", "ssim_blurred", "ssim"),
    *("psnr_real_blurred", "psnr_real_pretrained", "psnr_real", "blur_effect_real_before", "blur_effect_real_after"),
    *("bgan_realism", "bgan_diversity", "color_shift", "bgan_color_shift"),
)
Rows = dict[tuple[str, int], dict[str, float]]  # by variant and seed: figures by name


class Experiment(NamedTuple):
    """One experiment as DVC shows it."""

    state: str  # queued, running, failed or success
    commit: str  # that it started from
    data: dict[str, Any]  # params, metrics, deps, each by file


def experiments(root: Path) -> dict[str, Experiment]:
    """All experiments of the plan by name: those of the current commit and those already done from others.

    Raises ValueError when DVC cannot tell.
    """
    done = _output(root, "git", "for-each-ref", "--format=%(refname)", "refs/exps").split()
    started = {"".join(ref.split("/")[2:4]) for ref in done if ref.split("/")[-1].startswith("ablation-")}
    commits = [*{*started, _output(root, "git", "rev-parse", "HEAD").strip()}]
    named = [part for commit in commits for part in ("--rev", commit)]
    shown = json.loads(dvc(root, "exp", "show", "--json", *named))
    names = {plan.experiment(*one) for one in plan.experiments()}
    found = {}
    for baseline in shown:
        for one in baseline.get("experiments") or []:
            if one["name"] in names:
                last, state = one["revs"][0], (one.get("executor") or {}).get("state") or "success"
                found[one["name"]] = Experiment(state.lower(), baseline["rev"], last.get("data") or {})
    return found


def collected(found: dict[str, Experiment]) -> Rows:
    """The figures of the experiments that are done.

    Raises ValueError for one whose settings are not the plan's, or whose code is not that of the others: such figures
    do not belong into one table.
    """
    rows, code = {}, {}
    for variant, seed in plan.experiments():
        name = plan.experiment(variant, seed)
        if name not in found or found[name].state != "success":
            continue
        data = found[name].data
        params = flat(data["params"]["params.yaml"]["data"])
        for key, value in plan.settings(variant, seed).items():
            if str(params.get(key)) != value:
                raise ValueError(
                    f"{name}: {key} is {params.get(key)}, not {value}; make it anew after `dvc exp rm {name}`"
                )
        for file, state in data["deps"].items():
            if file.endswith(".py"):
                first, known = code.setdefault(file, (name, state["hash"]))
                if known != state["hash"]:
                    raise ValueError(f"{first} and {name} ran with unlike {file}; make one anew after `dvc exp rm`")
        figures = data["metrics"]["metrics/evaluate.json"]["data"]
        rows[variant.name, seed] = {key: _number(figures[key]) for key in FIGURES}
    return rows


def _number(value: float | list[float]) -> float:
    """A figure; of a colour shift, which has three, the largest."""
    return max(value, key=abs) if isinstance(value, list) else value


def write(path: Path, rows: Rows) -> None:
    """Write the figures as CSV."""
    runtime.write_csv(path, [{"variant": variant, "seed": seed} | rows[variant, seed] for variant, seed in rows])


def read(path: Path) -> Rows:
    """Read them."""
    with path.open(encoding="utf-8", newline="") as file:
        return {
            (line.pop("variant"), int(line.pop("seed"))): {k: float(v) for k, v in line.items()}
            for line in csv.DictReader(file)
        }


def dvc(root: Path, *arguments: str) -> str:
    """What a command of DVC prints. Raises ValueError with its last line when it fails."""
    return _output(root, sys.executable, "-m", "dvc", *arguments)


def _output(root: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise ValueError(f"{' '.join(command)}: {lines[-1]}")
    return done.stdout
