"""Every loss against the values of its authors' code, and by hand."""

import math
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

from dbgan.losses import (
    OBJECTIVES,
    VISIBLE,
    Objective,
    charbonnier,
    color,
    draw_share,
    edge,
    gradient_penalty,
    mode_seeking,
    multi_stage,
    perceptual,
    psnr,
    rbl_critic,
    rbl_generator,
)

FIXTURES = Path(__file__).parent / "fixtures"
GOLDEN = np.load(FIXTURES / "relativistic_losses.npz")
OTHERS = np.load(FIXTURES / "objectives.npz")
SETS = ("set1", "set1_patch")
NOT_RELATIVISTIC = ("vanilla", "lsgan", "wgan-gp")


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


def test_large_logits_stay_finite():
    real, fake = torch.full((2,), 1e4), torch.full((2,), -1e4, requires_grad=True)
    loss = rbl_generator(real, fake)
    loss.backward()
    assert loss.isfinite()
    assert fake.grad.isfinite().all()


@pytest.mark.parametrize("source", ["basicsr", "hdcvlab"])
@pytest.mark.parametrize("objective", NOT_RELATIVISTIC)
@pytest.mark.parametrize("name", SETS)
def test_the_other_objectives_equal_published_code(name, objective, source):
    """The critic's loss is the mean of its two halves, but WGAN's their sum."""
    generator, critic = OBJECTIVES[objective]
    golden = {
        side: OTHERS[f"{name}/{source}/{objective}/{side}"] for side in ("generator", "critic_real", "critic_fake")
    }
    both = (golden["critic_real"] + golden["critic_fake"]) / (1 if objective == "wgan-gp" else 2)
    assert generator(*logits(name)).item() == pytest.approx(golden["generator"], rel=1e-5)
    assert critic(*logits(name)).item() == pytest.approx(both, rel=1e-5)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_generators_lift_fakes_and_critics_lower_them_and_lift_real_ones(objective):
    generator, critic = OBJECTIVES[objective]
    real, fake = torch.tensor([0.5, 0.25], requires_grad=True), torch.tensor([0.5, 0.75], requires_grad=True)
    (lift,) = torch.autograd.grad(generator(real, fake), fake)
    of_real, of_fake = torch.autograd.grad(critic(real, fake), (real, fake))
    assert (lift < 0).all()
    assert (of_real < 0).all()
    assert (of_fake > 0).all()


def test_the_names_in_params_yaml_are_those_of_the_objectives():
    assert get_args(Objective) == tuple(OBJECTIVES)


def penalty_inputs():
    """Two photographs, the weights of the critic C(x) = sum(w * x * x), and a share for each sample or for all."""
    return (torch.from_numpy(OTHERS[f"penalty/{key}"]) for key in ("real", "fake", "w", "alpha", "alpha1"))


def test_gradient_penalty_is_that_of_dbgans_authors_whose_share_is_the_fakes():
    real, fake, w, share, _ = penalty_inputs()
    found = gradient_penalty(lambda x: (w * x * x).sum(dim=(1, 2, 3)), real, fake, 1 - share)
    assert found.item() == pytest.approx(OTHERS["penalty/hdcvlab"], rel=1e-5)


def test_gradient_penalty_of_a_linear_critic_by_hand_reaches_the_critic_alone():
    """C(x) = 3 x0 + 4 x1 has slope 5 everywhere: (5 - 1)^2, whose gradient is 2 (5 - 1) * (3, 4) / 5."""
    w = torch.tensor([3.0, 4.0], requires_grad=True)
    real, fake = (torch.rand(2, 2, 1, 1, requires_grad=True) for _ in range(2))
    found = gradient_penalty(lambda x: x.flatten(1) @ w, real, fake, torch.rand(2, 1, 1, 1))
    found.backward()
    assert found.item() == pytest.approx(16)
    assert w.grad.tolist() == pytest.approx([4.8, 6.4])
    assert real.grad is fake.grad is None


def test_gradient_penalty_is_the_mean_over_images_each_at_its_own_place_between_real_and_fake():
    """C(x) = x^2 / 2 has slope |x|: 4 at real, 2 at fake, 3.5 at three quarters of the way to real."""
    real, fake = torch.full((3, 1, 1, 1), 4.0), torch.full((3, 1, 1, 1), 2.0)
    share = torch.tensor([1.0, 0.0, 0.75]).view(3, 1, 1, 1)
    found = gradient_penalty(lambda x: x.flatten() ** 2 / 2, real, fake, share)
    assert found.item() == pytest.approx((3**2 + 1**2 + 2.5**2) / 3)


def test_each_image_has_a_share_of_its_own():
    share = draw_share(torch.zeros(4, 3, 2, 2), torch.Generator().manual_seed(3))
    assert share.shape == (4, 1, 1, 1)
    assert len(set(share.flatten().tolist())) == 4
    assert share.min() >= 0 and share.max() < 1


MPRNET = np.load(FIXTURES / "mprnet.npz")


def doubled_red(image):
    return 2 * image[:, :1]


def test_perceptual_is_the_mean_squared_distance_of_features():
    output, target = torch.zeros(1, 3, 1, 2), torch.zeros(1, 3, 1, 2)
    output[0, 0, 0] = torch.tensor([0.5, 0.2])
    target[0, 0, 0] = torch.tensor([0.25, 0.4])
    output[0, 1] = 0.9  # the features do not see green
    assert perceptual(output, target, doubled_red).item() == pytest.approx((0.5**2 + 0.4**2) / 2)


