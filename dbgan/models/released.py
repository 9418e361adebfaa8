"""Checkpoint files as the networks' authors publish them -> our networks, which then compute what theirs do.

    restored = load_released("nafnet", "NAFNet-GoPro-width64.pth", train_size=256)(blurred)

For each network, `<name>_sizes` reads the config from a few tensors, and `<name>_key` gives the authors' name of one of
our tensors. Nothing in a file is executed.
"""

import re
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dbgan.models.build import DEBLUR, make_config
from dbgan.models.deblurgan import DeblurGAN
from dbgan.models.sftnet import SFTNet
from dbgan.models.tensor_files import read_tensors

WRAPPERS = ("params_ema", "params", "state_dict", "model")  # the first of these that a file has holds its tensors
PREFIX = "module."  # before every name in what a parallel network has written
NAMED = 3  # tensors that an error names of each kind

Tensors = dict[str, Tensor]
Sizes = dict[str, Any]


def load_released(name: str, path: Path | str, **changes: Any) -> nn.Module:
    """The network of an authors' file, on the CPU, in eval mode, in float32 whatever the file's precision.

    `changes` are keys of its config that the file does not show, or other values. Raises ValueError, one line with the
    file's name, for every file that is not exactly one of this network.
    """
    if name not in RELEASED:
        raise ValueError(f"no released network is called {name!r}; there are {', '.join(RELEASED)}")
    path, (sizes_of, authors_key), (network_class, config_class) = Path(path), RELEASED[name], DEBLUR[name]
    tensors = named_tensors(read_tensors(path))
    try:
        sizes = sizes_of(tensors) | changes
        network = AS_PUBLISHED.get(name, network_class)(make_config(config_class, sizes))
        state = network.state_dict()
        theirs = {authors_key(key, sizes): key for key, value in state.items() if value.is_floating_point()}
        slopes = {key for key, value in tensors.items() if SLOPE in theirs and value.shape == (1,)}
        faults = {
            "missing": [key for key in theirs if key not in tensors],
            "unknown": [key for key in tensors if key not in theirs.keys() | slopes],
            "of another shape": [
                key for key, ours in theirs.items() if key in tensors and tensors[key].shape != state[ours].shape
            ],
            "not equal to the shared slope": [key for key in slopes if not tensors[key].equal(tensors[SLOPE])],
            "NaN or infinite": [key for key, value in tensors.items() if not value.float().isfinite().all()],
        }
        if any(faults.values()):
            raise ValueError("; ".join(f"{kind}: {listed(keys)}" for kind, keys in faults.items() if keys))
    except (KeyError, IndexError) as error:
        raise ValueError(f"{path}: this is no {name} file; {error.args[0]} is missing or misshapen") from None
    except (ValueError, ArithmeticError) as error:
        raise ValueError(f"{path}: does not fit {name}: {error}") from None
    network.load_state_dict(state | {ours: tensors[key].float() for key, ours in theirs.items()})
    return network.to(memory_format=torch.channels_last).eval()


def named_tensors(found: dict[str, Any]) -> Tensors:
    """The weights in what a file holds; its integers count batches."""
    inner = next((found[key] for key in WRAPPERS if isinstance(found.get(key), dict) and found[key]), found)
    tensors = {key: value for key, value in inner.items() if isinstance(value, Tensor) and value.is_floating_point()}
    prefix = PREFIX if all(key.startswith(PREFIX) for key in tensors) else ""
    return {key.removeprefix(prefix): value for key, value in tensors.items()}


def listed(keys: list[str]) -> str:
    """The first few names, and how many more there are."""
    text = ", ".join(keys[:NAMED])
    return text if len(keys) <= NAMED else f"{text} and {len(keys) - NAMED} more"


def count(pattern: str, keys: Iterable[str]) -> int:
    """How many different values the one group of `pattern` takes at the beginnings of `keys`."""
    return len({match[1] for key in keys if (match := re.match(pattern, key))})


def dbgan_sizes(tensors: Tensors) -> Sizes:
    """HDCVLab/Deblurring-by-Realistic-Blurring, RRDBNet."""
    growth, width = tensors["model.1.sub1.0.RDB1.conv1.0.weight"].shape[:2]
    return {"width": width, "blocks": count(r"model\.1\.sub1\.(\d+)\.RDB", tensors), "growth": growth, "downsample": 1}


