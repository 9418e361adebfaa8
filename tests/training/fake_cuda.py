"""Fake CUDA tensors on PyTorch's CPU build: they have device, shape and type but no values, so that a fault of devices
shows, and launches can be counted, without a GPU."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest.mock import patch

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.utils import clip_grad

from dbgan.training import loop

SOURCE = Path(__file__).with_suffix(".cpp")


def missing() -> str:
    """Why fake CUDA tensors cannot be had here; empty where they can."""
    if sys.platform != "linux" or not shutil.which("g++"):
        return "fake CUDA tensors need Linux and g++"
    return "" if torch.version.cuda is None else "this PyTorch is a CUDA build, the shim is for the CPU's"


def build(folder: Path) -> dict[str, str]:
    """The environment in which a new process takes fake CUDA tensors; its library is compiled into `folder`."""
    library, root = folder / "fake_cuda.so", Path(torch.__file__).parent
    options = ["-std=c++20", "-shared", "-fPIC", "-O0", f"-I{root}/include", f"-L{root}/lib"]
    options += ["-lc10", "-ltorch_cpu", f"-Wl,-rpath,{root}/lib", "-o", str(library)]
    subprocess.run(["g++", str(SOURCE), *options], check=True)
    return {"LD_PRELOAD": str(library)}  # before PyTorch looks for a GPU


@contextmanager
def mode() -> Iterator[None]:
    """Within it, new tensors are fake and the GPU seems to have bfloat16; in a process with `build`'s environment.

    Networks are made outside it. Rows of the curve and checks of finite weights, which read values, are left out.
    """
    with ExitStack() as stack:
        for target, name, value in (
            (torch.cuda, "is_bf16_supported", lambda *_, **__: True),
            (torch.cuda.amp.common, "amp_definitely_not_available", lambda: False),
            (clip_grad, "_has_foreach_support", lambda *_: True),
            (torch.Tensor, "pin_memory", lambda tensor: tensor),
            (loop, "means", lambda since, n: {}),
            (loop, "check_finite", lambda networks, n: None),
        ):
            stack.enter_context(patch.object(target, name, value))
        stack.enter_context(FakeTensorMode(allow_non_fake_inputs=True))
        yield
