from collections.abc import Iterator

import pytest
import torch

from dbgan.training import loop


@pytest.fixture(autouse=True)
def one_thread():
    """Sums depend on the number of threads in their last digits; toy networks are faster with one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def floats(monkeypatch) -> None:
    """Batches of `toy_trainings.Photographs` are floats already."""

    def stream(data, numbers, group, device) -> Iterator[list]:
        for k in range(0, len(numbers), group):
            yield [data[n] for n in numbers[k : k + group]]

    monkeypatch.setattr(loop, "stream", stream)
