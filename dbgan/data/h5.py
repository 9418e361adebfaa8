"""The HDF5 files of the pipeline: written as a stream, read by slices, nothing stored twice.

crops.h5      photographs, and their crops as windows into them: see docs/data.md
synthetic.h5  synthetic/blurred    (K, S, S, 3) uint8 RGB, BGAN's blurs
              synthetic/source     (K,) the index of the sharp crop in crops.h5 that was blurred
              attribute `made_of`  the digest of that crops.h5
The attribute `digest`, the SHA-256 of all content, is written last: a file without it is not complete.
"""

import hashlib
import io
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np


class _Disk(io.FileIO):
    """A file that keeps an error of the disk for `Writer` to raise: of one raised to it, HDF5 ends the process."""

    error: OSError | None = None

    def write(self, data) -> int:
        rest = memoryview(data)
        try:
            while self.error is None and len(rest):
                rest = rest[super().write(rest) :]
        except OSError as error:
            self.error = error
        return len(data)

    def truncate(self, size: int | None = None) -> int:
        try:
            return super().truncate(size)
        except OSError as error:
            self.error = self.error or error
            return size or 0

    def check(self) -> None:
        if self.error:
            raise OSError(self.error.errno, self.error.strerror, str(self.name))


class Writer:
    """Fills a new HDF5 file; memory does not grow with the pixels. Raises OSError when the disk is full."""

    def __init__(self, file: h5py.File, disk: _Disk) -> None:
        self._file, self._disk = file, disk
        self.digest = hashlib.sha256()
        self._stored: dict[bytes, str] = {}  # digest of a content -> the dataset that holds it
        self._rows: Counter[str] = Counter()

    def write(self, name: str, array: np.ndarray) -> None:
        """Store a whole array; equal content gets a second name, not a second place."""
        key = hashlib.sha256(f"{array.dtype}{array.shape}".encode() + array.tobytes()).digest()
        if key in self._stored:
            self._file[name] = self._file[self._stored[key]]
        else:
            self._file.create_dataset(name, data=array)
            self._stored[key] = name
        self.digest.update(name.encode() + key)
        self._disk.check()

    def append(self, name: str, array: np.ndarray, length: int) -> None:
        """Add rows to a dataset, which will have `length` of them."""
        if name not in self._rows:
            self._file.create_dataset(name, shape=(length, *array.shape[1:]), dtype=array.dtype)
        self._file[name][self._rows[name] : self._rows[name] + len(array)] = array
        self._rows[name] += len(array)
        self.digest.update(name.encode() + array.tobytes())
        self._disk.check()

    def crops(self, group: str, windows: np.ndarray, size: int, frames: list[str]) -> None:
        """Store a group's crops, (N, 3) of photograph, y and x, their side in pixels, and the photographs' paths."""
        self.write(f"{group}/crops", windows.astype(np.int32))
        self._file[f"{group}/crops"].attrs["size"] = size
        self._file.create_dataset(f"{group}/frames", data=frames, dtype=h5py.string_dtype())
        self.digest.update("\0".join([f"{size}{group}/frames", *frames]).encode())

    def made_of(self, source: "Reader") -> None:
        self._file.attrs["made_of"] = source.digest
        self.digest.update(source.digest.encode())


@contextmanager
def create(path: Path) -> Iterator[Writer]:
    """A Writer for a new file, which is complete when the context ends without an error."""
    path.unlink(missing_ok=True)  # HDF5 would give readers of the old content the new file, and the other way round
    with _Disk(path, "w+") as disk:
        with h5py.File(disk, "w") as file:
            writer = Writer(file, disk)
            yield writer
            file.attrs["digest"] = writer.digest.hexdigest()
        disk.check()


class _Crops:
    """Windows into photographs, read like a dataset of crops."""

    def __init__(self, photographs: h5py.Group, windows: h5py.Dataset) -> None:
        self.photographs = [photographs[k] for k in sorted(photographs)]
        self.windows, self.size = windows[:], int(windows.attrs["size"])

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, at: int | slice) -> np.ndarray:
        if isinstance(at, slice):
            return np.stack([self[i] for i in range(*at.indices(len(self)))])
        photograph, y, x = self.windows[at].tolist()
        return self.photographs[photograph][y : y + self.size, x : x + self.size]


class Reader:
    """A complete file, kept open; threads share it. Raises ValueError where it lacks one of the datasets `needed`."""

    def __init__(self, path: Path, *needed: str) -> None:
        self.path = Path(path)
        self._data: dict[str, h5py.Dataset | _Crops] = {}
        try:
            file = h5py.File(path)  # HDF5 refuses a file that is cut short
            self.digest, self.made_of = str(file.attrs["digest"]), file.attrs.get("made_of")
            for group in file:
                for name, item in file[group].items():
                    photographs = isinstance(item, h5py.Group)
                    self._data[f"{group}/{name}"] = _Crops(item, file[group]["crops"]) if photographs else item
        except (OSError, KeyError, RuntimeError, ValueError) as error:
            if "unable to lock" in str(error):
                raise ValueError(f"{self.path}: another program has it open for writing; close it there") from None
            raise ValueError(f"{self.path}: missing, damaged or incomplete HDF5 file ({error})") from None
        for name in needed:
            self._named(name)

    def __contains__(self, name: str) -> bool:
        return name in self._data

    def length(self, name: str) -> int:
        return len(self._named(name))

    def rows(self, name: str, at: int | slice) -> np.ndarray:
        """One crop (S, S, 3) or row by its index; several, (n, S, S, 3), by a slice."""
        return self._named(name)[at]

    def photograph(self, name: str, k: int) -> np.ndarray:
        """The whole photograph (H, W, 3) that some crops are windows of, by its index in `windows`."""
        return self._named(name).photographs[k][:]

    def windows(self, name: str) -> np.ndarray:
        """(N, 3): the photograph, y and x of each crop."""
        return self._named(name).windows

    def _named(self, name: str) -> h5py.Dataset | _Crops:
        if name not in self._data:
            raise ValueError(f"{self.path}: has no {name}; run the stage that writes it again")
        return self._data[name]
