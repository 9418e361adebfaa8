"""The critics: a logit for an image or a map of them, sizes that fit, and what they may see instead of colours."""

import pytest
import torch
from torch import nn

from dbgan.losses import gradient_penalty
from dbgan.models.critics import PatchCritic, VGGCritic, build_critic, standard_luminance


def photographs(n=2, size=32):
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("luminance", [False, True])
@pytest.mark.parametrize("patch", [32, 64, 96])
def test_one_logit_for_each_image(patch, luminance):
    assert VGGCritic(4, patch, luminance)(torch.rand(3, 3, patch, patch)).shape == (3,)


def test_a_single_image_still_gives_a_vector():
    assert VGGCritic(4, 32, luminance=False).eval()(torch.rand(1, 3, 32, 32)).shape == (1,)


@pytest.mark.parametrize("patch", [31, 48, 100])
def test_a_patch_that_does_not_fit_is_refused(patch):
    with pytest.raises(ValueError, match=f"{patch}"):
        VGGCritic(4, patch, luminance=False)


def test_logits_are_not_squashed_and_the_first_conv_has_no_norm():
    critic = VGGCritic(4, 32, luminance=False)
    nn.init.constant_(critic.logit.bias, 100)
    assert (critic(torch.rand(2, 3, 32, 32)) > 50).all()
    assert len(critic.norms) == len(critic.convs) - 1 == 9


def test_standard_luminance_has_mean_0_and_deviation_1_in_every_image_up_to_the_epsilon():
    images = photographs(3) * torch.tensor([1.0, 0.5, 0.25]).view(3, 1, 1, 1)
    found = standard_luminance(images)
    assert found.shape == images.shape
    assert found.mean(dim=(2, 3)).abs().max() < 1e-5
    weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    deviation = (images * weights).sum(1).std(dim=(1, 2))
    assert found[:, 0].std(dim=(1, 2)).tolist() == pytest.approx((deviation / (deviation + 0.05)).tolist(), rel=1e-4)


def test_standard_luminance_by_hand():
    """Two pixels, luminance 0.299 and 0.587: 0.144 from their mean, a sample's deviation of 0.288 / sqrt(2)."""
    red_and_green = torch.tensor([[[[1.0, 0.0]], [[0.0, 1.0]], [[0.0, 0.0]]]])
    expected = 0.144 / (0.288 / 2**0.5 + 0.05)
    for channel in standard_luminance(red_and_green)[0]:
        assert channel.flatten().tolist() == pytest.approx([-expected, expected])


def test_standard_luminance_does_not_see_colour_or_brightness():
    images = photographs()
    cast = torch.tensor([0.2, -0.1, 0.05]).view(1, 3, 1, 1)
    torch.testing.assert_close(standard_luminance(images + cast), standard_luminance(images), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("contrast", [0.5, 2.0])
def test_standard_luminance_hardly_sees_contrast(contrast):
    images = (photographs() > 0.5).float()
    found, changed = standard_luminance(images), standard_luminance(0.5 + contrast * (images - 0.5))
    share = changed / found
    assert share.std(dim=(1, 2, 3)).max() < 1e-3, "the contrast is another in parts of an image"
    assert share.mean(dim=(1, 2, 3)).tolist() == pytest.approx([1, 1], abs=0.15)


def test_standard_luminance_of_a_flat_image_is_0_and_not_noise():
    assert standard_luminance(torch.full((1, 3, 8, 8), 0.3)).abs().max() < 1e-4


def test_standard_luminance_tells_sharp_from_blurred():
    images = photographs()
    blurred = nn.functional.avg_pool2d(images, 3, stride=1, padding=1, count_include_pad=False)
    assert not standard_luminance(blurred).allclose(standard_luminance(images), atol=0.1)


@pytest.mark.parametrize("luminance", [False, True])
@pytest.mark.parametrize("kind", ["vgg", "patch"])
def test_a_critic_is_shown_colours_or_standard_luminance(kind, luminance):
    """The patch critic sees colours from -1 to 1, as DeblurGAN's."""
    critic, seen = build_critic(kind, 4, 32, luminance), []
    critic.convs[0].register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    critic(photographs())
    colours = photographs() if kind == "vgg" else photographs() * 2 - 1
    assert seen[0].equal(standard_luminance(photographs()) if luminance else colours)


def test_only_convs_before_a_batch_norm_go_without_bias():
    with_bias, without = VGGCritic(4, 32, luminance=False), VGGCritic(4, 32, luminance=False, conv_bias=False)
    assert all(conv.bias is not None for conv in with_bias.convs)
    assert [conv.bias is not None for conv in without.convs] == [True] + [False] * 9


@pytest.mark.parametrize("luminance", [False, True])
@pytest.mark.parametrize(("height", "width"), [(2, 2), (5, 3), (7, 16), (33, 64)])
def test_a_map_of_logits_for_images_of_any_size(height, width, luminance):
    critic = PatchCritic(4, luminance=luminance)
    logits = critic(torch.rand(2, 3, height, width))
    for _ in range(3):
        height, width = height // 2 + 1, width // 2 + 1
    assert logits.shape == (2, 1, height + 2, width + 2)
    assert logits.isfinite().all()


@pytest.mark.parametrize(("layers", "channels"), [(1, [4, 8]), (3, [4, 8, 16, 32]), (5, [4, 8, 16, 32, 32, 32])])
def test_layers_double_the_channels_up_to_eight_times_the_width(layers, channels):
    critic = PatchCritic(4, layers)
    assert [conv.out_channels for conv in critic.convs] == channels
    assert [conv.stride[0] for conv in critic.convs] == [2] * layers + [1]
    assert len(critic.norms) == layers


def test_a_logit_of_the_map_sees_a_patch_of_70_pixels():
    critic, image = PatchCritic(4).eval(), torch.rand(1, 3, 128, 128, requires_grad=True)
    critic(image)[0, 0, 9, 9].backward()
    rows = image.grad.abs().sum(dim=(0, 1, 3)).nonzero().flatten()
    assert rows[-1] - rows[0] + 1 == 70


def test_in_training_the_patch_critic_judges_each_image_by_itself_and_the_vgg_critic_all_together():
    for kind, alone in (("patch", True), ("vgg", False)):
        critic = build_critic(kind, 4, 32, luminance=False).train()
        assert critic(photographs(4))[:2].allclose(critic(photographs(4)[:2]), atol=1e-5) == alone


@pytest.mark.parametrize(("kind", "network"), [("vgg", VGGCritic), ("patch", PatchCritic)])
def test_critics_are_built_by_name(kind, network):
    critic = build_critic(kind, 4, 64, luminance=True)
    assert type(critic) is network
    assert critic.luminance
    assert critic.convs[0].out_channels == 4


def test_an_unknown_critic_is_refused():
    with pytest.raises(ValueError, match=r"'pixel'.*vgg, patch"):
        build_critic("pixel", 4, 64, luminance=False)


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
