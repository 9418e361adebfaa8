"""Authors' checkpoint files: their networks to the last tensor, in every wrapping, and one line for all other files."""

import json
import time
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from golden_recipe import fill, unit_input
from safetensors.torch import save_file

from dbgan import checkpoint
from dbgan.models.build import build_generator
from dbgan.models.checkpoint_keys import LAYOUTS
from dbgan.models.released import load_released, read_released

FIXTURES = Path(__file__).parents[1] / "fixtures"
COUNTER = "num_batches_tracked"
DBGAN = {"width": 64, "blocks": 16, "growth": 32, "downsample": 1}
SRRESNET = {"width": 64, "blocks": 16, "scale": 1, "batch_norm": False, "skip": False}
DEBLURGAN = {"width": 64, "blocks": 9, "dropout": True, "running_statistics": True, "signed": True}
CONDITION = {"condition_channels": 8, "condition_width": 128, "shared_channels": 32}
SFTNET = {"width": 64, "blocks": 16, **CONDITION, "scale": 4}
MPRNET = {"width": 96, "unet_growth": 48, "orsnet_growth": 32, "blocks": 8, "reduction": 4}
NAFNET = {"width": 32, "encoder_blocks": [1, 1, 1, 28], "middle_blocks": 1, "decoder_blocks": [1, 1, 1, 1]}
TINY = {
    "dbgan": {"width": 4, "blocks": 2, "growth": 3, "downsample": 1},
    "srresnet": {"width": 6, "blocks": 3, "scale": 2, "batch_norm": True, "skip": False},
    "deblurgan": DEBLURGAN | {"width": 4, "blocks": 2},
    "sftnet": {
        "width": 4,
        "blocks": 2,
        "condition_channels": 5,
        "condition_width": 6,
        "shared_channels": 3,
        "scale": 2,
    },
    "mprnet": {"width": 8, "unet_growth": 4, "orsnet_growth": 3, "blocks": 2, "reduction": 4},
    "nafnet": {"width": 4, "encoder_blocks": [1, 3], "middle_blocks": 2, "decoder_blocks": [2, 1]},
}
SIZES = [
    *TINY.items(),
    ("dbgan", {"width": 3, "blocks": 12, "growth": 1, "downsample": 1}),
    *(("srresnet", TINY["srresnet"] | {"scale": scale, "batch_norm": scale % 2 == 0}) for scale in (1, 3, 4, 8)),
    ("srresnet", TINY["srresnet"] | {"width": 1, "blocks": 11, "scale": 1}),
    ("deblurgan", TINY["deblurgan"] | {"dropout": False, "blocks": 11}),
    ("deblurgan", TINY["deblurgan"] | {"dropout": False, "running_statistics": False}),
    ("deblurgan", TINY["deblurgan"] | {"blocks": 11, "running_statistics": False}),
    ("sftnet", TINY["sftnet"] | {"scale": 1}),
    ("sftnet", TINY["sftnet"] | {"scale": 8, "blocks": 12}),
    ("mprnet", TINY["mprnet"] | {"width": 10, "blocks": 1, "reduction": 3}),
    ("mprnet", TINY["mprnet"] | {"width": 40, "unet_growth": 20, "blocks": 11, "reduction": 16}),
    ("nafnet", {"width": 2, "encoder_blocks": [1, 0, 12], "middle_blocks": 0, "decoder_blocks": [1, 1, 2]}),
    ("nafnet", {"width": 3, "encoder_blocks": [2], "middle_blocks": 11, "decoder_blocks": [0]}),
]


def draw(key, shape, gain):
    """The recipe's values, which for the slope of a PReLU lie around 0.25."""
    if shape == (1,) and key.endswith("weight"):
        drawn = np.random.default_rng(zlib.crc32(key.encode())).standard_normal(1)
        return torch.from_numpy((0.25 + 0.05 * drawn).astype(np.float32))
    return torch.from_numpy(fill(key, shape, gain))