def dbgan_key(key: str, sizes: Sizes) -> str:
    """Three dense blocks are their RDB1 to RDB3, whose convs are each a sequence of conv and activation."""
    outer = {"head": "0", "after_blocks": "1.sub2.0", "before_tail": "2", "tail": "4"}
    part, *rest = key.removeprefix("trunk.").split(".")
    if part in outer:
        return f"model.{outer[part]}.{rest[0]}"
    block, _, dense, _, conv, leaf = rest
    return f"model.1.sub1.{block}.RDB{int(dense) + 1}.conv{int(conv) + 1}.0.{leaf}"


def srresnet_sizes(tensors: Tensors) -> Sizes:
    """XPixelGroup/BasicSR of 2019, SRResNet without enlarging, layers by their index."""
    return {
        "width": len(tensors["model.0.weight"]),
        "blocks": count(r"model\.1\.sub\.(\d+)\.res\.", tensors),
        "batch_norm": any(key.endswith(".running_mean") for key in tensors),
        "skip": False,
    }


def srresnet_key(key: str, sizes: Sizes) -> str:
    part, _, rest = key.partition(".")
    after = {"after_blocks": f"1.sub.{sizes['blocks']}", "after_norm": f"1.sub.{sizes['blocks'] + 1}"}
    outer = {"head": "0", "before_tail": "2", "tail": "4"} | after
    if part in outer:
        return f"model.{outer[part]}.{rest}"
    block, kind, k, leaf = rest.split(".")
    layers = 3 if sizes["batch_norm"] else 2  # conv, norm if there is one, ReLU
    return f"model.1.sub.{block}.res.{layers * int(k) + (kind == 'norms')}.{leaf}"


def deblurgan_sizes(tensors: Tensors) -> Sizes:
    """KupynOrest/DeblurGAN until 68aa1b1, ResnetGenerator. A block's second conv is one index later with dropout."""
    return {
        "width": len(tensors["model.1.weight"]),
        "blocks": count(r"model\.(\d+)\.conv_block\.", tensors),
        "dropout": count(r"model\.\d+\.conv_block\.(6)\.(?:weight|bias)", tensors) > 0,
        "running_statistics": any(key.endswith(".running_mean") for key in tensors),
    }


def deblurgan_key(key: str, sizes: Sizes) -> str:
    """A conv comes with a norm and a ReLU, the first also with padding."""
    after_blocks = 10 + sizes["blocks"]
    if key.startswith("tail."):
        return key.replace("tail", f"model.{after_blocks + 7}")
    part, *steps, layer, leaf = key.split(".")
    if part == "blocks":
        conv = 1 if steps[1] == "first" else 5 + sizes["dropout"]
        return f"model.{10 + int(steps[0])}.conv_block.{conv + (layer == 'norm')}.{leaf}"
    first = {"head": 1, "down": 4, "up": after_blocks}[part]
    return f"model.{first + 3 * sum(map(int, steps)) + (layer == 'norm')}.{leaf}"


def sftnet_sizes(tensors: Tensors) -> Sizes:
    """xinntao/SFTGAN, SFT_Net."""
    condition_width, condition_channels = tensors["CondNet.0.weight"].shape[:2]
    return {
        "width": len(tensors["conv0.weight"]),
        "blocks": count(r"sft_branch\.(\d+)\.sft\d", tensors),
        "condition_channels": condition_channels,
        "condition_width": condition_width,
        "shared_channels": len(tensors["CondNet.8.weight"]),
    }


def sftnet_key(key: str, sizes: Sizes) -> str:
    """Two convs with a LeakyReLU between are their conv0 and conv1, our 0 and 2."""
    parts = {"head": "conv0", "trunk": "sft_branch", "tail": "HR_branch", "condition_network": "CondNet"}
    part, _, rest = key.partition(".")
    rest = re.sub(r"transforms\.(\d)", r"sft\1", rest)
    rest = re.sub(r"convs\.(\d)", r"conv\1", rest)
    rest = re.sub(r"(scale|shift)\.(\d)", lambda match: f"SFT_{match[1]}_conv{int(match[2]) // 2}", rest)
    return f"{parts[part]}.{rest}"


def nafnet_sizes(tensors: Tensors) -> Sizes:
    """megvii-research/NAFNet. No file shows `train_size`: local pooling is a choice in use."""
    levels = range(count(r"downs\.(\d+)\.", tensors))
    return {
        "width": len(tensors["intro.weight"]),
        "encoder_blocks": [count(rf"encoders\.{level}\.(\d+)\.", tensors) for level in levels],
        "middle_blocks": count(r"middle_blks\.(\d+)\.", tensors),
        "decoder_blocks": [count(rf"decoders\.{level}\.(\d+)\.", tensors) for level in levels],
        "train_size": None,
    }


