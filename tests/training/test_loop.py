"""The loop: accumulation, learning rate, clipping, the running mean, rows, precision, the stop at NaN."""

import math
import warnings
from contextlib import nullcontext

import pytest
import torch
from torch import nn
from toy_trainings import CPU, SEED, TRAININGS, Photographs, critic, train_params

from dbgan.training import loop
from dbgan.training.adversarial import judge
from dbgan.training.loop import autocast, backward, clipped, cosine_lr, fit, frozen
from dbgan.training.state import State


class Line:
    """y = w * x with x = 1 and target 2; `at` replaces the recorded value of an update."""

    together = staticmethod(nullcontext)

    def __init__(self, at=None, spoil=None):
        self.network = nn.Linear(1, 1, bias=False)
        nn.init.constant_(self.network.weight, 1.0)
        self.networks, self.at, self.spoil, self.drawn = {"network": self.network}, at or {}, spoil, []

    def losses(self, batch, draw, n):
        self.drawn.append((n, torch.rand(1, generator=draw).item(), torch.rand(1).item(), batch))
        if self.spoil == n:
            self.network.weight.register_hook(lambda grad: grad * math.inf)
        value = torch.tensor(self.at.get(n, float(n)))
        yield {"content": (self.network(torch.ones(1, 1)) - 2).square().mean(), "number": value}


class Numbers:
    def __getitem__(self, n):
        return (torch.tensor(n),)


def train(folder, training, p, seed=SEED, data=None):
    state, rows = State(folder), []
    result = fit(training, data or Numbers(), p, seed, CPU, state, lambda row, n: rows.append((n, row)))
    assert [row["step"] for row in state.rows][-len(rows) :] == [n for n, _ in rows]
    return result, state


def test_every_update_gets_its_batches_and_draws_by_seed_update_and_batch(tmp_path):
    training = Line()
    train(tmp_path, training, train_params(steps=3, accumulate=2))
    assert [(n, batch[0].item()) for n, _, _, batch in training.drawn] == [
        (1, 0),
        (1, 1),
        (2, 2),
        (2, 3),
        (3, 4),
        (3, 5),
    ]
    by_hand = [torch.rand(1, generator=torch.Generator().manual_seed(SEED + k)).item() for k in range(2, 8)]
    assert [draw for _, draw, _, _ in training.drawn] == by_hand
    other = Line()
    train(tmp_path, other, train_params(steps=3, accumulate=2), seed=SEED + 100)
    assert {d for _, *ds, _ in training.drawn for d in ds}.isdisjoint({d for _, *ds, _ in other.drawn for d in ds})


def test_rows_are_means_since_the_last_row_and_the_last_update_has_one(tmp_path):
    _, state = train(tmp_path, Line(), train_params(steps=7, log_every=3, save_every=3))
    assert [(row["step"], row["number"]) for row in state.rows] == [(3, 2.0), (6, 5.0), (7, 7.0)]
    assert state.rows[0].keys() == {"step", "content", "number", "gradient_network"}


def test_a_network_that_learns_gets_better(tmp_path):
    network, state = train(tmp_path, Line(), train_params(steps=60, lr=0.05))
    assert network.weight.item() == pytest.approx(2, abs=0.1)
    assert state.rows[-1]["content"] < 0.05 < state.rows[0]["content"]


@pytest.mark.parametrize("name", TRAININGS)
def test_accumulated_batches_give_the_gradient_of_their_mean(name):
    """Four batches of two equal one update of their mean loss, computed by hand with torch.autograd.grad."""
    (accumulated, _), (hand, _) = TRAININGS[name](), TRAININGS[name]()
    group, seeds = [Photographs(name)[k] for k in range(4)], list(range(4))
    backward(accumulated, group, seeds, 2)
    wanted = {key: 0.0 for key in hand.networks}
    for seed, batch in zip(seeds, group, strict=True):
        for terms in hand.losses(batch, torch.Generator().manual_seed(seed), 2):
            for network in hand.networks.values():
                network.zero_grad()
            (sum(terms.values()) / 4).backward()
            for key, network in hand.networks.items():
                flat = [torch.zeros_like(p) if p.grad is None else p.grad for p in network.parameters()]
                wanted[key] = wanted[key] + torch.cat([g.flatten() for g in flat])
    for key, network in accumulated.networks.items():
        found = torch.cat([p.grad.flatten() for p in network.parameters()])
        torch.testing.assert_close(found, wanted[key], rtol=1e-4, atol=1e-7)


class TwoStages(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, image):
        first = self.conv(image)
        return [self.conv(first), first]


