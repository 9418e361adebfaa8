"""What shapes a result on its way out: the device and its threads, and how figures are rounded and written."""

import csv
import json
import math
from pathlib import Path

import torch

from dbgan import distributed
from dbgan.utils import atomic_write


def device(threads: int) -> torch.device:
    """CUDA where there is one, else the CPU with exactly `threads` threads (results depend on their number).

    Of several processes on a machine each has its GPU or its part of the threads; here they join their group.
    """
    torch.set_num_threads(max(1, threads // distributed.local_world_size()))
    if not torch.cuda.is_available():
        distributed.init("gloo")
        return torch.device("cpu")
    if distributed.local_world_size() > torch.cuda.device_count():
        raise ValueError(f"{distributed.local_world_size()} processes here, but GPUs: {torch.cuda.device_count()}")
    torch.cuda.set_device(distributed.local_rank())
    distributed.init("nccl")
    return torch.device("cuda", distributed.local_rank())


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
