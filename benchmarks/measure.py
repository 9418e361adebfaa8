"""What all benchmarks share: a process of its own for each measurement, clocks, peak memory, the machine."""

import platform
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from dbgan import settings

README = Path(__file__).parent / "README.md"


def params(scale: str) -> dict[str, Any]:
    """The shipped params.yaml with this scale."""
    path = Path(__file__).parents[1] / "params.yaml"
    return settings.merged(settings.read(path) | {"scale": scale}, path)


def device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def has_bfloat16() -> bool:
    """Whether the machine multiplies bfloat16 itself."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.cpu._is_avx512_bf16_supported()


def machine() -> str:
    if torch.cuda.is_available():
        return f"{torch.cuda.get_device_name()}; PyTorch {torch.__version__}."
    # Newer than PyTorch 2.11, which rented machines may have.
    name = getattr(torch.cpu, "get_capabilities", dict)().get("cpu_name") or platform.processor()
    return f"{name}, threads: {torch.get_num_threads()}; PyTorch {torch.__version__}."


def seconds(work: Callable[[], object]) -> float:
    """Time that `work` takes; a GPU, which works on by itself, is waited for."""
    synchronize = torch.cuda.synchronize if torch.cuda.is_available() else lambda: None
    synchronize()
    start = time.perf_counter()
    work()
    synchronize()
    return time.perf_counter() - start


def peak_bytes(who: int = resource.RUSAGE_SELF) -> int:
    """The most memory that this process had, or its largest child; on a GPU, the most that its tensors had there."""
    if torch.cuda.is_available() and who == resource.RUSAGE_SELF:
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(who).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def in_own_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """What `function` returns in a fresh process, whose peak memory is then its own; None where memory runs out."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            return pool.submit(function, *arguments).result()
        except (BrokenProcessPool, MemoryError, torch.OutOfMemoryError):
            return None
