"""The paper's generators: any image size, noise maps. All generators: names, weights files and initialisation."""

import pytest
import torch
from torch import nn

from dbgan import checkpoint
from dbgan.losses import multi_stage, stages
from dbgan.models.bgan import NOISE_CHANNELS, BlurGenerator
from dbgan.models.build import (
    BLURS,
    DEBLURS,
    GENERATORS,
    build_generator,
    gaussian_init,
    new_generator,
    reverse,
)
from dbgan.models.critics import VGGCritic
from dbgan.models.dbgan import DeblurGenerator

SIZES = [(1, 1), (1, 6), (5, 3), (7, 13), (16, 9)]
OWN = ("bgan", "dbgan")  # the paper's
DENSE = {"width": 4, "blocks": 1, "growth": 2, "downsample": 2}
SFT = {"width": 4, "blocks": 2, "condition_width": 6, "shared_channels": 3}
TINY = {
    "bgan": DENSE | {"batch_norm": True, "noise": "vector"},
    "sftnet_blur": SFT | {"noise": "spatial"},
    "dbgan": DENSE,
    "srresnet": {"width": 4, "blocks": 1, "scale": 1, "batch_norm": True, "skip": False},
    "deblurgan": {"width": 4, "blocks": 1, "dropout": True, "running_statistics": True, "signed": False},
    "sftnet_deblur": SFT | {"condition_channels": 2},
    "mprnet": {"width": 4, "unet_growth": 2, "orsnet_growth": 2, "blocks": 1, "reduction": 2},
    "nafnet": {"width": 4, "encoder_blocks": [1, 2], "middle_blocks": 1, "decoder_blocks": [1, 1], "train_size": 8},
}


def deblur(downsample=1):
    return DeblurGenerator(width=4, blocks=1, growth=2, downsample=downsample)


def blur(downsample=1, noise="vector", batch_norm=True):
    return BlurGenerator(width=4, blocks=1, growth=2, downsample=downsample, batch_norm=batch_norm, noise=noise)


def images(height, width, n=2):
    return torch.rand(n, 3, height, width, generator=torch.Generator().manual_seed(0))


def noise_of(network, like, seed=0):
    return network.draw_noise(like, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("downsample", [1, 2, 4])
@pytest.mark.parametrize("size", SIZES)
def test_any_image_size_comes_out_as_it_went_in(size, downsample):
    photo = images(*size)
    assert deblur(downsample)(photo).shape == photo.shape
    network = blur(downsample).eval()
    assert network(photo, noise_of(network, photo)).shape == photo.shape


@pytest.mark.parametrize("downsample", [1, 2, 4])
def test_with_a_silent_tail_the_image_passes_unchanged(downsample):
    """The skip from input to output, and the padding cut off where it was put on."""
    photo = images(7, 9)
    for network in (deblur(downsample), blur(downsample)):
        nn.init.zeros_(network.trunk.tail.weight)
        nn.init.zeros_(network.trunk.tail.bias)
        more = (noise_of(network, photo),) if isinstance(network, BlurGenerator) else ()
        assert network(photo, *more).equal(photo)


def test_output_is_clamped_in_evaluation_and_not_in_training():
    for bias, bound in ((3, 1), (-3, 0)):
        network = deblur()
        nn.init.constant_(network.trunk.tail.bias, bias)
        nn.init.zeros_(network.trunk.tail.weight)
        assert network(images(4, 4)).equal(images(4, 4) + bias)
        assert (network.eval()(images(4, 4)) == bound).all()


def test_downsampling_adds_no_layer_and_quarters_the_work_in_the_trunk():
    seen = []
    network = deblur(2)
    network.trunk.blocks.register_forward_hook(lambda module, inputs, output: seen.append(output.shape))
    network(images(9, 12))
    assert seen == [(2, 4, 5, 6)]
    assert network.state_dict().keys() == deblur(1).state_dict().keys()


def test_deblurring_generator_has_no_batch_norm_and_the_blur_generator_has():
    def norms(network):
        return sum(isinstance(layer, nn.BatchNorm2d) for layer in network.modules())

    assert norms(deblur()) == 0
    assert norms(blur()) == 15
    assert norms(blur(batch_norm=False)) == 0


def test_vector_noise_is_four_values_for_a_whole_image():
    network = blur(noise="vector")
    noise = noise_of(network, images(5, 7))
    assert noise.shape == (2, NOISE_CHANNELS, 5, 7)
    assert (noise == noise[:, :, :1, :1]).all()
    assert len(noise[:, :, 0, 0].unique()) == 2 * NOISE_CHANNELS


def test_spatial_noise_differs_from_pixel_to_pixel():
    noise = noise_of(blur(noise="spatial"), images(5, 7))
    assert noise.shape == (2, NOISE_CHANNELS, 5, 7)
    assert len(noise.unique()) == noise.numel()


@pytest.mark.parametrize("kind", ["vector", "spatial"])
def test_noise_is_standard_normal_and_a_function_of_its_generator(kind):
    network, many = blur(noise=kind), images(1, 1, n=2000)
    noise = noise_of(network, many)
    assert abs(noise.mean()) < 0.05
    assert noise.std() == pytest.approx(1, abs=0.05)
    assert noise.equal(noise_of(network, many))
    assert not noise.equal(noise_of(network, many, seed=1))


def test_another_noise_map_gives_another_blur():
    network, photo = blur(batch_norm=False), images(8, 8)
    assert not network(photo, noise_of(network, photo)).allclose(network(photo, noise_of(network, photo, seed=1)))


@pytest.mark.parametrize("name", TINY)
def test_generators_are_built_by_name_with_weights_channels_last(name):
    network = build_generator(name, **TINY[name])
    assert type(network) is GENERATORS[name]
    assert all(p.is_contiguous(memory_format=torch.channels_last) for p in network.parameters() if p.dim() == 4)


def test_all_generators_of_the_pipeline_are_tested_here():
    assert set(TINY) == {*DEBLURS, *BLURS}


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="unet") as error:
        build_generator("unet", width=4)
    assert all(name in str(error.value) for name in GENERATORS)


