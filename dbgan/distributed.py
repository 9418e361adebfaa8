"""Several processes for one command, as torchrun starts them: rank and world size, collectives, the command itself.

torchrun --standalone --nproc-per-node 4 -m stages.pretrain data/crops.h5 ... starts four. DBGAN_TORCHRUN, torchrun's
own options, makes the plain command do so, also under DVC: DBGAN_TORCHRUN=--nproc-per-node=4 dvc repro. The main
process, rank 0, alone logs, tracks and writes.

In a training the processes share the accumulated batches of an update (training/loop.py). PyTorch's
DistributedDataParallel is not used: it averages the gradients of one backward after one forward, and a GAN's update has
several of both with critics frozen in between.
"""

import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from torch import Tensor  # imported when it is needed, so that --help is fast

Item = TypeVar("Item")
Result = TypeVar("Result")
TIMEOUT = timedelta(minutes=30)  # how long a process waits for the others, e.g. for the main one's first file
# Seconds; torchrun ends all processes at the first failure, so the first to fail should be heard before the others.
ERROR_DELAY = 3.0


def _from_torchrun(name: str, alone: int) -> int:
    """A number that torchrun gives its processes; a scheduler's variable of that name is none of ours."""
    return int(os.environ[name]) if "TORCHELASTIC_RUN_ID" in os.environ else alone


rank = partial(_from_torchrun, "RANK", 0)
world_size = partial(_from_torchrun, "WORLD_SIZE", 1)
local_rank = partial(_from_torchrun, "LOCAL_RANK", 0)  # on this machine: the number of the process's GPU
local_world_size = partial(_from_torchrun, "LOCAL_WORLD_SIZE", 1)


def is_main() -> bool:
    return rank() == 0


def init(backend: str) -> None:
    """Join the process group, by gloo or nccl."""
    import torch.distributed as dist

    if world_size() > 1 and not dist.is_initialized():
        dist.init_process_group(backend, timeout=TIMEOUT)


@contextmanager
def session() -> Iterator[None]:
    """Around a command: leave the group at its end; let torchrun end it as Ctrl-C does."""
    if world_size() == 1:
        yield
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    import torch.distributed as dist

    yield  # not after an error: the others may never answer
    if dist.is_initialized():
        dist.destroy_process_group()


def delay_error(own: bool) -> None:
    """Wait, so that an error that all ranks share is printed by local rank 0, another (not `own`) by who caused it."""
    if world_size() > 1 and (local_rank() > 0 or not own):
        time.sleep(ERROR_DELAY if own else 3 * ERROR_DELAY)


def average(tensors: Iterable["Tensor"]) -> None:
    """In place, the mean of each tensor over all processes, by one flat all-reduce."""
    tensors = list(tensors)
    if world_size() == 1 or not tensors:
        return
    import torch
    import torch.distributed as dist

    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    dist.all_reduce(flat)
    flat /= world_size()
    for tensor, part in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(part.view(tensor.shape))


def from_main(find: Callable[[], Result]) -> Result:
    """What `find` returns at the main process, at all; so no other needs its files."""
    if world_size() == 1:
        return find()
    import torch.distributed as dist

    found: list = [find() if is_main() else None]
    dist.broadcast_object_list(found, 0)
    return found[0]


def gather_map(function: Callable[[Item], Any], items: Sequence[Item], over: Callable = map) -> list:
    """The results of `function` over `items`, sharded over all processes: at the main one all, in the order of `items`,
    at the others none. `over`: another map for this process's shard, e.g. one with a progress bar."""
    shard = list(over(function, items[rank() :: world_size()]))
    if world_size() == 1:
        return shard
    import torch.distributed as dist

    shards: list = [None] * world_size()
    dist.gather_object(shard, shards if is_main() else None)
    return [shards[k % world_size()][k // world_size()] for k in range(len(items))] if is_main() else []


def distributed_command(module: str) -> int | None:
    """The exit code of this command under torchrun, if DBGAN_TORCHRUN asks for it; None: this process does the work."""
    given = os.environ.get("DBGAN_TORCHRUN", "")
    try:
        options = shlex.split(given)
    except ValueError as error:
        raise ValueError(f"DBGAN_TORCHRUN={given}: {error}") from None
    if not options or "TORCHELASTIC_RUN_ID" in os.environ:
        return None
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    if not any("nnodes" in option for option in options):
        options.insert(0, "--standalone")  # on a free port, so that two commands on one machine do not meet
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # torchrun would warn that it sets it; `outputs.device` sets threads
    try:
        run.main([*options, "-m", module, *sys.argv[1:]])
    except ChildFailedError as error:  # the process that failed has printed why
        code = error.get_first_failure()[1].exitcode
        return code if code > 0 else 128 - code  # below 0: the signal that ended it
    except SignalException as error:
        return 128 + error.sigval
    return 0
