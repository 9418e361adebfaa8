"""All benchmarks, as `make bench` runs them: python -m benchmarks.suite

Prints one table of ratios, each of two things measured in turn in one run, then the networks' one; writes both to
benchmarks/results.json with the machine's name, and into the READMEs. See benchmarks/README.md.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import typer

from benchmarks import data, distributed, networks, photographs, pipeline, training
from benchmarks.networks import in_own_process, machine
from dbgan import utils

Row = dict[str, Any]


def row(what: str, shipped: float | None, plain: float | None, ratio: float | None, unit: str) -> Row:
    """A line of the table; None is what was not measured. `ratio` is how many times better the shipped way is; in a
    row beside something else, and of losses, `shipped` / `plain`."""
    return {"what": what, "shipped": shipped, "plain": plain, "ratio": ratio, "unit": unit}


def trainings() -> list[Row]:
    """Updates of the paper's networks, and the share of a conv's speed that they reach."""
    rows = []
    for found in training.measure():
        name = found["training"]
        rows.append(row(f"{name}: update of one batch", found["shipped"], found["plain"], found["ratio"], "s"))
        reached = found["flops"] / found["shipped"] / 1e9
        share = found["share_of_conv_peak"]
        rows.append(row(f"{name}: speed beside a conv's", reached, found["conv_flops"] / 1e9, share, "GFLOP/s"))
        losses = found["final_loss"]
        same = losses["shipped"] / losses["plain"]
        rows.append(row(f"{name}: loss after {training.CURVE} updates", losses["shipped"], losses["plain"], same, ""))
    return rows


def crops() -> list[Row]:
    """Building crops.h5 and reading batches from it, beside the plain ways."""
    with TemporaryDirectory() as folder:
        found = data.measure(Path(folder), None)
    build, plain, more = found["build"], found["plain_build"], found["build_more"]

    def rate(of: dict) -> float:
        return of["crops"] / of["seconds"]

    def mib(of: dict, what: str) -> float:
        return of[what] / 2**20

    return [
        row("loader: pairs of crops", found["read"][0], found["plain_read"], found["read_speed"], "1/s"),
        row("loader: pairs of crops as floats", found["read"][1], found["plain_read"], found["float_speed"], "1/s"),
        row("build_h5: crops", rate(build), rate(plain), found["build_speed"], "1/s"),
        row(
            "build_h5: peak memory",
            mib(build, "peak_bytes"),
            mib(plain, "peak_bytes"),
            plain["peak_bytes"] / build["peak_bytes"],
            "MiB",
        ),
        row(
            f"build_h5: peak memory, {data.TIMES} times the photographs beside once",
            mib(more, "peak_bytes"),
            mib(build, "peak_bytes"),
            found["more_memory"],
            "MiB",
        ),
        row("crops.h5: size", mib(build, "bytes"), mib(plain, "bytes"), 1 / found["build_size"], "MiB"),
    ]


def processes() -> list[Row]:
    """Pre-training by two processes of one thread each, beside one."""
    found = distributed.measure()
    return [
        row(
            f"pretrain in two processes of one thread beside one, {precision}: updates",
            found[precision]["together"],
            found[precision]["one"],
            found[precision]["ratio"],
            "1/s",
        )
        for precision in ("float32", "bfloat16")
        if precision in found
    ]


def whole_pipeline() -> list[Row]:
    """Evaluation, and `dvc repro` with nothing to do."""
    found = pipeline.measure()
    restored, nothing = found["evaluation"], found["nothing_to_do"]
    stages = "" if nothing["stages"] is None else f" ({nothing['stages']} stages looked at)"
    return [
        row("evaluation: megapixels", restored["shipped"], restored["plain"], restored["ratio"], "1/s"),
        row(
            f"`dvc repro`, nothing to do{stages}, beside `dvc version`",
            nothing["shipped"],
            nothing["plain"],
            nothing["ratio"],
            "s",
        ),
    ]


def large_photographs() -> list[Row]:
    """24 megapixels through `python -m dbgan deblur`, beside their tiles."""
    rows = []
    for name, found in photographs.measure().items():
        ratio = found["seconds"] / found["tiles"]
        rows.append(row(f"deblur {name}, beside its tiles alone", found["seconds"], found["tiles"], ratio, "s"))
        rows.append(row(f"deblur {name}: peak memory", found["peak_bytes"] / 2**20, None, None, "MiB"))
    return rows


def table(results: dict[str, Any]) -> str:
    """The ratios in Markdown, below the machine that they hold for."""

    def number(value: float | None) -> str:
        return "-" if value is None else f"{value:.3g}" if value < 1000 else f"{value:.0f}"

    return "\n".join(
        [
            networks.place(results["machine"]),
            "",
            "| what | shipped | plain | unit | ratio |",
            "|---|---|---|---|---|",
            *(
                f"| {r['what']} | {number(r['shipped'])} | {number(r['plain'])} | {r['unit']} | {number(r['ratio'])} |"
                for r in results["ratios"]
            ),
        ]
    )


def main() -> None:
    """Measure everything: about 30 minutes on two cores, most of it the networks' table."""
    rows = whole_pipeline() + large_photographs() + crops() + processes() + trainings()
    results = {"machine": in_own_process(machine), "ratios": rows}
    text = table(results)
    typer.echo(text)
    networks.record("suite", results)
    networks.show("suite", text)
    networks.main()


app = utils.app(main)

if __name__ == "__main__":
    app()