def test_perceptual_sends_gradient_to_the_output_only():
    output, target = (torch.rand(2, 3, 4, 4, requires_grad=True) for _ in range(2))
    perceptual(output, target, doubled_red).backward()
    assert output.grad[:, 0].all()
    assert not output.grad[:, 1:].any()
    assert target.grad is None


def test_colour_is_the_mean_shift_of_blocks():
    image = torch.rand(2, 3, 32, 48)
    cast = torch.tensor([0.2, -0.1, 0.0]).view(1, 3, 1, 1)
    assert color(image, image).item() == 0
    assert color(image + cast, image).item() == pytest.approx(0.1)
    half = image.clone()
    half[:, :, :16] += 0.3
    assert color(half, image).item() == pytest.approx(0.15)


def checkerboard(level, square=4):
    """(1, 3, 32, 32), squares of +level and -level: the mean is 0 in every block of 16 x 16."""
    place = torch.arange(32) // square
    return (level * (1 - 2 * ((place[:, None] + place) % 2))).expand(1, 3, 32, 32).clone()


GREY = torch.full((1, 3, 32, 32), 0.5)


def test_equal_blurs_cost_the_most():
    image = torch.rand(2, 3, 32, 48)
    assert mode_seeking(image, image.clone()).item() == pytest.approx(VISIBLE)


def test_a_shift_of_brightness_or_colour_is_no_other_blur():
    image = torch.rand(2, 3, 32, 32)
    blocks = torch.rand(2, 3, 2, 2).repeat_interleave(16, dim=2).repeat_interleave(16, dim=3)
    for shift in (0.3, torch.tensor([0.1, -0.2, 0.05]).view(1, 3, 1, 1), blocks):
        assert mode_seeking(image, image + shift).item() == pytest.approx(VISIBLE, abs=1e-6)


@pytest.mark.parametrize("square", [1, 2])
def test_a_fine_grid_is_no_other_blur(square):
    assert mode_seeking(GREY, GREY + checkerboard(0.3, square)).item() == pytest.approx(VISIBLE, abs=1e-6)


@pytest.mark.parametrize(("level", "left"), [(VISIBLE / 4, VISIBLE * 3 / 4), (VISIBLE, 0), (5 * VISIBLE, 0)])
def test_detail_counts_up_to_what_is_visible(level, left):
    found = mode_seeking(GREY, GREY + checkerboard(level))
    assert found.item() == pytest.approx(left, abs=1e-6)
    assert found.item() == mode_seeking(GREY + checkerboard(level), GREY).item()


def test_a_cast_is_no_other_blur_in_images_of_no_whole_blocks():
    """A cast of each 16 x 16 pixels, over an image of 100 x 90."""
    cast = torch.rand(1, 3, 7, 6, generator=torch.Generator().manual_seed(0)).repeat_interleave(16, 2)
    image = torch.full((1, 3, 100, 90), 0.5)
    shifted = image + 0.3 * cast.repeat_interleave(16, 3)[..., :100, :90]
    assert mode_seeking(image, shifted).item() == pytest.approx(VISIBLE, abs=1e-6)


def one_stage(output, target):
    return multi_stage([output], target)


@pytest.mark.parametrize(("name", "loss"), [("charbonnier", charbonnier), ("edge", edge), ("one_stage", one_stage)])
def test_the_losses_of_mprnet_are_the_authors(name, loss):
    output, target = (torch.from_numpy(MPRNET[f"losses/{which}"]) for which in ("output", "target"))
    assert loss(output, target).item() == pytest.approx(float(MPRNET[f"losses/{name}"]), rel=1e-5)


def test_charbonnier_is_an_l1_distance_but_for_the_smallest_differences():
    target = torch.rand(2, 3, 4, 5)
    assert charbonnier(target + 0.3, target).item() == pytest.approx(0.3, rel=1e-4)
    assert charbonnier(target, target).item() == pytest.approx(0.001)
    assert charbonnier(target + 0.001, target).item() == pytest.approx(0.001 * math.sqrt(2), rel=1e-3)


@pytest.mark.parametrize("size", [(1, 1), (1, 6), (2, 2), (5, 3), (7, 13), (16, 9)])
def test_edge_of_any_size_is_least_for_equal_images_and_reaches_every_pixel(size):
    image = torch.rand(2, 3, *size)
    assert edge(image, image).item() == pytest.approx(0.001)
    output = torch.rand(2, 3, *size).requires_grad_()
    loss = edge(output, image)
    assert loss > 0.001
    loss.backward()
    assert output.grad.isfinite().all()
    assert output.grad.all()


def test_all_stages_count_alike():
    stages = [torch.rand(1, 3, 6, 5).requires_grad_() for _ in range(3)]
    target = torch.rand(1, 3, 6, 5)
    each = [charbonnier(output, target) + 0.05 * edge(output, target) for output in stages]
    loss = multi_stage(stages, target)
    assert loss.item() == pytest.approx(sum(each).item())
    loss.backward()
    assert all(output.grad.all() for output in stages)


def test_psnr_clamps_the_output_and_carries_no_gradient():
    white = torch.full((2, 3, 2, 2), 1.0)
    output = torch.full((2, 3, 2, 2), 7.0, requires_grad=True)
    output.data[:, 0, 0, 0] = 0.5
    found = psnr(output, white)
    assert found.item() == pytest.approx(-10 * math.log10(0.25 / 12), rel=1e-5)
    assert not found.requires_grad


def test_psnr_of_a_perfect_result_is_100_db():
    sharp = torch.rand(1, 3, 4, 4)
    assert psnr(sharp, sharp).item() == pytest.approx(100)
    assert psnr(sharp + 1e-6, sharp).item() == pytest.approx(100)
