"""Work on many items at once, with results in their order and memory that does not grow with their number."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ordered(function: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """function(item) of each item, in order, made by so many threads; 0: by the caller, one after the other.

    At most workers + 1 results wait to be taken, however slow the caller is. What `function` raises is raised
    where its result would stand. When the caller stops early, what has begun ends and nothing more begins.

    Threads, not processes: Pillow, zlib, hashlib, HDF5's own checksums and NumPy's copies all run without the
    interpreter's lock, and results need not travel.
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
