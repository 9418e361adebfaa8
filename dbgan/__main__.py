"""Commands for those who use the project: python -m dbgan --help"""

import typer

from dbgan import report, runtime

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)
app.command("report")(runtime.app(report.main).registered_commands[0].callback)


@app.callback()
def main() -> None:
    """Tools around the trained networks and their results."""


if __name__ == "__main__":
    app(prog_name="python -m dbgan")
