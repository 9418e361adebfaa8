"""Checkpoint files as the networks' authors publish them -> our networks, which then compute what theirs do.

restored = load_released("nafnet", "NAFNet-GoPro-width64.pth", train_size=256)(blurred)
"""

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
PREFIX = "module."  # before every name in what a parallel network has written
SLOPE = "shallow_feat1.1.body.1.weight"  # MPRNet's, of all PReLUs: the first of its copies, one for each block

Tensors = dict[str, Tensor]
Sizes = dict[str, Any]


def load_released(name: str, path: Path | str, **changes: Any) -> nn.Module:
    """The network of an authors' file, on the CPU, in eval mode, in float32 whatever the file's precision.

    `changes` are keys of its config that the file does not show, or other values. Raises ValueError, one line with the
    file's name, for every file that is not exactly one of this network.
    """
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


def published(name: str, sizes: Sizes) -> nn.Module:
    """The network that takes and gives what the authors' module does."""
    network_class, config_class = DEBLUR[name]
    config: Any = config_class(**sizes)
    network = SFTNet(config, config.condition_channels, scale=4) if name == "sftnet" else network_class(config)
    if name == "deblurgan":
        network.signed = True
    return network.to(memory_format=torch.channels_last)


def named_tensors(content: dict[str, Any]) -> Tensors:
    """The weights in a file's content; its integers count batches, and MPRNet's equal copies of one slope are one."""
    inner = next((content[key] for key in WRAPPERS if isinstance(content.get(key), dict) and content[key]), content)
    tensors = {key: value for key, value in inner.items() if isinstance(value, Tensor) and value.is_floating_point()}
    prefix = PREFIX if all(key.startswith(PREFIX) for key in tensors) else ""
    tensors = {key.removeprefix(prefix): value for key, value in tensors.items()}
    slope = tensors.get(SLOPE, torch.empty(0))
    copies = {key for key, value in tensors.items() if key != SLOPE and value.shape == (1,) and value.equal(slope)}
    return {key: value for key, value in tensors.items() if key not in copies}


def sizes_of(name: str, tensors: Tensors) -> Sizes:
    """The network's config, read from a few tensors."""

    def count(pattern: str) -> int:
        """How many different values the one group of `pattern` takes at the beginnings of the names."""
        return len({match[1] for key in tensors if (match := re.match(pattern, key))})

    running_statistics = any(key.endswith(".running_mean") for key in tensors)
    match name:
        case "dbgan":
            growth, width = tensors["model.1.sub1.0.RDB1.conv1.0.weight"].shape[:2]
            return {"width": width, "blocks": count(r"model\.1\.sub1\.(\d+)"), "growth": growth, "downsample": 1}
        case "srresnet":
            return {
                "width": len(tensors["model.0.weight"]),
                "blocks": count(r"model\.1\.sub\.(\d+)\.res\."),
                "batch_norm": running_statistics,
                "skip": False,
            }
        case "deblurgan":
            return {
                "width": len(tensors["model.1.weight"]),
                "blocks": count(r"model\.(\d+)\.conv_block\."),
                "dropout": count(r"model\.\d+\.conv_block\.(6)\.(?:weight|bias)") > 0,
                "running_statistics": running_statistics,
            }
        case "sftnet":
            return {
                "width": len(tensors["conv0.weight"]),
                "blocks": count(r"sft_branch\.(\d+)\.sft\d"),
                "condition_channels": tensors["CondNet.0.weight"].shape[1],
                "condition_width": len(tensors["CondNet.0.weight"]),
                "shared_channels": len(tensors["CondNet.8.weight"]),
            }
        case "mprnet":
            width = len(tensors["shallow_feat1.0.weight"])
            return {
                "width": width,
                "unet_growth": len(tensors["stage1_encoder.down12.down.1.weight"]) - width,
                "orsnet_growth": len(tensors["concat23.weight"]) - width,
                "blocks": count(r"stage3_orsnet\.orb1\.body\.(\d+)\.CA\."),
                "reduction": width // len(tensors["shallow_feat1.1.CA.conv_du.0.weight"]),  # where that divides it
                "parts": 2,
            }
        case _:  # nafnet
            levels = range(count(r"downs\.(\d+)\."))
            return {
                "width": len(tensors["intro.weight"]),
                "encoder_blocks": [count(rf"encoders\.{level}\.(\d+)\.") for level in levels],
                "middle_blocks": count(r"middle_blks\.(\d+)\."),
                "decoder_blocks": [count(rf"decoders\.{level}\.(\d+)\.") for level in levels],
                "train_size": None,  # no file shows it: local pooling is a choice in use
            }


