"""Tiles: what is joined again is what the whole would have given, wherever it was cut."""

import numpy as np
import pytest
import torch
from torch import nn

from dbgan.data import photos
from dbgan.models.build import build_generator
from dbgan.use import inference as photo_network
from dbgan.use import photo_files
from dbgan.use.inference import Cuts, cells, ensemble, framed_size, in_tiles, mirrored, turned, whole_frame

NETWORKS = {
    "dbgan": {"width": 4, "blocks": 1, "growth": 4, "downsample": 2},
    "deblurgan": {"width": 2, "blocks": 1, "dropout": False, "running_statistics": True, "signed": False},
    "sftnet_deblur": {"width": 2, "blocks": 1, "condition_channels": 2, "condition_width": 4, "shared_channels": 2},
}


def network_of(name):
    torch.manual_seed(0)
    network = build_generator(name, **NETWORKS[name]).eval()
    return network, photo_network.photo_network(network, name, NETWORKS[name])


def levels(function):
    @torch.inference_mode()
    def forward(tile, place):
        return photo_files.to_pixels(function(photo_files.to_image(tile)), tile)

    return forward


def same(tile, place):
    return tile


@pytest.mark.parametrize("multiple", [1, 2, 5])
@pytest.mark.parametrize("margin", [0, 3, 16])
@pytest.mark.parametrize("size", [1, 2, 7, 40])
def test_a_line_is_framed_as_in_a_whole_frame(size, margin, multiple):
    seen = []
    photo = torch.rand(3, size, size)
    whole_frame(lambda x: seen.append(x) or x, photo, margin)
    at = mirrored(size, margin, multiple)
    assert len(at) == framed_size(size, margin, multiple)
    assert len(at) % multiple == 0
    at = at[: size + 2 * margin]
    assert photo[:, at][:, :, at].equal(seen[0][0])


@pytest.mark.parametrize("cuts", [Cuts(8, 0, 0, 1), Cuts(8, 6, 0, 2), Cuts(10, 8, 4, 4), Cuts(500, 8, 4, 4)])
@pytest.mark.parametrize("size", [(1, 1), (1, 30), (17, 5), (31, 47)])
def test_nothing_done_gives_the_photograph_back(photo, size, cuts):
    image = photo(0, *size)
    assert np.array_equal(in_tiles(same, image, 16, cuts), image)


@pytest.mark.parametrize("size", [1, 9, 64, 131])
def test_tiles_keep_all_pixels_see_beyond_and_stand_on_the_grid(size):
    found = cells(size, 16, Cuts(32, 12, 0, 4))
    assert [k for cell in found for k in range(cell.kept.start, cell.kept.stop)] == list(range(16, 16 + size))
    for cell in found:
        assert cell.seen.start % 4 == cell.seen.stop % 4 == 0
        assert cell.seen.start == 0 or cell.kept.start - cell.seen.start >= 12
        assert cell.seen.stop == framed_size(size, 16, 4) or cell.seen.stop - cell.kept.stop >= 12


@pytest.mark.parametrize("wrap", [lambda function: function, ensemble])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_result_does_not_depend_on_the_tiles(photo, name, wrap):
    _, function = network_of(name)
    multiple = photo_network.multiple(name, NETWORKS[name])
    reach = photo_network.reach(function, multiple)
    image = photo(1, 131, 90).astype(np.uint16) * 257
    whole, *cut = (
        in_tiles(levels(wrap(function)), image, 16, Cuts(side, reach, 0, multiple)) for side in (512, 48, 70)
    )
    assert not np.array_equal(whole, image)
    for found in cut:
        assert np.abs(found.astype(int) - whole).max() <= 1  # 1 / 65535: rounding of float32


def test_the_whole_is_what_the_evaluation_sees(photo):
    network, function = network_of("dbgan")
    image = photo(2, 61, 75)
    expected = photos.to_uint8(whole_frame(network, photos.to_float(image), 16))
    found = in_tiles(levels(function), image, 16, Cuts(512, 0, 0, 2))
    assert np.abs(found.astype(int) - expected).max() <= 1


def test_without_overlap_the_result_would_depend_on_them(photo):
    """The comparison above sees seams."""
    conv = nn.Conv2d(3, 3, 5, padding=2)
    image = photo(1, 64, 64)
    whole, cut = (in_tiles(levels(conv), image, 0, Cuts(side, 0, 0, 1)) for side in (64, 32))
    assert np.abs(cut.astype(int) - whole)[:, 31:33].max() > 5


def test_tiles_that_do_not_agree_fade_into_each_other():
    """One tile gives 0, the next 200: a slope, no step, the same along the other axis."""

    def by_place(tile, place):
        return np.full_like(tile, 200 * (place[0].stop > 64))

    found = in_tiles(by_place, np.zeros((80, 40, 3), np.uint8), 0, Cuts(40, 16, 8, 4))
    assert found[:32].max() == 0
    assert found[48:].min() == 200
    assert found[32:48, 0, 0].tolist() == [round(200 * (k + 0.5) / 16) for k in range(16)]
    assert (found == found[:, :1]).all()
    turned_round = in_tiles(
        lambda tile, place: by_place(tile, place[::-1]), np.zeros((40, 80, 3), np.uint8), 0, Cuts(40, 16, 8, 4)
    )
    assert np.array_equal(turned_round, found.swapaxes(0, 1))


def test_tiles_are_told_their_place(photo):
    image = photo(3, 50, 70)
    framed = image[mirrored(50, 4, 2)][:, mirrored(70, 4, 2)]
    in_place = lambda tile, place: framed[place]  # noqa: E731
    assert np.array_equal(in_tiles(in_place, np.zeros_like(image), 4, Cuts(20, 6, 0, 2)), image)


def test_the_ensemble_is_the_mean_and_turns_with_the_image():
    conv = nn.Conv2d(3, 3, 3, padding=1)
    image = torch.rand(1, 3, 12, 15)
    with torch.no_grad():
        found = ensemble(conv)(image)
        mean = sum(conv.weight.data.rot90(k, (-2, -1)) for k in range(4)) / 8
        mean = mean + mean.flip(-1)
        assert found.numpy() == pytest.approx(torch.conv2d(image, mean, conv.bias, padding=1).numpy(), abs=1e-5)
        for turns in range(4):
            for mirror in (False, True):
                again = ensemble(conv)(turned(image, turns, mirror))
                assert again.numpy() == pytest.approx(turned(found, turns, mirror).numpy(), abs=1e-5)
