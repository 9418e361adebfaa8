"""The state of unfinished work, a training or BGAN's blurs, so that a killed run goes on as if nothing had happened.

It lies outside DVC's outputs, which DVC deletes before it runs a stage, in a folder named after everything that
determines the result; the folder goes when the training ends.
"""

import hashlib
import io
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from dbgan import distributed, settings, utils

PROJECT = Path(__file__).parents[2]
Row = dict[str, float]  # means of the loss terms and of the gradients' norms over some updates


class State:
    """Saves and restores networks and optimizers by name; `rows` is the curve so far."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._path = folder, folder / "state.pt"
        self._updates = 0  # that the saved state has behind it
        self.rows: list[Row] = []

    def restore(self, parts: dict[str, Any]) -> int:
        """Load the main process's saved state into `parts`, at all processes; returns the updates behind it."""
        found = distributed.from_main(lambda: self._path.read_bytes() if self._path.exists() else None)
        if found is None:
            return 0
        try:
            saved = torch.load(io.BytesIO(found), "cpu", weights_only=True)
            for name, part in parts.items():
                part.load_state_dict(saved["parts"][name])
            self.rows, self._updates = saved["rows"], saved["updates"]
        except Exception as error:  # whatever a damaged file raises
            reason = " ".join(str(error).split())
            raise ValueError(f"{self._path}: damaged training state; delete it to start anew ({reason})") from None
        return self._updates

    def kept(self) -> str:
        return f"the state of update {self._updates} is in {self._path}" if self._updates else "no state was saved yet"

    def save(self, parts: dict[str, Any], updates: int) -> None:
        """Write the state whole or not at all, by the main process."""
        if not distributed.is_main():
            return
        states = {name: part.state_dict() for name, part in parts.items()}
        try:
            with utils.atomic_write(self._path) as part, part.open("wb") as file:
                torch.save({"parts": states, "updates": updates, "rows": self.rows}, file)
                file.flush()
                os.fsync(file.fileno())  # after a power cut too, the name stands for a whole file
            folder = os.open(self._path.parent, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)
            self._updates = updates
        except (OSError, RuntimeError) as error:  # the latter from torch.save on a full disk
            reason = getattr(error, "strerror", None) or " ".join(str(error).split())
            raise OSError(f"{self._path}: cannot save the training's state ({reason})") from None


def code(stage: str, network: str = "") -> dict[str, str]:
    """The digests of the source files that the result of a stage depends on, as dvc.yaml lists them."""
    listed = settings.read(PROJECT / "dvc.yaml")["stages"][stage]["deps"]
    paths = [re.sub(r"\$\{.*\}", network, dep) for dep in listed]
    return {path: utils.sha256(PROJECT / path) for path in paths if path.endswith(".py")}


@contextmanager
def unfinished(stage: str, determines: list) -> Iterator[State]:
    """The state folder of one piece of work, locked: a second process for the same result is refused (ValueError).

    determines: all that the result depends on, but for PyTorch's version, as JSON values.
    """
    text = json.dumps([stage, torch.__version__, determines], sort_keys=True)
    folder = utils.project_root() / ".state" / stage / hashlib.sha256(text.encode()).hexdigest()[:16]
    if not distributed.is_main():  # the main process keeps the state of all
        yield State(folder)
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        lock = FileLock(folder.with_suffix(".lock")).acquire(timeout=0)
    except Timeout:
        raise ValueError(f"{folder}: another process is doing this very work; wait for it or stop it") from None
    with lock:
        left = [path for path in sorted(folder.parent.iterdir()) if path.is_dir() and any(path.iterdir())]
        if left and folder not in left:
            made = f"{', '.join(map(str, left))} belongs to other parameters, data, code or PyTorch"
            utils.log(f"{stage} starts anew: {made}; delete it unless you go back to them")
        folder.mkdir(exist_ok=True)
        yield State(folder)
        shutil.rmtree(folder)
