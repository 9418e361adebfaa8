"""Checkpoint files as the networks' authors publish them -> our networks, which then compute what theirs do.

    restored = load_released("nafnet", "NAFNet-GoPro-width64.pth", train_size=256)(blurred)

The file may be anything: nothing in it is executed, and one that does not fit to the last tensor is an error.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from dbgan.models.build import build_generator
from dbgan.models.checkpoint_keys import LAYOUTS
from dbgan.models.tensors import read_named

WRAPPERS = ("params_ema", "params", "state_dict", "model")  # the first of these that a file has holds its tensors
PREFIX = "module."  # before every name in what a parallel network has written
COUNTER = ".num_batches_tracked"  # comes with running statistics since torch 0.4.1; no network here computes with it
NAMED = 3  # tensors that an error names of each kind


def load_released(name: str, path: Path | str, **changes: Any) -> nn.Module:
    """The network of an authors' file, on the CPU, in eval mode, in float32 whatever the file's precision.

    Its size is inferred from the file; `changes` are arguments that the file does not tell, or other ones. Raises
    ValueError, one line with the file's name, for every file that is not exactly one of this network.
    """
    return read_released(name, path, **changes)[0]


def read_released(name: str, path: Path | str, **changes: Any) -> tuple[nn.Module, dict[str, Any]]:
    """As `load_released`, and the arguments that build this network: all that `checkpoint.save` wants."""
    if name not in LAYOUTS:
        raise ValueError(f"no released network is called {name!r}; there are {', '.join(LAYOUTS)}")
    path = Path(path)
    found = read_named(path)
    try:
        tensors, prefix = named_tensors(found)
        if sum(tensor.nbytes for tensor in tensors.values()) > path.stat().st_size:
            raise ValueError("its tensors have more values than the file")
        try:
            network, config, ours = fit(name, tensors, prefix, changes)
        except ValueError:
            looks_like = [other for other in LAYOUTS if other != name and fits(other, tensors)]
            if len(looks_like) == 1:
                raise ValueError(f"this is not a {name} file; it looks like {looks_like[0]}") from None
            raise
        fill(network, {key: tensors[theirs] for theirs, key in ours.items()})
        weights = network.state_dict()
        if infinite := [theirs for theirs, key in ours.items() if not weights[key].isfinite().all()]:
            raise ValueError(f"NaN or infinite in float32: {listed(infinite, prefix)}")
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return network.eval(), config


def named_tensors(found: dict[Any, Any]) -> tuple[dict[str, Tensor], str]:
    """The weights in what a file holds, and what stands before all names in it. Raises ValueError for other values."""
    inner = next((found[key] for key in WRAPPERS if isinstance(found.get(key), dict) and found[key]), found)
    if others := [key for key, value in inner.items() if not (isinstance(key, str) and isinstance(value, Tensor))]:
        raise ValueError(f"these are no named tensors: {listed(others)}")
    prefix = PREFIX if inner and all(key.startswith(PREFIX) for key in inner) else ""
    tensors = {key.removeprefix(prefix): tensor for key, tensor in inner.items()}
    normed = {key.rpartition(".")[0] for key in tensors if key.endswith((".running_mean", ".running_var"))}
    tensors = {
        key: tensor
        for key, tensor in tensors.items()
        if not (key.endswith(COUNTER) and key.removesuffix(COUNTER) in normed)
    }
    if others := [key for key, tensor in tensors.items() if not tensor.is_floating_point() or not tensor.numel()]:
        raise ValueError(f"integers, or nothing, where weights belong: {listed(others, prefix)}")
    return tensors, prefix


def fit(
    name: str, tensors: dict[str, Tensor], prefix: str, changes: dict[str, Any]
) -> tuple[nn.Module, dict[str, Any], dict[str, str]]:
    """The network, still without memory, that has exactly these tensors; its arguments; our key for each of theirs.

    Raises ValueError saying how they differ.
    """
    layout = LAYOUTS[name]
    try:
        config = layout.config(tensors) | changes
        network = without_memory(name, config, most=2 * len(tensors) + 100)
    except KeyError as error:
        raise ValueError(f"this is not a {name} file; {prefix}{error.args[0]} is missing or misshapen") from None
    except (IndexError, TypeError, RuntimeError, ArithmeticError) as error:
        raise ValueError(f"there is no {name} of such sizes ({' '.join(str(error).split())})") from None
    weights = network.state_dict()
    ours = {layout.key(key, config): key for key in weights if not key.endswith(COUNTER)}
    shapes = {theirs: weights[key].shape for theirs, key in ours.items()}
    copies = layout.copies(shapes)
    shapes |= {copy: shapes[original] for copy, original in copies.items()}
    missing = [key for key in shapes if key not in tensors]
    unknown = [key for key in tensors if key not in shapes]
    reshaped = [key for key in shapes if key in tensors and tensors[key].shape != shapes[key]]
    faults = {"missing": missing, "unknown": unknown, "of another shape": reshaped}
    if any(faults.values()):
        text = "; ".join(f"{kind}: {listed(keys, prefix)}" for kind, keys in faults.items() if keys)
        raise ValueError(f"does not fit {name}: {text}")
    if unequal := [copy for copy, original in copies.items() if not (tensors[copy] == tensors[original]).all()]:
        raise ValueError(f"not equal to the tensor that they share in {name}: {listed(unequal, prefix)}")
    return network, config, ours


def fits(name: str, tensors: dict[str, Tensor]) -> bool:
    """Whether these are exactly the tensors of the network of that name."""
    try:
        fit(name, tensors, "", {})
    except ValueError:
        return False
    return True


def without_memory(name: str, config: dict[str, Any], most: int) -> nn.Module:
    """The network with shapes but no values; of one with many more tensors than the file no more than `most`."""
    made = 0

    def one_more(module: nn.Module, key: str, parameter: Tensor | None) -> None:
        nonlocal made
        made += 1
        if made > most:
            raise ValueError(f"it has far fewer tensors than a {name} of so many blocks")

    with torch.device("meta"), register_module_parameter_registration_hook(one_more):
        return build_generator(name, **config)


def fill(network: nn.Module, weights: dict[str, Tensor]) -> None:
    """Give a network memory, and values in float32; the batches that its norms have seen are not known."""
    network.to_empty(device="cpu")
    counters = {key: torch.tensor(0) for key in network.state_dict() if key.endswith(COUNTER)}
    network.load_state_dict(weights | counters, strict=True)


def listed(keys: list[Any], prefix: str = "") -> str:
    """The first few names, on one line whatever they are, and how many there are more."""
    names = [f"{prefix}{key}"[:100] for key in keys[:NAMED]]
    text = ", ".join(name if name.isprintable() else ascii(name) for name in names)
    return text if len(keys) <= NAMED else f"{text} and {len(keys) - NAMED} more"
