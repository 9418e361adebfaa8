"""VGG-19's features: equal to torchvision's layout, and a weights file can be wrong in every way without harm."""

import pickle
from pathlib import Path

import pytest
import torch
from golden_recipe import GOLDEN, fill, largest_difference, unit_input
from safetensors.torch import save_file

from dbgan.models.vgg import PerceptualParams, VGGFeatures

# torchvision's vgg19: the convs up to conv3_3, and layers behind it that we do not use.
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


FOREIGN = {
    "page.pth": b"<html>not found</html>",
    "page.safetensors": b"<html>not found</html>",
    "empty.pth": b"",
    "empty.safetensors": b"",
    "plain_pickle.pth": pickle.dumps({"features.0.weight": [0.0]}),
}


class WritesAFile:
    """Unpickled as a plain pickle, it makes a file: code that a weights file must not be able to run."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def vgg19_weights():
    state = {}
    for name, (out, into) in SHAPES.items():
        state[f"{name}.weight"] = torch.from_numpy(fill(f"{name}.weight", (out, into, 3, 3), 1.4))
        state[f"{name}.bias"] = torch.from_numpy(fill(f"{name}.bias", (out,), 1.4))
    return state | {"classifier.6.bias": torch.zeros(1000)}


def from_file(path):
    return VGGFeatures(PerceptualParams(str(path), 64))


def refusal(path):
    with pytest.raises(ValueError, match=r"perceptual\.weights") as error:
        from_file(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert "weights_only" not in str(error.value), "advice to run what is in the file"
    return str(error.value)


def random_features(width=4):
    return VGGFeatures(PerceptualParams("random", width))


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_conv3_3_of_a_weights_file_equals_the_authors_extractor(tmp_path, suffix):
    path = tmp_path / f"vgg19{suffix}"
    if suffix == ".pth":
        torch.save(vgg19_weights(), path)
    else:
        save_file(vgg19_weights(), path)
    found = from_file(path)(unit_input((1, 3, 64, 64)))
    assert found.shape == (1, 256, 16, 16)
    noise = GOLDEN["vgg19_features/noise"]
    assert largest_difference(found[0, :8], "vgg19_features/pre_conv3_3") <= 10 * noise


@pytest.mark.parametrize("name", ["absent.pth", "absent.safetensors"])
def test_a_missing_file_is_named(tmp_path, name):
    refusal(tmp_path / name)


def test_a_pickle_with_code_is_refused_and_not_run(tmp_path):
    victim = tmp_path / "made_by_the_pickle"
    torch.save({"features.0.weight": WritesAFile(victim)}, tmp_path / "zip.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps({"features.0.weight": WritesAFile(victim)}, protocol=2))
    for name in ("zip.pth", "plain.pth"):
        refusal(tmp_path / name)
    assert not victim.exists()
    pickle.loads((tmp_path / "plain.pth").read_bytes())
    assert victim.exists(), "the bait is no bait"


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_wrong_shapes_and_missing_layers_name_the_layer(tmp_path, suffix):
    write = torch.save if suffix == ".pth" else save_file
    path = tmp_path / f"vgg{suffix}"
    write(vgg19_weights() | {"features.5.weight": torch.zeros(64, 64, 3, 3)}, path)
    assert "features.5.weight" in refusal(path)
    write({key: value for key, value in vgg19_weights().items() if key != "features.14.bias"}, path)
    assert "features.14.bias" in refusal(path)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("share", [0, 0.5, 0.999])
def test_a_truncated_file_is_refused(tmp_path, suffix, share):
    path = tmp_path / f"vgg{suffix}"
    (torch.save if suffix == ".pth" else save_file)(vgg19_weights(), path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    refusal(path)


@pytest.mark.parametrize("name", FOREIGN)
def test_a_file_of_another_kind_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(FOREIGN[name])
    assert "refused" in refusal(tmp_path / name)


@pytest.mark.parametrize("saved", [torch.zeros(1), [torch.zeros(1)], 3])
def test_a_bare_tensor_or_list_is_refused(tmp_path, saved):
    torch.save(saved, tmp_path / "vgg.pth")
    assert "no named tensors" in refusal(tmp_path / "vgg.pth")


def test_values_that_are_no_tensors_name_the_layer(tmp_path):
    torch.save(vgg19_weights() | {"features.5.weight": [1.0]}, tmp_path / "vgg.pth")
    assert "features.5.weight" in refusal(tmp_path / "vgg.pth")


def test_a_folder_or_a_missing_file_cannot_be_read(tmp_path):
    (tmp_path / "folder.safetensors").mkdir()
    for path in (tmp_path, tmp_path / "folder.safetensors", tmp_path / "absent.pth"):
        assert "cannot be read" in refusal(path)


def test_a_weights_file_needs_the_full_width():
    with pytest.raises(ValueError, match="64"):
        PerceptualParams("vgg19.pth", 16)


def test_random_features_have_a_quarter_of_the_resolution_and_are_always_the_same():
    image = unit_input((2, 3, 20, 28))
    found = random_features()(image)
    assert found.shape == (2, 16, 5, 7)
    assert found.equal(random_features()(image))


def test_features_are_taken_before_the_relu():
    assert (random_features()(unit_input((1, 3, 16, 16))) < 0).any()


def test_features_are_frozen_but_let_gradient_through():
    network, image = random_features(), unit_input((1, 3, 16, 16)).requires_grad_()
    network(image).square().mean().backward()
    assert image.grad.any()
    assert not any(p.requires_grad for p in network.parameters())


def test_random_weights_keep_the_scale_of_the_signal():
    deviation = random_features(width=16)(unit_input((1, 3, 32, 32))).std().item()
    assert 0.2 < deviation < 5
