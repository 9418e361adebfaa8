"""Launches of kernels, bytes and FLOPs of a GPU's work, counted as PyTorch dispatches it; also by fake tensors."""

from collections import Counter
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

aten = torch.ops.aten
COPIES = {aten._to_copy.default, aten.copy_.default}
INDEXED = {aten.index.Tensor, aten.index_put_.default, aten.index_put.default}  # by indices of another device
# Of shapes and memory alone, beside the views.
NO_KERNEL = {"detach", "empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided", "_unsafe_view"}
NO_KERNEL |= {"lift_fresh", "_reshape_alias", "set_", "is_same_size", "record_stream", "device"}
TENSORS = 30  # that one launch of a _foreach or _fused function works on, at least


class Launches(TorchDispatchMode):
    """Counts what is done to CUDA tensors, real or fake: `kernels` by name, `bytes` read and written, `flops` of convs
    and matrix products (a multiply-add as 2), and `blocking`: what lets the processor wait for the GPU.

    Tensors of two devices in one operation are an error: fake convs would let them pass.
    """

    def __init__(self) -> None:
        super().__init__()
        self.kernels, self.blocking, self.bytes = Counter[str](), Counter[str](), 0
        self._flops = FlopCounterMode(display=False)

    def __enter__(self) -> "Launches":
        self._flops.__enter__()
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self._flops.__exit__(*error)

    @property
    def flops(self) -> int:
        return self._flops.get_total_flops()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        tensors = [leaf for leaf in tree_leaves((args, kwargs, result)) if isinstance(leaf, Tensor)]
        devices = {tensor.device.type for tensor in tensors if tensor.dim() or func in COPIES}
        if "cuda" not in {tensor.device.type for tensor in tensors}:
            return result
        name = func.overloadpacket.__name__
        if len(devices) > 1:
            if func not in COPIES | INDEXED:
                raise RuntimeError(f"{name}: tensors of {' and '.join(sorted(devices))}")
            asked = kwargs.get("non_blocking") or (func is aten.copy_.default and any(args[2:]))
            self.blocking.update([name] * (not asked))
        elif func is aten._local_scalar_dense.default:
            self.blocking[name] += 1
        if name not in NO_KERNEL and not is_view(func):
            self.kernels[name] += parts(name, args)
            self.bytes += sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        return result


def is_view(func: Any) -> bool:
    return any(found.alias_info and not found.alias_info.is_write for found in func._schema.returns)


def parts(name: str, args: Any) -> int:
    """Launches of one operation: a conv's gradients are its image's, its weight's and its bias's."""
    if name == "convolution_backward":
        return sum(args[-1])
    lists = [arg for arg in args if isinstance(arg, list | tuple) and arg and isinstance(arg[0], Tensor)]
    return -(-len(lists[0]) // TENSORS) if name.startswith(("_foreach", "_fused")) else 1
