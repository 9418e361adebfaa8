"""The relativistic blur loss against the authors' and BasicSR's values, and by hand."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from dbgan.losses.adversarial import rbl_critic, rbl_generator

GOLDEN = np.load(Path(__file__).parents[1] / "fixtures" / "relativistic_losses.npz")
SETS = ("set1", "set1_patch")


def logits(name):
    return torch.from_numpy(GOLDEN[f"{name}/real"]), torch.from_numpy(GOLDEN[f"{name}/fake"])


@pytest.mark.parametrize("source", ["hdcvlab", "esrgan"])
@pytest.mark.parametrize("name", SETS)
def test_both_sides_equal_published_code(name, source):
    real, fake = logits(name)
    assert rbl_generator(real, fake).item() == pytest.approx(GOLDEN[f"{name}/{source}/generator"], rel=1e-5)
    assert rbl_critic(real, fake).item() == pytest.approx(GOLDEN[f"{name}/{source}/critic"], rel=1e-5)


@pytest.mark.parametrize("name", SETS)
def test_generator_gradient_equals_published_code(name):
    real, fake = logits(name)
    scale = torch.ones((), requires_grad=True)
    rbl_generator(real, scale * fake).backward()
    assert scale.grad.item() == pytest.approx(GOLDEN[f"{name}/esrgan/generator_gradient"], rel=1e-5)


@pytest.mark.parametrize("name", SETS)
def test_critic_gradient_flows_through_the_means_too(name):
    """BasicSR detaches the means of the critic's halves; the paper's formula, and ours, does not."""
    real, fake = (values.double() for values in logits(name))
    scale = torch.ones((), dtype=torch.float64, requires_grad=True)
    rbl_critic(scale * real, scale * fake).backward()
    above, below = real - fake.mean(), fake - real.mean()
    by_hand = ((below.sigmoid() * below).mean() - ((-above).sigmoid() * above).mean()) / 2
    assert scale.grad.item() == pytest.approx(by_hand.item(), rel=1e-9)


def test_four_logits_by_hand():
    """C(real) = 3, 1 and C(fake) = 0, -2: real lies 4 and 2 above the mean fake, fake 2 and 4 below the mean real."""
    real, fake = torch.tensor([3.0, 1.0]), torch.tensor([0.0, -2.0])
    wrong = (math.log1p(math.exp(4)) + math.log1p(math.exp(2))) / 2
    right = (math.log1p(math.exp(-4)) + math.log1p(math.exp(-2))) / 2
    assert rbl_generator(real, fake).item() == pytest.approx(wrong, rel=1e-6)
    assert rbl_critic(real, fake).item() == pytest.approx(right, rel=1e-6)


def test_alike_logits_cost_log_two_on_both_sides():
    same = torch.full((4,), 1.7)
    assert rbl_generator(same, same).item() == pytest.approx(math.log(2))
    assert rbl_critic(same, same).item() == pytest.approx(math.log(2))


def test_generator_lifts_fakes_and_lowers_real_ones_and_the_critic_the_reverse():
    for loss, sign in ((rbl_generator, 1), (rbl_critic, -1)):
        real, fake = torch.tensor([2.0, 1.0], requires_grad=True), torch.tensor([-1.0, 0.0], requires_grad=True)
        loss(real, fake).backward()
        assert (sign * real.grad > 0).all()
        assert (sign * fake.grad < 0).all()


def test_large_logits_stay_finite():
    real, fake = torch.full((2,), 1e4), torch.full((2,), -1e4, requires_grad=True)
    loss = rbl_generator(real, fake)
    loss.backward()
    assert loss.isfinite()
    assert fake.grad.isfinite().all()
