"""The HDF5 files of the pipeline: written as a stream, read by slices, nothing stored twice.

crops.h5      <group>/<side>/000000..  (H, W, 3) uint8 RGB, a whole photograph each; groups and their sides:
                paired/blurred, paired/sharp  index by index the same scene
                real/blurred                  photographs without a sharp partner
              <group>/crops            (N, 3) int32: photograph, y and x of each crop; attribute `size`, its side
              <group>/frames           the photographs' paths
synthetic.h5  synthetic/blurred        (K, S, S, 3) uint8 RGB, BGAN's blurs
              synthetic/source         (K,) the index of the sharp crop in crops.h5 that was blurred
              attribute `made_of`      the digest of that crops.h5

Crops overlap, so they are kept as windows into their photographs. The attribute `digest`, the SHA-256 of all content,
is written last: a file without it is not complete.
"""

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np


class _Disk(io.FileIO):
    """A file that keeps the first error of the disk instead of raising it: on a full disk HDF5 itself prints thousands
    of lines and ends the process by a segmentation fault. `Writer` raises the error."""

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
        if self.error is not None:
            raise OSError(self.error.errno, self.error.strerror, str(self.name))


class Writer:
    """Fills a new HDF5 file; memory does not grow with the pixels. Raises OSError when the disk is full."""

    def __init__(self, file: h5py.File, disk: _Disk) -> None:
        self._file, self._disk = file, disk
        self.digest = hashlib.sha256()
        self._stored: dict[bytes, str] = {}  # digest of a content -> the dataset that holds it
        self._rows: dict[str, int] = {}

    def write(self, name: str, array: np.ndarray) -> None:
        """Store a whole array; equal content gets a second name, not a second place."""
        content = np.ascontiguousarray(array)
        digest = hashlib.sha256(f"{content.dtype}{content.shape}".encode())
        digest.update(content)
        key = digest.digest()
        if key in self._stored:
            self._file[name] = self._file[self._stored[key]]
        else:
            self._file.create_dataset(name, data=content)
            self._stored[key] = name
        self.digest.update(name.encode() + key)
        self._disk.check()

    def append(self, name: str, array: np.ndarray, length: int) -> None:
        """Add rows to a dataset, which will have `length` of them."""
        if name not in self._rows:
            self._file.create_dataset(name, shape=(length, *array.shape[1:]), dtype=array.dtype)
        at = self._rows.get(name, 0)
        self._file[name][at : at + len(array)] = array
        self._rows[name] = at + len(array)
        self.digest.update(name.encode() + np.ascontiguousarray(array).tobytes())
        self._disk.check()

    def crops(self, group: str, windows: np.ndarray, size: int) -> None:
        """Store the windows of a group's crops: (N, 3) of photograph, y and x; size: the side of a crop, pixels."""
        self.write(f"{group}/crops", windows.astype(np.int32))
        self._file[f"{group}/crops"].attrs["size"] = size
        self.digest.update(str(size).encode())

    def names(self, name: str, values: list[str]) -> None:
        self._file.create_dataset(name, data=values, dtype=h5py.string_dtype())
        self.digest.update("\0".join([name, *values]).encode())

    def made_of(self, source: "Reader") -> None:
        """Note the file that this one is made of and holds indices into."""
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


class Reader:
    """Read access to a complete file, kept open; threads share it. Raises ValueError naming a file that is missing,
    damaged or lacks one of the datasets `needed`."""

    def __init__(self, path: Path, *needed: str) -> None:
        self.path = Path(path)
        try:
            file = h5py.File(path)  # HDF5 refuses a file that is cut short
            self.digest = str(file.attrs["digest"])
            self.made_of = file.attrs.get("made_of")
            self._windows = {group: file[group]["crops"][:] for group in file if "crops" in file[group]}
            self._size = {group: int(file[group]["crops"].attrs["size"]) for group in self._windows}
            self._data = {
                f"{group}/{name}": [item[k] for k in sorted(item, key=int)] if isinstance(item, h5py.Group) else item
                for group in file
                for name, item in file[group].items()
            }
        except (OSError, KeyError, RuntimeError, ValueError) as error:
            raise ValueError(f"{self.path}: missing, damaged or incomplete HDF5 file ({error})") from None
        for name in needed:
            self._named(name)

    def __contains__(self, name: str) -> bool:
        return name in self._data

    def _named(self, name: str) -> h5py.Dataset | list[h5py.Dataset]:
        if name not in self._data:
            raise ValueError(f"{self.path}: has no {name}; run the stage that writes it again")
        return self._data[name]

    def length(self, name: str) -> int:
        """Number of crops or rows."""
        data = self._named(name)
        return len(self._windows[name.partition("/")[0]] if isinstance(data, list) else data)

    def rows(self, name: str, at: int | slice) -> np.ndarray:
        """One crop (S, S, 3) or row by its index; several, (n, S, S, 3), by a slice."""
        data, group = self._named(name), name.partition("/")[0]
        if not isinstance(data, list):
            return data[at]
        if isinstance(at, slice):
            return np.stack([self.rows(name, i) for i in range(*at.indices(self.length(name)))])
        photograph, y, x = self._windows[group][at].tolist()
        return data[photograph][y : y + self._size[group], x : x + self._size[group]]
