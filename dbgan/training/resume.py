"""The state of an unfinished training, so that a killed run goes on as if nothing had happened.

It lies outside DVC's outputs, which DVC deletes before it runs a stage, in a folder named after everything that
determines the result; the folder goes when the training ends.
"""

import hashlib
import io
import json
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

import torch
from filelock import FileLock, Timeout
from torch import Tensor, nn

from dbgan.training.distributed import from_first, number

Values = dict[str, Tensor]  # the losses of an update and the norms of its gradients, () each, on the device
Row = dict[str, float]  # their means over some updates


class Learner(Protocol):
    """Whatever has `parts`, networks and optimizers by name, that hold all it has learnt."""

    def parts(self) -> dict: ...


class Step(Learner, Protocol):
    """A training step: a callable on (n, batches)."""

    device: str | torch.device
    result: nn.Module  # the network that the training is for

    def __call__(self, n: int, batches: list) -> Values: ...


T = TypeVar("T", bound=Learner)


class State:
    """Saves and restores the parts of a learner; `rows` is the curve so far."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "state.pt"
        self._updates = 0  # that the saved state has behind it
        self.rows: list[Row] = []

    def restore(self, build: Callable[[], T]) -> tuple[T, int]:
        """A new learner from `build`, with what was saved of it, and the number of updates it has done; of several
        processes all get the first one's.

        A state that cannot be read is set aside with a warning, and the training starts anew.
        """
        learner = build()
        found = from_first(lambda: self._path.read_bytes() if self._path.exists() else None)
        if found is None:
            return learner, 0
        try:
            saved = torch.load(io.BytesIO(found), "cpu", weights_only=True)
            for name, part in learner.parts().items():
                part.load_state_dict(saved["parts"][name])
            self.rows, self._updates = saved["rows"], saved["updates"]
        except Exception as error:  # whatever a damaged file raises, the training must go on without it
            if number() == 0:
                aside = self._path.with_suffix(".damaged")
                self._path.replace(aside)
                warnings.warn(f"{aside}: damaged training state set aside, starting anew ({error})", stacklevel=2)
            self.rows = []
            return build(), 0
        return learner, self._updates

    def kept(self) -> str:
        """Where the last state is, for the one who must look into a fault."""
        return f"the state of update {self._updates} is in {self._path}" if self._updates else "no state was saved yet"

    def save(self, learner: Learner, updates: int) -> None:
        """Write the state whole or not at all; of several processes, the first one's. Raises OSError, e.g. on a full
        disk."""
        if number() > 0:
            return
        parts = {name: part.state_dict() for name, part in learner.parts().items()}
        memory = io.BytesIO()
        torch.save({"parts": parts, "updates": updates, "rows": self.rows}, memory)
        part_path = self._path.with_suffix(".part")
        try:
            part_path.write_bytes(memory.getvalue())
            part_path.replace(self._path)
            self._updates = updates
        except OSError as error:
            part_path.unlink(missing_ok=True)
            raise OSError(f"{self._path}: cannot save the training's state ({error.strerror})") from None


@contextmanager
def state(root: Path, stage: str, determines: list, say: Callable[[str], None]) -> Iterator[State]:
    """The state folder of one training, locked: a second trainer of the same result is refused (ValueError).

    `determines` is what the result depends on (parameters, digests of inputs and code), as JSON values; PyTorch's
    version is added here. `say` gets a line when the training starts anew beside a state that does not fit it.
    """
    text = json.dumps([stage, torch.__version__, determines], sort_keys=True)
    folder = root / ".state" / stage / hashlib.sha256(text.encode()).hexdigest()[:16]
    if number() > 0:  # the first process keeps the state of all
        yield State(folder)
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.with_suffix(".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ValueError(f"{folder}: another process is doing this very training; wait for it or stop it") from None
    try:
        left = [path.parent for path in sorted(folder.parent.glob("*/state.pt"))]
        if folder not in left and (others := [other for other in left if _idle(other)]):
            made = f"what {', '.join(map(str, others))} holds was made by other parameters, data, code or PyTorch"
            say(f"{stage} starts anew: {made}; it can be deleted unless you go back to them")
        folder.mkdir(exist_ok=True)
        yield State(folder)
        shutil.rmtree(folder)
    finally:
        lock.release()


def _idle(folder: Path) -> bool:
    """Whether no process trains there."""
    try:
        with FileLock(folder.with_suffix(".lock")).acquire(timeout=0):
            return True
    except Timeout:
        return False
