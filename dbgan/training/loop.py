"""The one loop of all trainings: go on from the saved state, step, log, save."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from dbgan.training.optim import OptimParams, autocast
from dbgan.training.resume import Row, State, Step


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
    since: list[Row] = []
    with progress(total=p.steps, initial=start, unit="step") as bar:
        for n, group in enumerate(batches(start), start + 1):
            torch.manual_seed(seed + n)  # of dropout, the one draw that no generator of ours makes
            with autocast(p, step.device):
                since.append(step(n, group))
            if wrong := [name for name, value in since[-1].items() if not math.isfinite(value)]:
                raise ValueError(f"update {n}: {', '.join(wrong)} is no longer finite; lower the learning rate")
            bar.update()
            if n % p.log_every == 0 or n == p.steps:
                row = {name: sum(r[name] for r in since) / len(since) for name in since[-1]}
                since.clear()
                state.rows.append({"step": n} | row)
                bar.set_postfix({name: f"{value:.4g}" for name, value in row.items()}, refresh=False)
                log(row, n)
            if n % p.save_every == 0 and n < p.steps:
                state.save(step, n)
    if not all(tensor.isfinite().all() for part in step.parts().values() for tensor in _weights(part)):
        raise ValueError(f"update {p.steps}: weights are no longer finite; lower the learning rate")
    return step


def _weights(part) -> Iterator[Tensor]:
    """The weights and running statistics of a part that is a network; nothing of an optimizer."""
    return iter(part.state_dict().values()) if isinstance(part, nn.Module) else iter(())
