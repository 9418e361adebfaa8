"""What each deblurring network of published size costs on a video frame: python -m benchmarks.networks

A run of all networks on the whole frame writes its table to benchmarks/README.md; any other only prints it.
"""

import statistics
from typing import Any

import torch
import typer
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import measure
from dbgan import markdown, settings, utils
from dbgan.models.build import DEBLUR, build_generator

NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {  # section of params.yaml, and what differs from the paper's scale
    "dbgan": ("dbgan", {}),
    "srresnet": ("srresnet", {}),
    "deblurgan": ("deblurgan", {}),
    "sftnet": ("sftnet", {}),
    "mprnet": ("mprnet", {}),
    "nafnet-width32": ("nafnet", {"width": 32, "train_size": None}),
    "nafnet-width64": ("nafnet", {"train_size": None}),
}
FRAME = (720, 1280)
LONG = 20.0  # seconds: a frame that takes longer is measured once, another one RUNS times after one to warm up
RUNS = 5


def build(name: str) -> torch.nn.Module:
    section, changes = NETWORKS[name]
    values = {section: measure.params("paper")[section] | changes}
    return build_generator(section, settings.section(values, section, DEBLUR[section][1])).eval()


def size(name: str, height: int, width: int) -> tuple[int, int]:
    """Parameters, and FLOPs of one frame: of convs and matrix products, a multiply-add as 2. On the meta device, where
    nothing is computed or stored."""
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        network = build(name)
        network(torch.empty(1, 3, height, width))
    return sum(p.numel() for p in network.parameters()), counter.get_total_flops()


def speed(name: str, height: int, width: int, bfloat16: bool) -> tuple[float, int]:
    """Seconds for one frame, and the peak memory."""
    device = measure.device()
    network = build(name).to(device)

    def frame(height: int, width: int) -> float:
        image = torch.rand(1, 3, height, width, device=device).to(memory_format=torch.channels_last)
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
            return measure.seconds(lambda: network(image))

    frame(64, 64)  # even the first frame finds threads awake and libraries loaded
    runs = [frame(height, width)]
    if runs[0] < LONG:
        runs = [frame(height, width) for _ in range(RUNS)]
    return statistics.median(runs), measure.peak_bytes()


def main(height: int = FRAME[0], width: int = FRAME[1], only: list[str] | None = None) -> None:
    """Measure all networks, or those named by --only, on a frame of HEIGHT x WIDTH."""
    names = list(only or NETWORKS)
    if wrong := [name for name in names if name not in NETWORKS]:
        raise ValueError(f"no network is called {', '.join(wrong)}; there are {', '.join(NETWORKS)}")
    precisions = {"float32": False} | ({"bfloat16": True} if measure.has_bfloat16() else {})
    rows: list[list] = [["network", "parameters, 10^6", "TFLOP a frame"]]
    rows[0] += [f"{what}, {precision}" for precision in precisions for what in ("frames/s", "peak GiB")]
    for name in names:
        parameters, flops = size(name, height, width)
        rows.append([name, f"{parameters / 1e6:.2f}", f"{flops / 1e12:.3g}"])
        for bfloat16 in precisions.values():
            found = measure.in_own_process(speed, name, height, width, bfloat16)
            rows[-1] += [f"{1 / found[0]:.3g}", f"{found[1] / 2**30:.1f}"] if found else [None, None]
        utils.log(" | ".join(map(str, rows[-1])))
    text = f"One frame of {width} x {height}; {measure.machine()}\n\n{markdown.table(rows)}"
    typer.echo(text)
    if (height, width) == FRAME and names == list(NETWORKS):
        markdown.fill(measure.README, {"networks": text})


app = utils.app(main)

if __name__ == "__main__":
    app()
