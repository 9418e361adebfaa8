import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread():
    """Sums depend on the number of threads in their last digits; toy networks are faster with one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
