"""What every module may use and no result depends on: one-line errors, whole files, the log, progress bars."""

import functools
import hashlib
import os
import shutil
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import typer

from dbgan import distributed

Item = TypeVar("Item")
Result = TypeVar("Result")


def project_root() -> Path:
    """The repository that keeps state, records and relative data paths.

    `dvc exp run --temp` and queue workers run in a temporary copy; DVC_ROOT names the repository itself.
    """
    return Path(os.environ.get("DVC_ROOT") or Path(__file__).parent.parent).resolve()


def command(main: Callable[..., None], together: bool = False) -> Callable[..., None]:
    """`main` as a function for Typer that ends bad input with one line on stderr and exit code 1.

    Input faults are raised as ValueError or OSError throughout the project. DBGAN_TRACEBACK=1 shows where. With
    `together`, several processes can do the work, see distributed.py.
    """
    name = Path(main.__code__.co_filename).stem

    @functools.wraps(main)
    def clean(*args, **kwargs) -> None:
        if together and (code := distributed.distributed_command(f"stages.{name}")) is not None:
            raise typer.Exit(code)
        try:
            if distributed.world_size() > 1 and not together:
                raise ValueError("this command is one process's work; start it without torchrun")
            with distributed.session():
                return main(*args, **kwargs)
        except KeyboardInterrupt:
            message, code = "interrupted; nothing half-written is left, the same command starts again", 130
        except (ValueError, OSError) as error:
            if os.environ.get("DBGAN_TRACEBACK"):
                raise
            message, code = " ".join(str(error).split()), 1
        except Exception:  # a fault of the program, or another process gave up
            distributed.delay_error(own=False)
            raise
        # Not before the fault is let go of: with it go the progress bars, which would share the line.
        distributed.delay_error(own=True)
        who = name if distributed.is_main() else f"\n{name}, process {distributed.rank()}"  # below the main one's bar
        typer.echo(f"{who}: {message}", err=True)
        raise typer.Exit(code)

    return clean


def app(main: Callable[..., None], together: bool = False) -> typer.Typer:
    """A Typer application of one command, see `command`."""
    cli = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    cli.command()(command(main, together))
    return cli


@contextmanager
def out_of_memory(advice: str) -> Iterator[None]:
    """Ends work that finds no more memory, the GPU's or the machine's, with a ValueError that gives the advice."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        # What torch calls it: of a GPU, of a CPU, and of the libraries below.
        signs = ("out of memory", "can't allocate memory", "not enough memory", "bad_alloc", "ALLOC_FAILED")
        if not isinstance(error, MemoryError) and not any(sign in str(error) for sign in signs):
            raise
        raise ValueError(f"out of memory; {advice}") from None


def log(message: str) -> None:
    """One line on stderr, like the progress bars; by the main process alone."""
    if distributed.is_main():
        typer.echo(message, err=True)


def progress(items=None, **options):
    """A tqdm bar: time left, rate; a line now and then instead of an animation when nobody watches. By the main
    process alone."""
    from tqdm import tqdm

    every = 0.2 if sys.stderr.isatty() else 10
    return tqdm(items, mininterval=every, dynamic_ncols=True, disable=not distributed.is_main(), **options)


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
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


def sha256(path: Path) -> str:
    """SHA-256 of a file."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def workers() -> int:
    """Threads that read photographs ahead: a property of the machine, so not in params.yaml.

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


def ordered(function: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """function(item) of each item, in order, made by so many threads; 0: by the caller, one after the other.

    At most workers + 1 results wait to be taken. What `function` raises is raised where its result would stand.
    Threads, not processes: Pillow, zlib, hashlib, HDF5 and NumPy's copies run without the interpreter's lock.
    """
    if workers < 1:
        yield from map(function, items)
        return
    pool = ThreadPoolExecutor(workers)
    ahead: deque[Future[Result]] = deque()
    try:
        for item in items:
            ahead.append(pool.submit(function, item))
            if len(ahead) > workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
