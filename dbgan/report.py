"""All results of a run as one HTML page that loads nothing, worded and drawn by report.html: python -m dbgan report"""

import base64
import io
import json
import math
import platform
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from importlib.metadata import distributions
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from jinja2 import Environment, StrictUndefined
from PIL import Image

from dbgan import settings, utils
from dbgan.metrics import by_gain
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
SIDES = [round(1280 * 0.8**k) for k in range(11)]  # longer side of the pictures, pixels; the first that fits is taken
BUDGET = 4_000_000  # bytes of all pictures together, so that the page stays below 5 MB
PATIENCE = 30  # seconds for DVC to list its experiments; it may wait forever for one that just ended elsewhere

Image.MAX_IMAGE_PIXELS = None  # panels are the evaluation's own, however large
Row = dict[Any, Any]


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
    figures = {path.stem: readable(path, _json) for path in sorted(metrics.glob("*.json"))}
    trainings = {title: readable(metrics / f"{name}_curve.csv", curve) for name, title in TRAININGS.items()}
    frames = readable(metrics / "frames.csv", _csv, pd.DataFrame()).to_dict("records")
    found = {kind: sorted(panels.glob(f"{kind}_[0-9]*.png")) for kind in PANELS}
    pictures = {kind: {int(path.stem.removeprefix(f"{kind}_")): path for path in found[kind]} for kind in PANELS}
    if not (figures or frames or any(trainings.values()) or any(pictures.values())):
        raise ValueError(f"{metrics} and {panels} hold no results to report: run `dvc repro` first")
    values, root = settings.load(params), params.resolve().parent
    order = by_gain(frames)
    named = min(EXTREMES, len(order) // 2)
    worst, best = order[:named], order[::-1][:named]
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["text"] = text
    return environment.from_string(Path(__file__).with_suffix(".html").read_text(encoding="utf-8")).render(
        params=flat(values),
        shares=readable(root / "docs" / "ablations.csv", oracle_shares, []),
        evaluated=figures.pop("evaluate", {}),
        stages=figures,
        frames=frames,
        worst=worst,
        best=best,
        comparisons=compare(pictures, worst[:1] + best[:1]),
        more={kind: len(pictures[kind]) > limit for kind, (limit, _) in PANELS.items()},
        trainings=trainings,
        changed=readable(root / "dvc.lock", partial(changed, params=values), {}),
        experiments=experiments(root, COMPARED | flat(settings.read(params)).keys()),
        versions=versions(root),
    )


def readable(path: Path, read: Callable[[Path], Any], missing: Any = None) -> Any:
    """read(path), or `missing` without the file. Raises ValueError naming the file, whatever is wrong in it."""
    try:
        return read(path) if path.exists() else missing
    except Exception as error:
        raise ValueError(f"{path}: cannot be read for the report: {error}") from None


def _json(path: Path) -> Row:
    return {**json.loads(path.read_text(encoding="utf-8"))}


def _csv(path: Path) -> pd.DataFrame:
    types: defaultdict[str, type] = defaultdict(lambda: float, frame=str)
    return pd.read_csv(path, dtype=types, keep_default_na=False, na_values=[""])


def oracle_shares(path: Path) -> list[float]:
    """BGAN's share of the oracle's gain on real blur, one a seed, as the ablations found it."""
    table = pd.read_csv(path)
    return table.loc[table["variant"] == "baseline", "oracle_share"].dropna().tolist()


def flat(values: Row) -> Row:
    return pd.json_normalize(values, sep=".").to_dict("records")[0]


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


def curve(path: Path) -> list[list[Row]]:
    """A training's curve as it is drawn, and as its table: means of equally many neighbours, at the last one's step."""
    rows = _csv(path)
    blocks = [rows.groupby(np.arange(len(rows)) // math.ceil(len(rows) / limit)) for limit in (POINTS, ROWS)]
    return [block.mean().assign(step=block["step"].last().astype(int)).to_dict("records") for block in blocks]


def compare(pictures: dict[str, dict[int, Path]], always: list[int]) -> dict[str, list[Row]]:
    """The comparisons of each kind, all pictures within BUDGET; the test photographs of the numbers `always`, too."""
    shown: dict[str, list[Row]] = {kind: [] for kind in PANELS}
    for kind, (limit, views) in PANELS.items():
        numbers = list(pictures[kind])
        chosen = {numbers[k] for k in evenly(len(numbers), limit)}
        chosen |= pictures[kind].keys() & always if kind == "test" else set()
        for k in sorted(chosen):
            shown[kind].append({"number": k, "photos": readable(pictures[kind][k], partial(_photographs, views=views))})
    comparisons = [comparison for kind in PANELS for comparison in shown[kind]]
    for side in SIDES:
        for comparison in comparisons:
            comparison["uris"] = {view: _data_uri(photo, side) for view, photo in comparison["photos"].items()}
        if sum(len(uri) for comparison in comparisons for uri in comparison["uris"].values()) <= BUDGET:
            break
    return shown


def _photographs(panel: Path, views: list[str]) -> dict[str, np.ndarray]:
    return dict(zip(views, split(np.asarray(Image.open(panel).convert("RGB")), len(views)), strict=True))


def _data_uri(photo: np.ndarray, side: int) -> str:
    file, small = io.BytesIO(), Image.fromarray(photo)
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    small.save(file, "WEBP", quality=90, method=4)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


def output(root: Path, *command: str, patience: float | None = None) -> str:
    """What a command prints in `root`. Raises ValueError with its last line when it fails or takes longer."""
    try:
        return subprocess.run(command, cwd=root, capture_output=True, text=True, check=True, timeout=patience).stdout
    except subprocess.CalledProcessError as error:
        raise ValueError(f"{' '.join(command)}: {(error.stderr.strip().splitlines() or [error])[-1]}") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ValueError(str(error)) from None


def versions(root: Path) -> Row:
    try:
        commit = output(root, "git", "describe", "--always", "--dirty=, with uncommitted changes", "--abbrev=12")
    except ValueError:
        commit = "not a git repository"
    packages = {name: next((p.version for p in distributions(name=name)), "not installed") for name in PACKAGES}
    return {"Commit": commit.strip(), "Python": platform.python_version()} | packages


def changed(lock: Path, params: Row) -> Row:
    """(value at the run, value now) of each parameter that differs. The evaluation's own are left out: DVC notes them
    only after the evaluation, which may be what writes the report."""
    now, found = flat(params), flat({})
    for name, stage in settings.read(lock)["stages"].items():
        then = flat(stage.get("params", {}).get("params.yaml", {})) if name != "evaluate" else {}
        found |= {re.sub(r"^scales\.\w+\.", "", key): value for key, value in then.items()}
    return {key: (value, now[key]) for key, value in found.items() if key in now and now[key] != value}


def experiments(root: Path, columns: set[str]) -> list[Row] | None:
    """DVC's experiments with those of the `columns` that differ, and the commit they started from; [] without any, None
    where DVC fails to list them."""
    try:
        if not output(root, "git", "for-each-ref", "--count=1", "refs/exps/"):
            return []  # DVC takes seconds to find none
        listed = output(root, sys.executable, "-m", "dvc", "exp", "show", "--csv", "--only-changed", patience=PATIENCE)
    except ValueError:
        return None
    table = pd.read_csv(io.StringIO(listed), dtype=str, keep_default_na=False)
    if "typ" not in table:  # --only-changed leaves it out where all rows are of one kind, baselines
        return []
    table["experiment"] = table["Experiment"].where(table["Experiment"] != "", table["rev"])
    table.columns = table.columns.str.replace(r"^(metrics/evaluate\.json|params\.yaml):", "", regex=True)
    return table[["experiment", *(name for name in table if name in columns)]].to_dict("records")
