"""The critics: the authors' outputs, a logit for an image or a map of them, luminance instead of colours."""

import numpy as np
import pytest
import torch
from golden_recipe import FIXTURES, GOLDEN, fill, filled, largest_difference, unit_input
from pydantic import ValidationError

from dbgan.losses import gradient_penalty
from dbgan.models.critics import CriticConfig, PatchCritic, VGGCritic, build_critic, standard_luminance

CRITICS = np.load(FIXTURES / "critics.npz")


def config(kind="vgg", width=4, patch=32, luminance=False):
    return CriticConfig(kind=kind, width=width, patch=patch, luminance=luminance)


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
    critic = filled(VGGCritic(config(width=64, patch=128)), authors_key, gain=1.7)
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
    critic = filled(build_critic(config(kind, 64, 128)), key, gain).train(name.endswith("train"))
    assert sum(p.numel() for p in critic.parameters()) == size
    with torch.no_grad():
        logits = critic(unit_input((2, 3, 128, 128))).numpy()
    golden = CRITICS[f"{name}/out"]
    assert np.abs(logits.reshape(golden.shape) - golden).max() <= 10 * CRITICS[f"{name}/noise"]


def test_a_logit_of_the_map_sees_a_patch_of_70_pixels():
    critic, image = PatchCritic(config("patch")).eval(), torch.rand(1, 3, 128, 128, requires_grad=True)
    critic(image)[0, 0, 9, 9].backward()
    rows = image.grad.abs().sum(dim=(0, 1, 3)).nonzero().flatten()
    assert rows[-1] - rows[0] + 1 == 70


@pytest.mark.parametrize("changes", [{"patch": 48}, {"kind": "pixel"}, {"width": 0}])
def test_a_critic_that_there_is_not_is_refused_by_key(changes):
    with pytest.raises(ValidationError, match=next(iter(changes))):
        config(**changes)
    assert config("patch", patch=48).patch == 48


@pytest.mark.parametrize("luminance", [False, True])
@pytest.mark.parametrize("kind", ["vgg", "patch"])
def test_a_critic_is_shown_colours_or_standard_luminance(kind, luminance):
    """The patch critic sees colours from -1 to 1, as DeblurGAN's."""
    critic, seen = build_critic(config(kind, luminance=luminance)), []
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
    critic = build_critic(config("patch", 2)).double()
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
