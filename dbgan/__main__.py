"""Deblur photographs, blur sharp ones as realistically as BGAN has learnt, show the results as a page."""

import typer

from dbgan import report, utils
from dbgan.use import blur, deblur

app = typer.Typer(  # without markup: examples in the help keep their lines
    help=__doc__, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None
)
app.command("deblur")(utils.command(deblur.main))
app.command("blur")(utils.command(blur.main))
app.command("report")(utils.command(report.main))

if __name__ == "__main__":
    app(prog_name="python -m dbgan")