def authors_tensors(name, config, gain=0.7):
    """What the authors of a network of these sizes save of it, as torch before 0.4.1 did: without counters."""
    with torch.device("meta"):
        ours = build_generator(name, **config).state_dict()
    named = {LAYOUTS[name].key(key, config): value.shape for key, value in ours.items() if not key.endswith(COUNTER)}
    tensors = {key: draw(key, tuple(shape), gain) for key, shape in named.items()}
    return tensors | {copy: tensors[original].clone() for copy, original in LAYOUTS[name].copies(tensors).items()}


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


def some_input(name, config=None):
    blurred = unit_input((1, 3, 12, 16))
    if name != "sftnet":
        return (blurred,)
    scale, channels = config["scale"], config["condition_channels"]
    return blurred, unit_input((1, channels, 12 * scale, 16 * scale))


def refusal(name, path, **changes):
    with pytest.raises(ValueError) as error:
        load_released(name, path, **changes)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert "weights_only" not in str(error.value), "advice to run what is in the file"
    return str(error.value)


class Released(NamedTuple):
    """A published network: as its authors save it, and what their code makes of an input."""

    name: str
    config: dict
    gain: float
    golden: str
    names: int  # CRC-32 of the names and shapes in the authors' state dict, sorted, one to a line, without counters
    wrapped: str = "bare"
    image: str = "unit"
    changes: dict = {}  # noqa: RUF012


RELEASED = [
    Released("dbgan", DBGAN, 0.5, "networks.npz:dbgan_rrdb/out", 1320170127),
    Released("srresnet", SRRESNET, 0.8, "srresnet.npz:x1", 3960562254),
    Released("srresnet", SRRESNET | {"batch_norm": True}, 0.8, "srresnet.npz:x1_bn", 3184435783),
    Released("srresnet", SRRESNET | {"scale": 4}, 0.8, "srresnet.npz:x4", 498249892),
    Released("deblurgan", DEBLURGAN, 1.0, "deblurgan.npz:released/eval/out", 1291247, image="signed"),
    Released(
        "deblurgan",
        DEBLURGAN | {"running_statistics": False},
        1.0,
        "deblurgan.npz:paper_2017/eval/out",
        353439993,
        image="signed",
    ),
    Released("sftnet", SFTNET, 0.85, "sftnet.npz:sftnet/out", 1391398102, image="unit and probabilities"),
    Released("mprnet", MPRNET, 0.7, "mprnet.npz:stage3", 3048178023, wrapped="state_dict"),
    Released("nafnet", NAFNET, 0.8, "nafnet.npz:nafnet_w32/out", 818607059, wrapped="params"),
    Released(
        "nafnet",
        NAFNET,
        0.8,
        "nafnet.npz:nafnet_local_w32_ts64/out",
        818607059,
        wrapped="params",
        image="ramp",
        changes={"train_size": 64},
    ),
]
WRAPPED = {
    "bare": lambda tensors: tensors,
    "params": lambda tensors: {"params": tensors},
    "state_dict": lambda tensors: {
        "epoch": 3000,
        "state_dict": in_parallel(tensors),
        "optimizer": {"state": {0: {"step": 1, "exp_avg": torch.zeros(2)}}, "param_groups": [{"lr": 2e-4}]},
    },
}


def images(kind):
    unit = np.random.default_rng(0)
    if kind == "ramp":
        values = unit.random((1, 3, 128, 160)) * np.linspace(0.05, 1, 128)[:, None] * np.linspace(1, 0.3, 160)
    else:
        values = unit.random((1, 3, 64, 64))
    drawn = [2 * values - 1 if kind == "signed" else values]
    if kind == "unit and probabilities":
        classes = np.random.default_rng(100).random((1, 8, 256, 256))
        drawn.append(classes / classes.sum(axis=1, keepdims=True))
    return [torch.from_numpy(array.astype(np.float32)) for array in drawn]


