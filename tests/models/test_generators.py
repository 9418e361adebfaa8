"""All generators: any image size, gradients, weights files, initialisation; and what is special to one network.

That they compute what the authors' code computes is tested in test_released.py.
"""

import re
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from tiny import TINY, build, config, images, inputs, noise_of
from torch import nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from dbgan import checkpoint, settings
from dbgan.losses import multi_stage, stages
from dbgan.models.build import BLUR, DEBLUR, build_generator, gaussian_init, new_generator, reverse
from dbgan.models.mprnet import ChannelAttentionBlock
from dbgan.models.nafnet import NAFBlock, local_mean
from dbgan.use.inference import FARTHEST, TILE

SIZES = [(1, 1), (1, 6), (5, 3), (7, 13), (16, 9)]
VARIANTS = [
    *((name, {}) for name in TINY),
    *((name, {"downsample": d}) for name in ("bgan", "dbgan") for d in (1, 4)),
    ("bgan", {"noise": "spatial", "batch_norm": False}),
    ("sftnet_blur", {"noise": "vector"}),
    ("srresnet", {"batch_norm": False, "skip": True}),
    ("deblurgan", {"running_statistics": False, "dropout": False}),
    ("mprnet", {"parts": 1, "unet_growth": 0, "orsnet_growth": 0}),
    ("nafnet", {"train_size": None}),
]


class Largest(TorchDispatchMode):
    """Keeps the number of elements of the largest tensor that is made."""

    numel = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        self.numel = max(
            [self.numel, *(leaf.numel() for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor))]
        )
        return result


@pytest.mark.parametrize("name", [*DEBLUR, "bgan", "sftnet_blur"])  # the camera has a dozen channels at most
def test_no_tile_makes_a_tensor_that_32_bits_cannot_index(name):
    """At the published sizes; a tile sees TILE pixels and FARTHEST on each side at most."""
    values = settings.read(Path(__file__).parents[2] / "params.yaml") | {"scale": "paper"}
    values = settings.merged(values, Path("params.yaml"))
    side = TILE + 2 * FARTHEST
    with torch.device("meta"), torch.no_grad():
        network = build_generator(name, settings.section(values, name, (DEBLUR | BLUR)[name][1])).eval()
        photo = torch.empty(1, 3, side, side)
        noise = (network.draw_noise(photo, torch.Generator()).to("meta"),) if name in BLUR else ()
        with Largest() as largest:
            network(photo, *noise)
    assert 64 * side**2 <= largest.numel < 2**31


def weights(network):
    return {key: tensor.clone() for key, tensor in network.state_dict().items()}


def same(first, second):
    return first.keys() == second.keys() and all(tensor.equal(second[key]) for key, tensor in first.items())


def awake(network):
    """All weights count: NAFNet's beta and gamma begin at 0, an attention's ReLUs may all be closed."""
    for block in network.modules():
        if isinstance(block, NAFBlock):
            nn.init.normal_(block.beta)
            nn.init.normal_(block.gamma)
        if isinstance(block, ChannelAttentionBlock):
            block.squeeze.weight.data[1] = -block.squeeze.weight.data[0]
    return network


@pytest.mark.parametrize(("name", "changes"), VARIANTS)
def test_any_image_size_comes_out_as_it_went_in_and_evaluation_is_deterministic(name, changes):
    network = build(name, **changes)
    for size in SIZES:
        photo = images(*size)
        if name != "bgan" or size != (1, 1):  # BatchNorm takes statistics of more than one value
            assert all(output.shape == photo.shape for output in stages(network.train()(*inputs(network, photo))))
        first, second = (stages(network.eval()(*inputs(network, photo))) for _ in range(2))
        assert all(output.shape == photo.shape for output in first)
        assert all(map(torch.equal, first, second))


@pytest.mark.parametrize(("name", "changes"), VARIANTS)
def test_every_weight_gets_a_gradient(name, changes):
    """But the bias of a conv before a normalisation, which takes every constant away again."""
    network = awake(build(name, **changes)).train()
    sum((output - 0.1).square().mean() for output in stages(network(*inputs(network, images(16, 16))))).backward()
    normed = {"srresnet": r"(blocks|after_blocks).*bias", "deblurgan": r"(?!tail).*bias"}.get(name, "none")
    if name == "srresnet" and not config(name, **changes).batch_norm:
        normed = "none"
    counted = {key: p for key, p in network.named_parameters() if not re.fullmatch(normed, key)}
    assert [key for key, p in counted.items() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("mprnet", {"reduction": 5}, "reduction must be at most width"),
        ("nafnet", {"decoder_blocks": [1]}, "equally many levels"),
        ("bgan", {"noise": "white"}, "noise"),
        ("dbgan", {"width": 0}, "width"),
        ("dbgan", {"depth": 3}, "depth"),
    ],
)
def test_sizes_that_do_not_go_together_are_refused(name, changes, message):
    with pytest.raises(ValidationError, match=message):
        config(name, **changes)


