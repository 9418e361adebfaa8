"""SRResNet: the authors' outputs on equal weights, any size and scale, and the skip that is ours."""

import re
from dataclasses import fields
from inspect import signature
from pathlib import Path

import numpy as np
import pytest
import torch
from golden_recipe import filled, unit_input
from torch import nn

from dbgan.models.checkpoint_keys import srresnet_key
from dbgan.models.srresnet import SRResNet, SRResNetConfig

GOLDEN = np.load(Path(__file__).parents[1] / "fixtures" / "srresnet.npz")
PUBLISHED = {"x1": {}, "x1_bn": {"batch_norm": True}, "x4": {"scale": 4}}
PARAMETERS = {"x1": 1_259_075, "x1_bn": 1_263_299, "x4": 1_554_499}
SIZES = [(1, 1), (5, 3), (7, 13), (16, 9)]

SIZE = {"blocks": 16, "scale": 1, "batch_norm": False}


def tiny(**changes):
    torch.manual_seed(0)
    return SRResNet(**({"width": 6, "blocks": 2} | changes))


def images(height, width, n=2):
    return torch.rand(n, 3, height, width, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", PUBLISHED)
def test_it_is_the_authors_network(name):
    network = filled(SRResNet(**PUBLISHED[name]), lambda key: srresnet_key(key, SIZE | PUBLISHED[name]), gain=0.8)
    assert sum(p.numel() for p in network.parameters()) == PARAMETERS[name]
    with torch.no_grad():
        restored = network(unit_input((1, 3, 64, 64)))[0].numpy()
    side = 64 * PUBLISHED[name].get("scale", 1)
    assert restored.shape == (3, side, side)
    for place, start in {"topleft": 0, "centre": side // 2 - 6, "bottomright": side - 12}.items():
        found = restored[:, start : start + 12, start : start + 12]
        assert np.abs(found - GOLDEN[f"{name}/{place}"]).max() <= 10 * GOLDEN[f"{name}/noise"]


def test_the_config_names_exactly_the_arguments():
    assert [field.name for field in fields(SRResNetConfig)] == list(signature(SRResNet).parameters)


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("scale", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("size", SIZES)
def test_any_image_size_comes_out_times_the_scale(size, scale, batch_norm):
    network = tiny(scale=scale, batch_norm=batch_norm).eval()
    assert network(images(*size)).shape == (2, 3, scale * size[0], scale * size[1])


@pytest.mark.parametrize(("scale", "channels"), [(1, []), (2, [24]), (3, [54]), (4, [24, 24]), (8, [24, 24, 24])])
def test_three_is_one_step_and_powers_of_two_are_steps_of_two(scale, channels):
    assert [conv.out_channels for conv in tiny(scale=scale).upsample] == channels


@pytest.mark.parametrize("scale", [-1, 0, 5, 6])
def test_a_scale_that_no_steps_make_is_refused(scale):
    with pytest.raises(ValueError, match=f"not {scale}"):
        tiny(scale=scale)


@pytest.mark.parametrize("changes", [{}, {"batch_norm": True}, {"scale": 2}, {"scale": 3}, {"skip": True}])
def test_every_parameter_gets_gradient(changes):
    """But the bias of a conv before BatchNorm, which takes every constant away again."""
    network = tiny(**changes).train()
    network(images(8, 8)).square().mean().backward()
    normed = r"blocks\.\d\.convs\.\d\.bias|after_blocks\.bias" if changes.get("batch_norm") else "none"
    counted = {key: p for key, p in network.named_parameters() if not re.fullmatch(normed, key)}
    assert [key for key, parameter in counted.items() if not parameter.grad.any()] == []


@pytest.mark.parametrize("batch_norm", [False, True])
def test_evaluation_is_deterministic_and_sees_each_image_alone(batch_norm):
    network, photos = tiny(batch_norm=batch_norm).eval(), images(7, 9)
    assert network(photos).equal(network(photos))
    torch.testing.assert_close(network(photos)[1:], network(photos[1:]))


@pytest.mark.parametrize("skip", [False, True])
def test_with_a_silent_tail_only_the_skip_passes_the_image(skip):
    network, photo = tiny(skip=skip), images(7, 9)
    nn.init.zeros_(network.tail.weight)
    nn.init.zeros_(network.tail.bias)
    assert network(photo).equal(photo if skip else torch.zeros_like(photo))


def test_the_skip_adds_no_tensor_and_is_refused_where_sizes_differ():
    assert tiny(skip=True).state_dict().keys() == tiny().state_dict().keys()
    with pytest.raises(ValueError, match="at scale 2"):
        tiny(scale=2, skip=True)


def test_output_is_not_clamped():
    network = tiny(skip=True)
    nn.init.zeros_(network.tail.weight)
    nn.init.constant_(network.tail.bias, 3)
    assert network(images(4, 4)).min() >= 3


def test_batch_norm_stands_after_each_conv_of_the_trunk_and_nowhere_else():
    def norms(network):
        return sum(isinstance(layer, nn.BatchNorm2d) for layer in network.modules())

    assert norms(tiny(scale=4)) == 0
    assert norms(tiny(scale=4, batch_norm=True)) == 5


@pytest.mark.parametrize("changes", [{"batch_norm": True}, {"scale": 3}])
def test_it_works_when_built_without_memory_and_given_its_weights_later(changes):
    network, photo = tiny(**changes).eval(), images(5, 3)
    with torch.device("meta"):
        empty = tiny(**changes)
    empty.load_state_dict(network.state_dict(), assign=True)
    assert empty.eval()(photo).equal(network(photo))
