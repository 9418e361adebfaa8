"""A killed training goes on as if nothing had happened, and nothing else can disturb it."""

import os
from pathlib import Path

import pytest
import torch
from toy_trainings import CPU, SEED, TRAININGS, Photographs

from dbgan import utils
from dbgan.training.loop import fit
from dbgan.training.state import State, unfinished


class KilledError(Exception):
    pass


class Deadly(Photographs):
    """Photographs of which number `last` is the last before a kill."""

    def __init__(self, training: str, last: int | None = None) -> None:
        super().__init__(training)
        self.last, self.read = last, []

    def __getitem__(self, number: int):
        if number == self.last:
            raise KilledError
        self.read.append(number)
        return super().__getitem__(number)


def train(name, kill_at=None, **changes):
    """Train to the end, or to a kill in update `kill_at`: all that was learnt, the curve, the batches read."""
    training, p = TRAININGS[name](**changes)
    data = Deadly(name, kill_at and (kill_at - 1) * p.accumulate)
    with unfinished(name, ["the same"]) as state:
        result = fit(training, data, p, SEED, CPU, state, lambda row, n: None)
        learnt = {name: net.state_dict() for name, net in training.networks.items()} | {"result": result.state_dict()}
    return learnt, state.rows, data.read


def state_file(root: Path) -> Path:
    (found,) = root.glob(".state/*/*/state.pt")
    return found


@pytest.mark.parametrize(
    "changes", [{}, {"ema": 0.9, "clip": 0.5}, {"optimizer": "soap"}], ids=["plain", "ema", "soap"]
)
@pytest.mark.parametrize("name", TRAININGS)
def test_killed_and_resumed_equals_uninterrupted_bit_for_bit(tmp_path, name, changes):
    expected, rows, _ = train(name, **changes)
    assert not list(tmp_path.glob(".state/*/*/"))  # the state goes when the training is done
    with pytest.raises(KilledError):
        train(name, kill_at=4, **changes)
    found, same_rows, read = train(name, **changes)
    assert read == list(range(4, 12))  # from update 3 on
    assert same_rows == rows
    for key, states in expected.items():
        assert all(found[key][k].equal(v) for k, v in states.items()), key


@pytest.mark.parametrize("damage", [b"", b"no state", None])
def test_a_damaged_state_is_named_in_one_line(tmp_path, damage):
    with pytest.raises(KilledError):
        train("pretrain", kill_at=4)
    file = state_file(tmp_path)
    if damage is None:  # another training's
        torch.save({"parts": {}, "updates": 4, "rows": []}, file)
    else:
        file.write_bytes(damage)
    with pytest.raises(ValueError, match="damaged training state; delete it") as error:
        train("pretrain")
    assert str(file) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_disk_that_fills_up_while_saving_leaves_the_last_state_whole(tmp_path, monkeypatch):
    def full(handle):
        raise OSError(28, "No space left on device")

    with pytest.raises(KilledError):
        train("pretrain", kill_at=4)
    before = state_file(tmp_path).read_bytes()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"state.pt: cannot save .*No space left"):
        State(state_file(tmp_path).parent).save(TRAININGS["pretrain"]()[0].networks, 4)
    assert state_file(tmp_path).read_bytes() == before
    assert not list(tmp_path.rglob("*.part"))


def test_a_second_trainer_of_the_same_result_is_refused_and_others_do_not_meet(tmp_path):
    with unfinished("pretrain", [1]), unfinished("pretrain", [2]), unfinished("finetune", [1]):
        assert len(list(tmp_path.glob(".state/*/*/"))) == 3
        with pytest.raises(ValueError, match="another process"), unfinished("pretrain", [1]):
            pass
    with unfinished("pretrain", [1]):  # the lock is free again
        pass


def test_another_pytorch_starts_anew_and_says_which_state_is_left(tmp_path, monkeypatch):
    with pytest.raises(KilledError):
        train("pretrain", kill_at=4)
    logged = []
    monkeypatch.setattr(utils, "log", logged.append)
    with unfinished("pretrain", ["the same"]):
        assert logged == []  # it goes on
    with pytest.raises(KilledError):
        train("pretrain", kill_at=4)
    monkeypatch.setattr(torch, "__version__", "0.1")
    with unfinished("pretrain", ["the same"]) as state:
        assert state.restore(TRAININGS["pretrain"]()[0].networks) == 0
    (line,) = logged
    assert str(state_file(tmp_path).parent) in line
    assert "delete" in line
