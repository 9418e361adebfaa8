"""What shapes a result on its way out: the device and its threads, and how figures are rounded and written."""

import csv
import json
import math
import os
import platform
import re
from pathlib import Path

import torch

from dbgan import distributed
from dbgan.utils import atomic_write, log


def device(threads: int, scale: str = "sample") -> torch.device:
    """CUDA where there is one, else the CPU with exactly `threads` threads (results depend on their number).

    Of several processes on a machine each has its GPU or its part of the threads; here they join their group.
    The paper's scale, a year's work for a CPU, is refused without a GPU, unless DBGAN_DEVICE=cpu asks for the CPU.
    """
    if (wanted := os.environ.get("DBGAN_DEVICE", "")) not in ("", "cpu"):
        raise ValueError(f"DBGAN_DEVICE={wanted}: must be cpu, or unset, which takes a GPU where there is one")
    torch.set_num_threads(max(1, threads // distributed.local_world_size()))
    if wanted or not torch.cuda.is_available():
        if scale == "paper" and not wanted:
            raise ValueError(f"{no_gpu()}; DBGAN_DEVICE=cpu computes on the CPU all the same")
        distributed.init("gloo")
        return torch.device("cpu")
    if distributed.local_world_size() > torch.cuda.device_count():
        raise ValueError(f"{distributed.local_world_size()} processes here, but GPUs: {torch.cuda.device_count()}")
    torch.cuda.set_device(distributed.local_rank())
    distributed.init("nccl")
    return torch.device("cuda", distributed.local_rank())


def no_gpu() -> str:
    """Why PyTorch may see no GPU."""
    build = torch.version.cuda or torch.version.hip
    built = f"{torch.__version__}, built {f'for {build}' if build else 'without CUDA'}"
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    checks = f"the driver (nvidia-smi), the index that PyTorch came from ({built}; README, The paper's scale)"
    hidden = "unset" if visible is None else repr(visible)
    return f"no GPU is found, which the paper's scale needs; check {checks} and CUDA_VISIBLE_DEVICES ({hidden})"


def log_device(device: torch.device, precision: str) -> None:
    """One line on what computes. precision: of the networks."""
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        if precision == "float32" and torch.backends.cudnn.conv.fp32_precision == "tf32":
            precision = "float32, convs in TF32"
    else:
        name = f"{cpu_name()}, threads: {torch.get_num_threads()}"
    log(f"device: {name}, processes: {distributed.world_size()}, {precision}")


def log_cpu(threads: int, scale: str) -> None:
    """The line of a stage that computes on the CPU alone; with it what the later ones will lack."""
    log(f"device: {cpu_name()}, threads: {threads}, processes: 1")
    if scale == "paper" and not (torch.cuda.is_available() or os.environ.get("DBGAN_DEVICE")):
        log(f"device: {no_gpu()}; this stage needs none, those that train do")


def cpu_name() -> str:
    listed = Path("/proc/cpuinfo")  # of Linux
    found = re.search(r"model name\s*: (.+)", listed.read_text(encoding="utf-8")) if listed.exists() else None
    return found[1] if found else platform.processor() or platform.machine()


def write_json(path: Path, values: dict) -> None:
    """Metrics as DVC compares them: sorted, floats rounded to 6 digits, no wall times: equal runs give equal bytes."""
    with atomic_write(path) as part:
        part.write_text(json.dumps(rounded(values), indent=2, sort_keys=True) + "\n", encoding="utf-8")


def write_csv(path: Path, rows: list[dict]) -> None:
    """A curve or table: one line a row, the columns of the first row, floats rounded to 6 digits."""
    with atomic_write(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rounded(rows))


def rounded(value):
    """Floats in nested dicts and lists, to 6 digits; None for one that is not finite."""
    if isinstance(value, dict):
        return {key: rounded(v) for key, v in value.items()}
    if isinstance(value, list):
        return [rounded(v) for v in value]
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None  # JSON has no infinity
    return value
