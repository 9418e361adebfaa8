"""NAFNet: the authors' outputs, any image size, and the pooling that is local at test time only."""

import inspect
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from golden_recipe import filled, unit_input
from torch import nn
from torch.nn import functional as F

from dbgan.models.nafnet import LayerNorm, NAFBlock, NAFNet, NAFNetConfig, local_mean, pool_window

GOLDEN = np.load(Path(__file__).parents[1] / "fixtures" / "nafnet.npz")
SIZES = [(1, 1), (5, 3), (7, 13), (16, 9)]


def ramp_input(shape):
    """Uneven brightness, so that local and global means differ."""
    down, across = np.linspace(0.05, 1.0, shape[2])[:, None], np.linspace(1.0, 0.3, shape[3])[None, :]
    return torch.from_numpy((np.random.default_rng(0).random(shape) * down * across).astype(np.float32))


def tiny(train_size=None):
    """A small network, all of whose weights count: as built, beta and gamma are 0."""
    torch.manual_seed(0)
    network = NAFNet(width=4, encoder_blocks=[1, 2], middle_blocks=1, decoder_blocks=[2, 1], train_size=train_size)
    for name, parameter in network.named_parameters():
        if name.endswith(("beta", "gamma")):
            nn.init.normal_(parameter)
    return network


def images(height, width, n=2):
    return torch.rand(n, 3, height, width, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("case", "config", "parameters", "blurred"),
    [
        ("nafnet_w32", {"width": 32}, 17_111_907, unit_input((1, 3, 64, 64))),
        ("nafnet_w64", {}, 67_888_835, unit_input((1, 3, 64, 64))),
        ("nafnet_local_w32_ts64", {"width": 32, "train_size": 64}, 17_111_907, ramp_input((1, 3, 128, 160))),
        ("nafnet_local_w32", {"width": 32, "train_size": 256}, 17_111_907, ramp_input((1, 3, 400, 200))),
    ],
)
def test_nafnet_is_the_authors_one(case, config, parameters, blurred):
    network = filled(NAFNet(**config), lambda key: key, gain=0.8)
    assert sum(p.numel() for p in network.parameters()) == parameters
    with torch.no_grad():
        restored = network(blurred)
    for place in ("topleft", "centre", "bottomright"):
        difference = np.abs(crop(restored, place) - GOLDEN[f"{case}/out/{place}"]).max()
        assert difference <= 10 * GOLDEN[f"{case}/noise"]


def crop(image, place):
    """12 x 12 pixels of the first image."""
    height, width = image.shape[-2:]
    corners = {"topleft": (0, 0), "centre": (height // 2 - 6, width // 2 - 6), "bottomright": (height - 12, width - 12)}
    row, column = corners[place]
    return image[0, :, row : row + 12, column : column + 12].numpy()


def test_config_names_the_arguments():
    assert [field.name for field in fields(NAFNetConfig)] == list(inspect.signature(NAFNet).parameters)


@pytest.mark.parametrize("train_size", [None, 4])
@pytest.mark.parametrize("size", SIZES)
def test_any_image_size_comes_out_as_it_went_in(size, train_size):
    network = tiny(train_size)
    for mode in (True, False):
        assert network.train(mode)(images(*size)).shape == (2, 3, *size)


def test_padding_is_with_zeros_below_and_on_the_right():
    network, photo = tiny().eval(), images(7, 13)
    padded = F.pad(photo, (0, 3, 0, 1))
    assert network(photo).equal(network(padded)[..., :7, :13])


def test_every_weight_gets_a_gradient():
    network = tiny(train_size=4)
    network(images(9, 12)).square().mean().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("train_size", [None, 4])
def test_eval_is_deterministic(train_size):
    network = tiny(train_size).eval()
    assert network(images(9, 12)).equal(network(images(9, 12)))


def test_an_untrained_block_changes_nothing():
    features = torch.rand(2, 4, 5, 6)
    assert NAFBlock(4, window=None)(features).equal(features)


def test_output_is_input_plus_change_and_not_clamped():
    network, photo = tiny(), images(7, 9)
    nn.init.zeros_(network.ending.weight)
    nn.init.constant_(network.ending.bias, 3)
    assert network(photo).equal(photo + 3)


def test_norm_is_that_of_each_pixel_over_its_channels():
    norm, features = LayerNorm(6), torch.rand(2, 6, 3, 4)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    expected = F.layer_norm(features.movedim(1, -1), (6,), norm.weight, norm.bias, eps=1e-6).movedim(-1, 1)
    torch.testing.assert_close(norm(features), expected)


def test_window_is_one_and_a_half_training_patches_at_each_level():
    assert [pool_window(256, level, levels=4) for level in range(5)] == [384, 192, 96, 48, 24]
    assert [pool_window(100, level, levels=4) for level in range(5)] == [168, 84, 42, 21, 10]  # of 100, padded to 112


@pytest.mark.parametrize("window", [1, 2, 5, 6, 9, 20])
def test_local_mean_is_that_of_the_nearest_window_within_the_image(window):
    features = torch.rand(2, 3, 6, 9)
    rows, columns = min(window, 6), min(window, 9)
    mean = F.avg_pool2d(features, (rows, columns), stride=1)
    above, left = (rows - 1) // 2, (columns - 1) // 2
    down = (torch.arange(6) - above).clamp(0, 6 - rows)
    across = (torch.arange(9) - left).clamp(0, 9 - columns)
    torch.testing.assert_close(local_mean(features, window), mean[:, :, down][..., across])


def test_local_mean_keeps_its_digits_on_large_frames():
    features = torch.rand(1, 1, 720, 1280, generator=torch.Generator().manual_seed(0))
    assert (local_mean(features, 384) - local_mean(features.double(), 384)).abs().max() < 2e-7


def test_local_pooling_is_global_while_the_image_is_no_larger_than_the_window():
    local, everywhere = tiny(train_size=8).eval(), tiny().eval()
    assert local(images(12, 9)).equal(everywhere(images(12, 9)))
    assert not local(images(16, 9)).allclose(everywhere(images(16, 9)), atol=1e-4)


def test_pooling_is_global_in_training():
    local, everywhere = tiny(train_size=4), tiny()
    assert local(images(16, 16)).equal(everywhere(images(16, 16)))
    assert not local.eval()(images(16, 16)).allclose(everywhere(images(16, 16)), atol=1e-4)


def test_levels_that_do_not_pair_are_refused():
    with pytest.raises(ValueError, match="2 levels of encoder_blocks, but 1 of decoder_blocks"):
        NAFNet(width=4, encoder_blocks=[1, 1], decoder_blocks=[1])


def test_it_can_be_built_without_memory_and_then_be_given_its_weights():
    network = tiny(train_size=4).eval()
    with torch.device("meta"):
        empty = NAFNet(width=4, encoder_blocks=[1, 2], middle_blocks=1, decoder_blocks=[2, 1], train_size=4)
    empty.load_state_dict(network.state_dict(), assign=True)
    assert empty.eval()(images(9, 12)).equal(network(images(9, 12)))
