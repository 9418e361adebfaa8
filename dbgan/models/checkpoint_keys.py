"""How each network's authors name and size the tensors in their files.

For each network two functions: `<name>_config` infers the arguments of our class from an authors' state dict, whose
names have no "module." in front; `<name>_key` gives the authors' name of one of our tensors. Files may be damaged: a
size is what most of several tensors say, and blocks are counted, so that there are no more of them than tensors.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from torch import Tensor


def count(pattern: str, keys: Iterable[str]) -> int:
    """How many different values the one group of `pattern` takes at the beginnings of `keys`."""
    return len({found[1] for key in keys if (found := re.match(pattern, key))})


def size(tensors: dict[str, Tensor], *places: tuple[str, int]) -> int:
    """What most of these dimensions of these tensors are. Raises KeyError when it has none of them."""
    found = [tensors[key].shape[dim] for key, dim in places if key in tensors and tensors[key].dim() > dim]
    if not found:
        raise KeyError(places[0][0])
    return Counter(found).most_common(1)[0][0]


def dbgan_config(tensors: dict[str, Tensor]) -> dict[str, Any]:
    """HDCVLab/Deblurring-by-Realistic-Blurring, RRDBNet: a bare state dict."""
    return {
        "width": size(tensors, ("model.0.weight", 0), ("model.0.bias", 0), ("model.4.weight", 1)),
        "blocks": count(r"model\.1\.sub1\.(\d+)\.RDB", tensors),
        "growth": size(tensors, *((f"model.1.sub1.0.RDB1.conv{conv}.0.bias", 0) for conv in (1, 2, 3))),
        "downsample": 1,
    }


def dbgan_key(key: str, config: dict[str, Any]) -> str:
    """Three dense blocks are their RDB1 to RDB3, whose convs are each a sequence of conv and activation."""
    outer = {"head": "0", "after_blocks": "1.sub2.0", "before_tail": "2", "tail": "4"}
    if found := re.fullmatch(r"trunk\.(\w+)\.(\w+)", key):
        return f"model.{outer[found[1]]}.{found[2]}"
    block, dense, conv, leaf = re.fullmatch(r"trunk\.blocks\.(\d+)\.dense\.(\d)\.convs\.(\d)\.(\w+)", key).groups()
    return f"model.1.sub1.{block}.RDB{int(dense) + 1}.conv{int(conv) + 1}.0.{leaf}"


def srresnet_config(tensors: dict[str, Tensor]) -> dict[str, Any]:
    """XPixelGroup/BasicSR of 2019, SRResNet: a bare state dict, layers by their place in a sequence."""
    width = size(tensors, ("model.0.weight", 0), ("model.0.bias", 0), ("model.1.sub.0.res.0.weight", 1))
    shuffled = max(size(tensors, (f"model.2.{leaf}", 0), ("model.0.bias", 0)) for leaf in ("weight", "bias"))
    shuffles = count(r"model\.(\d+)\.(?:weight|bias)", tensors) - 3  # the others are the first conv and the last two
    return {
        "width": width,
        "blocks": count(r"model\.1\.sub\.(\d+)\.res\.", tensors),
        "scale": 3 if shuffles == 1 and shuffled > 6 * width else 2 ** max(shuffles, 0),
        "batch_norm": any(key.endswith(".running_mean") for key in tensors),
        "skip": False,
    }


def srresnet_key(key: str, config: dict[str, Any]) -> str:
    """Places depend on depth, scale and norms; a ReLU takes one, a pixel shuffle with its ReLU two."""
    part, _, rest = key.partition(".")
    shuffles = 1 if config["scale"] == 3 else config["scale"].bit_length() - 1
    places = {
        "head": "0",
        "after_blocks": f"1.sub.{config['blocks']}",
        "after_norm": f"1.sub.{config['blocks'] + 1}",
        "before_tail": f"{2 + 3 * shuffles}",
        "tail": f"{4 + 3 * shuffles}",
    }
    if part in places:
        return f"model.{places[part]}.{rest}"
    if part == "upsample":
        step, leaf = rest.split(".")
        return f"model.{2 + 3 * int(step)}.{leaf}"
    block, kind, k, leaf = re.fullmatch(r"blocks\.(\d+)\.(convs|norms)\.([01])\.(\w+)", key).groups()
    layers = 3 if config["batch_norm"] else 2  # conv, norm if there is one, ReLU
    return f"model.1.sub.{block}.res.{layers * int(k) + (kind == 'norms')}.{leaf}"


def deblurgan_config(tensors: dict[str, Tensor]) -> dict[str, Any]:
    """KupynOrest/DeblurGAN, ResnetGenerator: a bare state dict. A block's second conv is one place later with dropout.

    Raises ValueError for a file of the repository's newest code.
    """
    blocks = count(r"model\.(\d+)\.conv_block\.", tensors)
    if blocks and not count(r"model\.\d+\.conv_block\.([567])\.", tensors):
        raise ValueError(
            "this DeblurGAN has one conv in each residual block, as its authors' code builds it since 68aa1b1; "
            "the published network has two, and only that is supported"
        )
    return {
        "width": size(tensors, ("model.1.weight", 0), ("model.1.bias", 0), ("model.4.weight", 1)),
        "blocks": blocks,
        "dropout": count(r"model\.\d+\.conv_block\.(6)\.(?:weight|bias)", tensors) > 0,
        "running_statistics": any(key.endswith(".running_mean") for key in tensors),
        "signed": True,
    }


def deblurgan_key(key: str, config: dict[str, Any]) -> str:
    """Places depend on depth and dropout; a conv comes with a norm and a ReLU, the first also with padding."""
    part, _, rest = key.partition(".")
    after_blocks = 10 + config["blocks"]
    if part == "tail":
        return f"model.{after_blocks + 7}.{rest}"
    if part == "blocks":
        block, which, layer, leaf = rest.split(".")
        conv = 1 if which == "first" else 5 + config["dropout"]
        return f"model.{10 + int(block)}.conv_block.{conv + (layer == 'norm')}.{leaf}"
    *steps, layer, leaf = rest.split(".")
    first = {"head": 1, "down": 4, "up": after_blocks}[part]
    return f"model.{first + 3 * sum(map(int, steps)) + (layer == 'norm')}.{leaf}"


def sftnet_config(tensors: dict[str, Tensor]) -> dict[str, Any]:
    """xinntao/SFTGAN, SFT_Net: a bare state dict."""
    first, last, transform = "CondNet.0.weight", "CondNet.8.weight", "sft_branch.0.sft0.SFT_scale_conv0.weight"
    return {
        "width": size(tensors, ("conv0.weight", 0), ("conv0.bias", 0), ("sft_branch.0.conv0.weight", 1)),
        "blocks": count(r"sft_branch\.(\d+)\.(?:sft|conv)\d", tensors),
        "condition_channels": size(tensors, (first, 1)),
        "condition_width": size(tensors, (first, 0), ("CondNet.0.bias", 0), ("CondNet.2.weight", 1)),
        "shared_channels": size(tensors, (last, 0), ("CondNet.8.bias", 0), (transform, 1)),
        "scale": 2 ** max(count(r"HR_branch\.(\d+)\.", tensors) - 2, 0),  # all but two of them shuffle pixels
    }


def sftnet_key(key: str, config: dict[str, Any]) -> str:
    """Two convs with a LeakyReLU between are their conv0 and conv1, our 0 and 2."""
    parts = {"head": "conv0", "trunk": "sft_branch", "tail": "HR_branch", "condition_network": "CondNet"}
    part, _, rest = key.partition(".")
    rest = re.sub(r"transforms\.(\d)", r"sft\1", rest)
    rest = re.sub(r"convs\.(\d)", r"conv\1", rest)
    rest = re.sub(r"(scale|shift)\.(\d)", lambda found: f"SFT_{found[1]}_conv{int(found[2]) // 2}", rest)
    return f"{parts[part]}.{rest}"


def nafnet_config(tensors: dict[str, Tensor]) -> dict[str, Any]:
    """megvii-research/NAFNet, {"params": state dict}. No file tells `train_size`: local pooling is a choice in use."""

    def blocks(part: str) -> list[int]:
        block_of_level = {found[0]: found[1] for key in tensors if (found := re.match(rf"{part}\.(\d+)\.\d+\.", key))}
        numbers = Counter(block_of_level.values())
        return [numbers[str(level)] for level in range(levels)]

    levels = count(r"downs\.(\d+)\.", tensors)
    return {
        "width": size(tensors, ("intro.weight", 0), ("intro.bias", 0), ("ending.weight", 1)),
        "encoder_blocks": blocks("encoders"),
        "middle_blocks": count(r"middle_blks\.(\d+)\.", tensors),
        "decoder_blocks": blocks("decoders"),
    }


MPRNET_COARSER = (("encoder.down12.down.1", 0), ("decoder.up21.up.1", 1))  # convs to and from the second level


def mprnet_config(tensors: dict[str, Tensor]) -> dict[str, Any]:
    """swz30/MPRNet, {"epoch", "state_dict": state dict, "optimizer"}.

    Attentions' widths are rounded: of the reductions that explain most of them, it is the one nearest to 4.
    """
    width = size(tensors, *((f"shallow_feat{stage}.0.weight", 0) for stage in (1, 2, 3)))
    coarser = size(tensors, *((f"stage{k}_{part}.weight", d) for k in (1, 2) for part, d in MPRNET_COARSER))
    full = size(tensors, ("tail.weight", 1), ("concat23.weight", 0), ("stage3_orsnet.conv_enc1.weight", 0))
    blocks = [f"stage1_encoder.encoder_level{level}.0" for level in (1, 2, 3)] + ["stage3_orsnet.orb1.body.0"]
    squeezes = [tensors[key].shape[:2] for block in blocks if (key := f"{block}.CA.conv_du.0.weight") in tensors]
    bounds = [(shape[1] // (shape[0] + 1) + 1, shape[1] // shape[0]) for shape in squeezes if len(shape) == 2]

    def explained(reduction: int) -> tuple[int, int]:
        return sum(low <= reduction <= high for low, high in bounds), -abs(reduction - 4)

    return {
        "width": width,
        "unet_growth": coarser - width,
        "orsnet_growth": full - width,
        "blocks": count(r"stage3_orsnet\.orb1\.body\.(\d+)\.(?:body|CA)\.", tensors),
        "reduction": max({4, *(bound for both in bounds for bound in both)}, key=explained),
    }


def _full_resolution_key(found: re.Match) -> str:
    """Stage 3's ways up from level k: the authors number them by k, and only those of two steps by step."""
    level, half, step = found.groups()
    return f"stage3_orsnet.up_{half}{level}{'' if level == '1' else f'.{step}'}.up.1"


