"""Several processes for one command, as torchrun starts them: who this one is, and work that all do together.

torchrun --standalone --nproc-per-node 8 -m stages.pretrain data/crops.h5 ... starts eight. DBGAN_TORCHRUN, torchrun's
own options, makes the plain command do so, also under DVC: DBGAN_TORCHRUN=--nproc-per-node=8 dvc repro. The first
process alone speaks, records and writes.
"""

import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
PATIENCE = timedelta(minutes=30)  # how long a process waits for the others, e.g. for the first one's first file
# Seconds; torchrun ends all processes at the first failure, so the first to fail should be heard before the others.
HUSH = 3.0


def _told(name: str, alone: int) -> int:
    """A number that torchrun gives its processes; a scheduler's variable of that name is none of ours."""
    return int(os.environ[name]) if "TORCHELASTIC_RUN_ID" in os.environ else alone


def number() -> int:
    """This process's number among all, from 0."""
    return _told("RANK", 0)


def count() -> int:
    """How many processes do the work."""
    return _told("WORLD_SIZE", 1)


def number_here() -> int:
    """This process's number among those on this machine, from 0: the number of its GPU."""
    return _told("LOCAL_RANK", 0)


def count_here() -> int:
    """How many of the processes are on this machine."""
    return _told("LOCAL_WORLD_SIZE", 1)


def first() -> bool:
    """Whether this process is the one that speaks, records and writes."""
    return number() == 0


def join(backend: str) -> None:
    """Meet the other processes, if there are any; `backend` is gloo or nccl."""
    import torch.distributed as dist

    if count() > 1 and not dist.is_initialized():
        dist.init_process_group(backend, timeout=PATIENCE)


@contextmanager
def together() -> Iterator[None]:
    """Around a command: part in peace at its end; be ended by torchrun as by Ctrl-C, nothing left half-written."""
    if count() == 1:
        yield
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    yield
    if "torch" in sys.modules:  # after a fault nobody says goodbye: the others may never answer
        import torch.distributed as dist

        if dist.is_initialized():
            dist.destroy_process_group()


def let_others_speak(own_fault: bool) -> None:
    """Wait before a fault is told, so that one that all have in common is told once, by the first process on each
    machine, and one that another process has caused is told by that one."""
    if count() > 1 and (number_here() > 0 or not own_fault):
        time.sleep(HUSH if own_fault else 3 * HUSH)


def spread(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    watch: Callable[[Sequence[Item]], Iterable[Item]] = iter,
) -> list[Result]:
    """[function(item) for item in items], dealt out to all processes: at the first all results, in the order of
    `items`, at the others none. `watch` shows how this process gets on."""
    share = [function(item) for item in watch(items[number() :: count()])]
    if count() == 1:
        return share
    import torch.distributed as dist

    shares: list = [None] * count()
    dist.gather_object(share, shares if first() else None)
    return [shares[k % count()][k // count()] for k in range(len(items))] if first() else []


def launch(module: str) -> int | None:
    """The command of this process again by torchrun, if DBGAN_TORCHRUN asks for it and torchrun did not start it:
    gives its exit code. None: this process does the work."""
    options = shlex.split(os.environ.get("DBGAN_TORCHRUN", ""))
    if not options or "TORCHELASTIC_RUN_ID" in os.environ:
        return None
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    if not any("nnodes" in option for option in options):
        options.insert(0, "--standalone")  # on a free port, so that two commands on one machine do not meet
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # torchrun would say that it sets it; `runtime.device` sets threads
    try:
        run.main([*options, "-m", module, *sys.argv[1:]])
    except ChildFailedError as error:  # the process that failed has said why
        code = error.get_first_failure()[1].exitcode
        return code if code > 0 else 128 - code  # below 0: the signal that ended it
    except SignalException as error:
        return 128 + error.sigval
    return 0
