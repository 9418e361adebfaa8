"""DeblurGAN's generator: the authors' outputs on equal weights, its two statistics, any size, both value ranges."""

from dataclasses import fields
from inspect import signature
from pathlib import Path

import numpy as np
import pytest
import torch
from golden_recipe import filled
from torch import nn

from dbgan.models.checkpoint_keys import deblurgan_key
from dbgan.models.deblurgan import DeblurGAN, DeblurGANConfig

GOLDEN = np.load(Path(__file__).parents[1] / "fixtures" / "deblurgan.npz")
CROPS = {"topleft": (slice(0, 12),) * 2, "centre": (slice(26, 38),) * 2, "bottomright": (slice(52, 64),) * 2}
SIZES = [(1, 1), (5, 3), (7, 13), (16, 9), (8, 12)]


def tiny(**changes):
    torch.manual_seed(0)
    return DeblurGAN(**({"width": 4, "blocks": 2} | changes))


def images(height, width, n=2, signed=True):
    unit = torch.rand(n, 3, height, width, generator=torch.Generator().manual_seed(0))
    return 2 * unit - 1 if signed else unit


def by_the_images_own_statistics(network):
    """Training mode without dropout: how the authors run their network on photographs."""
    network.train()
    for layer in network.modules():
        if isinstance(layer, nn.Dropout):
            layer.eval()
    return network


def silence(network):
    nn.init.zeros_(network.tail.weight)
    nn.init.zeros_(network.tail.bias)
    return network


@pytest.mark.parametrize(("name", "running_statistics"), [("released", True), ("paper_2017", False)])
def test_it_is_the_authors_network(name, running_statistics):
    network = filled(
        DeblurGAN(running_statistics=running_statistics),
        lambda key: deblurgan_key(key, {"blocks": 9, "dropout": True}),
        gain=1.0,
    )
    assert sum(p.numel() for p in network.parameters()) == 11_378_179
    signed = 2 * np.random.default_rng(0).random((1, 3, 64, 64)) - 1
    blurred = torch.from_numpy(signed.astype(np.float32))
    for mode in ("eval", "train_nodrop") if running_statistics else ("eval",):
        if mode == "train_nodrop":
            by_the_images_own_statistics(network)
        with torch.no_grad():
            found = {"out": network(blurred), "pre_residual": network.change(blurred)}
        for (kind, image), (place, (rows, columns)) in ((f, c) for f in found.items() for c in CROPS.items()):
            case = f"{name}/{mode}/{kind}"
            difference = np.abs(image[0, :, rows, columns].numpy() - GOLDEN[f"{case}/{place}"]).max()
            assert difference <= 10 * GOLDEN[f"{case}/noise"], f"{case}/{place}"


def test_the_config_names_exactly_the_arguments():
    assert [field.name for field in fields(DeblurGANConfig)] == list(signature(DeblurGAN).parameters)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_any_image_size_comes_out_as_it_went_in(size, signed, training):
    photos = images(*size, signed=signed)
    assert tiny(signed=signed).train(training)(photos).shape == photos.shape
    assert silence(tiny(signed=signed)).train(training)(photos).equal(photos)


@pytest.mark.parametrize(("size", "inside"), [((1, 1), (2, 2)), ((5, 13), (2, 4)), ((16, 12), (4, 3))])
def test_the_blocks_see_a_quarter_of_the_resolution_and_no_less_than_two_pixels(size, inside):
    network, seen = tiny(), []
    network.blocks.register_forward_hook(lambda module, inputs, output: seen.append(output.shape))
    network(images(*size))
    assert seen == [(2, 16, *inside)]


def test_what_is_padded_repeats_the_border_at_the_right_and_bottom():
    network, photo = tiny().eval(), images(10, 15)
    by_hand = nn.functional.pad(photo, (0, 1, 0, 2), mode="replicate")
    assert network(photo).equal(network(by_hand)[..., :10, :15])


@pytest.mark.parametrize("running_statistics", [False, True])
@pytest.mark.parametrize("signed", [False, True])
def test_every_parameter_gets_gradient(signed, running_statistics):
    """But the bias of a conv before a normalisation, which takes every constant away again."""
    network = tiny(signed=signed, running_statistics=running_statistics).train()
    (network(images(16, 16, signed=signed) / 2) - 0.1).square().mean().backward()
    counted = {k: p for k, p in network.named_parameters() if k.endswith("weight") or k == "tail.bias"}
    assert len(counted) == 1 + 2 + 2 * 2 + 2 + 2
    assert [key for key, parameter in counted.items() if not parameter.grad.any()] == []


def test_only_training_drops_values():
    network, photos = tiny(), images(8, 12)
    assert network.eval()(photos).equal(network(photos))
    assert not network.train()(photos).equal(network(photos))
    assert by_the_images_own_statistics(network)(photos).equal(network(photos))
    without = tiny(dropout=False).train()
    assert without(photos).equal(without(photos))
    assert without.state_dict().keys() == network.state_dict().keys()


def test_statistics_are_the_images_own_in_training_and_running_ones_in_evaluation():
    photos = images(12, 12)
    own, running = tiny(dropout=False, running_statistics=False), tiny(dropout=False)
    expected = own.eval()(photos)
    assert own.train()(photos).equal(expected)
    assert running.train()(photos).equal(expected)
    assert not running.eval()(photos).allclose(expected, atol=1e-3)
    assert {k for k in running.state_dict() if k not in own.state_dict()} == {
        f"{name}.{leaf}"
        for name, layer in running.named_modules()
        if isinstance(layer, nn.InstanceNorm2d)
        for leaf in ("running_mean", "running_var", "num_batches_tracked")
    }


@pytest.mark.parametrize("training", [False, True])
def test_an_image_is_restored_alike_in_any_company(training):
    network, photos = tiny(dropout=False).train(training), images(8, 8)
    torch.testing.assert_close(network(photos)[1:], network(photos[1:]))


def test_a_signed_result_is_clamped_and_another_is_not():
    for signed, greatest in ((True, 1.0), (False, 1.5)):
        network = silence(tiny(signed=signed))
        nn.init.constant_(network.tail.bias, 20)
        assert network(torch.ones(1, 3, 4, 4)).max() == greatest


@pytest.mark.parametrize("training", [False, True])
def test_both_value_ranges_are_one_network(training):
    unit = 0.3 + 0.4 * images(9, 12, signed=False)
    networks = [tiny(signed=signed, dropout=False).train(training) for signed in (False, True)]
    for network in networks:
        with torch.no_grad():
            network.tail.weight.mul_(0.1)
    ours, authors = networks[0](unit), networks[1](2 * unit - 1)
    assert authors.abs().max() < 1
    torch.testing.assert_close(2 * ours - 1, authors)


def test_a_file_of_old_torch_has_no_count_of_batches_and_loads_all_the_same():
    network = tiny().eval()
    old = {key: value for key, value in network.state_dict().items() if not key.endswith("num_batches_tracked")}
    fresh = DeblurGAN(width=4, blocks=2).eval()
    fresh.load_state_dict(old, strict=True)
    assert fresh(images(8, 8)).equal(network(images(8, 8)))


@pytest.mark.parametrize("running_statistics", [False, True])
def test_it_works_when_built_without_memory_and_given_its_weights_later(running_statistics):
    network, photo = tiny(running_statistics=running_statistics).eval(), images(5, 3)
    with torch.device("meta"):
        empty = tiny(running_statistics=running_statistics)
    empty.load_state_dict(dict(network.state_dict()), assign=True)
    assert empty.eval()(photo).equal(network(photo))