MPRNET_TERMS: list[tuple[str, str | Callable[[re.Match], str]]] = [  # each in turn, on what those above have left
    (r"^slope$", "shallow_feat1.1.body.1.weight"),  # the first of the copies
    (r"\.conv1\.", ".body.0."),
    (r"\.conv2\.", ".body.2."),
    (r"\.squeeze\.", ".CA.conv_du.0."),
    (r"\.excite\.", ".CA.conv_du.2."),
    (r"^shallow(\d)\.conv", r"shallow_feat\1.0"),
    (r"^shallow(\d)\.block", r"shallow_feat\1.1"),
    (r"^(encoder|decoder)(\d)", r"stage\2_\1"),
    (r"(encoder|decoder)\.levels\.(\d)", lambda found: f"{found[1]}.{found[1]}_level{int(found[2]) + 1}"),
    (r"\.downs\.(\d)\.conv", lambda found: f".down{int(found[1]) + 1}{int(found[1]) + 2}.down.1"),
    (r"\.ups\.(\d)\.conv", lambda found: f".up{int(found[1]) + 2}{int(found[1]) + 1}.up.1"),
    (r"\.skips\.(\d)", lambda found: f".skip_attn{int(found[1]) + 1}"),
    (r"^attention1\.", "sam12."),
    (r"^attention2\.", "sam23."),
    (r"\.features\.", ".conv1."),
    (r"\.image\.", ".conv2."),
    (r"\.mask\.", ".conv3."),
    (r"^merge2\.", "concat12."),
    (r"^merge3\.", "concat23."),
    (r"^tail3\.", "tail."),
    (
        r"(stage2_encoder)\.fusions\.(\d)\.from_(...)oder",
        lambda found: f"{found[1]}.csff_{found[3]}{int(found[2]) + 1}",
    ),
    (r"^orsnet3\.groups\.(\d)", lambda found: f"stage3_orsnet.orb{int(found[1]) + 1}"),
    (r"^orsnet3\.fusions\.(\d)\.from_(...)oder\.(\d)\.conv", _full_resolution_key),
    (r"^orsnet3\.fusions\.(\d)\.from_(...)oder\.\d", lambda found: f"stage3_orsnet.conv_{found[2]}{int(found[1]) + 1}"),
]


