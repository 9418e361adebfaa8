"""VGG-19's features: equal to torchvision's layout, and a weights file can be wrong without harm."""

import pytest
import torch
from golden_recipe import GOLDEN, fill, largest_difference, unit_input
from pydantic import ValidationError
from safetensors.torch import save_file

from dbgan.models.vgg import PerceptualParams, VGGFeatures

# torchvision's vgg19: the convs up to conv3_3, and a layer behind it that we do not use.
SHAPES = {
    "features.0": (64, 3),
    "features.2": (64, 64),
    "features.5": (128, 64),
    "features.7": (128, 128),
    "features.10": (256, 128),
    "features.12": (256, 256),
    "features.14": (256, 256),
    "features.16": (256, 256),
}


def vgg19_weights():
    state = {}
    for name, (out, into) in SHAPES.items():
        state[f"{name}.weight"] = torch.from_numpy(fill(f"{name}.weight", (out, into, 3, 3), 1.4))
        state[f"{name}.bias"] = torch.from_numpy(fill(f"{name}.bias", (out,), 1.4))
    return state | {"classifier.6.bias": torch.zeros(1000)}


def from_file(path):
    return VGGFeatures(PerceptualParams(weights=str(path), width=64, divisor=1.0))


def random_features(width=4):
    return VGGFeatures(PerceptualParams(weights="random", width=width, divisor=1.0))


@pytest.mark.parametrize("write", [torch.save, save_file], ids=["pth", "safetensors"])
def test_conv3_3_of_a_weights_file_equals_the_authors_extractor(tmp_path, write):
    path = tmp_path / f"vgg19.{'pth' if write is torch.save else 'safetensors'}"
    write(vgg19_weights(), path)
    found = from_file(path)(unit_input((1, 3, 64, 64)))
    assert found.shape == (1, 256, 16, 16)
    noise = GOLDEN["vgg19_features/noise"]
    assert largest_difference(found[0, :8], "vgg19_features/pre_conv3_3") <= 10 * noise


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (None, "cannot be read"),
        ({"features.5.weight": torch.zeros(64, 64, 3, 3)}, "features.5.weight"),
        ({"features.14.bias": torch.zeros(2)}, "features.14.bias"),
    ],
)
def test_a_file_that_does_not_fit_names_itself_and_the_layer(tmp_path, content, named):
    path = tmp_path / "vgg19.pth"
    if content:
        torch.save(vgg19_weights() | content, path)
    with pytest.raises(ValueError, match=named) as error:
        from_file(path)
    assert str(path) in str(error.value)


def test_a_weights_file_needs_the_full_width():
    with pytest.raises(ValidationError, match="64"):
        PerceptualParams(weights="vgg19.pth", width=16, divisor=1.0)


def test_random_features_are_frozen_always_the_same_and_taken_before_the_relu():
    image = unit_input((2, 3, 20, 28)).requires_grad_()
    network = random_features()
    found = network(image)
    assert found.shape == (2, 16, 5, 7)
    assert found.equal(random_features()(image))
    assert (found < 0).any()
    found.square().mean().backward()
    assert image.grad.any()
    assert not any(p.requires_grad for p in network.parameters())


def test_features_are_divided():
    """SRGAN's 12.75 makes the perceptual loss 1 / 163 of what it is without."""
    image = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    whole, divided = (
        VGGFeatures(PerceptualParams(weights="random", width=4, divisor=divisor)) for divisor in (1.0, 12.75)
    )
    assert torch.allclose(whole(image), 12.75 * divided(image), atol=1e-5)
