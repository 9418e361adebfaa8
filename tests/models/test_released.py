"""Authors' checkpoint files: their networks to the last tensor, in every wrapping, and one line for all other files."""

import re
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from golden_recipe import assert_golden, fill
from safetensors.torch import save_file
from torch import nn

from dbgan.models.released import SLOPE, authors_name, load_released, published

COUNTER = "num_batches_tracked"
DBGAN = {"width": 64, "blocks": 16, "growth": 32, "downsample": 1}
SRRESNET = {"width": 64, "blocks": 16, "batch_norm": False, "skip": False}
DEBLURGAN = {"width": 64, "blocks": 9, "dropout": True, "running_statistics": True}
SFTNET = {"width": 64, "blocks": 16, "condition_channels": 8, "condition_width": 128, "shared_channels": 32}
MPRNET = {"width": 96, "unet_growth": 48, "orsnet_growth": 32, "blocks": 8, "reduction": 4, "parts": 2}
NAFNET = {"encoder_blocks": [1, 1, 1, 28], "middle_blocks": 1, "decoder_blocks": [1, 1, 1, 1]}
DEBLURGAN_2017 = DEBLURGAN | {"running_statistics": False}
LOCAL = {"train_size": 64}
NAFNET32, NAFNET64 = (NAFNET | {"width": width, "train_size": None} for width in (32, 64))
TINY = {
    "dbgan": {"width": 4, "blocks": 2, "growth": 3, "downsample": 1},
    "srresnet": {"width": 6, "blocks": 3, "batch_norm": True, "skip": False},
    "deblurgan": DEBLURGAN | {"width": 4, "blocks": 2},
    "sftnet": {"width": 4, "blocks": 2, "condition_channels": 5, "condition_width": 6, "shared_channels": 3},
    "mprnet": {"width": 8, "unet_growth": 4, "orsnet_growth": 3, "blocks": 2, "reduction": 4, "parts": 2},
    "nafnet": {"width": 4, "encoder_blocks": [1, 3], "middle_blocks": 2, "decoder_blocks": [2, 1], "train_size": None},
}
SIZES = [
    *TINY.items(),
    ("dbgan", {"width": 3, "blocks": 12, "growth": 1, "downsample": 1}),
    ("srresnet", TINY["srresnet"] | {"blocks": 11, "batch_norm": False}),
    ("deblurgan", TINY["deblurgan"] | {"dropout": False, "running_statistics": False, "blocks": 11}),
    ("mprnet", TINY["mprnet"] | {"width": 10, "blocks": 1, "reduction": 3}),
    ("nafnet", TINY["nafnet"] | {"encoder_blocks": [2], "middle_blocks": 11, "decoder_blocks": [0]}),
]


def authors_tensors(name, sizes, gain=0.7):
    """What the authors of a network of these sizes save of it, as torch before 0.4.1 did: without counters."""
    ours = {key: value for key, value in published(name, sizes).state_dict().items() if not key.endswith(COUNTER)}
    shapes = {authors_name(name, key, sizes): tuple(value.shape) for key, value in ours.items()}
    tensors = {key: torch.from_numpy(fill(key, shape, gain)) for key, shape in shapes.items()}
    blocks = [key.partition("CA.")[0] for key in tensors if key.endswith(".CA.conv_du.0.weight")]
    return tensors | {f"{block}body.1.weight": tensors[SLOPE].clone() for block in blocks}  # one for each PReLU


def tiny(name="dbgan"):
    return authors_tensors(name, TINY[name])


def in_parallel(tensors):
    return {f"module.{key}": tensor for key, tensor in tensors.items()}


def saved(path, content, **how):
    torch.save(content, path, **how)
    return path


def outputs(network, *images):
    with torch.no_grad():
        found = network(*images)
    return found[0] if isinstance(found, list) else found


def refusal(name, path, **changes):
    with pytest.raises(ValueError) as error:
        load_released(name, path, **changes)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert "weights_only" not in str(error.value), "advice to run what is in the file"
    return str(error.value)


class Case(NamedTuple):
    """A published network: as its authors save it, and what their code makes of an input."""

    name: str
    sizes: dict
    gain: float
    golden: str
    parameters: int
    names: int | None  # CRC-32 of names and shapes in the authors' state dict, sorted, one to a line, without counters
    image: str = "unit"
    changes: dict = {}  # noqa: RUF012


