"""Checkpoint files as the networks' authors publish them -> our networks, which then compute what theirs do."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dbgan.models.build import DEBLUR
from dbgan.models.sftnet import SFTNet
from dbgan.models.tensor_files import read_tensors

WRAPPERS = ("params_ema", "params", "state_dict", "model")  # the first of these that a file has holds its tensors
PARALLEL = "module."  # before every name in what a parallel network has written
SLOPE = "shallow_feat1.1.body.1.weight"  # MPRNet's, of all PReLUs: the first of its copies, one for each block


def load_released(name: str, path: Path | str, **changes: Any) -> nn.Module:
    """The network of an authors' file, on the CPU, in eval mode, in float32, its config with these changes. Raises
    ValueError, one line with the file's name, for every file that is not exactly one of this network."""
    if name not in DEBLUR:
        raise ValueError(f"no released network is called {name!r}; there are {', '.join(DEBLUR)}")
    tensors = named_tensors(read_tensors(Path(path)))
    try:
        sizes = sizes_of(name, tensors) | changes
        network = published(name, sizes)
        state = network.state_dict()
        ours = {authors_name(name, key, sizes): key for key, value in state.items() if value.is_floating_point()}
        faults = {
            "missing": ours.keys() - tensors.keys(),
            "unknown": tensors.keys() - ours.keys(),
            "of another shape": [k for k in ours.keys() & tensors.keys() if tensors[k].shape != state[ours[k]].shape],
            "NaN or infinite": [key for key, value in tensors.items() if not value.isfinite().all()],
        }
        if listed := [f"{len(keys)} {kind}: {', '.join(sorted(keys)[:3])}" for kind, keys in faults.items() if keys]:
            raise ValueError("; ".join(listed))
    except (LookupError, ValueError, ArithmeticError) as error:
        missing = "missing or misshapen: " if isinstance(error, LookupError) else ""
        raise ValueError(f"{path}: does not fit {name}: {missing}{' '.join(str(error).split())}") from None
    network.load_state_dict(state | {ours[key]: value.float() for key, value in tensors.items()})
    return network.eval()


def published(name: str, sizes: dict[str, Any]) -> nn.Module:
    """The network that takes and gives what the authors' module does."""
    network_class, config_class = DEBLUR[name]
    config: Any = config_class(**sizes)
    network = SFTNet(config, config.condition_channels, scale=4) if name == "sftnet" else network_class(config)
    if name == "deblurgan":
        network.signed = True
    return network.to(memory_format=torch.channels_last)


def named_tensors(content: dict[str, Any]) -> dict[str, Tensor]:
    """The weights in a file's content; its integers count batches, and MPRNet's equal copies of one slope are one."""
    inner = next((content[key] for key in WRAPPERS if isinstance(content.get(key), dict) and content[key]), content)
    tensors = {key: value for key, value in inner.items() if isinstance(value, Tensor) and value.is_floating_point()}
    if all(key.startswith(PARALLEL) for key in tensors):
        tensors = {key.removeprefix(PARALLEL): value for key, value in tensors.items()}
    slope = tensors.get(SLOPE, torch.empty(0))
    copies = {key for key, value in tensors.items() if key != SLOPE and value.shape == (1,) and value.equal(slope)}
    return {key: value for key, value in tensors.items() if key not in copies}


def sizes_of(name: str, tensors: dict[str, Tensor]) -> dict[str, Any]:
    """The network's config, read from a few tensors."""

    def count(pattern: str) -> int:  # of the different values that its group takes
        return len({match[1] for key in tensors if (match := re.match(pattern, key))})

    def width(layer: str) -> int:
        return tensors[f"{layer}.weight"].shape[0]

    statistics = any(key.endswith(".running_mean") for key in tensors)
    match name:
        case "dbgan":
            sizes = {"width": width("model.0"), "growth": width("model.1.sub1.0.RDB1.conv1.0"), "downsample": 1}
            return sizes | {"blocks": count(r"model\.1\.sub1\.(\d+)")}
        case "srresnet":
            blocks = count(r"model\.1\.sub\.(\d+)\.res\.")
            return {"width": width("model.0"), "blocks": blocks, "batch_norm": statistics, "skip": False}
        case "deblurgan":
            blocks = count(r"model\.(\d+)\.conv_block\.")
            dropout = count(r"model\.\d+\.conv_block\.(6)\.(?:weight|bias)") > 0
            return {"width": width("model.1"), "blocks": blocks, "dropout": dropout, "running_statistics": statistics}
        case "sftnet":
            channels = tensors["CondNet.0.weight"].shape[1]
            condition = {"condition_channels": channels, "condition_width": width("CondNet.0")}
            sizes = {"width": width("conv0"), "blocks": count(r"sft_branch\.(\d+)\.sft\d")}
            return sizes | condition | {"shared_channels": width("CondNet.8")}
        case "mprnet":
            features = width("shallow_feat1.0")
            reduction = features // width("shallow_feat1.1.CA.conv_du.0")  # where that divides it
            blocks = count(r"stage3_orsnet\.orb1\.body\.(\d+)\.CA\.")
            growths = {"unet_growth": "stage1_encoder.down12.down.1", "orsnet_growth": "concat23"}
            sizes = {key: width(layer) - features for key, layer in growths.items()}
            return sizes | {"width": features, "blocks": blocks, "reduction": reduction, "parts": 2}
        case _:  # nafnet; no file shows train_size: local pooling is a choice in use
            levels, halves = range(count(r"downs\.(\d+)\.")), ("encoder", "decoder")
            blocks_of = {f"{half}_blocks": [count(rf"{half}s\.{k}\.(\d+)\.") for k in levels] for half in halves}
            middle = count(r"middle_blks\.(\d+)\.")
            return blocks_of | {"width": width("intro"), "middle_blocks": middle, "train_size": None}


