"""What each generator of published size costs on a video frame: python -m benchmarks.networks

Parameters, FLOPs, frames per second in float32 and in bfloat16, peak memory. A full run writes benchmarks/results.json
and the table in the READMEs; one of a few networks or of another frame only prints its table. See benchmarks/README.md.
"""

import json
import platform
import signal
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any

import typer

from dbgan import outputs, utils
from dbgan.reporting import markdown

# One image in, one of the same size out: the name in `build_generator`, and what differs from its defaults.
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "dbgan": ("dbgan", {}),
    "srresnet": ("srresnet", {}),
    "deblurgan": ("deblurgan", {"signed": False}),
    "sftnet": ("sftnet_deblur", {}),
    "mprnet": ("mprnet", {}),
    "nafnet-width32": ("nafnet", {"width": 32}),
    "nafnet-width64": ("nafnet", {"width": 64}),
}
FRAME = (720, 1280)
LONG = 20.0  # seconds: a frame that takes longer is measured once, another one RUNS times after one to warm up
RUNS = 5
WARM_UP = (64, 64)  # even the first frame finds threads awake and libraries loaded
READMES = {"suite": ["benchmarks/README.md"], "networks": ["README.md", "benchmarks/README.md"]}  # with their tables


def machine() -> dict[str, Any]:
    """What the speeds depend on."""
    import torch

    # Newer than PyTorch 2.11, which rented machines may have: there the processor's name is what Python knows of it.
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "cpu": capabilities.get("cpu_name") or platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "gpu": gpu,
        "torch": torch.__version__,
        "bfloat16": torch.cuda.is_bf16_supported(including_emulation=False)
        if gpu
        else torch.cpu._is_avx512_bf16_supported()
        or any(capabilities.get(unit) for unit in ("amx_bf16", "bf16")),  # the last is ARM's
    }


