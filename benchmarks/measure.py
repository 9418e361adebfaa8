"""What all benchmarks share: a process of its own for each measurement, its seconds, FLOPs and peak memory."""

import resource
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from dbgan import settings

CUDA = torch.cuda.is_available()
LONG = 20.0  # seconds: work that takes longer is measured once, other work RUNS times after once to warm up
RUNS = 5
Row = dict[str, str]  # of a table, by column


def params(scale: str) -> dict[str, Any]:
    path = Path(__file__).parents[1] / "params.yaml"
    return settings.merged(settings.read(path) | {"scale": scale}, path)


def machine() -> str:
    processor = f"{torch.cpu.get_capabilities().get('cpu_name', 'CPU')}, threads: {torch.get_num_threads()}"
    return f"{torch.cuda.get_device_name() if CUDA else processor}; PyTorch {torch.__version__}."


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    if CUDA:
        torch.cuda.synchronize()
    return time.perf_counter() - start


def cost(work: Callable[[], object]) -> tuple[float, int, int]:
    """Median seconds; FLOPs of convs and matrix products, a multiply-add as 2; peak bytes, on a GPU of its tensors."""
    with FlopCounterMode(display=False) as counter:
        runs = [seconds(work)]
    if runs[0] < LONG:
        runs = [seconds(work) for _ in range(RUNS)]
    peak = torch.cuda.max_memory_allocated() if CUDA else peak_bytes(resource.RUSAGE_SELF)
    return statistics.median(runs), counter.get_total_flops(), peak


def peak_bytes(who: int) -> int:
    return resource.getrusage(who).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def in_own_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """What `function` returns in a fresh process, whose peak memory is then its own; None where memory runs out."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            return pool.submit(function, *arguments).result()
        except (BrokenProcessPool, MemoryError, torch.OutOfMemoryError):
            return None
