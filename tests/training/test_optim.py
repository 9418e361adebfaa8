"""Learning rate, accumulation, freezing and judging."""

import pytest
import torch
from tiny_steps import critic, cycle_step, group, optim_params, paired_step, photographs, pretrain_step
from torch import nn

from dbgan.training.optim import Means, adam, begin, cosine_lr, frozen, judge, weighted


def test_cosine_starts_at_lr_ends_at_the_floor_and_is_their_mean_half_way():
    p = optim_params(steps=101, lr=1e-4, lr_floor=1e-6)
    assert cosine_lr(1, p) == pytest.approx(1e-4)
    assert cosine_lr(51, p) == pytest.approx((1e-4 + 1e-6) / 2)
    assert cosine_lr(101, p) == pytest.approx(1e-6)


def test_cosine_only_falls():
    p = optim_params(steps=20)
    rates = [cosine_lr(n, p) for n in range(1, 21)]
    assert rates == sorted(rates, reverse=True)


def test_a_single_update_is_made_at_the_full_rate():
    assert cosine_lr(1, optim_params(steps=1, lr=1e-3)) == pytest.approx(1e-3)


@pytest.mark.parametrize(
    "changes", [{"steps": 0}, {"accumulate": 0}, {"log_every": 0}, {"lr": 1e-5}, {"lr_floor": 0.0}]
)
def test_impossible_settings_are_refused(changes):
    with pytest.raises(ValueError, match="must"):
        optim_params(**changes)


def test_a_state_is_saved_only_where_a_row_of_the_curve_ends():
    with pytest.raises(ValueError, match="multiple"):
        optim_params(log_every=4, save_every=6)


def test_begin_sets_the_rate_and_clears_the_gradients():
    network, p = nn.Linear(2, 1), optim_params(steps=11)
    optimizer = adam(network, p, p.lr)
    network(torch.ones(1, 2)).sum().backward()
    begin(6, p, optimizer)
    assert network.weight.grad is None
    assert optimizer.param_groups[0]["lr"] == pytest.approx(cosine_lr(6, p))


@pytest.mark.parametrize("n", [1, 6, 11])
def test_a_rate_of_its_own_falls_in_proportion(n):
    p = optim_params(steps=11, lr=1e-2, lr_floor=1e-4)
    usual, slow = (adam(nn.Linear(2, 1), p, lr) for lr in (1e-2, 1e-5))
    begin(n, p, usual, slow)
    assert usual.param_groups[0]["lr"] == pytest.approx(cosine_lr(n, p))
    assert slow.param_groups[0]["lr"] == pytest.approx(cosine_lr(n, p) / 1000)


def test_adam_takes_all_weights_with_its_usual_betas():
    network = critic()
    (group_of_all,) = adam(network, optim_params(), 1e-3).param_groups
    assert all(a is b for a, b in zip(group_of_all["params"], network.parameters(), strict=True))
    assert group_of_all["betas"] == (0.9, 0.999)


@pytest.mark.parametrize("build", [cycle_step, paired_step])
def test_bgans_critics_learn_at_their_own_rate(build):
    step = build(lr=1e-2, critic_lr=1e-5)
    step(1, group(1, 3))
    rates = {name: part.param_groups[0]["lr"] for name, part in step.parts().items() if name.endswith("optimizer")}
    expected = {name: 1e-5 if "critic" in name else 1e-2 for name in rates}
    assert rates == pytest.approx(expected)
    assert len(set(expected.values())) == 2


def test_accumulating_four_batches_of_two_equals_one_batch_of_eight():
    few, one = pretrain_step(), pretrain_step()
    for step in (few, one):
        step.generator.double()
    for update in (1, 2):
        batches = [tuple(images.double() for images in batch) for batch in group(update, 2, accumulate=4)]
        whole = tuple(torch.cat(images) for images in zip(*batches, strict=True))
        assert few(update, batches)["content"] == pytest.approx(one(update, [whole])["content"], rel=1e-12)
    for a, b in zip(few.generator.parameters(), one.generator.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)


def test_frozen_networks_pass_gradient_on_but_take_none():
    network, image = nn.Linear(3, 1), torch.ones(1, 3, requires_grad=True)
    with frozen(network):
        network(image).sum().backward()
    assert image.grad.equal(network.weight)
    assert network.weight.grad is None
    assert all(p.requires_grad for p in network.parameters())


def test_frozen_networks_thaw_after_a_fault():
    first, second = nn.Linear(3, 1), nn.Linear(3, 1)
    with pytest.raises(RuntimeError), frozen(first, second):
        raise RuntimeError
    assert all(p.requires_grad for network in (first, second) for p in network.parameters())


def test_judge_gives_the_logits_of_real_and_fake_in_this_order():
    def brightness(images):
        return images.mean(dim=(1, 2, 3))

    real, fake = torch.full((3, 3, 4, 4), 0.75), torch.full((2, 3, 4, 4), 0.25)
    of_real, of_fake = judge(brightness, real, fake)
    assert of_real.tolist() == [0.75] * 3
    assert of_fake.tolist() == [0.25] * 2


def test_judge_normalises_real_and_fake_together():
    """Apart, BatchNorm would hide that the fakes are a paler version of the real ones."""
    network = critic().train()
    (real,) = photographs(0, 1, n=4)
    of_real, of_fake = judge(network, real, 0.5 + (real - 0.5) / 10)
    assert torch.cat([of_real, of_fake]).equal(network(torch.cat([real, 0.5 + (real - 0.5) / 10])))
    apart = network(real)
    assert not apart.allclose(of_real)


def test_weighted_sums_the_terms_times_their_weights():
    terms = {"a": torch.tensor(2.0), "b": torch.tensor(3.0)}
    assert weighted(terms, {"a": 0.5, "b": 10, "unused": 7}) == 31


def test_means_average_over_batches_and_hold_no_graph():
    means = Means()
    for value in (1.0, 2.0, 6.0):
        means.add({"content": torch.tensor(value, requires_grad=True) * 1})
    assert means.floats() == {"content": 3.0}
