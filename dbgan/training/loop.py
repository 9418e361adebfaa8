"""The one loop of all trainings: go on from the saved state, step, log, save."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from dbgan.training.distributed import average, number
from dbgan.training.optim import OptimParams, autocast, running_mean
from dbgan.training.resume import Row, State, Step, Values


def fit(
    state: State,
    build: Callable[[], Step],
    batches: Callable[[int], Iterator[list]],
    p: OptimParams,
    seed: int,
    log: Callable[[Row, int], None],
    progress: Callable,
) -> nn.Module:
    """Train a step from `build` for p.steps updates; the curve is in `state.rows`.

    Gives the network that the training is for, or the running mean of it where p.ema asks for one. `batches(start)`
    gives the accumulated batches of each update after `start`. `log` gets the means since the last row. Raises
    ValueError naming the update and the term, or the network, when a value is no longer finite; it is found where a
    row of the curve ends, before anything is saved, so the last saved state is good, and kept.
    """
    training, start = state.restore(lambda: _training(build(), p))
    step, mean = training.step, training.mean
    since: list[Values] = []
    try:
        with progress(total=p.steps, initial=start, unit="step") as bar:
            for n, group in enumerate(batches(start), start + 1):
                # Of dropout, which no generator of ours draws; so it alone depends on the number of processes.
                torch.manual_seed(seed + n + p.steps * number())
                with autocast(p, step.device):
                    since.append(step(n, group))
                if mean:
                    mean.update_parameters(step.result)
                bar.update()
                if n % p.log_every == 0 or n == p.steps:
                    row = _means(since, n)
                    since.clear()
                    state.rows.append({"step": n} | row)
                    bar.set_postfix({name: f"{value:.4g}" for name, value in row.items()}, refresh=False)
                    log(row, n)
                if n % p.save_every == 0 or n == p.steps:
                    _check_parts(training.parts(), n)
                if n % p.save_every == 0 and n < p.steps:
                    state.save(training, n)
    except FloatingPointError as error:
        raise ValueError(f"{error}; lower the learning rate or set clip, {state.kept()}") from None
    return mean.module if mean else step.result


@dataclass(frozen=True)
class _Training:
    """A step and the running mean of its result, if any."""

    step: Step
    mean: AveragedModel | None

    def parts(self) -> dict:
        return self.step.parts() | ({"mean": self.mean} if self.mean else {})


def _training(step: Step, p: OptimParams) -> _Training:
    return _Training(step, running_mean(step.result, p.ema) if p.ema else None)


def _means(since: list[Values], n: int) -> Row:
    """The means of the values of the updates up to update n. Raises FloatingPointError naming the first that is not
    finite.

    Read at once: on a GPU, to look at the values of each update would leave it idle until the next one starts.
    """
    names = list(since[0])
    everywhere = torch.stack([torch.stack(list(update.values())) for update in since])
    average([everywhere])
    values = everywhere.tolist()
    for update, row in enumerate(values, n - len(since) + 1):
        if wrong := [name for name, value in zip(names, row, strict=True) if not math.isfinite(value)]:
            raise FloatingPointError(f"update {update}: {', '.join(wrong)} is no longer finite")
    return {name: sum(column) / len(values) for name, column in zip(names, zip(*values, strict=True), strict=True)}


def _check_parts(parts: dict, n: int) -> None:
    """Refuse what must not be saved: weights, statistics or moments that update n has spoiled, which no loss shows
    before the next. Raises FloatingPointError naming the part."""
    states = {name: part.state_dict() for name, part in parts.items()}
    if wrong := [name for name, state in states.items() if not all(t.isfinite().all() for t in _tensors(state))]:
        raise FloatingPointError(f"update {n}: {', '.join(wrong)} is no longer finite")


def _tensors(state: object) -> Iterator[Tensor]:
    """Every tensor in nested dicts and lists."""
    if isinstance(state, Tensor):
        yield state
    elif isinstance(state, dict | list | tuple):
        for inner in state.values() if isinstance(state, dict) else state:
            yield from _tensors(inner)
