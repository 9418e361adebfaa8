"""The one loop of all trainings: go on from the saved state, step, log, save."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from dbgan.training.distributed import average, number
from dbgan.training.optim import OptimParams, autocast
from dbgan.training.resume import Row, State, Step, Values


def fit(
    state: State,
    build: Callable[[], Step],
    batches: Callable[[int], Iterator[list]],
    p: OptimParams,
    seed: int,
    log: Callable[[Row, int], None],
    progress: Callable,
) -> Step:
    """Train a step from `build` for p.steps updates and give it back; the curve is in `state.rows`.

    `batches(start)` gives the accumulated batches of each update after `start`. `log` gets the means since the
    last row. Raises ValueError naming the update and the term when a value is no longer finite; the last saved
    state is kept then.
    """
    step, start = state.restore(build)
    since: list[Values] = []
    with progress(total=p.steps, initial=start, unit="step") as bar:
        for n, group in enumerate(batches(start), start + 1):
            # Of dropout, which no generator of ours draws; so it alone depends on the number of processes.
            torch.manual_seed(seed + n + p.steps * number())
            with autocast(p, step.device):
                since.append(step(n, group))
            bar.update()
            if n % p.log_every == 0 or n == p.steps:
                row = _means(since, n)
                since.clear()
                state.rows.append({"step": n} | row)
                bar.set_postfix({name: f"{value:.4g}" for name, value in row.items()}, refresh=False)
                log(row, n)
            if n % p.save_every == 0 and n < p.steps:
                state.save(step, n)
    if not all(tensor.isfinite().all() for part in step.parts().values() for tensor in _weights(part)):
        raise ValueError(f"update {p.steps}: weights are no longer finite; lower the learning rate")
    return step


def _means(since: list[Values], n: int) -> Row:
    """The means of the values of the updates up to update n. Raises ValueError naming the first that is not finite.

    Read at once: on a GPU, to look at the values of each update would leave it idle until the next one starts.
    """
    names = list(since[0])
    everywhere = torch.stack([torch.stack(list(update.values())) for update in since])
    average([everywhere])
    values = everywhere.tolist()
    for update, row in enumerate(values, n - len(since) + 1):
        if wrong := [name for name, value in zip(names, row, strict=True) if not math.isfinite(value)]:
            raise ValueError(f"update {update}: {', '.join(wrong)} is no longer finite; lower the learning rate")
    return {name: sum(column) / len(values) for name, column in zip(names, zip(*values, strict=True), strict=True)}


def _weights(part) -> Iterator[Tensor]:
    """The weights and running statistics of a part that is a network; nothing of an optimizer."""
    return iter(part.state_dict().values()) if isinstance(part, nn.Module) else iter(())
