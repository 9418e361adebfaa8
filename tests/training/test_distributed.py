"""Several processes that share the accumulated batches give the training of one: weights, statistics, curve."""

import multiprocessing
import os
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from toy_trainings import CPU, SEED, TRAININGS, Photographs

from dbgan.training import loop
from dbgan.training.loop import distributed_shard, fit
from dbgan.training.state import State

FOUR = {"accumulate": 4, "steps": 3, "log_every": 3, "save_every": 3, "lr": 1e-4, "lr_floor": 1e-6}
CASES = {
    "pretrain": ("pretrain", FOUR),
    "finetune": ("finetune", FOUR | {"critic_lr": 1e-4, "clip": 1e-3, "ema": 0.5}),
    "penalised": ("finetune", FOUR | {"critic_lr": 1e-4, "objective": "wgan-gp"}),
    "cycle": ("cycle", FOUR | {"critic_lr": 1e-4}),
    "paper": ("paper", FOUR | {"critic_lr": 1e-4}),
}


def trained(name: str, changes: dict, folder: Path) -> dict:
    """All that a training has learnt, in float64, and its last row."""
    training, p = TRAININGS[name](**changes)
    networks = [*training.networks.values(), *([training.features] if hasattr(training, "features") else [])]
    for network in networks:
        network.to(torch.float64)
    state = State(folder)
    result = fit(training, Photographs(name, dtype=torch.float64), p, SEED, CPU, state, lambda row, n: None)
    states = {key: net.state_dict() for key, net in (training.networks | {"result": result}).items()}
    tensors = {f"{key}.{k}": v for key, found in states.items() for k, v in found.items()}
    return tensors | {f"row.{k}": torch.tensor(v) for k, v in state.rows[-1].items()}


def stream(data, numbers, group, device):
    for k in range(0, len(numbers), group):
        yield [data[n] for n in numbers[k : k + group]]


def process(rank: int, world_size: int, folder: Path) -> None:
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(world_size), "TORCHELASTIC_RUN_ID": "test"}
    torch.set_num_threads(1)
    loop.stream = stream
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=world_size)
    torch.save({case: trained(*CASES[case], folder / case) for case in CASES}, folder / f"{rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> tuple[list[dict], Path]:
    """Each of two processes' results; they are forked from a server that has torch loaded."""
    folder = tmp_path_factory.mktemp("two")
    for case in CASES:
        (folder / case).mkdir()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["test_distributed"])
    processes = [context.Process(target=process, args=(rank, 2, folder)) for rank in range(2)]
    for each in processes:
        each.start()
    for each in processes:
        each.join(120)
    assert [each.exitcode for each in processes] == [0, 0]
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)], folder


@pytest.mark.parametrize("case", CASES)
def test_two_processes_give_all_that_one_gives(two, tmp_path, case):
    found, other = (result[case] for result in two[0])
    assert all(other[key].equal(value) for key, value in found.items() if not key.startswith("row."))
    expected = trained(*CASES[case], tmp_path)
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        torch.testing.assert_close(found[key].double(), value.double(), rtol=1e-5, atol=1e-5, msg=key)


def test_processes_that_cannot_have_equal_shards_are_told_how_many_can(monkeypatch):
    for name, value in {"WORLD_SIZE": "3", "RANK": "1", "TORCHELASTIC_RUN_ID": "x"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=r"3 processes cannot share accumulate: 4 .* start 1, 2, 4, or raise"):
        distributed_shard(4)
    assert list(distributed_shard(6)) == [2, 3]