@pytest.mark.parametrize("case", RELEASED, ids=lambda case: case.golden)
def test_a_released_file_gives_what_its_authors_code_gives(tmp_path, case):
    tensors = authors_tensors(case.name, case.config, case.gain)
    listing = "\n".join(sorted(f"{key} {tuple(tensor.shape)}" for key, tensor in tensors.items()))
    assert zlib.crc32(listing.encode()) == case.names, "these are not the authors' names and shapes"
    path = saved(tmp_path / "released.pth", WRAPPED[case.wrapped](tensors))
    network, config = read_released(case.name, path, **case.changes)
    assert config == case.config | case.changes
    restored = outputs(network, *images(case.image))
    golden = np.load(FIXTURES / case.golden.partition(":")[0])
    stored = case.golden.partition(":")[2]
    noise = next(golden[f"{key}/noise"] for key in (stored, stored.rpartition("/")[0]) if f"{key}/noise" in golden)
    height, width = restored.shape[-2:]
    rows = {"topleft": 0, "centre": height // 2 - 6, "bottomright": height - 12}
    columns = {"topleft": 0, "centre": width // 2 - 6, "bottomright": width - 12}
    for place in rows:
        found = restored[0, :, rows[place] :, columns[place] :][:, :12, :12].numpy()
        assert np.abs(found - golden[f"{stored}/{place}"]).max() <= 10 * noise


@pytest.mark.parametrize(("name", "config"), SIZES)
def test_sizes_are_read_off_the_tensors_and_our_own_file_of_it_gives_the_same_bits(tmp_path, name, config):
    path = saved(tmp_path / "released.pth", authors_tensors(name, config))
    network, found = read_released(name, path)
    assert found == config == json.loads(json.dumps(found))
    assert not network.training
    assert all(tensor.dtype == torch.float32 for key, tensor in network.state_dict().items() if COUNTER not in key)
    checkpoint.save(tmp_path / "ours.safetensors", network, name, found)
    again = checkpoint.load(tmp_path / "ours.safetensors", build_generator, [name])
    photos = some_input(name, config)
    assert outputs(again, *photos).equal(outputs(network, *photos))


@pytest.mark.parametrize("name", TINY)
def test_all_that_a_network_computes_with_is_in_its_state_dict(name):
    """A file fills the state dict; what else a network held would be left without values."""
    network = build_generator(name, **TINY[name])
    held = {key for key, _ in [*network.named_parameters(), *network.named_buffers()]}
    assert held == network.state_dict().keys()


@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize("wrapper", ["bare", "params", "params_ema", "state_dict", "model"])
@pytest.mark.parametrize("kind", ["zip", "legacy"])
def test_every_wrapping_is_taken_off(tmp_path, kind, wrapper, parallel):
    tensors = in_parallel(tiny()) if parallel else tiny()
    others = {"epoch": 3, "loss": 0.5, "name": "net", "optimizer": {"lr": [1e-4, None], "on": True}, "best": (1, 2)}
    content = tensors if wrapper == "bare" else others | {wrapper: tensors}
    path = saved(tmp_path / "net.pth", content, _use_new_zipfile_serialization=kind == "zip")
    state = load_released("dbgan", path).state_dict()
    for key, tensor in state.items():
        assert tensor.equal(tiny()[LAYOUTS["dbgan"].key(key, TINY["dbgan"])])


def test_averaged_weights_are_preferred(tmp_path):
    averaged = {key: 2 * tensor for key, tensor in tiny().items()}
    path = saved(tmp_path / "net.pth", {"params": tiny(), "params_ema": averaged})
    assert load_released("dbgan", path).trunk.head.weight.equal(averaged["model.0.weight"])


def test_metadata_parameters_and_views_are_read(tmp_path):
    """A network's own state dict has metadata; one that keeps variables has parameters; a tensor may be a view."""
    module = torch.nn.Module()
    module.model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3))
    state = module.state_dict(keep_vars=True)
    state |= {key: tensor for key, tensor in tiny().items() if key not in state}
    whole = torch.zeros(5, 7, 3, 3)
    whole[1:4, 2:6] = state["model.4.weight"]
    state["model.4.weight"] = whole[1:4, 2:6]
    for zipped in (True, False):
        path = saved(tmp_path / "net.pth", state, _use_new_zipfile_serialization=zipped)
        network = load_released("dbgan", path)
        assert network.trunk.head.weight.equal(module.model[0].weight)
        assert network.trunk.tail.weight.equal(tiny()["model.4.weight"])
        assert network.trunk.tail.weight.untyped_storage().nbytes() == tiny()["model.4.weight"].nbytes


