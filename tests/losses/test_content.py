"""The perceptual distance, colour, the sameness of blurs, MPRNet's losses and the training PSNR, by hand."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from dbgan.losses import (
    VISIBLE,
    charbonnier,
    color,
    edge,
    laplacian,
    multi_stage,
    perceptual,
    psnr,
    sameness,
    squared_error,
)

MPRNET = np.load(Path(__file__).parents[1] / "fixtures" / "mprnet.npz")


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


def test_colour_does_not_see_detail_within_a_block():
    image = torch.full((1, 3, 16, 32), 0.5)
    detail = 0.2 * (1 - 2 * (torch.arange(32) % 2))
    assert color(image + detail, image).item() == pytest.approx(0, abs=1e-7)


def test_colour_sends_gradient_to_every_pixel():
    image = torch.rand(1, 3, 16, 16).requires_grad_()
    color(image, image.detach() - 0.1).backward()
    assert image.grad.allclose(torch.tensor(1 / image.numel()))


def checkerboard(level, square=4):
    """(1, 3, 32, 32), squares of +level and -level: the mean is 0 in every block of 16 x 16."""
    place = torch.arange(32) // square
    return (level * (1 - 2 * ((place[:, None] + place) % 2))).expand(1, 3, 32, 32).clone()


GREY = torch.full((1, 3, 32, 32), 0.5)


def test_equal_blurs_are_as_same_as_can_be():
    image = torch.rand(2, 3, 32, 48)
    assert sameness(image, image.clone()).item() == pytest.approx(VISIBLE)


def test_a_shift_of_brightness_or_colour_is_no_other_blur():
    image = torch.rand(2, 3, 32, 32)
    blocks = torch.rand(2, 3, 2, 2).repeat_interleave(16, dim=2).repeat_interleave(16, dim=3)
    for shift in (0.3, torch.tensor([0.1, -0.2, 0.05]).view(1, 3, 1, 1), blocks):
        assert sameness(image, image + shift).item() == pytest.approx(VISIBLE, abs=1e-6)


@pytest.mark.parametrize("square", [1, 2])
def test_a_fine_grid_is_no_other_blur(square):
    assert sameness(GREY, GREY + checkerboard(0.3, square)).item() == pytest.approx(VISIBLE, abs=1e-6)


@pytest.mark.parametrize(("level", "left"), [(VISIBLE / 4, VISIBLE * 3 / 4), (VISIBLE, 0), (5 * VISIBLE, 0)])
def test_detail_counts_up_to_what_is_visible(level, left):
    found = sameness(GREY, GREY + checkerboard(level))
    assert found.item() == pytest.approx(left, abs=1e-6)
    assert found.item() == sameness(GREY + checkerboard(level), GREY).item()


def test_sameness_is_a_mean_over_images_so_that_one_loud_image_cannot_speak_for_all():
    loud = torch.cat([GREY, GREY + checkerboard(0.4)])
    assert sameness(torch.cat([GREY, GREY]), loud).item() == pytest.approx(VISIBLE / 2)


def test_sameness_drives_blurs_apart_until_the_difference_is_visible():
    for level, moves in ((VISIBLE / 2, True), (2 * VISIBLE, False)):
        a, b = GREY.clone().requires_grad_(), (GREY + checkerboard(level)).requires_grad_()
        sameness(a, b).backward()
        assert bool(a.grad.any()) == bool(b.grad.any()) == moves
        if moves:  # each falls and rises where it is already below or above the other
            assert (a.grad.sign() == checkerboard(1.0)).all()
            assert (b.grad.sign() == -checkerboard(1.0)).all()


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


def test_a_plain_surface_has_no_edges_but_a_step_has():
    plain = torch.full((1, 3, 24, 24), 0.5)
    step = plain.clone()
    step[..., 12:] = 1
    inner = (..., slice(5, -5), slice(5, -5))  # the Gaussian reaches 2 pixels beyond the border, and again
    assert laplacian(plain)[inner].abs().max() < 1e-6
    found = laplacian(step)[inner].abs().amax(dim=(0, 1, 2))
    assert found.argmax() in (6, 7)  # columns 11 and 12
    assert found[6:8].min() > 0.1


def test_the_laplacian_of_a_single_pixel_by_hand():
    """Smoothing keeps it, the pixel stands for four when sparse, and smoothing keeps that: 1 - 4."""
    pixel = torch.tensor([0.5, 0.2, 0.1]).view(1, 3, 1, 1)
    assert laplacian(pixel).allclose(-3 * pixel)


def test_edge_sees_each_channel_alone():
    image = torch.rand(1, 3, 9, 11)
    other = image.clone()
    other[:, 1] = 0.5
    differs = (laplacian(image) - laplacian(other)).abs().amax(dim=(0, 2, 3)) > 1e-6
    assert differs.tolist() == [False, True, False]


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


def test_psnr_of_an_error_of_a_tenth_is_20_db():
    sharp = torch.full((2, 3, 4, 4), 0.5)
    assert psnr(squared_error(sharp + 0.1, sharp)).item() == pytest.approx(20, rel=1e-5)


def test_psnr_is_of_the_whole_batch_not_the_mean_of_its_images():
    sharp = torch.zeros(2, 1, 2, 2)
    output = torch.tensor([0.1, 0.3]).view(2, 1, 1, 1).expand(2, 1, 2, 2)
    assert psnr(squared_error(output, sharp)).item() == pytest.approx(-10 * math.log10((0.01 + 0.09) / 2), rel=1e-5)


def test_psnr_clamps_the_output_and_carries_no_gradient():
    white = torch.full((1, 3, 2, 2), 1.0)
    output = torch.full((1, 3, 2, 2), 7.0, requires_grad=True)
    output.data[0, 0, 0, 0] = 0.5
    found = psnr(squared_error(output, white))
    assert found.item() == pytest.approx(-10 * math.log10(0.25 / 12), rel=1e-5)
    assert not found.requires_grad


def test_psnr_of_a_perfect_result_is_100_db():
    sharp = torch.rand(1, 3, 4, 4)
    assert psnr(squared_error(sharp, sharp)).item() == pytest.approx(100)
    assert psnr(squared_error(sharp + 1e-6, sharp)).item() == pytest.approx(100)
