"""One training by several processes: each computes its part of every update, and the result is that of one process.

An update averages `accumulate` batches of `batch` images. Processes first share the accumulated batches; where there
are more, groups of them share a batch, and what depends on a whole batch is computed over it: BatchNorm, the
relativistic means, all random draws. PyTorch's DistributedDataParallel is not used: it averages the gradients of
one backward after one forward, and a GAN's step has several of both with critics frozen in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

Value = TypeVar("Value")
NORMS = (nn.BatchNorm2d, nn.InstanceNorm2d)  # the layers that keep running statistics


def layout(processes: int, batch: int, accumulate: int) -> tuple[int, int]:
    """(processes that share a batch, groups that share the accumulated batches), the latter as many as fit: a group
    of one need not ask others at every BatchNorm. Raises ValueError where they cannot get equal parts."""
    fitting = {
        each * groups: (each, groups)  # with ascending `groups`, so that of two ways the one with more stays
        for groups in range(1, accumulate + 1)
        for each in range(1, batch + 1)
        if batch % each == 0 and accumulate % groups == 0
    }
    if processes not in fitting:
        raise ValueError(
            f"{processes} processes cannot have equal parts of batch {batch} x accumulate {accumulate}; "
            f"start {', '.join(map(str, sorted(fitting)))}, or set batch and accumulate to what they divide"
        )
    return fitting[processes]


@dataclass(frozen=True, eq=False)
class Place:
    """What this process computes of every update; the default is everything.

    Processes number 0 to `each` - 1 are the first group, and so on; `peers` is the group of this one.
    """

    each: int = 1  # processes that share a batch
    groups: int = 1  # groups of them, which share the accumulated batches
    number: int = 0  # of this process among all
    peers: Any = None

    def __deepcopy__(self, memo: dict) -> Place:
        return self  # a copy of a network stands in the same place

    def rows(self, batch: int) -> slice:
        """Of a whole batch, the images of this process."""
        size = batch // self.each
        start = self.number % self.each * size
        return slice(start, start + size)

    def batches(self, accumulate: int) -> range:
        """Of the accumulated batches of an update, those of this process's group."""
        size = accumulate // self.groups
        start = self.number // self.each * size
        return range(start, start + size)

    def order(self, steps: int, accumulate: int) -> list[int]:
        """The numbers of the batches that this process's group sees in a whole training."""
        return [n * accumulate + k for n in range(steps) for k in self.batches(accumulate)]

    def draws(self, seed: int, update: int, batches: list[Value]) -> Iterator[tuple[torch.Generator, Value]]:
        """This process's batches of an update, each with the generator of all that is drawn for it, on the CPU: a
        function of (seed, update, number of the batch)."""
        accumulate = len(batches) * self.groups
        for k, batch in zip(self.batches(accumulate), batches, strict=True):
            yield torch.Generator().manual_seed(seed + update * accumulate + k), batch

    def own(self, draw: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
        """Calls `draw`, which looks only at the shape of its images, for the whole batch, and returns this process's
        rows of the result."""
        whole = images[:1].expand(self.each * len(images), *images.shape[1:])
        return draw(whole)[self.rows(len(whole))]

    def gathered(self, own: Tensor) -> Tensor:
        """(n, ...) of this process -> (each * n, ...) of the whole batch, in order. Every process's gradient flows
        back, so a loss of the whole batch is to be computed by all; averaging their gradients makes it one."""
        if self.each == 1:
            return own
        parts = [torch.zeros_like(own)] * self.each
        parts[self.number % self.each] = own
        return _Sum.apply(torch.cat(parts), self.peers)

    def mean(self, own: Tensor) -> Tensor:
        """The mean over the whole batch of a value that is a mean over this process's part, ()."""
        return self.gathered(own.reshape(1)).mean()


class _Sum(torch.autograd.Function):
    """The sum over the processes of a group. So is its gradient, and that one's: every process uses the sum."""

    @staticmethod
    def forward(ctx, own: Tensor, peers: Any) -> Tensor:
        ctx.peers = peers
        total = own.clone()
        dist.all_reduce(total, group=peers)
        return total

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        return _Sum.apply(gradient.contiguous(), ctx.peers), None


ALONE = Place()


def place(batch: int, accumulate: int) -> Place:
    """This process's place in a training, to be called by all at once. Raises ValueError, see `layout`."""
    if not dist.is_initialized():
        return ALONE
    each, groups = layout(dist.get_world_size(), batch, accumulate)
    peers = [dist.new_group(list(range(g * each, (g + 1) * each))) for g in range(groups)] if groups > 1 else [None]
    return Place(each, groups, dist.get_rank(), peers[dist.get_rank() // each])


def number() -> int:
    """This process's number among all; the first one, 0, saves."""
    return dist.get_rank() if dist.is_initialized() else 0


def from_first(find: Callable[[], Value]) -> Value:
    """What `find` gives at the first process, at all; so no other needs its files."""
    if not dist.is_initialized():
        return find()
    found = [find() if number() == 0 else None]
    dist.broadcast_object_list(found, 0)
    return found[0]


def average(tensors: Iterable[Tensor]) -> None:
    """In place, the mean of each tensor over all processes, by one message."""
    tensors = list(tensors)
    if not dist.is_initialized() or not tensors:
        return
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    for tensor, part in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(part.view(tensor.shape))


class WholeBatchNorm(nn.BatchNorm2d):
    """BatchNorm over a batch that several processes share. Unlike nn.SyncBatchNorm it takes a CPU's tensors, and a
    gradient penalty can differentiate its gradient."""

    place: Place

    def forward(self, x: Tensor) -> Tensor:
        """(n, C, H, W) of this process's images -> the same, in training normalised over the whole batch."""
        if not self.training:
            return super().forward(x)
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        spread, mean = torch.var_mean(wide, (0, 2, 3), correction=0)
        means, spreads = self.place.gathered(torch.stack([mean, spread])[None]).unbind(1)  # (each, C)
        mean, spread = means.mean(0), spreads.mean(0) + means.var(0, correction=0)
        with torch.no_grad():
            n = self.place.each * x.numel() / x.shape[1]
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(spread * n / (n - 1), self.momentum)
        scale = self.weight * torch.rsqrt(spread + self.eps)
        return ((wide - mean.view(-1, 1, 1)) * scale.view(-1, 1, 1) + self.bias.view(-1, 1, 1)).to(x.dtype)


def share_norms(network: nn.Module, place: Place) -> None:
    """Make the norms of a network those of a training by several processes, in place; its weights keep their names."""
    for layer in network.modules():
        if place.each > 1 and type(layer) is nn.BatchNorm2d:
            layer.__class__ = WholeBatchNorm  # the same object, so that all who know it see the change
            layer.place = place
        if place is not ALONE and isinstance(layer, NORMS) and layer.track_running_stats:
            layer.register_forward_pre_hook(_note)


def _note(layer: nn.Module, _: Any) -> None:
    """Before a forward of a training: count it, and keep the running statistics that the update began with."""
    if not layer.training:
        return
    if not getattr(layer, "forwards", 0):
        layer.forwards, layer.began = 0, [layer.running_mean.clone(), layer.running_var.clone()]
        layer.own = layer.running_mean
    layer.forwards += layer.running_mean is layer.own  # a block that is computed again changes copies


def settle_norms(networks: Iterable[nn.Module], place: Place) -> None:
    """At the end of an update: running statistics as of one process that saw all its batches one after another.

    A group's forwards turn statistics r into keep * r + own; here all groups' are done in their order, own being the
    mean over the processes of a group.
    """
    layers = [layer for network in networks for layer in network.modules() if getattr(layer, "forwards", 0)]
    after = place.groups - 1 - place.number // place.each  # groups whose batches come later
    owns, lasts = [], []
    for layer in layers:
        keep = (1 - layer.momentum) ** layer.forwards
        for statistic, began in zip((layer.running_mean, layer.running_var), layer.began, strict=True):
            owns.append(keep**after * (statistic - keep * began) * place.groups)  # `average` divides by all processes
            lasts.append((statistic, keep**place.groups * began))
        if isinstance(layer, nn.BatchNorm2d):
            layer.num_batches_tracked += layer.forwards * (place.groups - 1)
        layer.forwards = 0
    average(owns)
    for own, (statistic, last) in zip(owns, lasts, strict=True):
        statistic.copy_(last + own)
