"""Whole frames through a network: any size, and no rim at the border."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dbgan.use.inference import whole_frame

SIZES = [(1, 1), (1, 7), (9, 1), (2, 33), (17, 5), (31, 47), (64, 40)]


def a_conv():
    torch.manual_seed(0)
    return nn.Conv2d(3, 3, 3, padding=1)


def frame(height, width):
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("margin", [0, 1, 16])
@pytest.mark.parametrize("size", SIZES)
def test_a_network_that_does_nothing_gives_the_frame_back(size, margin):
    photo = frame(*size)
    assert whole_frame(nn.Identity(), photo, margin).equal(photo)


def test_a_conv_gives_the_same_inside_as_without_margin():
    conv, photo = a_conv(), frame(20, 31)
    with torch.no_grad():
        plain = conv(photo[None])[0].clamp(0, 1)
    found = whole_frame(conv, photo, margin=4)
    assert found[:, 1:-1, 1:-1].numpy() == pytest.approx(plain[:, 1:-1, 1:-1].numpy(), abs=1e-6)
    assert not found[:, 0].allclose(plain[:, 0])


def test_the_border_sees_the_mirrored_frame_not_zeros():
    conv, photo = a_conv(), frame(20, 31)
    with torch.no_grad():
        mirrored = F.conv2d(F.pad(photo[None], (1, 1, 1, 1), mode="reflect"), conv.weight, conv.bias)[0]
    assert whole_frame(conv, photo, margin=4).numpy() == pytest.approx(mirrored.clamp(0, 1).numpy(), abs=1e-6)


@pytest.mark.parametrize(("size", "kernel"), [((1, 20), (1, 3)), ((20, 1), (3, 1)), ((2, 33), (1, 5))])
def test_a_frame_that_is_narrow_one_way_is_still_mirrored_the_other_way(size, kernel):
    conv, photo = nn.Conv2d(3, 3, kernel, padding=(kernel[0] // 2, kernel[1] // 2)), frame(*size)
    rim = (kernel[1] // 2,) * 2 + (kernel[0] // 2,) * 2
    with torch.no_grad():
        mirrored = F.conv2d(F.pad(photo[None], rim, mode="reflect"), conv.weight, conv.bias)[0]
    assert whole_frame(conv, photo, margin=16).numpy() == pytest.approx(mirrored.clamp(0, 1).numpy(), abs=1e-6)


def test_a_flat_frame_stays_flat_up_to_the_border():
    found = whole_frame(a_conv(), torch.full((3, 12, 15), 0.5), margin=2)
    assert (found - found[:, 6:7, 6:7]).abs().max() < 1e-6


def test_of_a_network_of_several_stages_the_first_output_counts():
    photo = frame(12, 15)
    found = whole_frame(lambda x: [x, 1 - x, 0 * x], photo, margin=4)
    assert found.equal(photo)


def test_output_is_clamped_and_carries_no_gradient():
    found = whole_frame(lambda x: 10 * (x - 0.5), frame(8, 8), margin=2)
    assert found.min() == 0
    assert found.max() == 1
    assert not whole_frame(a_conv(), frame(8, 8), margin=2).requires_grad
