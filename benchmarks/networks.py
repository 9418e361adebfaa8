"""What each deblurring network of published size costs on a video frame."""

from typing import Any

import torch

from benchmarks import measure
from dbgan import settings
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


def frame(name: str, precision: str) -> tuple[measure.Row, measure.Row]:
    """A row's cells, as `measure.rows` wants them."""
    section, changes = NETWORKS[name]
    values = {section: measure.params("paper")[section] | changes}
    network = build_generator(section, settings.section(values, section, DEBLUR[section][1])).to(measure.DEVICE).eval()

    def restore(height: int, width: int) -> None:
        image = torch.rand(1, 3, height, width, device=measure.DEVICE).to(memory_format=torch.channels_last)
        with torch.no_grad(), torch.autocast(measure.DEVICE.type, torch.bfloat16, enabled=precision == "bfloat16"):
            network(image)

    restore(64, 64)  # even the first frame finds threads awake and libraries loaded
    seconds, flops, peak = measure.cost(lambda: restore(*FRAME))
    parameters = sum(p.numel() for p in network.parameters())
    shared = {"parameters, 10^6": f"{parameters / 1e6:.2f}", "TFLOP a frame": f"{flops / 1e12:.3g}"}
    return shared, {"frames/s": f"{1 / seconds:.3g}", "peak GiB": f"{peak / 2**30:.1f}"}
