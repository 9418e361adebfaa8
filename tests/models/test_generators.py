"""Both generators: any image size, noise maps, names and initialisation."""

import pytest
import torch
from torch import nn

from dbgan.models.bgan import NOISE_CHANNELS, BlurGenerator
from dbgan.models.critics import VGGCritic
from dbgan.models.dbgan import DeblurGenerator
from dbgan.models.generators import GENERATORS, build_generator, gaussian_init

SIZES = [(1, 1), (1, 6), (5, 3), (7, 13), (16, 9)]


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


def test_output_is_not_clamped():
    network = deblur()
    nn.init.constant_(network.trunk.tail.bias, 3)
    nn.init.zeros_(network.trunk.tail.weight)
    assert network(images(4, 4)).min() >= 3


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


def test_generators_are_built_by_name():
    assert isinstance(build_generator("dbgan", width=4, blocks=1, growth=2, downsample=1), DeblurGenerator)
    config = {"width": 4, "blocks": 1, "growth": 2, "downsample": 1, "batch_norm": True, "noise": "vector"}
    assert isinstance(build_generator("bgan", **config), BlurGenerator)


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