def authors_name(name: str, key: str, sizes: Sizes) -> str:
    """The authors' name of one of our tensors."""
    for ours, theirs in renames(name, sizes):
        key = re.sub(ours, theirs, key)
    return key


def renames(name: str, sizes: Sizes) -> list[tuple[str, str | Callable[[re.Match], str]]]:
    """Patterns in our names and what the authors have there, each in turn, on what those above have left."""
    match name:
        case "dbgan":  # HDCVLab/Deblurring-by-Realistic-Blurring, RRDBNet
            return [
                (r"^trunk\.head", "model.0"),
                (r"^trunk\.blocks", "model.1.sub1"),
                (r"dense\.(\d)\.convs\.(\d)", lambda m: f"RDB{int(m[1]) + 1}.conv{int(m[2]) + 1}.0"),
                (r"^trunk\.after_blocks", "model.1.sub2.0"),
                (r"^trunk\.before_tail", "model.2"),
                (r"^trunk\.tail", "model.4"),
            ]
        case "srresnet":  # XPixelGroup/BasicSR of 2019, SRResNet without enlarging, layers by their index
            layers = 3 if sizes["batch_norm"] else 2  # conv, norm if there is one, ReLU
            return [
                (r"^head", "model.0"),
                (r"^blocks\.(\d+)", r"model.1.sub.\1.res"),
                (r"(convs|norms)\.(\d)", lambda m: f"{layers * int(m[2]) + (m[1] == 'norms')}"),
                (r"^after_blocks", f"model.1.sub.{sizes['blocks']}"),
                (r"^after_norm", f"model.1.sub.{sizes['blocks'] + 1}"),
                (r"^before_tail", "model.2"),
                (r"^tail", "model.4"),
            ]
        case "deblurgan":  # KupynOrest/DeblurGAN until 68aa1b1, ResnetGenerator: each conv with a norm and a ReLU
            at = {"head": 1, "down": 4, "up": 10 + sizes["blocks"], "first": 1, "second": 5 + sizes["dropout"]}
            return [
                (r"^tail", f"model.{17 + sizes['blocks']}"),
                (r"^blocks\.(\d+)", lambda m: f"model.{10 + int(m[1])}.conv_block"),
                (r"(head|first|second)\.(conv|norm)", lambda m: f"{at[m[1]] + (m[2] == 'norm')}"),
                (r"(down|up)\.(\d)\.(conv|norm)", lambda m: f"{at[m[1]] + 3 * int(m[2]) + (m[3] == 'norm')}"),
                (r"^\d", r"model.\g<0>"),
            ]
        case "sftnet":  # xinntao/SFTGAN, SFT_Net
            return [
                (r"transforms\.(\d)", r"sft\1"),
                (r"convs\.(\d)", r"conv\1"),
                (r"(scale|shift)\.0", r"SFT_\1_conv0"),
                (r"(scale|shift)\.2", r"SFT_\1_conv1"),
                (r"^head", "conv0"),
                (r"^trunk", "sft_branch"),
                (r"^tail", "HR_branch"),
                (r"^condition_network", "CondNet"),
            ]
        case "mprnet":  # swz30/MPRNet
            return [
                (r"^slope$", SLOPE),
                (r"\.conv1\.", ".body.0."),
                (r"\.conv2\.", ".body.2."),
                (r"\.squeeze\.", ".CA.conv_du.0."),
                (r"\.excite\.", ".CA.conv_du.2."),
                (r"^shallow(\d)\.conv", r"shallow_feat\1.0"),
                (r"^shallow(\d)\.block", r"shallow_feat\1.1"),
                (r"^(encoder|decoder)(\d)", r"stage\2_\1"),
                (r"(encoder|decoder)\.levels\.(\d)", lambda m: f"{m[1]}.{m[1]}_level{int(m[2]) + 1}"),
                (r"\.downs\.(\d)\.conv", lambda m: f".down{int(m[1]) + 1}{int(m[1]) + 2}.down.1"),
                (r"\.ups\.(\d)\.conv", lambda m: f".up{int(m[1]) + 2}{int(m[1]) + 1}.up.1"),
                (r"\.skips\.(\d)", lambda m: f".skip_attn{int(m[1]) + 1}"),
                (r"^attention1\.", "sam12."),
                (r"^attention2\.", "sam23."),
                (r"\.features\.", ".conv1."),
                (r"\.image\.", ".conv2."),
                (r"\.mask\.", ".conv3."),
                (r"^merge2\.", "concat12."),
                (r"^merge3\.", "concat23."),
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
