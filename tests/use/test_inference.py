"""Photographs through a network: any size, no rim at the border, and no seam where tiles meet."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dbgan.data import photos
from dbgan.models.build import BLUR, DEBLUR, build_generator
from dbgan.use.inference import cells, mean_of_turns, reach, restore

DENSE = {"width": 4, "blocks": 1, "growth": 4, "downsample": 2}
SFT = {"width": 2, "blocks": 1, "condition_width": 4, "shared_channels": 2}
DEBLURGAN = {"width": 2, "blocks": 1, "dropout": False, "running_statistics": True}
NAFNET = {"width": 2, "encoder_blocks": [1, 1], "middle_blocks": 1, "decoder_blocks": [1, 1], "train_size": 16}
MPRNET = {"width": 4, "unet_growth": 0, "orsnet_growth": 0, "blocks": 1, "reduction": 2, "parts": 2}
CONVS = {
    "dbgan": DENSE,
    "srresnet": {"width": 2, "blocks": 3, "batch_norm": False, "skip": False},
    "deblurgan": DEBLURGAN,
    "sftnet": SFT | {"condition_channels": 2},
}


def build(name, **config):
    torch.manual_seed(0)
    return build_generator(name, (DEBLUR | BLUR)[name][1](**config)).eval()


def a_conv(size=3):
    torch.manual_seed(0)
    return nn.Conv2d(3, 3, size, padding=size // 2)


@pytest.mark.parametrize("tile", [8, 1024])
@pytest.mark.parametrize("margin", [0, 1, 16])
@pytest.mark.parametrize("size", [(1, 1), (1, 30), (9, 1), (17, 5), (31, 47)])
def test_a_network_that_does_nothing_gives_the_photograph_back(photo, size, margin, tile):
    image = photo(0, *size)
    for given in (image, image[..., :1], image.astype(np.uint16) * 257):
        for function in (nn.Identity(), lambda x: [x, 1 - x]):  # of several stages the first counts
            found = restore(function, given, margin, tile)
            assert np.array_equal(found, given)
            assert found.dtype == given.dtype


@pytest.mark.parametrize("size", [(20, 31), (1, 20), (20, 1), (3, 33)])
def test_the_border_sees_the_mirrored_photograph_and_not_zeros(photo, size):
    """Mirrored as far as the photograph goes, then repeated."""
    conv, image = a_conv(5), photo(1, *size)
    frame = photos.to_float(image)[None]
    down, right = (min(2, side - 1) for side in size)
    frame = F.pad(
        F.pad(frame, (right, right, down, down), mode="reflect"), (2 - right,) * 2 + (2 - down,) * 2, "replicate"
    )
    with torch.no_grad():
        expected = photos.to_uint8(F.conv2d(frame, conv.weight, conv.bias)[0])
    assert np.abs(restore(conv, image, 16).astype(int) - expected).max() <= 1


def test_results_are_clamped_and_grey_is_the_mean():
    image = np.full((8, 8, 3), (0, 30, 90), np.uint8)
    assert restore(lambda x: 9 * x, image, 2)[0, 0].tolist() == [0, 255, 255]
    grey = restore(lambda x: x + torch.tensor([0, 30, 90]).view(3, 1, 1) / 255, image[..., :1], 2)
    assert grey.shape == (8, 8, 1)
    assert (grey == 40).all()


@pytest.mark.parametrize("ensemble", [False, True])
@pytest.mark.parametrize("name", CONVS)
def test_the_result_of_convs_does_not_depend_on_the_tiles(photo, name, ensemble):
    network = build(name, **CONVS[name])
    image = photo(1, 131, 90).astype(np.uint16) * 257
    whole, *cut = (restore(network, image, 16, tile, ensemble=ensemble) for tile in (512, 48, 70))
    assert not np.array_equal(whole, image)
    for found in cut:
        assert np.abs(found.astype(int) - whole).max() <= 1  # 1 / 65535: rounding of float32


@pytest.mark.parametrize(("name", "size"), [("bgan", DENSE | {"batch_norm": True}), ("sftnet_blur", SFT)])
def test_a_noise_map_of_pixels_is_drawn_once_for_the_photograph(photo, name, size):
    network, image = build(name, **size, noise="spatial"), photo(2, 90, 75).astype(np.uint16) * 257
    whole, cut, other = (
        restore(network, image, 4, tile, noise=lambda x, s=seed: network.draw_noise(x, torch.manual_seed(s)))
        for tile, seed in ((512, 0), (40, 0), (512, 1))
    )
    assert np.abs(cut.astype(int) - whole).max() <= 1
    assert not np.array_equal(whole, other)


def test_tiles_that_do_not_agree_fade_into_each_other():
    """A network that sees all of its image: each tile becomes its mean. Along both axes a slope, no step."""
    image = np.zeros((512, 256, 3), np.uint8)
    image[256:] = 200

    def mean(x):
        return x.mean(dim=(2, 3), keepdim=True).expand_as(x)

    found = restore(mean, image, 0, tile=256)[..., 0].astype(int)
    assert (found == found[:, :1]).all()
    assert found[0, 0] < 70 < 130 < found[-1, 0]
    steps = np.diff(found[:, 0])
    assert steps.min() >= 0
    assert steps.max() <= 2


@pytest.mark.parametrize(("tile", "overlap", "fade"), [(32, 12, 0), (32, 128, 64), (500, 8, 4)])
@pytest.mark.parametrize("size", [1, 9, 64, 131])
def test_tiles_stand_on_the_grid_see_beyond_what_is_kept_and_weigh_1_in_all(size, tile, overlap, fade):
    total = np.zeros(size)
    for cell in cells(size, 16, tile, overlap, fade, 4):
        total[cell.kept] += cell.weight
        assert cell.seen.start % 4 == 0
        assert cell.seen.stop % 4 == 0 or cell.seen.stop == size + 32
        assert cell.seen.start == 0 or cell.within.start >= overlap - fade
        after = cell.seen.stop - cell.seen.start - cell.within.stop
        assert cell.seen.stop == size + 32 or after >= overlap - fade
    assert total == pytest.approx(np.ones(size), abs=1e-6)


def test_the_ensemble_is_the_mean_and_turns_with_the_image():
    conv, image = a_conv(), torch.rand(1, 3, 12, 15)
    with torch.no_grad():
        kernel = sum(conv.weight.data.rot90(k, (-2, -1)) for k in range(4)) / 8
        kernel = kernel + kernel.flip(-1)
        for turned in (image, image.rot90(1, (-2, -1)), image.flip(-1)):
            expected = torch.conv2d(turned, kernel, conv.bias, padding=1)
            assert mean_of_turns(conv, 1, turned).numpy() == pytest.approx(expected.numpy(), abs=1e-5)


def first(network):
    return lambda image: output[0] if isinstance(output := network(image), list) else output


@pytest.mark.parametrize(
    ("name", "config", "expected"),
    [
        ("dbgan", {"width": 2, "blocks": 1, "growth": 2, "downsample": 1}, 15 + 4),  # its 3x3 convs
        ("dbgan", {"width": 2, "blocks": 2, "growth": 2, "downsample": 3}, 3 * (30 + 4)),
        ("srresnet", CONVS["srresnet"], 2 * 3 + 4),
        ("deblurgan", DEBLURGAN | {"running_statistics": False}, None),
        ("nafnet", NAFNET | {"train_size": None}, None),
        ("nafnet", NAFNET, None),
        ("mprnet", MPRNET, None),
    ],
)
def test_how_far_a_network_looks(name, config, expected):
    network = build(name, **config)
    assert reach(first(network), getattr(network, "multiple", 1)) == expected


def test_deblurgan_as_published_is_one_network_with_ours():
    network = build("deblurgan", **DEBLURGAN)
    network.signed = True
    nn.init.normal_(network.tail.weight, std=0.01)
    image = 0.3 + 0.4 * torch.rand(1, 3, 16, 12)
    with torch.no_grad():
        published = network(2 * image - 1)
        network.signed = False
        assert published.abs().max() < 1
        torch.testing.assert_close(2 * network(image) - 1, published)
        nn.init.constant_(network.tail.bias, 20)
        network.signed = True
        assert network(torch.ones(1, 3, 8, 8)).max() == 1