PUBLISHED = [
    Case("dbgan", DBGAN, 0.5, "networks.npz:dbgan_rrdb/out", 11_588_163, 1320170127),
    Case("srresnet", SRRESNET, 0.8, "srresnet.npz:x1", 1_259_075, 3960562254),
    Case("srresnet", SRRESNET | {"batch_norm": True}, 0.8, "srresnet.npz:x1_bn", 1_263_299, 3184435783),
    Case("deblurgan", DEBLURGAN, 1.0, "deblurgan.npz:released/eval/out", 11_378_179, 1291247, "signed"),
    Case("deblurgan", DEBLURGAN_2017, 1.0, "deblurgan.npz:paper_2017/eval/out", 11_378_179, 353439993, "signed"),
    Case("sftnet", SFTNET, 0.85, "sftnet.npz:sftnet/out", 1_833_763, 1391398102, "unit and probabilities"),
    Case("mprnet", MPRNET, 0.7, "mprnet.npz:stage3", 20_127_073, 3048178023),
    Case("nafnet", NAFNET32, 0.8, "nafnet.npz:nafnet_w32/out", 17_111_907, 818607059),
    Case("nafnet", NAFNET64, 0.8, "nafnet.npz:nafnet_w64/out", 67_888_835, None),
    Case("nafnet", NAFNET32, 0.8, "nafnet.npz:nafnet_local_w32_ts64/out", 17_111_907, 818607059, "ramp", LOCAL),
]


def images(kind):
    unit = np.random.default_rng(0)
    if kind == "ramp":  # uneven brightness, so that local and global means differ
        values = unit.random((1, 3, 128, 160)) * np.linspace(0.05, 1, 128)[:, None] * np.linspace(1, 0.3, 160)
    else:
        values = unit.random((1, 3, 64, 64))
    drawn = [2 * values - 1 if kind == "signed" else values]
    if kind == "unit and probabilities":
        classes = np.random.default_rng(100).random((1, 8, 256, 256))
        drawn.append(classes / classes.sum(axis=1, keepdims=True))
    return [torch.from_numpy(array.astype(np.float32)) for array in drawn]


@pytest.mark.parametrize("case", PUBLISHED, ids=lambda case: case.golden)
def test_a_released_file_gives_what_its_authors_code_gives(tmp_path, case):
    tensors = authors_tensors(case.name, case.sizes, case.gain)
    listing = "\n".join(sorted(f"{key} {tuple(tensor.shape)}" for key, tensor in tensors.items()))
    assert case.names in (None, zlib.crc32(listing.encode())), "these are not the authors' names and shapes"
    network = load_released(case.name, saved(tmp_path / "released.pth", tensors), **case.changes)
    assert sum(p.numel() for p in network.parameters()) == case.parameters
    assert_golden(outputs(network, *images(case.image)), case.golden)


def test_all_of_what_the_authors_networks_give_is_given(tmp_path):
    """The change to the image, statistics of training, and the earlier stages."""
    dbgan = load_released("dbgan", saved(tmp_path / "dbgan.pth", authors_tensors("dbgan", DBGAN, 0.5)))
    mprnet = load_released("mprnet", saved(tmp_path / "mprnet.pth", authors_tensors("mprnet", MPRNET, 0.7)))
    deblurgan = load_released("deblurgan", saved(tmp_path / "d.pth", authors_tensors("deblurgan", DEBLURGAN, 1.0)))
    with torch.no_grad():
        assert_golden(dbgan.trunk(*images("unit")), "networks.npz:dbgan_rrdb/pre_residual")
        for stage, output in zip((3, 2, 1), mprnet.train()(*images("unit")), strict=True):
            assert_golden(output, f"mprnet.npz:stage{stage}")
        assert_golden(deblurgan.change(*images("signed")), "deblurgan.npz:released/eval/pre_residual")
        for layer in deblurgan.modules():
            if isinstance(layer, nn.InstanceNorm2d):  # as the README says
                layer.train()
        assert_golden(deblurgan(*images("signed")), "deblurgan.npz:released/train_nodrop/out")


@pytest.mark.parametrize(("name", "sizes"), SIZES)
def test_sizes_are_read_from_the_tensors(tmp_path, name, sizes):
    tensors = authors_tensors(name, sizes)
    network = load_released(name, saved(tmp_path / "released.pth", tensors))
    assert not network.training
    assert network.state_dict().keys() == published(name, sizes).state_dict().keys()
    for key, value in network.state_dict().items():
        assert key.endswith(COUNTER) or value.equal(tensors[authors_name(name, key, sizes)])


