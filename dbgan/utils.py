"""What every module may use and no result depends on: one-line errors, whole files, the log, progress bars."""

import errno
import functools
import hashlib
import os
import shutil
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import typer
from tqdm import tqdm

from dbgan import distributed

Item = TypeVar("Item")
Result = TypeVar("Result")


def project_root() -> Path:
    """The repository, also for `dvc exp run --temp` and queue workers, which run in a temporary copy of it."""
    return Path(os.environ.get("DVC_ROOT") or Path(__file__).parent.parent).resolve()


def command(main: Callable[..., None], together: bool = False) -> Callable[..., None]:
    """`main` for Typer: bad input, ValueError or OSError throughout the project, ends in one line on stderr and exit
    code 1; DBGAN_TRACEBACK=1 shows where. With `together`, several processes can do the work (distributed.py)."""
    name = Path(main.__code__.co_filename).stem

    @functools.wraps(main)
    def clean(*args, **kwargs) -> None:
        try:
            if together and (code := distributed.distributed_command(f"stages.{name}")) is not None:
                raise typer.Exit(code)
            if distributed.world_size() > 1 and not together:
                raise ValueError("this command is one process's work; start it without torchrun")
            with distributed.session():
                return main(*args, **kwargs)
        except KeyboardInterrupt:
            message, code = "interrupted; nothing half-written is left, the same command goes on or starts again", 130
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
    cli = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    cli.command()(command(main, together))
    return cli


@contextmanager
def out_of_memory(advice: str) -> Iterator[None]:
    """Ends work that gets no more memory, of a GPU or the machine, with a ValueError that gives the advice."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        signs = ("out of memory", "can't allocate memory", "not enough memory", "bad_alloc", "ALLOC_FAILED")
        if not isinstance(error, MemoryError) and not any(sign in str(error) for sign in signs):
            raise
        raise ValueError(f"out of memory; {advice}") from None


def log(message: str) -> None:
    """One line on stderr, like the progress bars; by the main process alone."""
    if distributed.is_main():
        typer.echo(message, err=True)


class Lines(tqdm):
    """Plain lines in a log file instead of a bar: every ten seconds, and none of work that takes less."""

    def __init__(self, items=None, **options) -> None:
        layout = "{desc} {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}{postfix}]"
        super().__init__(items, **options | {"leave": False, "mininterval": 10, "delay": 10, "bar_format": layout})

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        if msg is None:
            typer.echo(str(self).strip(), err=True)

    def refresh(self, nolock: bool = False, lock_args: Any = None) -> None:
        if not nolock:  # else other lines were written, after which a bar shows again
            super().refresh(lock_args=lock_args)

    def clear(self, nolock: bool = False) -> None:
        pass


def progress(items=None, **options):
    """A bar on a terminal, lines elsewhere; by the main process alone."""
    kind = functools.partial(tqdm, mininterval=0.2, dynamic_ncols=True) if sys.stderr.isatty() else Lines
    return kind(items, disable=not distributed.is_main(), **options)


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A path beside `path` to write a file or folder to, which replaces `path` when all went well and goes when not."""
    part = path.with_name(path.name + ".part")
    if len(os.fsencode(part.name)) > 255:  # as long as names can be
        part = path.with_name(hashlib.sha256(os.fsencode(path.name)).hexdigest() + ".part")
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


def link(source: Path, target: Path) -> None:
    """A second name for the file, or a copy on another disk or one that has no links."""
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)


def enough_disk(needs: Mapping[str, float | None], folder: Path) -> None:
    """One line on the bytes that will be written at `folder` or below (None: not known) and on what is free there;
    OSError where that is less."""
    while not folder.exists():
        folder = folder.absolute().parent
    free = shutil.disk_usage(folder).free
    parts = [f"{name} {'of unknown size' if size is None else gigabytes(size)}" for name, size in needs.items()]
    line = f"{', '.join(parts)}; {gigabytes(free)} free"
    if sum(filter(None, needs.values())) > free:
        raise OSError(errno.ENOSPC, f"disk too small for {line}; make room", str(folder))
    if parts:
        log(f"disk: {line}")


def gigabytes(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def workers() -> int:
    """Threads that read photographs ahead: DBGAN_WORKERS (0: none), else one for each core, at most 8."""
    given = os.environ.get("DBGAN_WORKERS") or str(min(os.cpu_count() or 1, 8))
    if not given.isdecimal():
        raise ValueError(f"DBGAN_WORKERS={given}: must be a whole number, 0 or more")
    return int(given)


def ordered(function: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """function(item) of each, in order, by so many threads (0: by the caller); at most workers + 1 results wait."""
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
        yield from (future.result() for future in ahead)
    finally:
        pool.shutdown(cancel_futures=True)
