"""The report: one HTML page that holds all it shows and loads nothing, from disk, on a phone or a desktop."""

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dbgan.reporting import charts, figures, images, origin, results

HERE = Path(__file__).parent
BUDGET = 4_000_000  # bytes for all pictures together; the page stays below 5 MB
SHOWN = {"test": 8, "real": 8, "bgan": 1}  # pictures of each kind, at most; beside them the worst and the best frame
VIEWS = {  # what a panel shows from left to right: before, then what it may be compared with
    "test": ["blurred", "restored", "sharp"],
    "real": ["photograph", "restored"],
    "bgan": ["sharp", "noise map 1", "noise map 2", "noise map 3"],
}
TRAININGS = {"train_bgan": "BGAN", "pretrain": "Pre-training", "finetune": "Fine-tuning"}
TABLE_ROWS = 25  # of the table beside the curves


@dataclass(frozen=True)
class Comparison:
    """One figure with a slider: `views[0]` on the left, one of the others on the right."""

    anchor: str
    title: str
    note: str
    views: list[tuple[str, str]]  # label and data URI
    size: tuple[int, int]  # width and height, pixels


@dataclass(frozen=True)
class Training:
    """The curves of one training, all over the same steps."""

    title: str
    steps: list[str]
    charts: list[charts.Chart]
    caption: str  # of the same as a table
    columns: list[str]
    rows: list[list[str]]


def render(metrics: Path, panels: Path, params: dict[str, Any], lock: dict[str, Any], root: Path) -> str:
    """The page of the results in `metrics` and `panels` (see `results.read`), of the git repository `root`, whose
    params.yaml and dvc.lock are loaded. What is missing is named in the page; ValueError when all of it is."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    found = results.read(metrics, panels)
    comparisons = _comparisons(found)
    evaluated = found.metrics.get("evaluate", {})
    worst, best = figures.extremes(found.frames)
    style, script = ((HERE / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    trainings = [_training(TRAININGS.get(name, name), curve) for name, curve in _in_order(found.curves).items()]
    page = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).get_template("page.html")
    return page.render(
        style=Markup(style),
        script=Markup(script),
        policy=f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'",
        lead=_lead(params),
        params={key: figures.text(value) for key, value in origin.flat(params).items()},
        scores=figures.scores(evaluated),
        others=figures.others(evaluated),
        stages=[(name, figures.others(found.metrics[name])) for name in found.metrics if name != "evaluate"],
        comparisons=comparisons,
        more={kind: len(found.panels[kind]) - len(comparisons[kind]) for kind in SHOWN},
        worst=[_frame(found, i) for i in worst],
        best=[_frame(found, i) for i in best],
        anchors={shown.anchor for shown in comparisons["test"]},
        frames=len(found.frames),
        trainings=trainings,
        missing=[title for name, title in TRAININGS.items() if name not in found.curves],
        chart=charts,
        outdated=[(key, figures.text(then), figures.text(now)) for key, then, now in origin.outdated(lock, params)],
        experiments=_experiments(root),
        versions=origin.versions(root),
    )


def _comparisons(found: results.Results) -> dict[str, list[Comparison]]:
    """The pictures of each kind, all together within BUDGET."""
    chosen = [(kind, i) for kind in SHOWN for i in _chosen(found, kind)]
    photos = [images.photographs(found.panels[kind][i], len(VIEWS[kind])) for kind, i in chosen]
    uris = iter(images.data_uris([photo for views in photos for photo in views], BUDGET))
    made: dict[str, list[Comparison]] = {kind: [] for kind in SHOWN}
    for (kind, i), views in zip(chosen, photos, strict=True):
        title, note = _caption(found, kind, i)
        shown = [(label, next(uris)) for label in VIEWS[kind]]
        made[kind].append(Comparison(f"{kind}-{i}", title, note, shown, views[0].size))
    return made


def _chosen(found: results.Results, kind: str) -> list[int]:
    """Numbers of the pictures that are shown, the worst and the best frame among them where they have one."""
    chosen = set(images.evenly(list(found.panels[kind]), SHOWN[kind]))
    if kind == "test":
        worst, best = figures.extremes(found.frames)
        chosen |= {*worst[:1], *best[:1]} & set(found.panels[kind])
    return sorted(chosen)


def _caption(found: results.Results, kind: str, number: int) -> tuple[str, str]:
    if kind == "bgan":  # numbered among the photographs that BGAN blurred, not among all test frames
        return "A sharp test photograph", ""
    if kind == "real" or number >= len(found.frames):
        return f"{'Real' if kind == 'real' else 'Test'} photograph {number + 1}", ""
    row = _frame(found, number)
    note = "PSNR {before} dB blurred, {after} dB restored ({gain})".format(**row)
    return row["name"], "" if row["gain"] == figures.NONE else note


def _lead(params: dict[str, Any]) -> str:
    value = origin.flat(params).get
    networks = f"{value('generator.name')} deblurs, {value('blur_generator.name')} blurs"
    settings = ", ".join(f"{key} {value(key)}" for key in ("scale", "alpha", "seed"))
    return f"{networks}; photographs: {value('data.source')}; {settings}"


def _frame(found: results.Results, number: int) -> dict[str, str]:
    """Name and PSNR of a test frame, and the anchor that its picture has if the page shows one."""
    row = found.frames[number]
    return {
        "name": row["frame"],
        "before": figures.text(row.get("psnr_blurred"), 2),
        "after": figures.text(row.get("psnr"), 2),
        "gain": figures.text(figures.gain(row), 2, sign=True),
        "anchor": f"test-{number}",
    }


def _training(title: str, curve: dict[str, list[float]]) -> Training:
    drawn = charts.thinned(curve)
    short = charts.thinned(curve, TABLE_ROWS)
    made = [charts.chart(name, drawn["step"], values) for name, values in drawn.items() if name != "step"]
    cells = zip(*short.values(), strict=True)
    return Training(
        title,
        [charts.number(step) for step in drawn["step"]],
        made,
        _table_caption(title, len(curve["step"]), len(short["step"])),
        list(short),
        [[charts.number(value) for value in row] for row in cells],
    )


def _table_caption(title: str, rows: int, shown: int) -> str:
    return title if rows == shown else f"{title}: means of {rows} rows in {shown} blocks, each at its last step"


def _in_order(curves: dict[str, Any]) -> dict[str, Any]:
    """The trainings of the pipeline in its order, then any other."""
    return {name: curves[name] for name in [*TRAININGS, *curves] if name in curves}


def _experiments(root: Path) -> tuple[list[str], list[list[str]]] | None:
    """Columns and rows; None where DVC cannot tell."""
    try:
        columns, rows = origin.experiments(root)
    except ValueError:
        return None
    digits = [figures.digits(column) for column in columns]
    return columns, [[figures.text(cell, n) for cell, n in zip(row, digits, strict=True)] for row in rows]


def _hash(text: str) -> str:
    """The source of inline code that the page's own policy allows; nothing else runs, whatever a name holds."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
