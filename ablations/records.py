"""What DVC knows of the ablations' experiments, and docs/ablations.csv, which keeps their figures for clones."""

import csv
import json
import math
import sys
from pathlib import Path
from typing import Any, NamedTuple

from ablations import plan
from dbgan import outputs, settings
from dbgan.reporting.origin import flat, output

RECORDED = (  # of metrics/evaluate.json
    *("psnr_blurred", "psnr_pretrained", "psnr", "ssim_blurred", "ssim"),
    *("psnr_real_blurred", "psnr_real_pretrained", "psnr_real", "blur_effect_real_before", "blur_effect_real_after"),
    *("bgan_realism", "bgan_diversity", "color_shift", "bgan_color_shift"),
)
Rows = dict[tuple[str, int], dict[str, float]]  # by variant and seed: figures by name


class Experiment(NamedTuple):
    """What an experiment that is done left in git."""

    params: dict[str, Any]
    figures: dict[str, Any]  # metrics/evaluate.json
    code: dict[str, str]  # MD5 of the Python files that its stages depend on, by path


def done(root: Path) -> dict[str, Experiment]:
    """The experiments of the plan that are done, by name, whatever commit they started from.

    Read from git, where DVC keeps each as a commit: `dvc exp show` looks into the folders of running ones, too, and may
    wait forever for one that ends meanwhile.
    """
    found = {}
    for name, revision in revisions(root).items():
        params, figures, lock = (
            output(root, "git", "show", f"{revision}:{file}")
            for file in ("params.yaml", "metrics/evaluate.json", "dvc.lock")
        )
        stages = settings.parse(lock)["stages"].values()
        code = {dep["path"]: dep["md5"] for stage in stages for dep in stage["deps"] if dep["path"].endswith(".py")}
        found[name] = Experiment(flat(settings.parse(params)), json.loads(figures), code)
    return found


def revisions(root: Path) -> dict[str, str]:
    """The commits of the plan's experiments that are done, by name."""
    names = {plan.experiment(*one) for one in plan.experiments()}
    refs = output(root, "git", "for-each-ref", "--format=%(objectname) %(refname)", "refs/exps").splitlines()
    named = [(ref.split("/")[-1], ref.split()[0]) for ref in refs]
    return {name: revision for name, revision in named if name in names}


def states(root: Path) -> dict[str, str]:
    """Queued, Running, Success or Failed, of the plan's experiments that stand in DVC's queue."""
    lines = [line.split() for line in dvc(root, "queue", "status").splitlines()]
    names = {plan.experiment(*one) for one in plan.experiments()}
    return {words[1]: words[-1] for words in lines if len(words) > 2 and words[1] in names}


def collected(found: dict[str, Experiment]) -> Rows:
    """The figures of the experiments that are done.

    Raises ValueError for one whose settings are not the plan's, or that differs from the others in another setting or
    in its code: such figures do not belong in one table.
    """
    rows, first = {}, {}
    for variant, seed in plan.experiments():
        if (name := plan.experiment(variant, seed)) not in found:
            continue
        params, figures, code = found[name]
        changes = plan.settings(variant, seed)
        for key, value in changes.items():
            if params.get(key) != settings.parse(value):
                message = f"{name}: {key} is {params.get(key)}, not {value}; `dvc exp rm {name}`, then run it anew"
                raise ValueError(message)
        for what, value in (code | {key: params[key] for key in params.keys() - changes.keys()}).items():
            other, known = first.setdefault(what, (name, value))
            if known != value:
                raise ValueError(f"{other} and {name} ran with unlike {what}; `dvc exp rm` one, then run it anew")
        rows[variant.name, seed] = {key: _number(figures[key]) for key in RECORDED}
    return rows


def _number(value: float | list[float] | None) -> float:
    """A figure; of a colour shift, which has three, the largest; NaN of one that the data do not allow."""
    if isinstance(value, list):
        return max(value, key=abs)
    return math.nan if value is None else value


def write(path: Path, rows: Rows) -> None:
    """Write the figures as CSV."""
    outputs.write_csv(path, [{"variant": variant, "seed": seed} | rows[variant, seed] for variant, seed in rows])


def read(path: Path) -> Rows:
    """The figures that `write` wrote."""
    with path.open(encoding="utf-8", newline="") as file:
        return {
            (line.pop("variant"), int(line.pop("seed"))): {key: float(v or "nan") for key, v in line.items()}
            for line in csv.DictReader(file)
        }


def dvc(root: Path, *arguments: str) -> str:
    """What a command of DVC prints. Raises ValueError with its last line when it fails."""
    return output(root, sys.executable, "-m", "dvc", *arguments)