def authors_name(name: str, key: str, sizes: dict[str, Any]) -> str:
    """The authors' name of one of our tensors."""
    for ours, theirs in renames(name, sizes):
        key = re.sub(ours, theirs, key)
    return key


def renames(name: str, sizes: dict[str, Any]) -> list[tuple[str, str | Callable[[re.Match], str]]]:
    """Patterns in our names and what the authors have there, each in turn, on what those above have left."""
    ends = {"head": 0, "before_tail": 2, "tail": 4}  # BasicSR's, of which DBGAN's code is made
    match name:
        case "dbgan":  # HDCVLab/Deblurring-by-Realistic-Blurring, RRDBNet
            return [
                (r"^trunk\.(head|before_tail|tail)", lambda m: f"model.{ends[m[1]]}"),
                (r"^trunk\.blocks", "model.1.sub1"),
                (r"dense\.(\d)\.convs\.(\d)", lambda m: f"RDB{int(m[1]) + 1}.conv{int(m[2]) + 1}.0"),
                (r"^trunk\.after_blocks", "model.1.sub2.0"),
            ]
        case "srresnet":  # XPixelGroup/BasicSR of 2019, SRResNet without enlarging, layers by their index
            layers = 3 if sizes["batch_norm"] else 2  # conv, norm if there is one, ReLU
            return [
                (r"^(head|before_tail|tail)", lambda m: f"model.{ends[m[1]]}"),
                (r"^blocks\.(\d+)", r"model.1.sub.\1.res"),
                (r"(convs|norms)\.(\d)", lambda m: f"{layers * int(m[2]) + (m[1] == 'norms')}"),
                (r"^after_(blocks|norm)", lambda m: f"model.1.sub.{sizes['blocks'] + (m[1] == 'norm')}"),
            ]
        case "deblurgan":  # KupynOrest/DeblurGAN until 68aa1b1, ResnetGenerator: each conv with a norm and a ReLU
            at = {"head": 1, "down": 4, "up": 10 + sizes["blocks"], "first": 1, "second": 5 + sizes["dropout"]}
            return [
                (r"^tail", f"model.{17 + sizes['blocks']}"),
                (r"^blocks\.(\d+)", lambda m: f"model.{10 + int(m[1])}.conv_block"),
                (r"([a-z]+)(?:\.(\d))?\.(conv|norm)", lambda m: f"{at[m[1]] + 3 * int(m[2] or 0) + (m[3] == 'norm')}"),
                (r"^\d", r"model.\g<0>"),
            ]
        case "sftnet":  # xinntao/SFTGAN, SFT_Net
            parts = {"head": "conv0", "trunk": "sft_branch", "tail": "HR_branch", "condition_network": "CondNet"}
            return [
                (r"(transform|conv)s\.(\d)", lambda m: f"{m[1].replace('transform', 'sft')}{m[2]}"),
                (r"(scale|shift)\.([02])", lambda m: f"SFT_{m[1]}_conv{int(m[2]) // 2}"),
                (r"^(head|trunk|tail|condition_network)", lambda m: parts[m[1]]),
            ]
        case "mprnet":  # swz30/MPRNet
            return [
                (r"^slope$", SLOPE),
                (r"\.conv([12])\.", lambda m: f".body.{2 * int(m[1]) - 2}."),
                (r"\.(squeeze|excite)\.", lambda m: f".CA.conv_du.{0 if m[1] == 'squeeze' else 2}."),
                (r"^shallow(\d)\.(conv|block)", lambda m: f"shallow_feat{m[1]}.{0 if m[2] == 'conv' else 1}"),
                (r"^(encoder|decoder)(\d)", r"stage\2_\1"),
                (r"(encoder|decoder)\.levels\.(\d)", lambda m: f"{m[1]}.{m[1]}_level{int(m[2]) + 1}"),
                (r"\.downs\.(\d)\.conv", lambda m: f".down{int(m[1]) + 1}{int(m[1]) + 2}.down.1"),
                (r"\.ups\.(\d)\.conv", lambda m: f".up{int(m[1]) + 2}{int(m[1]) + 1}.up.1"),
                (r"\.skips\.(\d)", lambda m: f".skip_attn{int(m[1]) + 1}"),
                (r"^attention(\d)", lambda m: f"sam{m[1]}{int(m[1]) + 1}"),
                (r"\.(features|image|mask)\.", lambda m: f".conv{1 + ['features', 'image', 'mask'].index(m[1])}."),
                (r"^merge(\d)", lambda m: f"concat{int(m[1]) - 1}{m[1]}"),
                (r"^tail3\.", "tail."),
                (r"fusions\.(\d)\.from_(...)oder\.weight", lambda m: f"csff_{m[2]}{int(m[1]) + 1}.weight"),
                (r"^orsnet3\.groups\.(\d)", lambda m: f"stage3_orsnet.orb{int(m[1]) + 1}"),
                # The ways up from level k are numbered by k, and only those of two steps by step.
                (r"^orsnet3\.fusions\.1\.from_(...)oder\.\d\.conv", r"stage3_orsnet.up_\g<1>1.up.1"),
                (r"^orsnet3\.fusions\.2\.from_(...)oder\.(\d)\.conv", r"stage3_orsnet.up_\g<1>2.\2.up.1"),
                (r"^orsnet3\.fusions\.(\d)\.from_(...)oder\.\d", lambda m: f"stage3_orsnet.conv_{m[2]}{int(m[1]) + 1}"),
            ]
        case _:  # nafnet of megvii-research/NAFNet: our layers carry the authors' names
            return []