@pytest.mark.parametrize("name", ["pretrain", "finetune"])
def test_one_forward_of_several_stages_gives_terms_and_gradients_of_one_for_each_batch(name):
    found, group = [], [Photographs(name)[k] for k in range(4)]
    for merged, calls in ((False, 4), (True, 1)):
        (training, _), seen = TRAININGS[name](one_forward=merged), []
        generator = training.networks["generator"] = TwoStages()
        nn.init.constant_(generator.conv.weight, 0.05)
        nn.init.zeros_(generator.conv.bias)
        generator.register_forward_hook(lambda *_, seen=seen: seen.append(1))
        found.append((backward(training, group, [0, 1, 2, 3], 1), generator.conv.weight.grad))
        assert len(seen) == calls
    torch.testing.assert_close(found[1], found[0], rtol=1e-4, atol=1e-7)


def test_a_generator_with_running_statistics_sees_one_batch_after_the_other():
    (training, _), seen = TRAININGS["pretrain"](one_forward=True), []
    training.networks["generator"].norm = nn.BatchNorm2d(3)
    training.networks["generator"].register_forward_hook(lambda *_: seen.append(1))
    backward(training, [Photographs("pretrain")[k] for k in range(4)], [0, 1, 2, 3], 1)
    assert len(seen) == 4


def test_the_learning_rate_falls_along_half_a_cosine(tmp_path):
    p = train_params(steps=5, lr=1.0, lr_floor=0.2)
    assert [cosine_lr(n, p) for n in (1, 3, 5)] == pytest.approx([1.0, 0.6, 0.2])
    reference = torch.optim.lr_scheduler.CosineAnnealingLR(torch.optim.SGD([torch.zeros(1)], 1.0), 4, 0.2)
    for n in range(1, 6):
        assert cosine_lr(n, p) == pytest.approx(reference.get_last_lr()[0])
        reference.optimizer.step()
        reference.step()


@pytest.mark.parametrize(("optimizer", "beta"), [("adam", 0.999), ("soap", 0.95)])
def test_critics_have_a_learning_rate_of_their_own_and_all_networks_the_momentum(optimizer, beta):
    training, p = TRAININGS["cycle"](momentum=0.4, optimizer=optimizer)
    optimizers = {name: loop.new_optimizer(network, p, name) for name, network in training.networks.items()}
    loop.set_lr_and_zero_grad(optimizers, 1, p)
    rates = {name: optimizer.param_groups[0]["lr"] for name, optimizer in optimizers.items()}
    assert rates == pytest.approx({"blur": 1e-2, "deblur": 1e-2, "blur_critic": 2e-3, "sharp_critic": 2e-3})
    assert {optimizer.param_groups[0]["betas"] for optimizer in optimizers.values()} == {(0.4, beta)}


