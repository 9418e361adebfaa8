"""All results of a run as one HTML page that loads nothing: python -m dbgan report

This module collects what the stages left; report.html words it, lays it out and draws it.
"""

import base64
import csv
import io
import json
import math
import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any

import numpy as np
import typer
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from dbgan import settings, utils
from dbgan.panels import evenly, split

PANELS = {  # kinds of panels: how many of each the page shows at most, and the views of a panel from left to right
    "test": (8, ["blurred", "restored", "sharp"]),
    "simulated": (4, ["blurred", "restored", "sharp"]),
    "real": (4, ["photograph", "restored"]),
    "bgan": (2, ["sharp", "noise map 1", "noise map 2", "noise map 3"]),
}
TRAININGS = {"train_bgan": "BGAN", "pretrain": "Pre-training", "finetune": "Fine-tuning"}
PACKAGES = ("torch", "numpy", "scipy", "scikit-image", "pillow", "h5py", "dvc", "mlflow")
COMPARED = {"psnr", "psnr_blurred", "psnr_real", "ssim", "bgan_realism"}  # figures shown of DVC's experiments
EXTREMES = 5  # test photographs with the least and with the most gain that are named
POINTS, ROWS = 400, 25  # of a drawn curve and of its table, at most
LONGEST, SHORTEST = 1280, 128  # longer side of a picture in the page, pixels
BUDGET = 4_000_000  # bytes of all pictures together, so that the page stays below 5 MB
PATIENCE = 30  # seconds for DVC to list its experiments; it may wait forever for one that just ended elsewhere

Image.MAX_IMAGE_PIXELS = None  # panels are the evaluation's own, however large
Row = dict[str, Any]


def main(
    metrics: Annotated[Path, typer.Option(help="Folder of the figures and curves.")] = Path("metrics"),
    panels: Annotated[Path, typer.Option(help="Folder of the evaluation's pictures.")] = Path("results/panels"),
    params: Annotated[Path, typer.Option(help="Parameters; dvc.lock is looked for beside them.")] = Path("params.yaml"),
    out: Annotated[Path, typer.Option(help="The page.")] = Path("reports/report.html"),
) -> None:
    """Write figures, pictures and curves of a run as one page that opens from disk and loads nothing."""
    html = page(metrics, panels, params)
    with utils.atomic_write(out) as part:
        part.write_text(html, encoding="utf-8")
    utils.log(f"{out}: {out.stat().st_size / 1e6:.1f} MB")


def attempt(metrics: Path, panels: Path, params: Path, out: Path) -> list[Path]:
    """[out] once the page is written; where that fails, whatever the reason, a line in the log and []."""
    try:
        main(metrics, panels, params, out)
        return [out]
    except Exception as error:
        utils.log(f"no report: {' '.join(str(error).split())}")
        return []


def page(metrics: Path, panels: Path, params: Path) -> str:
    """The page, which names what is missing. Raises ValueError when all of it is, or naming an unreadable file."""
    figures = {path.stem: _json(path) for path in sorted(metrics.glob("*.json"))}
    curves = {name: _csv(path) for name in TRAININGS if (path := metrics / f"{name}_curve.csv").is_file()}
    frames = _csv(path) if (path := metrics / "frames.csv").is_file() else []
    pictures = {kind: _numbered(panels, kind) for kind in PANELS}
    if not (figures or curves or frames or any(pictures.values())):
        raise ValueError(f"{metrics} and {panels} hold no results to report: run `dvc repro` first")
    values, root = settings.load(params), params.resolve().parent
    worst, best = extremes(frames)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,  # of every name
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["text"] = text
    return environment.get_template("report.html").render(
        params=flat(values),
        evaluated=figures.pop("evaluate", {}),
        stages=figures,
        frames=frames,
        worst=worst,
        best=best,
        comparisons=compare(pictures, worst[:1] + best[:1]),
        more={kind: max(len(found) - PANELS[kind][0], 0) for kind, found in pictures.items()},
        trainings={
            title: [thinned(curves[name], limit) for limit in (POINTS, ROWS)] if name in curves else None
            for name, title in TRAININGS.items()
        },
        changed=changed(root / "dvc.lock", values),
        experiments=experiments(root, COMPARED | flat(settings.read(params)).keys()),
        versions=versions(root),
    )


# ---- Figures and curves ----------------------------------------------------------------------------------------------


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, AttributeError, csv.Error) as error:
        raise ValueError(f"{path}: cannot be read for the report: {error}") from None


def _json(path: Path) -> Row:
    with _readable(path):
        return dict(json.loads(path.read_text(encoding="utf-8")).items())


def _csv(path: Path) -> list[Row]:
    """Rows of numbers, NaN where a figure is missing; a frame's name stays text."""
    with _readable(path), path.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file, strict=True)
        return [{key: v if key == "frame" else float(v or "nan") for key, v in row.items()} for row in rows]


def flat(values: Any, prefix: str = "") -> Row:
    """Nested mappings as one with dotted keys."""
    if not isinstance(values, dict):
        return {prefix: values}
    return {k: v for key, inner in values.items() for k, v in flat(inner, f"{prefix}.{key}" if prefix else key).items()}


def text(value: Any, digits: int | None = None, sign: bool = False) -> str:
    """A figure with `digits` decimals (None: six significant ones), a list of them, or a word as it is."""
    if isinstance(value, list):
        return ", ".join(text(v, digits, sign=True) for v in value)
    if value is None or value != value:
        return "\N{EN DASH}"
    if not isinstance(value, float):
        return str(value)
    shown = f"{value:.6g}" if digits is None else f"{value:{'+' if sign else ''}z.{digits}f}"
    return shown.replace("-", "\N{MINUS SIGN}")


