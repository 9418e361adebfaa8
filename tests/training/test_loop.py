"""The loop: rows, log, saving, and the stop at values that are no longer finite."""

import pytest
import torch
from tiny_steps import optim_params
from torch import nn
from tqdm import tqdm

from dbgan.training import optim
from dbgan.training.loop import fit
from dbgan.training.resume import State

QUIET = {"disable": True}


class Counter:
    """A step whose loss is the number of the update, or what `at` says for it."""

    device = "cpu"

    def __init__(self, at=None):
        self.network = self.result = nn.Linear(1, 1)
        self.at, self.updates = at or {}, []

    def parts(self):
        return {"network": self.network}

    def __call__(self, n, batches):
        self.updates.append((n, batches))
        values = {"content": float(n), "psnr": -float(n)} | self.at.get(n, {})
        return {name: torch.tensor(value) for name, value in values.items()}


def batches_of(steps):
    def batches(start):
        return iter([[f"batch {n}"] for n in range(start + 1, steps + 1)])

    return batches


def progress(**options):
    return tqdm(**(options | QUIET))


def train(folder, step, p, logged=None):
    state = State(folder)
    log = logged.append if logged is not None else lambda row: None
    fit(state, lambda: step, batches_of(p.steps), p, 0, lambda row, n: log((n, row)), progress)
    return state


def test_every_update_gets_its_number_and_its_batches(tmp_path):
    step = Counter()
    train(tmp_path, step, optim_params(steps=3))
    assert step.updates == [(1, ["batch 1"]), (2, ["batch 2"]), (3, ["batch 3"])]


def test_rows_are_means_since_the_last_row_and_the_last_update_has_one(tmp_path):
    state = train(tmp_path, Counter(), optim_params(steps=7, log_every=3, save_every=3))
    assert state.rows == [
        {"step": 3, "content": 2.0, "psnr": -2.0},
        {"step": 6, "content": 5.0, "psnr": -5.0},
        {"step": 7, "content": 7.0, "psnr": -7.0},
    ]


def test_the_log_gets_the_rows_as_they_come(tmp_path):
    logged = []
    train(tmp_path, Counter(), optim_params(steps=4, log_every=2), logged)
    assert logged == [(2, {"content": 1.5, "psnr": -1.5}), (4, {"content": 3.5, "psnr": -3.5})]


def test_states_are_saved_on_the_way_but_not_at_the_end(tmp_path, monkeypatch):
    saved = []
    monkeypatch.setattr(State, "save", lambda self, step, n: saved.append(n))
    train(tmp_path, Counter(), optim_params(steps=6, log_every=1, save_every=2))
    assert saved == [2, 4]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_steps_are_done_in_the_precision_of_the_training(tmp_path, monkeypatch, precision):
    class Watched(Counter):
        def __call__(self, n, batches):
            seen.append(self.network(torch.ones(1, 1)).dtype)
            return super().__call__(n, batches)

    seen = []
    monkeypatch.setattr(optim, "_has_bfloat16", lambda kind: True)
    train(tmp_path, Watched(), optim_params(steps=2, precision=precision))
    assert seen == [getattr(torch, precision)] * 2
    assert not torch.is_autocast_enabled("cpu")


def test_what_a_step_draws_is_a_function_of_seed_and_update(tmp_path):
    """Of dropout, for which PyTorch's own generator is the only one; not of the updates before, nor of other draws."""

    class Drawing(Counter):
        def __call__(self, n, batches):
            drawn.append(torch.rand(1).item())
            return super().__call__(n, batches)

    def draws(seed, start=0, before=0):
        drawn.clear()
        torch.rand(before)
        p = optim_params(steps=4)
        state = State(tmp_path)
        state.restore = lambda build: (build(), start)
        fit(state, Drawing, batches_of(4), p, seed, lambda row, n: None, progress)
        return list(drawn)

    drawn = []
    whole = draws(seed=1)
    assert len(set(whole)) == 4
    assert draws(seed=1, start=2, before=1) == whole[2:]
    assert set(draws(seed=9)).isdisjoint(whole)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_a_value_that_is_not_finite_stops_naming_update_and_term(tmp_path, bad):
    step = Counter({3: {"content": bad}})
    with pytest.raises(ValueError, match=r"update 3: content is no longer finite") as error:
        train(tmp_path, step, optim_params(steps=6))
    assert "\n" not in str(error.value)
    assert "psnr" not in str(error.value)
    assert [n for n, _ in step.updates] == [1, 2, 3, 4]  # looked at where a row of the curve ends


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_the_last_update_spoils_are_refused(tmp_path, bad):
    """The loss of an update is that before it, so the last one's harm shows in the weights alone."""

    class Spoiled(Counter):
        def __call__(self, n, batches):
            if n == 4:
                torch.nn.init.constant_(self.network.bias, bad)
            return super().__call__(n, batches)

    with pytest.raises(ValueError, match=r"update 4: network is no longer finite") as error:
        train(tmp_path, Spoiled(), optim_params(steps=4))
    assert "\n" not in str(error.value)
    assert State(tmp_path).restore(Counter)[1] == 2