def test_soap_gives_each_direction_of_a_convs_gradient_the_same_length():
    """Two equal gradients, U S V as matrices (10, 2 * 9): the second update is the learning rate times U V."""
    conv = nn.Conv2d(2, 10, 3, bias=False, dtype=torch.float64)
    before = conv.weight.detach().clone()
    optimizer = loop.soap(conv, momentum=0.9, scale=1.0)
    optimizer.param_groups[0]["lr"] = 0.01
    gradient = torch.randn(10, 2, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for _ in range(2):
        conv.weight.grad = gradient.clone()
        optimizer.step()
    u, _, v = torch.linalg.svd(gradient.flatten(1), full_matrices=False)
    torch.testing.assert_close((before - conv.weight.detach()).flatten(1), 0.01 * u @ v, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("clip", "factor"), [(0.0, 1), (13.0, 1), (2.0, 2 / 5), (0.5, 1 / 10)])
def test_a_gradient_longer_than_clip_keeps_its_direction_and_gets_that_length(clip, factor):
    network, untouched = nn.Linear(2, 1, bias=False), nn.Linear(2, 1)
    network.weight.grad = torch.tensor([[3.0, -4.0]])
    assert clipped({"generator": network, "critic": untouched}, clip) == {"gradient_generator": 5}
    assert network.weight.grad.tolist() == [pytest.approx([3 * factor, -4 * factor], rel=1e-5)]


def test_the_running_mean_is_returned_and_changes_nothing_in_the_training(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    plain, state = train(tmp_path / "a", Line(), train_params(steps=5))
    mean, same = train(tmp_path / "b", Line(), train_params(steps=5, ema=0.9))
    assert state.rows == same.rows
    assert 1 < mean.weight.item() < plain.weight.item()


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_value_that_is_not_finite_stops_naming_update_and_term(tmp_path, bad):
    with pytest.raises(
        ValueError, match=r"^update 5: number is no longer finite; .* state of update 4 is in "
    ) as error:
        train(tmp_path, Line({5: bad}), train_params(steps=6))
    assert "\n" not in str(error.value)
    assert State(tmp_path).restore(Line().networks) == 4


def test_weights_that_an_update_spoils_are_never_saved(tmp_path):
    """The loss of an update is that before it, so the last one's harm shows in gradient and weights alone."""
    with pytest.raises(ValueError, match=r"^update 6: gradient_network is no longer finite"):
        train(tmp_path, Line(spoil=6), train_params(steps=6))
    with pytest.raises(FloatingPointError, match="update 3: mean, network"):
        bad = nn.Linear(1, 1)
        nn.init.constant_(bad.bias, math.nan)
        loop.check_finite({"mean": bad, "network": bad, "good": nn.Linear(1, 1)}, 3)


@pytest.fixture
def machine(monkeypatch):
    """machine(has): from now on a CPU with bfloat16, which may be emulated, or without."""

    def become(has: bool) -> None:
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has)
        loop._has_bfloat16.cache_clear()

    yield become
    loop._has_bfloat16.cache_clear()


@pytest.mark.parametrize(
    ("precision", "has", "dtype"),
    [("float32", True, torch.float32), ("bfloat16", True, torch.bfloat16), ("float32", False, torch.float32)],
)
def test_convs_compute_in_the_precision_asked_for(machine, precision, has, dtype):
    machine(has)
    with warnings.catch_warnings(action="error"), autocast(train_params(precision=precision), CPU):
        assert nn.Conv2d(3, 2, 1)(torch.ones(1, 3, 4, 4)).dtype == dtype


def test_without_bfloat16_a_training_warns_once_and_computes_in_float32(machine, monkeypatch):
    machine(False)
    with pytest.warns(UserWarning, match="no bfloat16") as caught:
        for _ in range(3):
            with autocast(train_params(precision="bfloat16"), CPU):
                assert nn.Linear(3, 2)(torch.ones(1, 3)).dtype == torch.float32
    assert len(caught) == 1
    # A GPU that emulates it, as V100 and T4 do, counts as one without.
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    with pytest.warns(UserWarning, match="no bfloat16"):
        assert not loop._has_bfloat16("cuda")


@pytest.mark.parametrize("optimizer", ["adam", "soap"])
def test_convs_in_bfloat16_are_updated_in_float32(machine, optimizer):
    machine(True)
    training, p = TRAININGS["pretrain"](precision="bfloat16", optimizer=optimizer)
    optimizers = {name: loop.new_optimizer(network, p, name) for name, network in training.networks.items()}
    weights = [weight for network in training.networks.values() for weight in network.parameters()]
    before = [weight.detach().clone() for weight in weights]
    for n in (1, 2):
        loop.update(training, optimizers, [Photographs("pretrain")[n]], [n], n, p)
    for weight, start in zip(weights, before, strict=True):
        assert weight.dtype == weight.grad.dtype == torch.float32
        assert weight.isfinite().all() and not weight.equal(start)


def test_gradients_of_several_uses_of_a_weight_are_added_up_in_float32(machine):
    machine(True)
    network, p = nn.Conv2d(3, 4, 3), train_params(precision="bfloat16")
    uses = [Photographs("pretrain")[n][0] for n in range(8)]

    def gradient(*images):
        network.zero_grad()
        with autocast(p, CPU):
            sum(network(image).float().square().mean() for image in images).backward()
        return network.weight.grad

    torch.testing.assert_close(gradient(*uses), sum(gradient(image) for image in uses), rtol=1e-5, atol=1e-6)


def test_judge_normalises_real_and_fake_together_and_gives_float32(machine):
    """Apart, BatchNorm would hide that the fakes are a paler version of the real ones."""
    machine(True)
    network, (real, _) = critic().train(), Photographs("pretrain", n=4)[0]
    fake = 0.5 + (real - 0.5) / 10
    of_real, of_fake = judge(network, real, fake)
    assert torch.cat([of_real, of_fake]).equal(network(torch.cat([real, fake])))
    assert not network(real).allclose(of_real)
    with autocast(train_params(precision="bfloat16"), CPU):
        assert {logits.dtype for logits in judge(network, real, fake)} == {torch.float32}


def test_frozen_networks_pass_gradient_on_take_none_and_thaw_after_a_fault():
    network, image = nn.Linear(3, 1), torch.ones(1, 3, requires_grad=True)
    with pytest.raises(RuntimeError), frozen(network):
        network(image).sum().backward()
        raise RuntimeError
    assert image.grad.equal(network.weight)
    assert network.weight.grad is None
    assert all(p.requires_grad for p in network.parameters())
