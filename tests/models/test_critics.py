"""The critics: the authors' outputs, a logit for an image or a map of them, luminance instead of colours."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from golden_recipe import FIXTURES, GOLDEN, fill, filled, largest_difference, unit_input
from torch.nn import functional as F

from dbgan.losses import gradient_penalty
from dbgan.models.critics import (
    LAGS,
    PatchCritic,
    VGGCritic,
    autocorrelation,
    build_critic,
    standard_luminance,
)
from dbgan.training.networks import new_critic

CRITICS = np.load(FIXTURES / "critics.npz")


def photographs(n=2, size=32):
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(0))


def authors_key(key):
    part, _, rest = key.partition(".")
    if part in ("hidden", "logit"):
        return f"classifier.{'0' if part == 'hidden' else '2'}.{rest}"
    k, _, leaf = rest.partition(".")
    layer = max(3 * int(k) - 1, 0) if part == "convs" else 3 * int(k) + 3
    return f"features.{layer}.{leaf}"


def basicsr_key(key):
    part, _, rest = key.partition(".")
    if part in ("hidden", "logit"):
        return f"linear{'1' if part == 'hidden' else '2'}.{rest}"
    k, _, leaf = rest.partition(".")
    layer = int(k) if part == "convs" else int(k) + 1
    return f"{'conv' if part == 'convs' else 'bn'}{layer // 2}_{layer % 2}.{leaf}"


def deblurgan_key(key):
    """The same places as in `authors_key`, and the last conv after three norms."""
    return authors_key(key).replace("features", "model").replace("classifier.2", "model.11")


def test_the_vgg_critic_is_the_papers_authors_one():
    """Theirs has a bias before each BatchNorm, which is as much less of its mean."""
    critic = filled(VGGCritic(64, 128, luminance=False), authors_key, gain=1.7)
    for k, norm in enumerate(critic.norms, 1):
        norm.running_mean -= torch.from_numpy(fill(authors_key(f"convs.{k}.bias"), norm.running_mean.shape, 1.7))
    with torch.no_grad():
        logits = critic(unit_input((2, 3, 128, 128)))
    assert largest_difference(logits, "dbgan_disc_vgg128/out") <= 10 * GOLDEN["dbgan_disc_vgg128/noise"]


@pytest.mark.parametrize(
    ("kind", "key", "gain", "size", "name"),
    [
        ("vgg", basicsr_key, 1.7, 14_499_401, "basicsr_disc_vgg128/eval"),
        ("patch", deblurgan_key, 1.4, 2_764_737, "deblurgan_disc_patch/eval"),
        ("patch", deblurgan_key, 1.4, 2_764_737, "deblurgan_disc_patch/train"),
    ],
)
def test_critics_are_their_authors_ones(kind, key, gain, size, name):
    critic = filled(build_critic(kind, 64, 128, luminance=False), key, gain).train(name.endswith("train"))
    assert sum(p.numel() for p in critic.parameters()) == size
    with torch.no_grad():
        logits = critic(unit_input((2, 3, 128, 128))).numpy()
    golden = CRITICS[f"{name}/out"]
    assert np.abs(logits.reshape(golden.shape) - golden).max() <= 10 * CRITICS[f"{name}/noise"]


def test_a_logit_of_the_map_sees_a_patch_of_70_pixels():
    critic, image = PatchCritic(4, luminance=False).eval(), torch.rand(1, 3, 128, 128, requires_grad=True)
    critic(image)[0, 0, 9, 9].backward()
    rows = image.grad.abs().sum(dim=(0, 1, 3)).nonzero().flatten()
    assert rows[-1] - rows[0] + 1 == 70


@pytest.mark.parametrize("luminance", [False, True])
@pytest.mark.parametrize("kind", ["vgg", "patch"])
def test_a_critic_is_shown_colours_or_standard_luminance(kind, luminance):
    """The patch critic sees colours from -1 to 1, as DeblurGAN's."""
    critic, seen = build_critic(kind, 4, 32, luminance), []
    critic.convs[0].register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    critic(photographs())
    colours = photographs() if kind == "vgg" else photographs() * 2 - 1
    assert seen[0].equal(standard_luminance(photographs()) if luminance else colours)


