"""The one loop of all trainings: Adam or SOAP, a cosine learning rate, accumulated gradients, clipping, a running mean.

A training is an object that names its networks and yields its losses (bgan.py, dbgan.py); all else is here.
"""

import math
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import Annotated, Any, Literal, Protocol

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.optim import Adam, Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from dbgan import distributed, utils
from dbgan.data.batches import Batches, stream
from dbgan.models.grad_checkpoint import checkpoint_blocks
from dbgan.settings import Params
from dbgan.training.state import Row, State

Batch = tuple[Any, ...]  # of tensors; those of DBGAN's trainings may hold lists, see dbgan.py
Terms = dict[str, Tensor]  # loss terms by name, weighted, () each; one without gradient, such as psnr, is only recorded


class TrainParams(Params):
    steps: PositiveInt  # updates of the weights
    batch: PositiveInt  # pairs in a batch
    accumulate: PositiveInt  # batches whose gradients one update averages
    patch: PositiveInt  # side of the random patch taken out of a crop, pixels
    lr: PositiveFloat  # learning rate at the start
    optimizer: Literal["adam", "soap"]
    momentum: Annotated[float, Field(ge=0, lt=1)]  # the optimizer's first beta
    lr_floor: PositiveFloat  # learning rate at the end, reached along a cosine
    log_every: PositiveInt  # updates between two rows of the curve
    save_every: PositiveInt  # updates between two saved states, from which a killed run goes on
    precision: Literal["float32", "bfloat16"]  # of the convs; losses, statistics and weights are float32
    ema: Annotated[float, Field(ge=0, lt=1)]  # decay of the weights' running mean, which is written instead; 0: none
    clip: NonNegativeFloat  # largest norm of a network's gradient; 0: any
    checkpointing: bool  # activations of the blocks are computed again for the gradients, not kept: saves memory

    @model_validator(mode="after")
    def _consistent(self) -> "TrainParams":
        if self.save_every % self.log_every:
            raise ValueError("save_every must be a multiple of log_every")
        if self.lr < self.lr_floor:
            raise ValueError("lr must be at least lr_floor")
        return self


class Training(Protocol):
    """What `fit` trains."""

    networks: dict[str, nn.Module]  # the first is the one that the training is for

    def together(self, group: list[Batch]) -> AbstractContextManager[list[Batch]]:
        """Around the losses of an update's batches: what of them is done at once, before and after."""
        ...

    def losses(self, batch: Batch, draw: torch.Generator, n: int) -> Iterator[Terms]:
        """The terms of the critics, then (critics frozen) those of the generators, of one batch in update n. All that
        is drawn comes from `draw`, on the CPU."""
        ...


def fit(
    training: Training,
    data: Batches,
    p: TrainParams,
    seed: int,
    device: torch.device,
    state: State,
    log: Callable[[Row, int], None],
) -> nn.Module:
    """Train for p.steps updates, on from the saved state; the curve is in `state.rows`, each row goes to `log`, too.

    Returns the first network, or its running mean where p.ema asks for one. Raises ValueError naming the update and the
    term or network when a value is no longer finite: where a row ends, before anything is saved.
    """
    torch.backends.cudnn.benchmark = True  # of its algorithms the fastest; shapes never change
    networks = {name: ready(network, p, device) for name, network in training.networks.items()}
    optimizers = {name: new_optimizer(network, p, name) for name, network in networks.items()}
    result = next(iter(networks.values()))
    # BatchNorm's statistics are averaged like the weights, for they describe the images that these weights make.
    mean = AveragedModel(result, multi_avg_fn=get_ema_multi_avg_fn(p.ema), use_buffers=True) if p.ema else None
    weights = networks | ({"mean": mean} if mean else {})
    parts = weights | {f"{name}_optimizer": optimizer for name, optimizer in optimizers.items()}
    start = state.restore(parts)
    shard = distributed_shard(p.accumulate)
    numbers = [n * p.accumulate + k for n in range(start, p.steps) for k in shard]
    since: list[Terms] = []
    try:
        with utils.progress(total=p.steps, initial=start, unit="step") as bar:
            for n, group in enumerate(stream(data, numbers, len(shard), device), start + 1):
                # Of dropout, which no generator of ours draws; so it alone depends on the number of processes.
                torch.manual_seed(seed + n + p.steps * distributed.rank())
                since.append(update(training, optimizers, group, [seed + n * p.accumulate + k for k in shard], n, p))
                if mean:
                    mean.update_parameters(result)
                bar.update()
                if n % p.log_every == 0 or n == p.steps:
                    row = means(since, n)
                    since.clear()
                    state.rows.append({"step": n} | row)
                    bar.set_postfix({name: f"{value:.4g}" for name, value in row.items()}, refresh=False)
                    log(row, n)
                if n % p.save_every == 0 or n == p.steps:
                    check_finite(weights, n)
                    if n < p.steps:
                        state.save(parts, n)
    except FloatingPointError as error:
        raise ValueError(f"{error}; lower the learning rate or set clip, {state.kept()}") from None
    return mean.module if mean else result


