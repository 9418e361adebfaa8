"""Launches and bytes of a GPU's work, counted as PyTorch dispatches it; also that of fake tensors."""

from collections import Counter
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

COPIES = {"_to_copy", "copy_", "to"}
INDEXED = {"index", "index_put_", "index_put"}  # by indices of another device
WAITS = {"_local_scalar_dense", "_linalg_check_errors", "nonzero"}
# Of shapes and memory alone, beside the views.
NO_KERNEL = {"detach", "empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided", "_unsafe_view"}
NO_KERNEL |= {"lift_fresh", "_reshape_alias", "set_", "is_same_size", "record_stream", "device"}
TENSORS = 30  # that one launch of a _foreach or _fused function works on, at least


class Launches(TorchDispatchMode):
    """Counts what is done to a device's tensors, real or fake: `kernels` by name, `bytes` read and written, `blocking`:
    what lets the processor wait for the GPU. Tensors of two devices in one operation are an error: a fake conv would
    let them pass."""

    def __init__(self, device: str = "cuda") -> None:
        super().__init__()
        self.device = device
        self.kernels, self.blocking, self.bytes = Counter[str](), Counter[str](), 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        tensors = [leaf for leaf in tree_leaves((args, kwargs, result)) if isinstance(leaf, Tensor)]
        name = func.overloadpacket.__name__
        devices = {tensor.device.type for tensor in tensors if tensor.dim() or name in COPIES}
        if self.device not in {tensor.device.type for tensor in tensors}:
            return result
        if len(devices) > 1:
            if name not in COPIES | INDEXED:
                raise RuntimeError(f"{name}: tensors of {' and '.join(sorted(devices))}")
            asked = kwargs.get("non_blocking") or (name == "copy_" and any(args[2:]))
            self.blocking.update([name] * (not asked))
        elif name in WAITS:
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