def extremes(frames: list[Row]) -> tuple[list[int], list[int]]:
    """Numbers of the frames with the least and with the most gain of PSNR, the most extreme first."""
    gains = {k: row.get("psnr", math.nan) - row.get("psnr_blurred", math.nan) for k, row in enumerate(frames)}
    measured = sorted((k for k in gains if math.isfinite(gains[k])), key=gains.__getitem__)
    count = min(EXTREMES, len(measured) // 2)
    return measured[:count], measured[::-1][:count]


def thinned(rows: list[Row], limit: int) -> list[Row]:
    """At most `limit` rows: means of equally many neighbours, at the last one's step."""
    size = math.ceil(len(rows) / limit)
    blocks = [rows[i : i + size] for i in range(0, len(rows), size)]
    means = [{name: fmean(row[name] for row in block) for name in block[0]} for block in blocks]
    return [row | {"step": int(block[-1]["step"])} for row, block in zip(means, blocks, strict=True)]


# ---- Pictures --------------------------------------------------------------------------------------------------------


def _numbered(panels: Path, kind: str) -> dict[int, Path]:
    found = {path: re.fullmatch(rf"{kind}_(\d+)", path.stem) for path in sorted(panels.glob("*.png"))}
    return {int(number[1]): path for path, number in found.items() if number}


def compare(pictures: dict[str, dict[int, Path]], always: list[int]) -> dict[str, list[Row]]:
    """The comparisons of each kind, all pictures within BUDGET; the test photographs of the numbers `always`, too."""
    shown: dict[str, list[Row]] = {kind: [] for kind in PANELS}
    photos: list[Image.Image] = []
    for kind, (limit, views) in PANELS.items():
        numbers = [list(pictures[kind])[k] for k in evenly(len(pictures[kind]), limit)]
        numbers += [k for k in always if kind == "test" and k in pictures[kind]]
        for k in sorted(set(numbers)):
            with _readable(path := pictures[kind][k]):
                photos += map(Image.fromarray, split(np.asarray(Image.open(path).convert("RGB")), len(views)))
            shown[kind].append({"number": k, "size": photos[-1].size})
    uris = iter(data_uris(photos))
    for kind, (_, views) in PANELS.items():
        for comparison in shown[kind]:
            comparison["views"] = [(view, next(uris)) for view in views]
    return shown


def data_uris(photos: list[Image.Image]) -> list[str]:
    """The photographs as WebP, made smaller until all take at most BUDGET bytes, or none is longer than SHORTEST."""
    side = LONGEST
    while True:
        uris = [_data_uri(photo, side) for photo in photos]
        taken = sum(map(len, uris))
        if taken <= BUDGET or side <= SHORTEST:
            return uris
        side = max(SHORTEST, int(0.95 * side * math.sqrt(BUDGET / taken)))  # bytes grow with the area, or slower


def _data_uri(photo: Image.Image, side: int) -> str:
    file, small = io.BytesIO(), photo.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    small.save(file, "WEBP", quality=90, method=4)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


# ---- Where the results come from -------------------------------------------------------------------------------------


def output(root: Path, *command: str, patience: float | None = None) -> str:
    """What a command prints in `root`. Raises ValueError with its last line when it fails or takes longer."""
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=patience)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ValueError(str(error)) from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise ValueError(f"{' '.join(command)}: {lines[-1]}")
    return done.stdout


def versions(root: Path) -> Row:
    """The commit of the repository `root`, and versions of what computes here."""
    try:
        commit = output(root, "git", "describe", "--always", "--dirty=, with uncommitted changes", "--abbrev=12")
    except ValueError:
        commit = "not a git repository"
    found = {"Commit": commit.strip(), "Python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def changed(lock: Path, params: Row) -> Row:
    """(value at the run, value now) of each parameter that differs. The evaluation's own are left out: DVC notes them
    only after the evaluation, which may be what writes the report."""
    now, then = flat(params), flat({})
    with _readable(lock):
        stages = settings.read(lock)["stages"] if lock.exists() else {}
        for stage, entry in stages.items():
            if stage != "evaluate":
                then |= flat(entry.get("params", {}).get("params.yaml", {}))
    then = {key.split(".", 2)[2] if key.startswith("scales.") else key: value for key, value in then.items()}
    return {key: (value, now[key]) for key, value in then.items() if key in now and now[key] != value}


def experiments(root: Path, columns: set[str]) -> list[Row] | None:
    """DVC's experiments with those of the `columns` that differ, and the commit they started from; [] without any, None
    where DVC fails to list them."""
    try:
        if not output(root, "git", "for-each-ref", "--count=1", "refs/exps/"):
            return []  # DVC takes seconds to say so
        table = output(root, sys.executable, "-m", "dvc", "exp", "show", "--csv", "--only-changed", patience=PATIENCE)
    except ValueError:
        return None
    rows = list(csv.DictReader(io.StringIO(table)))
    if all(row["typ"] == "baseline" for row in rows):
        return []
    names = {c: c.removeprefix("metrics/evaluate.json:").removeprefix("params.yaml:") for c in rows[0]}
    kept = {column: name for column, name in names.items() if name in columns}
    return [{"experiment": row["Experiment"] or row["rev"]} | {kept[c]: row[c] for c in kept} for row in rows]