def test_safetensors(tmp_path):
    save_file(in_parallel(tiny()), tmp_path / "net.safetensors")
    found = load_released("dbgan", tmp_path / "net.safetensors").trunk.head.weight
    assert found.equal(tiny()["model.0.weight"])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_float32(tmp_path, dtype):
    path = saved(tmp_path / "net.pth", {key: tensor.to(dtype) for key, tensor in tiny().items()})
    found = load_released("dbgan", path).trunk.head.weight
    assert found.dtype == torch.float32
    assert found.equal(tiny()["model.0.weight"].to(dtype).float())


@pytest.mark.parametrize("name", ["srresnet", "deblurgan"])
def test_counters_of_batches_may_be_there_or_not(tmp_path, name):
    normed = [key.removesuffix("running_mean") for key in tiny(name) if key.endswith("running_mean")]
    counted = tiny(name) | {f"{key}{COUNTER}": torch.tensor(7) for key in normed}
    photos = some_input(name)
    with_counters = load_released(name, saved(tmp_path / "new.pth", counted))
    without = load_released(name, saved(tmp_path / "old.pth", tiny(name)))
    assert outputs(with_counters, *photos).equal(outputs(without, *photos))
    assert all(not value.any() for key, value in without.state_dict().items() if key.endswith(COUNTER))
    assert COUNTER in refusal(name, saved(tmp_path / "odd.pth", tiny(name) | {f"model.99.{COUNTER}": torch.tensor(7)}))


def test_changes_are_arguments_that_the_file_does_not_tell(tmp_path):
    path = saved(tmp_path / "net.pth", {"params": tiny("nafnet")})
    photo = unit_input((1, 3, 40, 48))
    network, config = read_released("nafnet", path, train_size=16)
    assert config["train_size"] == 16
    assert not outputs(network, photo).allclose(outputs(load_released("nafnet", path), photo))

    assert "of another shape" in refusal("nafnet", path, width=5)
    assert "depth" in refusal("nafnet", path, depth=5)


def test_an_unknown_name_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match="unet") as error:
        load_released("unet", tmp_path / "absent.pth")
    assert all(name in str(error.value) for name in TINY)


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("name", TINY)
def test_a_tensor_too_few_too_many_or_of_another_shape_is_named(tmp_path, name, prefix):
    names = list(tiny(name))
    for key in (names[0], names[len(names) // 2], names[-1]):
        for fault, text in (
            ({key: None}, ""),
            ({key: torch.zeros(2, 1, 1, 3, 5)}, ""),
            ({f"{key}s": torch.zeros(2)}, "s"),
        ):
            tensors = {k: v for k, v in (tiny(name) | fault).items() if v is not None}
            path = saved(tmp_path / "net.pth", {f"{prefix}{k}": v for k, v in tensors.items()})
            assert f"{prefix}{key}{text}" in refusal(name, path)


def test_of_many_faults_a_few_are_named_and_the_others_counted(tmp_path):
    tensors = {key: value for key, value in tiny().items() if "sub1.1" not in key or "RDB3" not in key}
    message = refusal("dbgan", saved(tmp_path / "net.pth", tensors))
    assert "model.1.sub1.1.RDB3.conv1.0.weight" in message
    assert "and 7 more" in message
    assert len(message) < 500


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(4, dtype=torch.int64),
        torch.zeros(4, dtype=torch.bool),
        torch.zeros(4, dtype=torch.uint8),
        torch.zeros(0),
        [0.0] * 4,
        3,
        None,
        torch.full((4,), torch.nan),
        torch.tensor([0, 0, 0, torch.inf]),
        torch.full((4,), 1e300, dtype=torch.float64),
    ],
    ids=str,
)
def test_what_is_no_weight_is_named(tmp_path, tensor):
    path = saved(tmp_path / "net.pth", {"params": tiny() | {"model.0.bias": tensor}})
    assert "model.0.bias" in refusal("dbgan", path)


