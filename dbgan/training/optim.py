"""The optimisation that all trainings share: Adam, a cosine learning rate, gradients summed over batches, clipped."""

import math
import os
import shutil
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from dbgan.training.distributed import ALONE, Place, average, settle_norms, share_norms


@dataclass(frozen=True)
class OptimParams:
    """How long, on what and how fast a training goes; the same keys in every training's section."""

    steps: int  # updates of the weights
    batch: int  # pairs in a batch
    accumulate: int  # batches whose gradients one update averages
    patch: int  # side of the random patch taken out of a crop, pixels
    lr: float  # learning rate at the start
    lr_floor: float  # learning rate at the end, reached along a cosine
    log_every: int  # updates between two rows of the curve
    save_every: int  # updates between two saved states, from which a killed run goes on
    precision: Literal["float32", "bfloat16"]  # of the convs; losses, statistics and weights are float32
    ema: float  # decay of the running mean of the weights, which is written instead of the last ones; 0: none
    clip: float  # largest norm of a network's gradient; 0: any
    checkpointing: bool  # activations of the blocks are computed again for the gradients, not kept: saves memory
    compile: bool  # networks are compiled by torch.compile

    def __post_init__(self) -> None:
        if min(self.steps, self.batch, self.accumulate, self.patch, self.log_every, self.save_every) < 1:
            raise ValueError("steps, batch, accumulate, patch, log_every and save_every must be at least 1")
        if self.save_every % self.log_every:
            raise ValueError("save_every must be a multiple of log_every")
        if not self.lr >= self.lr_floor > 0:
            raise ValueError("lr >= lr_floor > 0 must hold")
        if self.checkpointing and self.compile:
            raise ValueError("checkpointing and compile must not both be true: a compiler cannot see what is kept")
        if not 0 <= self.ema < 1 or not self.clip >= 0:
            raise ValueError("ema must be at least 0 and below 1, clip at least 0")


def autocast(p: OptimParams, device: str | torch.device) -> torch.autocast:
    """Within it, networks compute in p.precision; in float32, with a warning, where the machine has no bfloat16."""
    kind = torch.device(device).type
    enabled = p.precision == "bfloat16" and _has_bfloat16(kind)
    # No cache of the weights that were cast: through it the gradients of all their uses are added up in bfloat16.
    return torch.autocast(kind, torch.bfloat16, enabled=enabled, cache_enabled=False)


@cache
def _has_bfloat16(kind: str) -> bool:
    """Whether the machine multiplies bfloat16 itself; one that emulates it is slower than in float32."""
    if kind == "cuda":
        found = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        found = torch.cpu._is_avx512_bf16_supported()
    if not found:
        warnings.warn("this machine has no bfloat16; training in float32 instead", stacklevel=3)
    return found


def adam(network: nn.Module, p: OptimParams, lr: float) -> torch.optim.Adam:
    """Adam over all weights, with its usual betas. `lr` at the start, from which `begin` lets it fall as p.lr does."""
    return torch.optim.Adam([{"params": list(network.parameters()), "scale": lr / p.lr}])


def cosine_lr(step: int, p: OptimParams) -> float:
    """Learning rate of update `step`, 1 to p.steps: from p.lr along half a cosine to p.lr_floor."""
    done = (step - 1) / max(p.steps - 1, 1)
    return p.lr_floor + (p.lr - p.lr_floor) * (1 + math.cos(math.pi * done)) / 2


def begin(step: int, p: OptimParams, *optimizers: torch.optim.Optimizer) -> None:
    """Set the learning rate of update `step` and clear the gradients, once for all accumulated batches."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = cosine_lr(step, p) * group["scale"]
        optimizer.zero_grad(set_to_none=True)


def update(
    p: OptimParams,
    networks: Mapping[str, nn.Module],
    optimizers: Iterable[torch.optim.Optimizer],
    place: Place = ALONE,
) -> dict[str, Tensor]:
    """End an update, the gradients of this process being complete: average them over all processes, clip each network's
    to the norm p.clip, and step.

    Gives the norms before clipping, {"gradient_<network>": ()}, on the device; the loop stops at one that is not
    finite, before anything is saved.
    """
    average(w.grad for network in networks.values() for w in network.parameters() if w.grad is not None)
    settle_norms(networks.values(), place)
    norms = {}
    for name, network in networks.items():
        weights = [weight for weight in network.parameters() if weight.grad is not None]
        norm = get_total_norm([w.grad for w in weights]) if weights else next(network.parameters()).new_zeros(())
        norms[f"gradient_{name}"] = norm
        if p.clip:
            clip_grads_with_norm_(weights, p.clip, norm)
    for optimizer in optimizers:
        optimizer.step()
    return norms


def running_mean(network: nn.Module, decay: float) -> AveragedModel:
    """A copy of `network` that takes 1 - `decay` of its weights, and of BatchNorm's statistics, at every update.

    The statistics are averaged like the weights, for they describe the images that these weights make.
    """
    return AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)


def ready(network: nn.Module, p: OptimParams, device: str | torch.device, place: Place = ALONE) -> nn.Module:
    """`network` on the device, in training mode, its norms those of `place`, and compiled where p.compile asks for it.
    In place, so that names of weights stay. Raises ValueError where nothing can be compiled."""
    network.to(device).train()
    share_norms(network, place)
    if p.compile:
        if not shutil.which(os.environ.get("CXX", "g++")):
            raise ValueError("compile: true needs a C++ compiler such as g++; install one or set compile: false")
        network.compile()
    return network


@contextmanager
def frozen(*networks: nn.Module) -> Iterator[None]:
    """Within it, no gradient reaches the weights of `networks`; it still flows through them."""
    for network in networks:
        network.requires_grad_(False)
    try:
        yield
    finally:
        for network in networks:
            network.requires_grad_(True)


def weighted(terms: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """The sum of the loss terms, each times its weight."""
    return sum(weights[name] * term for name, term in terms.items())


class Means:
    """Averages named values over the accumulated batches of a step."""

    def __init__(self) -> None:
        self._values: dict[str, list[Tensor]] = {}

    def add(self, values: Mapping[str, Tensor]) -> None:
        """Take one batch's values; nothing is moved off the device yet."""
        for name, value in values.items():
            self._values.setdefault(name, []).append(value.detach())

    def tensors(self) -> dict[str, Tensor]:
        """The means, () each, still on the device: to read them would make the CPU wait for every update."""
        return {name: torch.stack(values).mean() for name, values in self._values.items()}
