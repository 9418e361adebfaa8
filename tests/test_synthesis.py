"""Blurs for DBGAN: BGAN's, stored as a camera does, with its noise; the oracle's."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import nn

from dbgan.data import camera_shake, development, h5, photos
from dbgan.models.camera import Camera, CameraConfig
from dbgan.realism import noise_level
from dbgan.synthesis import Bgan, oracle

SIDE = 32
WINDOWS = np.array([[k, y, x] for k in range(3) for y in (0, 8, 40) for x in (0, 5)])
CAMERA = {"modes": 6, "reach": 8, "roll_deg": 0.0, "radius_px": 2.0, "focus_px": 0.8, "response_gamma": 2.2}
CAMERA |= {"noise": 1e-3}
NONE = torch.zeros(1, 2, 8, 8)
COARSE = torch.full((1, 2, 8, 8), 30.0)


class Brighter(nn.Module):
    """Adds its noise, one value an image, in levels: 10 and a fraction."""

    def draw_noise(self, like, generator):
        return (10 + torch.rand((len(like), 1, 1, 1), generator=generator)).expand(-1, 1, *like.shape[-2:])

    def forward(self, sharp, noise):
        return sharp + noise / 255


@pytest.fixture
def crops(tmp_path, photo):
    """Crops without noise of their own."""
    with h5.create(tmp_path / "crops.h5") as file:
        for k in range(3):
            smooth = 60 + 0.5 * gaussian_filter(photo(k, 72, 80).astype(float), (2, 2, 0))
            file.write(f"paired/sharp/{k:06}", smooth.astype(np.uint8))
        file.crops("paired", WINDOWS, SIDE, ["a", "b", "c"])
    return h5.Reader(tmp_path / "crops.h5")


def levels(images):
    return np.mean([*map(noise_level, images)])


@pytest.mark.parametrize("strength", [1.5, 5.0])
def test_matched_blurs_have_the_noise_of_real_ones(crops, strength):
    sharp = crops.rows("paired/sharp", slice(None))
    noise = strength * np.random.default_rng(0).standard_normal(sharp.shape)
    real = (sharp + noise).round().astype(np.uint8)
    made = Bgan(Brighter(), crops, NONE, 7)
    assert levels(made.probe()) < levels(real) - 0.5
    made.match_noise(real)
    assert levels(made.probe()) == pytest.approx(levels(real), abs=0.1)
    (_, blurs), *_ = made.made(range(18), 1)  # other draws
    assert levels(blurs) == pytest.approx(levels(real), abs=0.3)
    assert made.noise == pytest.approx(strength, rel=0.1)
    made.match_noise(sharp)
    assert made.noise == 0  # blurs have as much


@pytest.mark.parametrize("headroom", [1.0, 4.0])
def test_matched_lamps_are_as_bright_as_the_real_ones_however_many_there_are(tmp_path, photo, headroom):
    camera = Camera(CameraConfig(**CAMERA))
    with h5.create(tmp_path / "crops.h5") as file:
        for k in range(16):
            file.write(f"paired/sharp/{k + 8:06}", photo(k, 48, 48) // 4)  # no lamp
        for k in range(8):
            night = photo(k, 48, 48) // 4
            night[20:28, 16:32] = 255  # a lamp
            file.write(f"paired/sharp/{k:06}", night)
            camera.headroom = headroom
            sharp = photos.to_float(night[None])
            with torch.no_grad():
                seen = camera(sharp, camera.draw_noise(sharp, torch.Generator().manual_seed(k)))
            file.write(f"real/blurred/{k:06}", photos.to_uint8(seen)[0])
        for group, count in (("paired", 24), ("real", 8)):
            names = [str(k) for k in range(count)]
            file.crops(group, np.array([[k, 8, 8] for k in range(count)]), SIDE, names)
    camera.headroom = 1.0
    made = Bgan(camera, h5.Reader(tmp_path / "crops.h5"), NONE, 7)
    made.match_highlights(camera)
    assert camera.headroom == pytest.approx(headroom, rel=0.2)  # other paths of the hand


def test_blurs_are_those_of_the_network_stored_as_jpeg_each_map_another(crops):
    made = Bgan(Brighter(), crops, COARSE, 7)
    assert 10 < made.change() < 14
    found = list(made.made(range(4, 9), 2))
    assert all(source.tolist() == [4, 5, 6, 7, 8] for source, _ in found)
    sharp = photos.to_float(crops.rows("paired/sharp", slice(4, 9)))
    for k, (_, blurs) in enumerate(found):
        draw = torch.Generator().manual_seed(7 + 4 * 2 + k)
        brighter = sharp + Brighter().draw_noise(sharp, draw) / 255
        expected = photos.to_uint8(development.jpeg(brighter, COARSE.expand(5, -1, -1, -1)))
        assert np.array_equal(blurs, expected)
        assert not np.array_equal(blurs, photos.to_uint8(brighter))
    assert not np.array_equal(found[0][1], found[1][1])


def test_each_blur_has_the_tables_of_a_real_photograph_drawn_for_it(crops):
    both = [next(Bgan(Brighter(), crops, tables, 7).made(range(18), 1))[1] for tables in (NONE, COARSE)]
    (_, mixed), *_ = Bgan(Brighter(), crops, torch.cat([NONE, COARSE]), 7).made(range(18), 1)
    kinds = [[np.array_equal(one, kind[i]) for kind in both] for i, one in enumerate(mixed)]
    assert all(sum(kind) == 1 for kind in kinds)
    assert 3 < sum(kind[0] for kind in kinds) < 15


def test_the_oracle_s_crops_are_cut_from_the_whole_photograph_that_the_real_camera_blurs(crops):
    camera = camera_shake.ShakeParams(
        **{"path": "tremor", "length_px": (5.0, 9.0), "rotation_deg": 1.0, "defocus_px": (1.0, 2.0), "blades": 6},
        **{"response_gamma": 2.2, "contrast": 0.3, "headroom": 2.0, "noise": 0.01, "jpeg_quality": 80},
    )
    for photograph in range(3):
        found = list(oracle(crops, photograph, 2, camera, 9))
        whole = crops.photograph("paired/sharp", photograph)
        for k, (source, blurs) in enumerate(found):
            assert source.tolist() == list(range(6 * photograph, 6 * photograph + 6))
            blurred = camera_shake.blur(whole, camera, np.random.default_rng([9, photograph, 5, k]))
            places = WINDOWS[source]
            assert np.array_equal(blurs, [blurred[y : y + SIDE, x : x + SIDE] for _, y, x in places])
        assert not np.array_equal(found[0][1], found[1][1])
