"""SFT-Net: the authors' outputs, conditions that fit, and the two generators of ours that are built on it."""

import inspect
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from golden_recipe import filled, unit_input
from torch import nn

from dbgan.models.bgan import BlurGenerator
from dbgan.models.checkpoint_keys import sftnet_key
from dbgan.models.sftnet import (
    FeatureTransform,
    SFTBlurConfig,
    SFTBlurGenerator,
    SFTConfig,
    SFTDeblurGenerator,
    SFTNet,
)

GOLDEN = np.load(Path(__file__).parents[1] / "fixtures" / "sftnet.npz")
CROPS = {"topleft": (slice(0, 12),) * 2, "centre": (slice(122, 134),) * 2, "bottomright": (slice(244, 256),) * 2}
SIZES = [(1, 1), (5, 3), (7, 13), (16, 9)]
TINY = {"width": 4, "blocks": 2, "condition_width": 6, "shared_channels": 3}


def probabilities(shape):
    drawn = np.random.default_rng(100).random(shape)
    return torch.from_numpy((drawn / drawn.sum(axis=1, keepdims=True)).astype(np.float32))


def core(scale=1, channels=5):
    torch.manual_seed(0)
    return SFTNet(**TINY, condition_channels=channels, scale=scale)


def deblur():
    torch.manual_seed(0)
    return SFTDeblurGenerator(**TINY, condition_channels=5)


def blur(noise="vector"):
    torch.manual_seed(0)
    return SFTBlurGenerator(**TINY, noise=noise)


def images(height, width, n=2, channels=3):
    return torch.rand(n, channels, height, width, generator=torch.Generator().manual_seed(0))


def noise_of(network, like, seed=0):
    return network.draw_noise(like, torch.Generator().manual_seed(seed))


def inputs_of(network, photo):
    """What the network is called with for the image `photo`."""
    if isinstance(network, SFTNet):
        return photo, images(*(network.scale * side for side in photo.shape[-2:]), channels=5)
    return (photo, noise_of(network, photo)) if isinstance(network, SFTBlurGenerator) else (photo,)


NETWORKS = {"x4": lambda: core(4), "x2": lambda: core(2), "x1": core, "deblur": deblur, "blur": blur}


def test_sftnet_is_the_authors_one():
    network = filled(SFTNet(), lambda key: sftnet_key(key, {}), gain=0.85)
    assert sum(p.numel() for p in network.parameters()) == 1_833_763
    with torch.no_grad():
        out = network(unit_input((1, 3, 64, 64)), probabilities((1, 8, 256, 256)))
    assert out.shape == (1, 3, 256, 256)
    for place, (rows, columns) in CROPS.items():
        difference = np.abs(out[0, :, rows, columns].numpy() - GOLDEN[f"sftnet/out/{place}"]).max()
        assert difference <= 10 * GOLDEN["sftnet/noise"]


@pytest.mark.parametrize(("config", "network"), [(SFTConfig, SFTDeblurGenerator), (SFTBlurConfig, SFTBlurGenerator)])
def test_configs_name_the_arguments(config, network):
    assert [field.name for field in fields(config)] == list(inspect.signature(network).parameters)


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("size", SIZES)
def test_any_image_size_comes_out_as_it_went_in_or_larger(size, kind):
    network, photo = NETWORKS[kind](), images(*size)
    scale = getattr(network, "scale", 1)
    assert network(*inputs_of(network, photo)).shape == (2, 3, scale * size[0], scale * size[1])


@pytest.mark.parametrize("shape", [(2, 5, 28, 51), (2, 5, 27, 52), (1, 5, 28, 52), (2, 5, 7, 13)])
def test_a_condition_that_does_not_fit_the_image_is_refused(shape):
    with pytest.raises(ValueError, match=r"\(2, 28, 52\)"):
        core(4)(images(7, 13), torch.rand(shape))


@pytest.mark.parametrize("scale", [0, 3, -2])
def test_a_scale_that_pixel_shuffles_cannot_reach_is_refused(scale):
    with pytest.raises(ValueError, match=f"{scale}"):
        core(scale)


@pytest.mark.parametrize("kind", NETWORKS)
def test_every_weight_gets_a_gradient(kind):
    network = NETWORKS[kind]()
    network(*inputs_of(network, images(7, 9))).square().mean().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("kind", NETWORKS)
def test_eval_is_deterministic(kind):
    network = NETWORKS[kind]().eval()
    first, second = (network(*inputs_of(network, images(7, 9))) for _ in range(2))
    assert first.equal(second)


@pytest.mark.parametrize("kind", ["deblur", "blur"])
def test_output_is_input_plus_change_and_not_clamped(kind):
    network, photo = NETWORKS[kind](), images(7, 9)
    nn.init.zeros_(network.network.tail[-1].weight)
    nn.init.constant_(network.network.tail[-1].bias, 3)
    assert network(*inputs_of(network, photo)).equal(photo + 3)


def test_a_transform_whose_convs_are_silent_changes_nothing():
    transform, features = FeatureTransform(4, 3), torch.rand(2, 4, 5, 6)
    for parameter in transform.parameters():
        nn.init.zeros_(parameter)
    assert transform(features, torch.rand(2, 3, 5, 6)).equal(features)


def test_a_transform_is_of_each_pixel_by_the_condition_there():
    transform, features, condition = FeatureTransform(4, 3), torch.rand(1, 4, 5, 6), torch.rand(1, 3, 5, 6)
    elsewhere = condition.clone()
    elsewhere[..., 2, 3] += 1
    changed = (transform(features, condition) != transform(features, elsewhere)).any(dim=1)[0]
    assert changed.nonzero().tolist() == [[2, 3]]


def test_at_scale_1_nothing_changes_size():
    seen, network = [], core(1)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(lambda module, inputs, output: seen.append(output.shape[-2:]))
    network(*inputs_of(network, images(7, 9)))
    assert set(seen) == {(7, 9)}


def test_the_blurred_image_is_its_own_condition():
    network, photo = deblur(), images(7, 9)
    assert network(photo).equal(photo + network.network(photo, network.condition(photo)))


@pytest.mark.parametrize("kind", ["vector", "spatial"])
def test_noise_is_that_of_the_other_blur_generator(kind):
    reference = BlurGenerator(width=4, blocks=1, growth=2, downsample=1, batch_norm=False, noise=kind)
    photo = images(5, 7)
    assert noise_of(blur(kind), photo).equal(noise_of(reference, photo))


@pytest.mark.parametrize("kind", ["vector", "spatial"])
def test_another_noise_map_gives_another_blur(kind):
    network, photo = blur(kind), images(8, 8)
    first, second = (network(photo, noise_of(network, photo, seed)) for seed in (0, 1))
    assert not first.equal(second)


@pytest.mark.parametrize("kind", NETWORKS)
def test_it_can_be_built_without_memory_and_then_be_given_its_weights(kind):
    network, photo = NETWORKS[kind]().eval(), images(7, 9)
    with torch.device("meta"):
        empty = NETWORKS[kind]()
    empty.load_state_dict(network.state_dict(), assign=True)
    assert empty.eval()(*inputs_of(network, photo)).equal(network(*inputs_of(network, photo)))
