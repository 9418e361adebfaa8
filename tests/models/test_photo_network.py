"""Networks as functions of photographs: value ranges, grids, and how far each looks."""

import pytest
import torch
from torch import nn

from dbgan.models.build import build_generator
from dbgan.use.inference import multiple, photo_network, reach

DEBLURGAN = {"width": 2, "blocks": 1, "dropout": False, "signed": True}
NAFNET = {"width": 2, "encoder_blocks": [1, 1], "middle_blocks": 1, "decoder_blocks": [1, 1]}
MPRNET = {"width": 4, "unet_growth": 0, "orsnet_growth": 0, "blocks": 1, "reduction": 2}


def function(name, **config):
    torch.manual_seed(0)
    network = build_generator(name, **config).eval()
    return network, photo_network(network, name, config)


@pytest.mark.parametrize(
    ("name", "config", "grid", "expected"),
    [
        ("dbgan", {"width": 2, "blocks": 1, "growth": 2, "downsample": 1}, 1, 15 + 4),  # its 3x3 convs
        ("dbgan", {"width": 2, "blocks": 2, "growth": 2, "downsample": 3}, 3, 3 * (30 + 4)),
        ("srresnet", {"width": 2, "blocks": 3}, 1, 2 * 3 + 4),
        ("deblurgan", DEBLURGAN | {"running_statistics": False}, 4, None),
        ("nafnet", NAFNET | {"train_size": None}, 4, None),
        ("nafnet", NAFNET | {"train_size": 16}, 4, None),
        ("mprnet", MPRNET, 8, None),
    ],
)
def test_how_far_a_network_looks(name, config, grid, expected):
    _, run = function(name, **config)
    assert multiple(name, config) == grid
    assert reach(run, grid) == expected


def test_weights_of_zero_hide_nothing():
    conv = nn.Conv2d(3, 3, 7, padding=3)
    nn.init.zeros_(conv.weight)
    assert reach(conv, 1) == 3
    assert reach(nn.Identity(), 2) == 0


@pytest.mark.parametrize("shift", [(0, 4), (4, 0)])
def test_the_farther_direction_counts(shift):
    assert reach(lambda x: x.roll(shift, (-2, -1)), 1) == 4


def test_deblurgan_as_published_sees_its_own_range():
    network, run = function("deblurgan", **DEBLURGAN)
    image = torch.rand(1, 3, 16, 16)
    with torch.inference_mode():
        assert run(image).equal(((network(2 * image - 1) + 1) / 2).clamp(0, 1))


def test_the_last_stage_counts_and_results_are_clamped():
    network, run = function("mprnet", **MPRNET)
    image = torch.rand(1, 3, 16, 16)
    with torch.inference_mode():
        assert run(image).equal(network(image)[0].clamp(0, 1))
        assert photo_network(nn.Identity(), "dbgan", {})(image * 3 - 1).equal((image * 3 - 1).clamp(0, 1))


@pytest.mark.parametrize(("name", "config"), [("sftnet", {}), ("srresnet", {"scale": 4})])
def test_networks_that_enlarge_are_refused(name, config):
    with pytest.raises(ValueError, match="enlarges"):
        photo_network(nn.Identity(), name, config)
