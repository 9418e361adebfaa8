"""Results in order, bounded work ahead, errors at their place, and a clean end."""

import threading
import time
from itertools import count

import pytest

from dbgan.utils import ordered


@pytest.fixture(autouse=True)
def no_thread_is_left():
    before = threading.active_count()
    yield
    assert threading.active_count() == before


@pytest.mark.parametrize("workers", [0, 1, 7])
def test_results_and_errors_come_in_the_order_of_the_items(workers):
    def late(i: int) -> float:
        time.sleep(0.002 * (i % 3 == 0))
        return 12 / (10 - i)

    results = ordered(late, range(20), workers)
    assert [next(results) for _ in range(10)] == [12 / (10 - i) for i in range(10)]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_items_are_worked_on_at_the_same_time():
    meet = threading.Barrier(3, timeout=5)
    assert len(list(ordered(lambda _: meet.wait(), range(9), 3))) == 9


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_work_ahead_is_bounded_even_of_endless_items(workers):
    begun = []
    results = ordered(lambda i: begun.append(i) or i, count(), workers)
    for taken in range(5):
        assert next(results) == taken
        time.sleep(0.005)  # a slow caller: time enough to run ahead
        assert len(begun) <= taken + 1 + workers
    results.close()