def mprnet_key(key: str, config: dict[str, Any]) -> str:
    """Their stages 1 to 3 hold what ours are called; of their copies of the one slope, the first."""
    for ours, theirs in MPRNET_TERMS:
        key = re.sub(ours, theirs, key)
    return key


def mprnet_copies(keys: Iterable[str]) -> dict[str, str]:
    """The slope of all PReLUs is stored once for each channel attention block."""
    blocks = [key.partition("CA.")[0] for key in keys if key.endswith(".CA.conv_du.0.weight")]
    return {f"{block}body.1.weight": "shallow_feat1.1.body.1.weight" for block in blocks}


class Layout(NamedTuple):
    """What it takes to read the files of one network."""

    config: Callable[[dict[str, Tensor]], dict[str, Any]]
    key: Callable[[str, dict[str, Any]], str]
    copies: Callable[[Iterable[str]], dict[str, str]] = lambda keys: {}  # names of a tensor that has another as well


LAYOUTS = {
    "dbgan": Layout(dbgan_config, dbgan_key),
    "srresnet": Layout(srresnet_config, srresnet_key),
    "deblurgan": Layout(deblurgan_config, deblurgan_key),
    "sftnet": Layout(sftnet_config, sftnet_key),
    "mprnet": Layout(mprnet_config, mprnet_key, mprnet_copies),
    "nafnet": Layout(nafnet_config, lambda key, config: key),  # our layers carry the authors' names
}