def mprnet_sizes(tensors: Tensors) -> Sizes:
    """swz30/MPRNet. `reduction` has to be given where it does not divide the width."""
    width = len(tensors["shallow_feat1.0.weight"])
    return {
        "width": width,
        "unet_growth": len(tensors["stage1_encoder.down12.down.1.weight"]) - width,
        "orsnet_growth": len(tensors["concat23.weight"]) - width,
        "blocks": count(r"stage3_orsnet\.orb1\.body\.(\d+)\.CA\.", tensors),
        "reduction": width // len(tensors["shallow_feat1.1.CA.conv_du.0.weight"]),
        "parts": 2,
    }


SLOPE = "shallow_feat1.1.body.1.weight"  # MPRNet's, of all PReLUs: the first of its copies, one for each block
MPRNET_TERMS: list[tuple[str, str | Callable[[re.Match], str]]] = [  # each in turn, on what those above have left
    (r"^slope$", SLOPE),
    (r"\.conv1\.", ".body.0."),
    (r"\.conv2\.", ".body.2."),
    (r"\.squeeze\.", ".CA.conv_du.0."),
    (r"\.excite\.", ".CA.conv_du.2."),
    (r"^shallow(\d)\.conv", r"shallow_feat\1.0"),
    (r"^shallow(\d)\.block", r"shallow_feat\1.1"),
    (r"^(encoder|decoder)(\d)", r"stage\2_\1"),
    (r"(encoder|decoder)\.levels\.(\d)", lambda match: f"{match[1]}.{match[1]}_level{int(match[2]) + 1}"),
    (r"\.downs\.(\d)\.conv", lambda match: f".down{int(match[1]) + 1}{int(match[1]) + 2}.down.1"),
    (r"\.ups\.(\d)\.conv", lambda match: f".up{int(match[1]) + 2}{int(match[1]) + 1}.up.1"),
    (r"\.skips\.(\d)", lambda match: f".skip_attn{int(match[1]) + 1}"),
    (r"^attention1\.", "sam12."),
    (r"^attention2\.", "sam23."),
    (r"\.features\.", ".conv1."),
    (r"\.image\.", ".conv2."),
    (r"\.mask\.", ".conv3."),
    (r"^merge2\.", "concat12."),
    (r"^merge3\.", "concat23."),
    (r"^tail3\.", "tail."),
    (r"fusions\.(\d)\.from_(...)oder\.weight", lambda match: f"csff_{match[2]}{int(match[1]) + 1}.weight"),
    (r"^orsnet3\.groups\.(\d)", lambda match: f"stage3_orsnet.orb{int(match[1]) + 1}"),
    # The ways up from level k are numbered by k, and only those of two steps by step.
    (r"^orsnet3\.fusions\.1\.from_(...)oder\.\d\.conv", r"stage3_orsnet.up_\g<1>1.up.1"),
    (r"^orsnet3\.fusions\.2\.from_(...)oder\.(\d)\.conv", r"stage3_orsnet.up_\g<1>2.\2.up.1"),
    (r"^orsnet3\.fusions\.(\d)\.from_(...)oder\.\d", lambda m: f"stage3_orsnet.conv_{m[2]}{int(m[1]) + 1}"),
]


def mprnet_key(key: str, sizes: Sizes) -> str:
    for ours, theirs in MPRNET_TERMS:
        key = re.sub(ours, theirs, key)
    return key


RELEASED: dict[str, tuple[Callable[[Tensors], Sizes], Callable[[str, Sizes], str]]] = {
    "dbgan": (dbgan_sizes, dbgan_key),
    "srresnet": (srresnet_sizes, srresnet_key),
    "deblurgan": (deblurgan_sizes, deblurgan_key),
    "sftnet": (sftnet_sizes, sftnet_key),
    "mprnet": (mprnet_sizes, mprnet_key),
    "nafnet": (nafnet_sizes, lambda key, sizes: key),  # our layers carry the authors' names
}
AS_PUBLISHED: dict[str, Callable[[Any], nn.Module]] = {
    "deblurgan": partial(DeblurGAN, signed=True),
    "sftnet": partial(SFTNet, scale=4),
}