def test_standard_luminance_by_hand():
    """Two pixels, luminance 0.299 and 0.587: 0.144 from their mean, a sample's deviation of 0.288 / sqrt(2)."""
    red_and_green = torch.tensor([[[[1.0, 0.0]], [[0.0, 1.0]], [[0.0, 0.0]]]])
    expected = 0.144 / (0.288 / 2**0.5 + 0.05)
    for channel in standard_luminance(red_and_green)[0]:
        assert channel.flatten().tolist() == pytest.approx([-expected, expected])


def test_the_gradient_penalty_of_a_single_image_has_the_gradient_of_finite_differences():
    """With channels last in memory PyTorch's InstanceNorm gives another."""
    critic = build_critic("patch", 2, 32, luminance=False).double()
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(2, 1, 3, 32, 32, generator=generator, dtype=torch.float64)
    real, fake = (image.to(memory_format=torch.channels_last) for image in images)
    share = torch.full((1, 1, 1, 1), 0.3, dtype=torch.float64)
    gradient_penalty(critic, real, fake, share).backward()
    weight = critic.convs[1].weight
    start, direction = weight.detach().clone(), torch.randn(weight.shape, generator=generator, dtype=torch.float64)
    sides = []
    for distance in (1e-5, -1e-5):
        weight.data = start + distance * direction
        sides.append(gradient_penalty(critic, real, fake, share).item())
    assert (weight.grad * direction).sum().item() == pytest.approx((sides[0] - sides[1]) / 2e-5, rel=1e-3)


def test_autocorrelations_are_largest_at_lag_zero_and_symmetric():
    for image in (photographs(3, 40), photographs(3, 33)[..., :16, :], photographs(1) ** 4):
        lags = autocorrelation(image)
        assert lags.shape == (len(image), 4, 2 * LAGS + 1, 2 * LAGS + 1)
        assert 0.99 < lags[..., LAGS, LAGS].min() <= lags.max() <= 1
        torch.testing.assert_close(lags, lags.flip((-2, -1)), atol=1e-5, rtol=0)
    noise = torch.full((1, 3, 64, 64), 0.5) + 1e-5 * (photographs(1, 64) - 0.5)
    assert autocorrelation(noise).abs().max() < 0.01  # a plain wall shows nothing


def test_a_horizontal_box_blur_of_white_noise_by_hand():
    """5 pixels wide: down-pointing slopes repeat as a triangle, those to the right at both ends of the box alone."""
    grey = torch.rand(1, 1, 512, 512, generator=torch.Generator().manual_seed(0))
    blurred = F.avg_pool2d(grey, (1, 5), stride=1).expand(-1, 3, -1, -1)
    right, _, down, _ = autocorrelation(blurred)[0]
    triangle = [max(1 - abs(j) / 5, 0) for j in range(-LAGS, LAGS + 1)]
    assert down[LAGS].tolist() == pytest.approx(triangle, abs=0.03)
    assert down[LAGS + 1].tolist() == pytest.approx([-t / 2 for t in triangle], abs=0.03)
    ends = [{0: 1, 5: -0.5}.get(abs(j), 0) for j in range(-LAGS, LAGS + 1)]
    assert right[LAGS].tolist() == pytest.approx(ends, abs=0.03)


def test_the_critic_of_blur_judges_any_size_and_sends_finite_gradients_to_any_image():
    critic = build_critic("blur", 4, 32, luminance=False)
    for image in (
        photographs(2, 16),
        photographs(2, 50)[..., :33],
        torch.zeros(2, 3, 32, 32),
        torch.ones(2, 3, 20, 20),
    ):
        image = image.clone().requires_grad_()
        logits = critic(image)
        assert logits.shape == (2,)
        logits.sum().backward()
        assert image.grad.isfinite().all()
        assert (image.grad.abs().max() > 0) == (image.detach().std() > 0)


@pytest.mark.parametrize("kind", ["vgg", "patch", "blur"])
def test_new_critics_are_a_function_of_the_seed_and_that_of_blur_starts_as_pytorch_s_layers(kind):
    p = SimpleNamespace(critic=kind, critic_width=16, patch=32)
    first, again, other = (new_critic(p, False, seed, 0.01).convs[1].weight for seed in (1, 1, 2))
    assert first.equal(again) and not first.equal(other)
    expected = (3 * 9 * 16) ** -0.5 if kind == "blur" else 0.01  # evenly within 1 / sqrt(inputs)
    assert first.std().item() == pytest.approx(expected, rel=0.05)