@pytest.mark.parametrize("wrapper", ["bare", "params", "params_ema", "state_dict", "model"])
@pytest.mark.parametrize("kind", ["zip", "legacy"])
def test_every_wrapping_is_taken_off(tmp_path, kind, wrapper):
    tensors = in_parallel(tiny()) if kind == "zip" else tiny()
    content = tensors if wrapper == "bare" else {"epoch": 3, "optimizer": {"lr": [1e-4, None]}, wrapper: tensors}
    path = saved(tmp_path / "net.pth", content, _use_new_zipfile_serialization=kind == "zip")
    assert load_released("dbgan", path).trunk.head.weight.equal(tiny()["model.0.weight"])


def test_averaged_weights_are_preferred_safetensors_read_and_other_precisions_become_float32(tmp_path):
    averaged = {key: 2 * tensor for key, tensor in tiny().items()}
    path = saved(tmp_path / "net.pth", {"params": tiny(), "params_ema": averaged})
    assert load_released("dbgan", path).trunk.head.weight.equal(averaged["model.0.weight"])
    save_file(in_parallel({key: tensor.half() for key, tensor in tiny().items()}), tmp_path / "net.safetensors")
    weight = load_released("dbgan", tmp_path / "net.safetensors").trunk.head.weight
    assert weight.dtype == torch.float32
    assert weight.equal(tiny()["model.0.weight"].half().float())


def test_counters_of_batches_may_be_there(tmp_path):
    normed = [key.removesuffix("running_mean") for key in tiny("srresnet") if key.endswith("running_mean")]
    counted = tiny("srresnet") | {f"{key}{COUNTER}": torch.tensor(7) for key in normed}
    load_released("srresnet", saved(tmp_path / "new.pth", counted))


def test_changes_are_keys_of_the_config(tmp_path):
    path = saved(tmp_path / "net.pth", {"params": tiny("nafnet")})
    assert "of another shape" in refusal("nafnet", path, width=5)
    assert "depth" in refusal("nafnet", path, depth=5)


@pytest.mark.parametrize("name", TINY)
def test_a_tensor_too_few_too_many_or_of_another_shape_is_named(tmp_path, name):
    whole = tiny(name)
    names = [key for key, value in whole.items() if value.shape != (1,)]
    for key in (names[0], names[len(names) // 2], names[-1]):
        path = saved(tmp_path / "net.pth", in_parallel({k: v for k, v in whole.items() if k != key}))
        assert re.search(rf"missing.*: '?{key}", refusal(name, path))
        message = refusal(name, saved(path, whole | {key: torch.zeros(2, 1, 1, 3, 5)}))
        assert key in message or "of another shape" in message  # sizes were read from this one
        assert f"1 unknown: {key}s" in refusal(name, saved(path, whole | {f"{key}s": torch.zeros(2)}))
    message = refusal(name, saved(path, whole | {f"extra{n}": torch.zeros(1) for n in range(9)}))
    assert "9 unknown: extra0, extra1, extra2" in message


@pytest.mark.parametrize("name", TINY)
def test_a_file_of_another_network_is_refused(tmp_path, name):
    for other in TINY.keys() - {name}:
        assert name in refusal(name, saved(tmp_path / "net.pth", tiny(other)))
    for content in ({}, {"params": {}}, {"params": {"x": torch.zeros(1)}}, {"params": None}):
        refusal(name, saved(tmp_path / "net.pth", content))


def test_copies_of_mprnets_slope_are_equal(tmp_path):
    copies = [key for key, value in tiny("mprnet").items() if value.shape == (1,)]
    odd = tiny("mprnet") | {copies[-1]: torch.tensor([0.3])}
    assert copies[-1] in refusal("mprnet", saved(tmp_path / "net.pth", odd))


def test_a_pickle_with_code_is_refused_and_not_run(tmp_path):
    victim = tmp_path / "made_by_the_pickle"

    class WritesAFile:
        def __reduce__(self):
            return Path.touch, (victim,)

    path = saved(tmp_path / "net.pth", {"model.0.bias": WritesAFile()})
    assert "refused" in refusal("dbgan", path)
    assert not victim.exists()
    torch.load(path, weights_only=False)
    assert victim.exists(), "the bait is no bait"


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_missing_damaged_or_foreign_file_is_refused(tmp_path, suffix):
    path = tmp_path / f"net{suffix}"
    assert "cannot be read" in refusal("dbgan", path)
    (torch.save if suffix == ".pth" else save_file)(tiny(), path)
    whole = path.read_bytes()
    for content in (b"", b"<html>not found</html>", whole[: len(whole) // 2], whole[:-20]):
        path.write_bytes(content)
        refusal("dbgan", path)
    assert "no named tensors" in refusal("dbgan", saved(tmp_path / "list.pth", [torch.zeros(1)]))
