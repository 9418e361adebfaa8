"""Commands for those who use the project: python -m dbgan report"""

from pathlib import Path

import typer

from dbgan import params as settings
from dbgan import runtime
from dbgan.report import page


def report(
    metrics: Path = Path("metrics"),
    panels: Path = Path("results/panels"),
    params: Path = Path("params.yaml"),
    out: Path = Path("reports/report.html"),
) -> None:
    """Write all results as one page that opens from disk: python -m dbgan report"""
    text = page.render(metrics, panels, settings.load(params), params.parent)
    with runtime.whole(out) as part:
        part.write_text(text, encoding="utf-8")
    runtime.say(f"{out}: {out.stat().st_size / 1e6:.1f} MB")


cli = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)
cli.add_typer(runtime.app(report))


@cli.callback()
def main() -> None:
    """Tools around the trained networks and their results."""


if __name__ == "__main__":
    cli()
