"""The HDF5 files of the pipeline: written as a stream, read a crop at a time.

crops.h5      paired/{sharp,blurred}   (N, S, S, 3) uint8 RGB, index by index the same place
              real/blurred             (M, S, S, 3) uint8 RGB, photographs without a sharp partner
              <group>/{frame,y,x}      the frame (an index into <group>/frames, their names) and corner of a crop
synthetic.h5  synthetic/blurred        (K, S, S, 3) uint8 RGB, BGAN's blurs
              synthetic/source         (K,) the index of the sharp crop in crops.h5 that was blurred
"""

import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np


class _Disk(io.FileIO):
    """A file that keeps the first fault of the disk instead of raising it: HDF5 cannot give up a file in peace once
    a write has failed. `Writer` raises it."""

    fault: OSError | None = None

    def write(self, data) -> int:
        rest = memoryview(data)
        try:
            while self.fault is None and len(rest):
                rest = rest[super().write(rest) :]
        except OSError as error:
            self.fault = error
        return len(data)


class Writer:
    """Appends crops to a new HDF5 file; what is in memory never grows with the data."""

    def __init__(self, file: h5py.File, disk: _Disk) -> None:
        self._file, self._disk = file, disk
        self._digest = hashlib.sha256()

    def append(self, name: str, array: np.ndarray) -> None:
        """Add rows to the dataset `name`; it is made by the first call, with its row shape and type. Raises OSError
        when the disk is full."""
        if name not in self._file:
            row = array.shape[1:]
            chunk = (1, *row) if row else (1024,)
            self._file.create_dataset(name, shape=(0, *row), maxshape=(None, *row), chunks=chunk, dtype=array.dtype)
        data = self._file[name]
        data.resize(len(data) + len(array), axis=0)
        data[-len(array) :] = array
        self._digest.update(name.encode() + np.ascontiguousarray(array).tobytes())
        self.check()

    def names(self, name: str, values: list[str]) -> None:
        """Store a list of texts."""
        self._file.create_dataset(name, data=values, dtype=h5py.string_dtype())
        self._digest.update("\0".join([name, *values]).encode())

    def finish(self) -> None:
        """Mark the file as complete: `digest` is the SHA-256 of all that was written, in order."""
        self._file.attrs["digest"] = self._digest.hexdigest()

    def check(self) -> None:
        """Raise what the disk has refused so far: OSError naming the file."""
        if self._disk.fault is not None:
            raise OSError(f"{self._disk.name}: cannot write it ({self._disk.fault.strerror})")


@contextmanager
def create(path: Path) -> Iterator[Writer]:
    """A Writer for a new file. Raises OSError naming the file when it cannot be written, e.g. on a full disk."""
    with _Disk(path, "w+") as disk:
        with h5py.File(disk, "w") as file:
            writer = Writer(file, disk)
            yield writer
            writer.finish()
        writer.check()


class Reader:
    """Read access to such a file; opened by the process that first reads, so it can be sent to workers."""

    def __init__(self, path: Path, *needed: str) -> None:
        """Check that `path` is complete and holds the datasets `needed`; ValueError naming it otherwise."""
        self.path = Path(path)
        self._file: h5py.File | None = None
        self._owner = os.getpid()
        try:
            with h5py.File(self.path) as file:
                self.digest = str(file.attrs["digest"])
                missing = [name for name in needed if name not in file]
        except (OSError, KeyError, RuntimeError) as error:
            raise ValueError(f"{self.path}: missing, damaged or incomplete HDF5 file ({error})") from None
        if missing:
            raise ValueError(f"{self.path}: has no {', '.join(missing)}; run the stage that writes it again")

    def __getstate__(self) -> dict:
        return self.__dict__ | {"_file": None}

    def _open(self) -> h5py.File:
        if self._file is None or self._owner != os.getpid():  # a forked worker must not share the handle
            self._file, self._owner = h5py.File(self.path), os.getpid()
        return self._file

    def __contains__(self, name: str) -> bool:
        return name in self._open()

    def _data(self, name: str) -> h5py.Dataset:
        try:
            return self._open()[name]
        except KeyError:
            raise ValueError(f"{self.path}: has no {name}; run the stage that writes it again") from None

    def length(self, name: str) -> int:
        """Number of rows of a dataset."""
        return len(self._data(name))

    def rows(self, name: str, at) -> np.ndarray:
        """Rows of a dataset: `at` is an index or a slice. ValueError naming the file when it is damaged there."""
        try:
            return self._data(name)[at]
        except OSError as error:
            raise ValueError(f"{self.path}: damaged at {name}[{at}] ({error})") from None