def size(name: str, height: int, width: int) -> dict[str, int]:
    """Parameters, and FLOPs of one frame as PyTorch counts them: of convs and matrix products, a multiply-add as 2.

    On the meta device, where nothing is computed or stored.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from dbgan.models.build import build_generator

    network, config = NETWORKS[name]
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        generator = build_generator(network, **config).eval()
        generator(torch.empty(1, 3, height, width))
    return {"parameters": sum(p.numel() for p in generator.parameters()), "flops": counter.get_total_flops()}


def speed(name: str, height: int, width: int, bfloat16: bool) -> dict[str, float]:
    """Seconds for one frame, the median of `runs`, and the peak memory of this process, on a GPU of its tensors."""
    import torch

    from dbgan.models.build import build_generator

    network, config = NETWORKS[name]
    device = outputs.device(torch.get_num_threads())
    generator = build_generator(network, **config).eval().to(device)

    def seconds(height: int, width: int) -> float:
        frame = torch.rand(1, 3, height, width, device=device).to(memory_format=torch.channels_last)
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
            return took(lambda: generator(frame), device.type)

    try:
        seconds(*WARM_UP)
        runs = [seconds(height, width)]
        if runs[0] < LONG:
            runs = [seconds(height, width) for _ in range(RUNS)]
    except torch.OutOfMemoryError as error:  # in words that are understood where torch is not imported
        raise MemoryError(str(error)) from None
    peak = torch.cuda.max_memory_allocated() if device.type == "cuda" else peak_memory()
    return {"seconds": statistics.median(runs), "runs": len(runs), "peak_bytes": peak}


def took(compute: Callable[[], object], device: str) -> float:
    """Seconds that `compute` takes; a GPU, which works on by itself, is timed by its own clock."""
    import torch

    if device == "cuda":
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        start.record()
        compute()
        end.record()
        torch.cuda.synchronize()
        return start.elapsed_time(end) / 1000
    start = time.perf_counter()
    compute()
    return time.perf_counter() - start


def peak_memory() -> int:
    """Bytes that this process had in memory at most."""
    import resource  # not on Windows, where all but this works

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def in_own_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """What `function` gives in a fresh process, whose peak memory is then its own. Raises MemoryError if it is killed.

    This process never imports torch: a new one's peak begins with what the process that starts it holds.
    """
    # Ctrl-C reaches both processes; the new one is to end at once and say nothing.
    quiet = {"initializer": signal.signal, "initargs": (signal.SIGINT, signal.SIG_DFL)}
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), **quiet) as pool:
        try:
            return pool.submit(function, *arguments).result()
        except BrokenProcessPool:
            raise MemoryError("its process ended without a result, as when memory runs out") from None


def measure(name: str, height: int, width: int, bfloat16: bool) -> dict[str, Any]:
    """A row of the results. A precision that the machine lacks or has too little memory for is None."""
    row = {"network": name, **in_own_process(size, name, height, width), "float32": None, "bfloat16": None}
    for precision in ("float32", "bfloat16") if bfloat16 else ("float32",):
        utils.log(f"{name}, {precision}, {row['flops'] / 1e12:.3g} TFLOP ...")
        try:
            row[precision] = in_own_process(speed, name, height, width, precision == "bfloat16")
            utils.log("  {seconds:.3g} s a frame (runs: {runs})".format(**row[precision]))
        except MemoryError as error:
            utils.log(f"  not measured: {error}")
    return row


def table(results: dict[str, Any]) -> str:
    """The results in Markdown, below the machine that they hold for."""

    def rate(row: dict[str, Any], precision: str) -> str:
        return f"{1 / row[precision]['seconds']:.3g}" if row[precision] else "-"

    def peak(row: dict[str, Any], precision: str) -> str:
        return f"{row[precision]['peak_bytes'] / 2**30:.1f}" if row[precision] else "-"

    def gain(row: dict[str, Any]) -> str:
        both = row["float32"] and row["bfloat16"]
        return f" ({row['float32']['seconds'] / row['bfloat16']['seconds']:.2f} x)" if both else ""

    return "\n".join(
        [
            f"One frame of {results['width']} x {results['height']}; {place(results)}",
            "",
            "| network | parameters, 10^6 | TFLOP a frame | frames/s, float32 | frames/s, bfloat16 "
            "| peak GiB, float32 | peak GiB, bfloat16 |",
            "|---|---|---|---|---|---|---|",
            *(
                f"| {row['network']} | {row['parameters'] / 1e6:.2f} | {row['flops'] / 1e12:.3g} "
                f"| {rate(row, 'float32')} | {rate(row, 'bfloat16')}{gain(row)} "
                f"| {peak(row, 'float32')} | {peak(row, 'bfloat16')} |"
                for row in results["rows"]
            ),
        ]
    )


def place(found: dict[str, Any]) -> str:
    """What `machine` found, in words."""
    return f"{found['gpu'] or '{cpu}, threads: {threads}'.format(**found)}; PyTorch {found['torch']}."


def record(name: str, results: dict[str, Any]) -> None:
    """Put results under their name into benchmarks/results.json; those of other benchmarks stay."""
    path = utils.project_root() / "benchmarks" / "results.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    outputs.write_json(path, found | {name: results})


def show(name: str, text: str) -> None:
    """Put the table of that name into its READMEs."""
    for readme in (utils.project_root() / path for path in READMES[name]):
        filled = markdown.filled(readme, {name: text})
        with utils.atomic_write(readme) as part:
            part.write_text(filled, encoding="utf-8")


def main(height: int = FRAME[0], width: int = FRAME[1], only: list[str] | None = None) -> None:
    """Measure all networks, or those named by --only, on a frame of HEIGHT x WIDTH."""
    names = list(NETWORKS) if not only else list(dict.fromkeys(only))
    if wrong := [name for name in names if name not in NETWORKS]:
        raise ValueError(f"no network is called {', '.join(wrong)}; there are {', '.join(NETWORKS)}")
    if height < 1 or width < 1:
        raise ValueError("height and width must be at least 1")
    results = {"height": height, "width": width, **in_own_process(machine)}
    results["rows"] = [measure(name, height, width, results["bfloat16"]) for name in names]
    text = table(results)
    typer.echo(text)
    if (height, width) == FRAME and names == list(NETWORKS):
        record("networks", results)
        show("networks", text)


app = utils.app(main)

if __name__ == "__main__":
    app()
