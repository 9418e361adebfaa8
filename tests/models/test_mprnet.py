"""MPRNet: the authors' outputs on equal weights, what each stage sees and trains, the one slope, any size."""

import copy
import re
import zlib
from dataclasses import fields
from inspect import signature
from pathlib import Path

import numpy as np
import pytest
import torch
from golden_recipe import filled, unit_input

from dbgan.models.checkpoint_keys import mprnet_key
from dbgan.models.mprnet import ChannelAttentionBlock, MPRNet, MPRNetConfig

GOLDEN = np.load(Path(__file__).parents[1] / "fixtures" / "mprnet.npz")
CROPS = {"topleft": (slice(0, 12),) * 2, "centre": (slice(26, 38),) * 2, "bottomright": (slice(52, 64),) * 2}
SIZES = [(1, 1), (5, 3), (7, 13), (16, 9), (8, 8), (24, 16)]
STAGES = ["stage3", "stage2", "stage1"]  # in the order of the outputs


def filled_mprnet():
    """The recipe draws the slope of a PReLU around 0.25, and the shared one by the first of its names."""
    network = filled(MPRNet(), lambda key: mprnet_key(key, {}), gain=0.7)
    drawn = np.random.default_rng(zlib.crc32(mprnet_key("slope", {}).encode())).standard_normal(1)
    network.slope.data = torch.from_numpy((0.25 + 0.05 * drawn).astype(np.float32))
    return network


def tiny(**changes):
    torch.manual_seed(0)
    size = {"width": 4, "unet_growth": 2, "orsnet_growth": 3, "blocks": 1, "reduction": 2}
    return MPRNet(**(size | changes))


def awake(network):
    """Of two opposite inner channels of an attention one always passes its ReLU, so gradient can reach it."""
    for block in network.modules():
        if isinstance(block, ChannelAttentionBlock):
            block.squeeze.weight.data[1] = -block.squeeze.weight.data[0]
    return network.train()


def images(height, width, n=2):
    return torch.rand(n, 3, height, width, generator=torch.Generator().manual_seed(0))


def test_it_is_the_authors_network():
    network = filled_mprnet()
    assert sum(p.numel() for p in network.parameters()) == 20_127_073
    for mode in (True, False):
        with torch.no_grad():
            outputs = network.train(mode)(unit_input((1, 3, 64, 64)))
        for stage, output in zip(STAGES, outputs, strict=True):
            for place, (rows, columns) in CROPS.items():
                difference = np.abs(output[0, :, rows, columns].numpy() - GOLDEN[f"{stage}/{place}"]).max()
                assert difference <= 10 * GOLDEN[f"{stage}/noise"], f"{stage}/{place}"


def test_the_config_names_exactly_the_arguments():
    assert [field.name for field in fields(MPRNetConfig)] == list(signature(MPRNet).parameters)


@pytest.mark.parametrize("size", SIZES)
def test_any_image_size_comes_out_of_all_three_stages_as_it_went_in(size):
    outputs = tiny()(images(*size))
    assert [output.shape for output in outputs] == [(2, 3, *size)] * 3


@pytest.mark.parametrize("changes", [{"width": 6}, {"unet_growth": 0}, {"orsnet_growth": 0}, {"blocks": 3}])
def test_any_width_and_depth(changes):
    assert tiny(**changes)(images(8, 16))[0].shape == (2, 3, 8, 16)


@pytest.mark.parametrize(("size", "padded"), [((8, 24), (8, 24)), ((9, 17), (16, 24)), ((1, 7), (8, 8))])
def test_an_image_is_padded_by_repeating_its_border_and_no_more_than_needed(size, padded):
    network, photo = tiny(), images(*size)
    rows = torch.arange(padded[0]).clamp(max=size[0] - 1)
    columns = torch.arange(padded[1]).clamp(max=size[1] - 1)
    whole = photo[:, :, rows][..., columns]
    for output, expected in zip(network(photo), network(whole), strict=True):
        assert output.equal(expected[..., : size[0], : size[1]])


def reached(output, network):
    """The parameters that `output` sends gradient to."""
    network.zero_grad()
    output.square().mean().backward(retain_graph=True)
    return {key for key, p in network.named_parameters() if p.grad is not None and p.grad.any()}


