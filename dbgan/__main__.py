"""Commands for those who use the project: python -m dbgan --help"""

import typer

from dbgan import blur, deblur, report, runtime

app = typer.Typer(
    help="Deblur photographs, blur sharp ones as realistically as BGAN has learnt, show the results as a page.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # examples in the help keep their lines
)
app.command("deblur")(runtime.command(deblur.main))
app.command("blur")(runtime.command(blur.main))
app.command("report")(runtime.command(report.main))

if __name__ == "__main__":
    app(prog_name="python -m dbgan")