def update(
    training: Training,
    optimizers: dict[str, Optimizer],
    group: list[Batch],
    seeds: list[int],
    n: int,
    p: TrainParams,
) -> Terms:
    """Update n of all weights by the accumulated batches; returns each term's mean and the gradients' norms, unread, on
    the device."""
    networks = training.networks
    set_lr_and_zero_grad(optimizers, n, p)
    with autocast(p, group[0][0].device), running_statistics(networks):
        terms = backward(training, group, seeds, n)
    distributed.average(grad for network in networks.values() for grad in gradients(network))
    terms |= clipped(networks, p.clip)
    for optimizer in optimizers.values():
        optimizer.step()
    return terms


def backward(training: Training, group: list[Batch], seeds: list[int], n: int) -> Terms:
    """Add up the gradients of the accumulated batches' mean loss; returns each term's mean, unread, on the device."""
    recorded: dict[str, list[Tensor]] = defaultdict(list)
    with training.together(group) as batches:
        for seed, batch in zip(seeds, batches, strict=True):
            for terms in training.losses(batch, torch.Generator().manual_seed(seed), n):
                (torch.stack([*terms.values()]).sum() / len(group)).backward()
                for name, value in terms.items():
                    recorded[name].append(value.detach())
    return {name: torch.stack(values).mean() for name, values in recorded.items()}


def distributed_shard(accumulate: int) -> range:
    """This process's batches of an update; none is split, for BatchNorm and relativistic means are over a whole one."""
    size, rest = divmod(accumulate, distributed.world_size())
    if rest:
        fitting = ", ".join(str(k) for k in range(1, accumulate + 1) if accumulate % k == 0)
        unequal = (
            f"{distributed.world_size()} processes cannot share accumulate: {accumulate} batches of an update equally"
        )
        raise ValueError(f"{unequal}; start {fitting}, or raise accumulate")
    return range(distributed.rank() * size, (distributed.rank() + 1) * size)


def new_optimizer(network: nn.Module, p: TrainParams, name: str) -> Optimizer:
    """Adam or SOAP over all weights; `scale` is the network's learning rate over p.lr."""
    scale = (p.critic_lr if name.endswith("critic") else p.lr) / p.lr  # type: ignore[attr-defined]  # of AdversarialParams
    if p.optimizer == "soap":
        return soap(network, p.momentum, scale)
    # A GPU's fused update is a tenth of the launches; the CPU's differs in the last digits.
    fused = True if next(network.parameters()).is_cuda else None
    return Adam([{"params": list(network.parameters()), "scale": scale}], betas=(p.momentum, 0.999), fused=fused)


def soap(network: nn.Module, momentum: float, scale: float) -> Optimizer:
    """SOAP: Adam along the main axes of the gradients of a conv's outputs and of the (C, h, w) that each one sees.

    After Vyas et al., "SOAP: Improving and Stabilizing Shampoo using Adam", ICLR 2025, without decay of the weights.
    Biases are Adam's. The first update only looks at the gradients.
    """
    from pytorch_optimizer import SOAP  # takes a second, which other trainings need not wait for

    def group(weight: nn.Parameter) -> dict[str, Any]:
        # Where this does not hold, the library would merge other dimensions; it turns each one by itself instead, which
        # for kernels of one pixel is the same.
        matrix = weight.ndim == 4 and len(weight) > weight[0, 0].numel() > 1
        size = {"merge_dims": True, "max_precondition_dim": max(len(weight), weight[0].numel())} if matrix else {}
        return {"params": [weight], "scale": scale} | size

    # The library's eps of 1e-8 may hide gradients of a squared error, which are small along most axes.
    return SOAP([*map(group, network.parameters())], betas=(momentum, 0.95), eps=1e-10, weight_decay=0.0)


def cosine_lr(step: int, p: TrainParams) -> float:
    """Learning rate of update `step`, 1 to p.steps: from p.lr along half a cosine to p.lr_floor."""
    done = (step - 1) / max(p.steps - 1, 1)
    return p.lr_floor + (p.lr - p.lr_floor) * (1 + math.cos(math.pi * done)) / 2