@pytest.mark.parametrize("name", TINY)
def test_trained_saved_and_loaded_a_generator_computes_the_same_bit_for_bit(tmp_path, name):
    network = new_generator(name, config(name), 1, 0.1)
    assert all(p.is_contiguous(memory_format=torch.channels_last) for p in network.parameters() if p.dim() == 4)
    untrained = weights(network)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    photo = images(13, 18)
    for _ in range(2):
        optimizer.zero_grad()
        multi_stage(stages(network(*inputs(network, photo))), 1 - photo).backward()
        optimizer.step()
    assert not same(weights(network), untrained)
    path = tmp_path / "weights.safetensors"
    checkpoint.save(path, network, name, config(name))
    loaded = checkpoint.load(path, [name])
    assert checkpoint.recipe(path) == (name, TINY[name])
    assert same(weights(loaded), weights(network))
    expected, found = (stages(net(*inputs(net, photo))) for net in (network.eval(), loaded))
    assert all(map(torch.equal, found, expected))


@pytest.mark.parametrize("name", TINY)
def test_new_weights_are_a_function_of_the_seed_alone_and_draw_from_no_other_source(name):
    first = weights(new_generator(name, config(name), 1, 0.01))
    before = torch.random.get_rng_state()
    again, other = (weights(new_generator(name, config(name), seed, 0.01)) for seed in (1, 2))
    assert torch.random.get_rng_state().equal(before)
    assert same(again, first)
    assert same(other, first) == (name == "camera")  # which starts where its config says
    torch.manual_seed(1)
    plain = build_generator(name, config(name))
    own = name in ("bgan", "dbgan")
    assert same(first, weights(gaussian_init(plain, 1, 0.01) if own else plain))


def test_gaussian_init_draws_weights_with_the_given_deviation_and_clears_biases():
    network = gaussian_init(build("bgan", width=16, blocks=2), seed=1, std=0.01)
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    drawn = torch.cat([layer.weight.detach().flatten() for layer in layers])
    assert abs(drawn.mean()) < 1e-4
    assert drawn.std() == pytest.approx(0.01, rel=0.02)
    assert (drawn.abs() < 0.01).float().mean() == pytest.approx(0.683, abs=0.01)
    assert not any(layer.bias.any() for layer in layers if layer.bias is not None)
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert all((norm.weight == 1).all() and not norm.bias.any() for norm in norms)


@pytest.mark.parametrize(("name", "back"), [("bgan", "dbgan"), ("sftnet_blur", "sftnet")])
def test_the_other_way_of_a_cycle_goes_a_deblurring_generator_of_the_same_size(name, back):
    found, size = reverse(name, config(name))
    assert found == back
    shared = TINY[name].keys() & TINY[back].keys()
    assert {key: getattr(size, key) for key in shared} == {key: TINY[name][key] for key in shared}
    assert build_generator(found, size)(images(5, 7)).shape == (2, 3, 5, 7)


def test_a_camera_has_no_other_way_of_a_cycle():
    with pytest.raises(
        ValueError, match=r"^params.yaml, blur_generator\.name: camera .* cycle needs bgan or sftnet_blur"
    ):
        reverse("camera", config("camera"))


@pytest.mark.parametrize("name", ["bgan", "sftnet_blur"])
def test_noise_is_standard_normal_and_makes_blurs_differ(name):
    for kind in ("vector", "spatial"):
        network, many = build(name, noise=kind), images(2, 2, n=1000)
        noise = noise_of(network, many)
        assert noise.shape == (1000, 4, 2, 2)
        assert (kind == "vector") == noise[:, :, :1, :1].expand_as(noise).equal(noise)
        assert abs(noise.mean()) < 0.05
        assert noise.std() == pytest.approx(1, abs=0.05)
        assert noise.equal(noise_of(network, many))
        photo = images(8, 8)
        first, second = (network.eval()(photo, noise_of(network, photo, seed)) for seed in (0, 1))
        assert not first.equal(second)


