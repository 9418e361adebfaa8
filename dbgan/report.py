"""All results as one page: python -m dbgan report"""

from pathlib import Path
from typing import Annotated

import typer

from dbgan import settings, utils
from dbgan.reporting import page


def main(
    metrics: Annotated[Path, typer.Option(help="Folder of the figures and curves.")] = Path("metrics"),
    panels: Annotated[Path, typer.Option(help="Folder of the evaluation's pictures.")] = Path("results/panels"),
    params: Annotated[Path, typer.Option(help="Parameters; dvc.lock is looked for beside them.")] = Path("params.yaml"),
    out: Annotated[Path, typer.Option(help="The page.")] = Path("reports/report.html"),
) -> None:
    """Write figures, pictures and curves of a run as one page that opens from disk and loads nothing."""
    lock = params.parent / "dvc.lock"
    made = settings.read(lock) if lock.exists() else {"stages": {}}
    text = page.render(metrics, panels, settings.load(params), made, params.parent)
    with utils.atomic_write(out) as part:
        part.write_text(text, encoding="utf-8")
    utils.log(f"{out}: {out.stat().st_size / 1e6:.1f} MB")