def test_names_are_shown_on_one_line_whatever_they_are(tmp_path):
    for key in ("a\nb", "\x1b[2J", "x" * 100_000, "\udc80", 3):
        message = refusal("dbgan", saved(tmp_path / "net.pth", {"params": tiny() | {key: torch.zeros(1)}}))
        assert message.isprintable()
        assert len(message) < 600


@pytest.mark.parametrize("name", TINY)
@pytest.mark.parametrize("other", TINY)
def test_a_file_of_another_network_says_of_which(tmp_path, name, other):
    path = saved(tmp_path / "net.pth", tiny(other))
    if name == other:
        load_released(name, path)
    else:
        assert refusal(name, path) == f"{path}: this is not a {name} file; it looks like {other}"


def test_an_empty_file_of_tensors_is_refused_for_every_network(tmp_path):
    for content in ({}, {"params": {}}, {"params": {"x": torch.zeros(1)}}, {"params": None}):
        for name in TINY:
            refusal(name, saved(tmp_path / "net.pth", content))


def test_every_copy_of_mprnets_slope_is_there_and_equal(tmp_path):
    copies = list(LAYOUTS["mprnet"].copies(tiny("mprnet")))
    assert len(LAYOUTS["mprnet"].copies(authors_tensors("mprnet", MPRNET))) == 55
    for key in (copies[0], copies[1], copies[-1]):
        refusal("mprnet", saved(tmp_path / "net.pth", tiny("mprnet") | {key: torch.tensor([0.3])}))
        few = {name: tensor for name, tensor in tiny("mprnet").items() if name != key}
        assert key in refusal("mprnet", saved(tmp_path / "net.pth", few))
    assert copies[-1] in refusal("mprnet", saved(tmp_path / "net.pth", tiny("mprnet") | {copies[-1]: torch.zeros(1)}))


def test_deblurgans_newest_code_saves_another_network(tmp_path):
    one_conv = {key: tensor for key, tensor in tiny("deblurgan").items() if ".conv_block.6" not in key}
    one_conv = {key: tensor for key, tensor in one_conv.items() if ".conv_block.7" not in key}
    assert "one conv" in refusal("deblurgan", saved(tmp_path / "net.pth", one_conv))


ABSURD = {
    "dbgan": ["model.1.sub1.{}.RDB1.conv1.0.weight"],
    "srresnet": ["model.1.sub.{}.res.0.weight", "model.{}.weight"],
    "deblurgan": ["model.{}.conv_block.6.weight"],
    "sftnet": ["sft_branch.{}.conv0.weight"],
    "mprnet": ["stage3_orsnet.orb1.body.{}.body.0.weight"],
    "nafnet": ["encoders.0.{}.beta", "encoders.{}.0.beta", "downs.{}.weight", "middle_blks.{}.beta"],
}


@pytest.mark.parametrize(("name", "pattern"), [(name, pattern) for name, all_ in ABSURD.items() for pattern in all_])
def test_an_absurd_depth_costs_no_time(tmp_path, name, pattern):
    """One name with a huge number, and thousands of names of blocks with nothing else in them."""
    for numbers in ([99_999_999], [10**30], range(2000)):
        save_file(tiny(name) | {pattern.format(n): torch.zeros(1) for n in numbers}, tmp_path / "net.safetensors")
        start = time.process_time()
        refusal(name, tmp_path / "net.safetensors")
        assert time.process_time() - start < 10


@pytest.mark.parametrize("name", TINY)
def test_an_absurd_size_costs_no_memory(tmp_path, name):
    """Of a network so wide the convs would have billions of weights."""
    first = next(iter(tiny(name)))
    wide = torch.zeros(100_000, *tiny(name)[first].shape[1:])
    save_file(tiny(name) | {first: wide}, tmp_path / "net.safetensors")
    refusal(name, tmp_path / "net.safetensors")


def test_tensors_that_share_their_values_cannot_add_up_to_more_than_the_file(tmp_path):
    large = torch.zeros(1_000_000)
    shared = {
        key: large[: value.numel()].view(value.shape) for key, value in authors_tensors("srresnet", SRRESNET).items()
    }
    message = refusal("srresnet", saved(tmp_path / "net.pth", shared))
    assert "more values than the file" in message