@pytest.mark.parametrize(
    ("name", "changes", "tail"),
    [
        ("dbgan", {"downsample": 1}, "trunk.tail"),
        ("dbgan", {"downsample": 4}, "trunk.tail"),
        ("bgan", {}, "trunk.tail"),
        ("srresnet", {"skip": True}, "tail"),
        ("deblurgan", {}, "tail"),
        ("sftnet", {}, "network.tail.2"),
        ("sftnet_blur", {}, "network.tail.2"),
        ("nafnet", {}, "ending"),
    ],
)
def test_the_network_gives_a_change_to_the_image_and_is_not_clamped_in_training(name, changes, tail):
    """With a silent tail the image passes; padding is cut off where it was put on."""
    network, photo = build(name, **changes), images(7, 9)
    last = network.get_submodule(tail)
    for bias in (0.0, 3.0):
        nn.init.zeros_(last.weight)
        nn.init.constant_(last.bias, bias)
        change = 0.5 * torch.tanh(torch.tensor(bias)) if name == "deblurgan" else bias
        assert network(*inputs(network, photo)).allclose(photo + change, atol=1e-6)
    if name == "dbgan":  # as its authors' does
        assert (network.eval()(photo) == 1).all()


def test_deblurgan_drops_values_in_training_only_and_its_statistics_are_the_images_own_there():
    network, photo = build("deblurgan"), images(12, 12)
    assert not network.train()(photo).equal(network(photo))
    own, running = (build("deblurgan", dropout=False, running_statistics=kind) for kind in (False, True))
    assert own.eval()(photo).equal(running.train()(photo))
    assert not running.eval()(photo).allclose(own(photo), atol=1e-3)


@pytest.mark.parametrize(("name", "multiple"), [("dbgan", 2), ("deblurgan", 4), ("mprnet", 8), ("nafnet", 4)])
def test_borders_are_padded_to_the_networks_own_grid(name, multiple):
    """NAFNet's with zeros, the others' by repetition."""
    network, photo = awake(build(name)).eval(), images(9, 13)
    padded = F.pad(photo, (0, -13 % multiple, 0, -9 % multiple), mode="constant" if name == "nafnet" else "replicate")
    assert network.multiple == multiple
    assert stages(network(photo))[0].equal(stages(network(padded))[0][..., :9, :13])


def reached(output, network):
    """The weights that `output` sends gradient to."""
    network.zero_grad()
    output.square().mean().backward(retain_graph=True)
    return {key for key, p in network.named_parameters() if p.grad is not None and p.grad.any()}


def test_each_stage_of_mprnet_alone_reaches_all_weights_that_it_depends_on():
    """An attention's image counts in its own stage; what it lets pass counts from the next one on."""
    network = awake(build("mprnet"))
    keys = {key for key, _ in network.named_parameters()}
    through1 = {key for key in keys if re.match(r"slope|(shallow|encoder|decoder)1|attention1\.image", key)}
    through2 = {key for key in keys if re.match(r"slope|\w+[12]\.", key)}
    through2 -= {"attention2.features.weight", "attention2.mask.weight"}
    stage3, stage2, stage1 = network(images(16, 24))
    assert [reached(stage, network) for stage in (stage1, stage2, stage3)] == [through1, through2, keys]


@pytest.mark.parametrize("window", [1, 2, 5, 6, 9, 20])
def test_local_mean_is_of_the_nearest_window_within_the_image(window):
    features = torch.rand(2, 3, 6, 9)
    rows, columns = min(window, 6), min(window, 9)
    mean = F.avg_pool2d(features, (rows, columns), stride=1)
    down = (torch.arange(6) - (rows - 1) // 2).clamp(0, 6 - rows)
    across = (torch.arange(9) - (columns - 1) // 2).clamp(0, 9 - columns)
    torch.testing.assert_close(local_mean(features, window), mean[:, :, down][..., across])


def test_nafnet_pools_locally_in_evaluation_of_images_larger_than_the_window():
    windows = [
        block.sca[0].window for block in build("nafnet", train_size=256).modules() if isinstance(block, NAFBlock)
    ]
    assert windows == [384, 192, 192, 96, 192, 384]
    local, everywhere = (awake(build("nafnet", train_size=size)) for size in (8, None))
    assert local(images(16, 9)).equal(everywhere(images(16, 9)))
    local.eval(), everywhere.eval()
    assert local(images(12, 9)).equal(everywhere(images(12, 9)))
    assert not local(images(16, 9)).allclose(everywhere(images(16, 9)), atol=1e-4)