def test_gaussian_init_draws_weights_with_the_given_deviation_and_clears_biases():
    network = gaussian_init(VGGCritic(8, 32, luminance=False), seed=1, std=0.01)
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    weights = torch.cat([layer.weight.detach().flatten() for layer in layers])
    assert abs(weights.mean()) < 1e-4
    assert weights.std() == pytest.approx(0.01, rel=0.02)
    assert (weights.abs() < 0.01).float().mean() == pytest.approx(0.683, abs=0.01)
    assert not any(layer.bias.any() for layer in layers)


def test_gaussian_init_leaves_batch_norm_alone():
    network = gaussian_init(blur(), seed=1, std=0.01)
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert all((norm.weight == 1).all() and not norm.bias.any() for norm in norms)


def test_gaussian_init_is_a_function_of_the_seed():
    def weights(seed):
        return gaussian_init(deblur(), seed, 0.01).trunk.head.weight

    assert weights(1).equal(weights(1))
    assert not weights(1).equal(weights(2))


def inputs(network, size=(13, 18)):
    """Photographs, and noise maps where the network takes them."""
    photo = images(*size)
    return (photo, noise_of(network, photo)) if hasattr(network, "draw_noise") else (photo,)


def weights(network):
    return {key: tensor.clone() for key, tensor in network.state_dict().items()}


def same(first, second):
    return first.keys() == second.keys() and all(tensor.equal(second[key]) for key, tensor in first.items())


@pytest.mark.parametrize("name", TINY)
def test_trained_saved_and_loaded_a_generator_computes_the_same_bit_for_bit(tmp_path, name):
    network = new_generator(name, 1, 0.1, **TINY[name])
    untrained = weights(network)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(2):
        optimizer.zero_grad()
        multi_stage(stages(network(*inputs(network))), 1 - images(13, 18)).backward()
        optimizer.step()
    assert not same(weights(network), untrained)
    path = tmp_path / "weights.safetensors"
    checkpoint.save(path, network, name, TINY[name])
    loaded = checkpoint.load(path, build_generator, [name])
    assert checkpoint.recipe(path) == (name, TINY[name])
    assert same(weights(loaded), weights(network))
    expected, found = (stages(net(*inputs(net))) for net in (network.eval(), loaded))
    assert len(found) == len(expected)
    assert all(a.equal(b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("name", TINY)
def test_new_weights_are_a_function_of_the_seed_alone_and_draw_from_no_other_source(name):
    first = weights(new_generator(name, 1, 0.01, **TINY[name]))
    before = torch.random.get_rng_state()
    again, other = (weights(new_generator(name, seed, 0.01, **TINY[name])) for seed in (1, 2))
    assert torch.random.get_rng_state().equal(before)
    torch.rand(3)
    assert same(weights(new_generator(name, 1, 0.01, **TINY[name])), first)
    assert same(again, first)
    assert not same(other, first)


@pytest.mark.parametrize("name", TINY)
def test_the_papers_own_start_from_the_gaussian_and_the_others_as_their_layers_do(name):
    found = weights(new_generator(name, 1, 0.5, **TINY[name]))
    torch.manual_seed(1)
    network = build_generator(name, **TINY[name])
    assert same(found, weights(gaussian_init(network, 1, 0.5) if name in OWN else network))
    assert same(found, weights(new_generator(name, 1, 0.01, **TINY[name]))) == (name not in OWN)


@pytest.mark.parametrize(("name", "back"), [("bgan", "dbgan"), ("sftnet_blur", "sftnet_deblur")])
def test_the_other_way_of_a_cycle_goes_a_deblurring_generator_of_the_same_kind_and_size(name, back):
    found, config = reverse(name, TINY[name])
    assert found == back
    assert found in DEBLURS
    shared = TINY[name].keys() & TINY[back].keys()
    assert config == {key: TINY[name][key] for key in shared}
    assert shared == config.keys() >= {"width", "blocks"}
    assert build_generator(found, **config)(images(5, 7)).shape == (2, 3, 5, 7)
    assert TINY[name].keys() - shared <= {"batch_norm", "noise"}


def test_every_blur_generator_has_its_way_back():
    assert {reverse(name, TINY[name])[0] for name in BLURS} <= set(DEBLURS)
