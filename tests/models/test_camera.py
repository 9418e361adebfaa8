"""The camera as a generator: kernels that average light and keep it in place, a roll, nodes and tiles without seams."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from tiny import config, images, noise_of

from dbgan.models.camera import Camera
from dbgan.use.inference import restore


def camera(**changes):
    shipped = {"modes": 6, "reach": 20, "radius_px": 3.0}
    return Camera(config("camera", **(shipped | changes)))


def drawn(network, n, **at):
    """(n, 3 * modes + 4): z of kernels, at y and x pixels from the middle."""
    z = torch.randn(n, 3 * network.modes + 4, generator=torch.Generator().manual_seed(1))
    z[:, -2], z[:, -1] = at.get("y", 0), at.get("x", 0)
    return z


def moments(kernels):
    """(N, 2) means of y and x and (N, 2) deviations of kernels (N, K, K), pixels."""
    at = torch.arange(kernels.shape[-1]) - kernels.shape[-1] // 2
    shares = torch.stack([kernels.sum(2), kernels.sum(1)], 1)
    means = (shares * at).sum(2)
    return means, ((shares * at**2).sum(2) - means**2).sqrt()


def test_kernels_are_none_negative_of_sum_1_and_their_mean_is_in_the_middle():
    network = camera()
    for kernels in (network.kernels(drawn(network, 50, y=200, x=-300)), network.discs(drawn(network, 50))):
        assert kernels.min() >= 0
        torch.testing.assert_close(kernels.sum((1, 2)), torch.ones(50))
        assert moments(kernels)[0].abs().max() < 0.05
    with torch.no_grad():
        network.radius_spread.zero_()
    _, deviations = moments(network.kernels(drawn(network, 50)))
    assert deviations.square().sum(1).sqrt().tolist() == pytest.approx([math.sqrt(3.0**2 + 2 * 0.5**2)] * 50, rel=0.02)


def test_a_roll_moves_the_corners_and_not_the_middle():
    """Without other movement: a point 200 pixels right of the middle moves up and down."""
    network = camera(roll_deg=0.5)
    for where, (down, across) in {(0, 0): (0, 0), (0, 200): (200, 0), (150, 0): (0, 150)}.items():
        z = drawn(network, 3, y=where[0], x=where[1])
        z[:, : 2 * network.modes] = 0
        _, deviations = moments(network.kernels(z))
        expected = [math.hypot(math.radians(0.5) * distance, 0.5) for distance in (down, across)]  # with the pen's own
        for found in deviations.tolist():
            assert found == pytest.approx(expected, abs=0.04)


@pytest.mark.parametrize("size", [(31, 40), (70, 300), (260, 390)])
def test_a_plain_wall_stays_plain_and_a_dot_in_its_place_wherever_the_kernels_stand(size):
    network = camera(noise=1e-9)
    wall = torch.tensor([0.2, 0.5, 1.0]).view(1, 3, 1, 1).expand(2, 3, *size)
    torch.testing.assert_close(network(wall, noise_of(network, wall)), wall, atol=1e-4, rtol=0)
    light = torch.zeros(2, 3, *size)
    y, x = size[0] // 2, size[1] // 2 - 4
    light[..., y, x] = 1
    blurred = network.blur(light, noise_of(network, light))
    assert blurred.max() < 0.3
    rows, columns = (torch.arange(side) for side in size)
    assert (blurred.sum(3) * rows).sum(2).flatten().tolist() == pytest.approx([y] * 6, abs=0.1)
    assert (blurred.sum(2) * columns).sum(2).flatten().tolist() == pytest.approx([x] * 6, abs=0.1)


@pytest.mark.parametrize("size", [(31, 40), (20, 150)])
def test_every_weight_gets_a_gradient_also_between_kernels_and_in_the_dark(size):
    network, photo = camera(), images(*size)
    photo[:, :, :8] = 0
    (network(photo, noise_of(network, photo)) - 0.1).square().mean().backward()
    assert all(p.grad.isfinite().all() and p.grad.any() for p in network.parameters())


def test_noise_is_a_path_a_place_and_grain():
    network, many = camera(), images(6, 8, n=500)
    noise = noise_of(network, many)
    path, middle, grain = noise.split([3 * 6 + 2, 2, 3], 1)
    assert path.equal(path[..., :1, :1].expand_as(path))
    assert middle[3, :, 0, 0].tolist() == [-2.5, -3.5]
    assert middle[3, :, 5, 7].tolist() == [2.5, 3.5]
    for normal in (path[..., 0, 0], grain):
        assert (abs(normal.mean()), normal.std()) == (pytest.approx(0, abs=0.03), pytest.approx(1, abs=0.03))
    blurs = [network(many[:2], noise_of(network, many[:2], seed)) for seed in (0, 0, 1)]
    assert blurs[0].equal(blurs[1]) and not blurs[0].allclose(blurs[2], atol=0.05)


def test_grain_is_as_strong_as_asked():
    wall = torch.full((1, 3, 100, 100), 0.5)
    noisy = (network := camera(response_gamma=1.0, noise=0.02))(wall, noise_of(network, wall))
    assert noisy.std().item() == pytest.approx(0.02 * math.sqrt(0.5 + 0.01), rel=0.05)


def test_tiles_of_a_large_photograph_give_what_the_whole_gives(photo):
    network = camera(roll_deg=1.0).eval()
    image = photo(0, 300, 900)

    def blurred(tile):
        draw = partial(network.draw_noise, generator=torch.Generator().manual_seed(3))
        return restore(network, image, 16, tile=tile, noise=draw).astype(int)

    whole = blurred(2048)
    assert np.abs(whole - image).mean() > 5
    assert np.abs(blurred(256) - whole).max() <= 1