def test_each_stage_alone_reaches_all_weights_that_it_depends_on():
    """An attention's image counts in its own stage; what it lets pass counts from the next one on."""
    network = awake(tiny())
    keys = [key for key, _ in network.named_parameters()]
    through1 = {key for key in keys if re.match(r"slope|(shallow|encoder|decoder)1|attention1\.image", key)}
    through2 = {key for key in keys if re.match(r"slope|\w+[12]\.", key)}
    through2 -= {"attention2.features.weight", "attention2.mask.weight"}
    stage3, stage2, stage1 = network(images(16, 24))
    assert reached(stage1, network) == through1
    assert reached(stage2, network) == through2
    assert reached(stage3, network) == set(keys)
    assert through1 < through2 < set(keys)


def changed(before, after):
    """Which quarters of the outputs differ, as rows of booleans."""
    difference = (before - after).abs().amax(dim=(0, 1))
    halves = [row.chunk(2, dim=1) for row in difference.chunk(2, dim=0)]
    return [[bool(quarter.any()) for quarter in row] for row in halves]


def test_stage_1_restores_halves_apart_and_the_later_ones_the_whole():
    network, photo = tiny(), images(16, 16, n=1)
    other = photo.clone()
    other[..., 12, 3] = 0.9
    stage3, stage2, stage1 = map(changed, network(photo), network(other))
    assert stage1 == [[False, False], [True, True]]
    assert stage2 == stage3 == [[True, True], [True, True]]


def test_stage_1_encodes_quarters_apart():
    seen, network = [], tiny()
    network.encoder1.register_forward_hook(lambda module, inputs, output: seen.append([x.shape for x in output]))
    network.decoder1.register_forward_hook(lambda module, inputs, output: seen.append([x.shape for x in output]))
    network(images(16, 32))
    assert seen[0] == [(8, 4, 8, 16), (8, 6, 4, 8), (8, 8, 2, 4)]
    assert seen[1] == [(4, 4, 8, 32), (4, 6, 4, 16), (4, 8, 2, 8)]


@pytest.mark.parametrize("size", [(8, 8), (7, 13)])
def test_it_sees_each_image_alone_and_training_changes_nothing(size):
    network, photos = tiny(), images(*size)
    for both, alone, again in zip(network.train()(photos), network(photos[1:]), network.eval()(photos), strict=True):
        torch.testing.assert_close(both[1:], alone)
        assert both.equal(again)


def test_with_silent_images_every_stage_passes_the_blurred_one_on():
    network, photo = tiny(), images(7, 9)
    for last in (network.attention1.image, network.attention2.image, network.tail3):
        torch.nn.init.zeros_(last.weight)
    assert all(output.equal(photo) for output in network(photo))


def test_output_is_not_clamped():
    assert all(output.max() > 2 for output in tiny()(3 * images(8, 8)))


def test_all_blocks_share_one_slope_that_is_one_tensor_of_the_file():
    network = tiny(blocks=2)
    assert [key for key in network.state_dict() if "slope" in key] == ["slope"]
    pointers = [value.data_ptr() for value in network.state_dict().values()]
    assert len(set(pointers)) == len(pointers)
    used = []
    for block in network.modules():
        if isinstance(block, ChannelAttentionBlock):
            block.register_forward_pre_hook(lambda module, inputs: used.append(inputs[1]))
    network(images(8, 8))
    assert len(used) == 37  # 3 that read the image, 12 in encoders, 12 and 4 on skips in decoders, 3 times 2 in stage 3
    assert all(slope is network.slope for slope in used)


def test_a_copy_has_a_slope_of_its_own():
    network, photo = tiny(), images(8, 8)
    twin = copy.deepcopy(network)
    assert all(map(torch.equal, network(photo), twin(photo)))
    twin.slope.data.fill_(-1)
    assert not any(map(torch.equal, network(photo), twin(photo)))


def test_it_works_when_built_without_memory_and_given_its_weights_later():
    network, photo = tiny(), images(5, 3)
    network.slope.data.fill_(0.1)
    with torch.device("meta"):
        empty = tiny()
    empty.load_state_dict(network.state_dict(), assign=True)
    assert all(map(torch.equal, empty(photo), network(photo)))


def test_seen_whole_a_flat_photograph_has_no_seam_where_parts_would_meet():
    """Far from the border, a network without parts treats all pixels alike; one with parts does not."""
    flat = torch.full((1, 3, 96, 96), 0.5)

    def unlike(parts):
        network = tiny(parts=parts).eval()
        with torch.no_grad():
            return (network(flat)[0][..., 40:56, 40:56] - network(flat)[0][..., 40:41, 40:41]).abs().max()

    assert unlike(1) < 1e-4 < unlike(2)