def test_after_such_a_stop_the_last_good_state_is_there(tmp_path):
    step = Counter({5: {"psnr": float("nan")}})
    with pytest.raises(ValueError, match=rf"update 5: psnr .* state of update 4 is in {tmp_path}"):
        train(tmp_path, step, optim_params(steps=6))
    assert State(tmp_path).restore(Counter)[1] == 4


@pytest.mark.parametrize(("ema", "expected"), [(0.0, 4.0), (0.5, ((1 / 2 + 2 / 2) / 2 + 3 / 2) / 2 + 4 / 2)])
def test_the_result_is_the_network_or_its_running_mean(tmp_path, ema, expected):
    class Numbered(Counter):
        """Its weight is the number of the update."""

        def __call__(self, n, batches):
            nn.init.constant_(self.network.weight, n)
            return super().__call__(n, batches)

    def go(steps, build=Numbered):
        p = optim_params(steps=steps, ema=ema)
        return fit(State(tmp_path), build, batches_of(steps), p, 0, lambda row, n: None, progress)

    assert go(4).weight.item() == expected
    assert State(tmp_path).restore(Numbered)[1] == 2
    assert go(4).weight.item() == expected  # from that state, the mean goes on


@pytest.mark.parametrize("part", ["network", "optimizer", "mean"])
def test_a_state_that_is_not_finite_is_never_saved(tmp_path, part):
    """Nor one whose moments are, though weights and losses do not show it."""

    class Overflown(Counter):
        def __init__(self):
            super().__init__()
            self.optimizer = torch.optim.SGD(self.network.parameters(), lr=0.0, momentum=0.9)

        def parts(self):
            return super().parts() | {"optimizer": self.optimizer}

        def __call__(self, n, batches):
            self.network(torch.full((1, 1), float(n))).sum().backward()
            self.optimizer.step()
            if n == 4 and part == "optimizer":
                self.optimizer.state[self.network.weight]["momentum_buffer"].fill_(float("inf"))
            if n == 4 and part == "network":
                nn.init.constant_(self.network.weight, float("inf"))
            if n == 3 and part == "mean":  # gone from the network at the next update, but not from the mean
                nn.init.constant_(self.network.weight, float("inf"))
            if n == 4 and part == "mean":
                nn.init.constant_(self.network.weight, 1.0)
            return super().__call__(n, batches)

    with pytest.raises(ValueError, match=rf"update 4: ([a-z]+, )*{part}\b.* state of update 2"):
        train(tmp_path, Overflown(), optim_params(steps=6, ema=0.5))
    assert State(tmp_path).restore(Overflown)[1] == 2


def test_a_network_that_learns_gets_better(tmp_path):
    """The loop with a real optimizer: y = 2x from a single example."""

    class Line(Counter):
        def __init__(self):
            super().__init__()
            self.optimizer = torch.optim.SGD(self.network.parameters(), lr=0.1)

        def __call__(self, n, batches):
            self.optimizer.zero_grad()
            loss = (self.network(torch.ones(1, 1)) - 2).square().mean()
            loss.backward()
            self.optimizer.step()
            return {"content": loss.detach()}

    rows = train(tmp_path, Line(), optim_params(steps=20)).rows
    assert rows[-1]["content"] < 1e-3 < rows[0]["content"]
