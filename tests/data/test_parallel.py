"""Results in order, bounded work ahead, faults at their place, and a clean end."""

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


@pytest.mark.parametrize("workers", [0, 1, 2, 7])
def test_results_come_in_the_order_of_the_items(workers):
    def late(i: int) -> int:
        time.sleep(0.002 * (i % 3 == 0))
        return i * i

    assert list(ordered(late, range(20), workers)) == [i * i for i in range(20)]
    assert list(ordered(late, [], workers)) == []


def test_items_are_worked_on_at_the_same_time():
    meet = threading.Barrier(3, timeout=5)
    assert len(list(ordered(lambda _: meet.wait(), range(9), 3))) == 9


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_work_ahead_is_bounded_even_of_endless_items(workers):
    begun = []
    results = ordered(lambda i: begun.append(i) or i, count(), workers)
    for taken in range(10):
        assert next(results) == taken
        time.sleep(0.005)  # a slow caller: time enough to run ahead
        assert len(begun) <= taken + 1 + workers
    results.close()
    stopped = len(begun)
    time.sleep(0.01)
    assert len(begun) == stopped


@pytest.mark.parametrize("workers", [0, 1, 4])
def test_a_fault_is_raised_at_its_place(workers):
    results = ordered(lambda i: 12 // (3 - i), range(9), workers)
    assert [next(results) for _ in range(3)] == [4, 6, 12]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_an_interrupted_caller_leaves_no_work_behind():
    begun = []
    with pytest.raises(KeyboardInterrupt):
        for i in ordered(lambda i: begun.append(i) or i, range(1000), 2):
            if i == 3:
                raise KeyboardInterrupt
    assert len(begun) < 20
