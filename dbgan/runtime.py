"""What every stage needs of the machine: clean exits, whole files, the compute device, progress bars."""

import csv
import functools
import hashlib
import json
import math
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from pydantic import Field

from dbgan import processes

# Threads that wait must soon sleep, not spin: beside other work on the machine, spinning made the steps of small
# networks up to ten times slower. Read by the OpenMP library when torch is first imported, so it stands here.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

# What NumPy's and PyTorch's random generators take, for `settings.value`; numbers of batches are added to it.
Seed = Annotated[int, Field(ge=0, lt=2**63)]


def root() -> Path:
    """The repository that keeps state, records and relative data paths.

    `dvc exp run --temp` and queue workers run in a temporary copy; DVC_ROOT names the repository itself.
    """
    return Path(os.environ.get("DVC_ROOT") or Path(__file__).parent.parent).resolve()


def command(main: Callable[..., None], together: bool = False) -> Callable[..., None]:
    """`main` as a function for Typer that ends bad input with one line on stderr and exit code 1.

    Input faults are raised as ValueError or OSError throughout the project. DBGAN_TRACEBACK=1 shows where. With
    `together`, several processes can do the work, see processes.py.
    """
    name = Path(main.__code__.co_filename).stem

    @functools.wraps(main)
    def clean(*args, **kwargs) -> None:
        if together and (code := processes.launch(f"stages.{name}")) is not None:
            raise typer.Exit(code)
        try:
            if processes.count() > 1 and not together:
                raise ValueError("this command is one process's work; start it without torchrun")
            with processes.together():
                return main(*args, **kwargs)
        except KeyboardInterrupt:
            message, code = "interrupted; nothing half-written is left, the same command starts again", 130
        except (ValueError, OSError) as error:
            if os.environ.get("DBGAN_TRACEBACK"):
                raise
            message, code = " ".join(str(error).split()), 1
        except Exception:  # a fault of the program, or another process gave up
            processes.let_others_speak(own_fault=False)
            raise
        # Not before the fault is let go of: with it go the progress bars, which would share the line.
        processes.let_others_speak(own_fault=True)
        who = name if processes.first() else f"\n{name}, process {processes.number()}"  # below the first one's bar
        typer.echo(f"{who}: {message}", err=True)
        raise typer.Exit(code)

    return clean


def app(main: Callable[..., None], together: bool = False) -> typer.Typer:
    """A Typer application of one command, see `command`."""
    cli = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    cli.command()(command(main, together))
    return cli


@contextmanager
def memory(advice: str) -> Iterator[None]:
    """Ends work that finds no more memory, the GPU's or the machine's, with a ValueError that gives the advice."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        # What torch calls it: of a GPU, of a CPU, and of the libraries below.
        signs = ("out of memory", "can't allocate memory", "not enough memory", "bad_alloc", "ALLOC_FAILED")
        if not isinstance(error, MemoryError) and not any(sign in str(error) for sign in signs):
            raise
        raise ValueError(f"out of memory; {advice}") from None


def say(message: str) -> None:
    """One line for the person who watches; stderr, like the progress bars. Of several processes the first says it."""
    if processes.first():
        typer.echo(message, err=True)


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A path beside `path` to write a file or folder to; it takes `path`'s place only when all went well.

    On any fault what was written is removed and what stood at `path` before is still there.
    """
    path = Path(path)
    part = path.with_name(path.name + ".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove(part)
    try:
        yield part
        if path.is_dir():
            _remove(path)  # a folder cannot be replaced in one step; its successor is complete by now
        part.replace(path)
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from None  # a full disk does not say which file
    finally:
        _remove(part)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def device(threads: int):
    """CUDA where there is one, else the CPU with exactly `threads` threads (results depend on their number).

    Of several processes on a machine each has its GPU or its part of the threads; here they meet. Raises ValueError
    when there are fewer GPUs.
    """
    import torch

    torch.set_num_threads(max(1, threads // processes.count_here()))
    if not torch.cuda.is_available():
        processes.join("gloo")
        return torch.device("cpu")
    if processes.count() == 1:
        return torch.device("cuda")
    if processes.count_here() > torch.cuda.device_count():
        raise ValueError(f"{processes.count_here()} processes here, but GPUs: {torch.cuda.device_count()}")
    torch.cuda.set_device(processes.number_here())
    processes.join("nccl")
    return torch.device("cuda", processes.number_here())


def workers() -> int:
    """Threads that read photographs and batches ahead: a property of the machine, so not in params.yaml.

    DBGAN_WORKERS sets their number, 0 is none; without it, one for each core that this process may use, at most 8:
    what they have read waits in memory.
    """
    given = os.environ.get("DBGAN_WORKERS")
    if given is None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return min(cores, 8)
    if not given.isascii() or not given.isdigit():
        raise ValueError(f"DBGAN_WORKERS={given}: must be a whole number, 0 or more")
    return int(given)


def progress(items=None, **options):
    """A tqdm bar: time left, rate; a line now and then instead of an animation when nobody watches. Of several
    processes the first shows it."""
    from tqdm import tqdm

    every = 0.2 if sys.stderr.isatty() else 10
    return tqdm(items, mininterval=every, dynamic_ncols=True, disable=not processes.first(), **options)


def write_json(path: Path, values: dict) -> None:
    """Metrics as DVC compares them: sorted, floats rounded to 6 digits, no wall times, so that equal runs give
    equal bytes."""
    with whole(path) as part:
        part.write_text(json.dumps(_rounded(values), indent=2, sort_keys=True) + "\n", encoding="utf-8")


def write_csv(path: Path, rows: list[dict]) -> None:
    """A curve or table: one line a row, the columns of the first row, floats rounded to 6 digits."""
    with whole(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(_rounded(rows))


def _rounded(value):
    if isinstance(value, dict):
        return {key: _rounded(v) for key, v in value.items()}
    if isinstance(value, list):
        return [_rounded(v) for v in value]
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None  # JSON has no infinity
    return value


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