def set_lr_and_zero_grad(optimizers: dict[str, Optimizer], step: int, p: TrainParams) -> None:
    for optimizer in optimizers.values():
        for group in optimizer.param_groups:
            group["lr"] = cosine_lr(step, p) * group["scale"]
        optimizer.zero_grad(set_to_none=True)


def gradients(network: nn.Module) -> list[Tensor]:
    return [weight.grad for weight in network.parameters() if weight.grad is not None]


def clipped(networks: dict[str, nn.Module], clip: float) -> Terms:
    """Shorten each network's gradient to the norm `clip` (0: leave it); returns the norms before that."""
    norms = {}
    for name, network in networks.items():
        if grads := gradients(network):
            norms[f"gradient_{name}"] = get_total_norm(grads)
            if clip:
                clip_grads_with_norm_(network.parameters(), clip, norms[f"gradient_{name}"])
    return norms


@contextmanager
def running_statistics(networks: dict[str, nn.Module]) -> Iterator[None]:
    """Around an update: BatchNorm's running statistics become those of one process that saw all shards in rank order;
    InstanceNorm's, which does not count its batches, the mean over the processes.

    A shard of m batches turns statistics r into keep * r + own, with keep = (1 - momentum) ** m.
    """
    norms = [m for net in networks.values() for m in net.modules() if getattr(m, "running_mean", None) is not None]
    if distributed.world_size() == 1 or not norms:
        yield
        return
    before = [(m.running_mean.clone(), m.running_var.clone(), int(m.num_batches_tracked)) for m in norms]
    yield
    later, world_size = distributed.world_size() - 1 - distributed.rank(), distributed.world_size()
    shares, kept = [], []
    for m, (*began, tracked) in zip(norms, before, strict=True):
        batches = int(m.num_batches_tracked) - tracked
        keep = (1 - m.momentum) ** batches
        for statistic, start in zip((m.running_mean, m.running_var), began, strict=True):
            counts = isinstance(m, nn.BatchNorm2d)
            shares.append(keep**later * (statistic - keep * start) * world_size if counts else statistic.clone())
            kept.append((statistic, keep**world_size * start if counts else torch.zeros_like(start)))
        m.num_batches_tracked += batches * (world_size - 1)
    distributed.average(shares)
    for share, (statistic, rest) in zip(shares, kept, strict=True):
        statistic.copy_(rest + share)


def ready(network: nn.Module, p: TrainParams, device: torch.device) -> nn.Module:
    """`network` on the device, in training mode, and as p.checkpointing says; weights keep their names."""
    network.to(device).train()
    if p.checkpointing:
        checkpoint_blocks(network)
    return network


def autocast(p: TrainParams, device: torch.device) -> torch.autocast:
    """Convs compute in p.precision; in float32, with a warning, where the machine has no bfloat16."""
    enabled = p.precision == "bfloat16" and _has_bfloat16(device.type)
    # No cache of the weights that were cast: through it the gradients of all their uses are added up in bfloat16.
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled, cache_enabled=False)


@cache
def _has_bfloat16(kind: str) -> bool:
    """Whether the machine multiplies bfloat16 itself; one that emulates it is slower than in float32."""
    gpu = kind == "cuda"
    found = torch.cuda.is_bf16_supported(including_emulation=False) if gpu else torch.cpu._is_avx512_bf16_supported()
    if not found:
        warnings.warn("this machine has no bfloat16; training in float32 instead", stacklevel=3)
    return found


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


def means(since: list[Terms], n: int) -> Row:
    """Means of the terms of the updates up to update n, over all processes; a term that an update lacks counts as 0.
    Read at once, as a GPU idles meanwhile. Raises FloatingPointError naming those that are not finite."""
    names = list(dict.fromkeys(name for terms in since for name in terms))
    zero = torch.zeros_like(next(iter(since[0].values())))
    table = torch.stack([torch.stack([terms.get(name, zero).float() for name in names]) for terms in since])
    distributed.average([table])
    rows = [dict(zip(names, row, strict=True)) for row in table.tolist()]
    for update, row in enumerate(rows, n - len(rows) + 1):
        refuse([name for name, value in row.items() if not math.isfinite(value)], update)
    return {name: sum(row[name] for row in rows) / len(rows) for name in names}


def check_finite(networks: dict[str, nn.Module], n: int) -> None:
    """Refuse weights that update n has spoiled, which no loss shows before the next: FloatingPointError names them."""
    states = {name: network.state_dict().values() for name, network in networks.items()}
    refuse([name for name, tensors in states.items() if not all(tensor.isfinite().all() for tensor in tensors)], n)


def refuse(wrong: list[str], n: int) -> None:
    if wrong:
        raise FloatingPointError(f"update {n}: {', '.join(wrong)} is no longer finite")
