"""Learning rate, accumulation, precision, freezing and judging."""

import warnings

import pytest
import torch
from tiny_steps import (
    critic,
    cycle_step,
    finetune_step,
    group,
    optim_params,
    paired_step,
    photographs,
    pretrain_step,
)
from torch import nn

from dbgan.losses import OBJECTIVES, color, multi_stage, perceptual, sameness, squared_error
from dbgan.training.adversarial import judge
from dbgan.training.optim import Means, _has_bfloat16, adam, autocast, begin, cosine_lr, frozen, weighted


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
        assert few(update, batches)["content"].item() == pytest.approx(
            one(update, [whole])["content"].item(), rel=1e-12
        )
    for a, b in zip(few.generator.parameters(), one.generator.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)


@pytest.fixture
def machine(monkeypatch):
    """machine(has): from now on a CPU with bfloat16, which may be emulated, or without."""

    def become(has: bool) -> None:
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has)
        _has_bfloat16.cache_clear()

    yield become
    _has_bfloat16.cache_clear()


@pytest.mark.parametrize(
    ("precision", "has", "dtype"),
    [("float32", True, torch.float32), ("bfloat16", True, torch.bfloat16), ("float32", False, torch.float32)],
)
def test_convs_compute_in_the_precision_asked_for(machine, precision, has, dtype):
    machine(has)
    with warnings.catch_warnings(action="error"), autocast(optim_params(precision=precision), "cpu"):
        assert nn.Conv2d(3, 2, 1)(torch.ones(1, 3, 4, 4)).dtype == dtype


def test_a_gpu_that_emulates_bfloat16_counts_as_one_without(machine, monkeypatch):
    """As V100 and T4 do: PyTorch says that they support it, unless it is asked for more."""
    machine(True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    with pytest.warns(UserWarning, match="no bfloat16"):
        assert not _has_bfloat16("cuda")


def test_where_there_is_no_bfloat16_a_training_warns_once_and_computes_in_float32(machine):
    machine(False)
    with pytest.warns(UserWarning, match="no bfloat16") as caught:
        for _ in range(3):
            with autocast(optim_params(precision="bfloat16"), torch.device("cpu")):
                assert nn.Linear(3, 2)(torch.ones(1, 3)).dtype == torch.float32
    assert len(caught) == 1


def test_gradients_of_several_uses_of_a_weight_are_added_up_in_float32(machine):
    machine(True)
    network, p = nn.Conv2d(3, 4, 3), optim_params(precision="bfloat16")
    uses = [photographs(n, 1)[0] for n in range(8)]

    def gradient(*images):
        network.zero_grad()
        with autocast(p, "cpu"):
            sum(network(image).float().square().mean() for image in images).backward()
        return network.weight.grad

    torch.testing.assert_close(gradient(*uses), sum(gradient(image) for image in uses), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_in_bfloat16_too_the_generators_half_adds_nothing_to_the_critics_gradient(machine, objective):
    machine(True)
    gradients = []
    for weight in (0.0, 1.0):
        step = finetune_step(objective=objective, precision="bfloat16")
        step.weights = dict.fromkeys(step.weights, weight)
        with autocast(step.p, "cpu"):
            step(1, group(1, 2))
        gradients.append([p.grad for p in step.critic.parameters()])
    assert all(a.equal(b) for a, b in zip(*gradients, strict=True))


def test_losses_are_float32_whatever_the_convs_are(machine):
    machine(True)
    output, target = photographs(0, 2)

    def losses():
        content = [loss(output, target) for loss in (color, sameness, squared_error)]
        content += [multi_stage([output, target], target), perceptual(output, target, lambda image: image)]
        logits = output.mean((1, 2, 3)), target.mean((1, 2, 3))
        return content + [side(*logits) for sides in OBJECTIVES.values() for side in sides]

    expected = losses()
    with autocast(optim_params(precision="bfloat16"), "cpu"):
        found = losses()
    assert all(loss.dtype == torch.float32 for loss in found)
    assert found == expected


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


def test_logits_are_float32_whatever_the_critic_computes_in(machine):
    machine(True)
    with autocast(optim_params(precision="bfloat16"), "cpu"):
        assert critic()(photographs(0, 1)[0]).dtype == torch.bfloat16
        assert {logits.dtype for logits in judge(critic(), *photographs(0, 2))} == {torch.float32}


def test_weighted_sums_the_terms_times_their_weights():
    terms = {"a": torch.tensor(2.0), "b": torch.tensor(3.0)}
    assert weighted(terms, {"a": 0.5, "b": 10, "unused": 7}) == 31


def test_means_average_over_batches_and_hold_no_graph():
    means = Means()
    for value in (1.0, 2.0, 6.0):
        means.add({"content": torch.tensor(value, requires_grad=True) * 1})
    assert means.tensors() == {"content": 3.0}
