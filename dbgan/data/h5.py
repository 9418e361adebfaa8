"""The HDF5 files of the pipeline: written as a stream, read through the memory map, nothing stored twice.

crops.h5      <group>/<side>/000000..  (H, W, 3) uint8 RGB, a whole photograph each; groups and their sides:
                paired/blurred, paired/sharp  index by index the same scene
                real/blurred                  photographs without a sharp partner
              <group>/crops            (N, 3) int32: photograph, y and x of each crop; attribute `size`, its side
              <group>/frames           the photographs' paths
synthetic.h5  synthetic/blurred        (K, S, S, 3) uint8 RGB, BGAN's blurs
              synthetic/source         (K,) the index of the sharp crop in crops.h5 that was blurred
              attribute `made_of`      the digest of that crops.h5

Crops overlap, so they are kept as windows into their photographs. Datasets lie in one piece in the file: a crop is
then an array that only names its place, and what is copied out of it is all that is read.
"""

import hashlib
import io
from collections.abc import Iterator, Sequence
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
    """Fills a new HDF5 file; what is in memory never grows with the pixels."""

    def __init__(self, file: h5py.File, disk: _Disk) -> None:
        self._file, self._disk = file, disk
        self._digest = hashlib.sha256()
        self._first: dict[bytes, str] = {}  # of each content the dataset that holds it
        self._rows: dict[str, int] = {}

    def write(self, name: str, array: np.ndarray) -> None:
        """Store a whole array as the dataset `name`. One that is stored already gets a second name, no second place.
        Raises OSError when the disk is full."""
        content = np.ascontiguousarray(array)
        digest = hashlib.sha256(f"{content.dtype}{content.shape}".encode())
        digest.update(content)
        key = digest.digest()
        if key in self._first:
            self._file[name] = self._file[self._first[key]]
        else:
            self._file.create_dataset(name, data=content)
            self._first[key] = name
        self._digest.update(name.encode() + key)
        self.check()

    def append(self, name: str, array: np.ndarray, length: int) -> None:
        """Add rows to the dataset `name`, which will have `length` of them. Raises OSError when the disk is full."""
        if name not in self._rows:
            self._file.create_dataset(name, shape=(length, *array.shape[1:]), dtype=array.dtype)
            self._rows[name] = 0
        at = self._rows[name]
        self._file[name][at : at + len(array)] = array
        self._rows[name] += len(array)
        self._digest.update(name.encode() + np.ascontiguousarray(array).tobytes())
        self.check()

    def crops(self, group: str, windows: np.ndarray, size: int) -> None:
        """Store where the crops of a group lie: (N, 3) of photograph, y and x, and the side of a crop, pixels."""
        self.write(f"{group}/crops", windows.astype(np.int32))
        self._file[f"{group}/crops"].attrs["size"] = size
        self._digest.update(str(size).encode())

    def names(self, name: str, values: list[str]) -> None:
        """Store a list of texts."""
        self._file.create_dataset(name, data=values, dtype=h5py.string_dtype())
        self._digest.update("\0".join([name, *values]).encode())

    def made_of(self, source: "Reader") -> None:
        """Note which file this one is made of and holds indices into."""
        self._file.attrs["made_of"] = source.digest
        self._digest.update(source.digest.encode())

    def finish(self) -> None:
        """Mark the file as complete: `digest` is the SHA-256 of all that was written, in order."""
        for name, rows in self._rows.items():
            assert rows == len(self._file[name]), f"{name}: {rows} rows of {len(self._file[name])}"
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


class _Crops:
    """Windows into photographs, read like an array (N, S, S, 3)."""

    def __init__(self, photos: Sequence[np.ndarray], windows: np.ndarray, size: int) -> None:
        self.photos, self.windows, self.size = photos, windows, size

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, at: int | slice) -> np.ndarray:
        if isinstance(at, slice):
            return np.stack([self[i] for i in range(*at.indices(len(self)))])
        photo, y, x = self.windows[at].tolist()
        return self.photos[photo][y : y + self.size, x : x + self.size]


class Reader:
    """Read access to such a file. Threads share it; sent to another process, it opens the file there again."""

    def __init__(self, path: Path, *needed: str) -> None:
        """Check that `path` is complete and holds the images `needed`; ValueError naming it otherwise."""
        self.path = Path(path)
        self._data = self._open()
        for name in needed:
            self._named(name)

    def _open(self) -> dict[str, "np.ndarray | _Crops"]:
        try:
            with h5py.File(self.path) as file:  # HDF5 refuses a file that is cut short
                self.digest = str(file.attrs["digest"])
                self.made_of = file.attrs.get("made_of")
                memory = np.asarray(np.memmap(self.path, np.uint8, "r"))
                return {
                    f"{group}/{name}": _crops(item, file[group]["crops"], memory)
                    if isinstance(item, h5py.Group)
                    else _mapped(item, memory)
                    for group in file
                    for name, item in file[group].items()
                    if isinstance(item, h5py.Group) or item.dtype.kind != "O"
                }
        except (OSError, KeyError, RuntimeError, ValueError) as error:
            raise ValueError(f"{self.path}: missing, damaged or incomplete HDF5 file ({error})") from None

    def __reduce__(self) -> tuple:
        return Reader, (self.path,)

    def __contains__(self, name: str) -> bool:
        return name in self._data

    def _named(self, name: str) -> "np.ndarray | _Crops":
        try:
            return self._data[name]
        except KeyError:
            raise ValueError(f"{self.path}: has no {name}; run the stage that writes it again") from None

    def length(self, name: str) -> int:
        """Number of crops or rows."""
        return len(self._named(name))

    def rows(self, name: str, at: int | slice) -> np.ndarray:
        """Crops (n, S, S, 3) or rows of a slice; of an index a single one, without reading it before it is used."""
        return self._named(name)[at]


def _mapped(data: h5py.Dataset, memory: np.ndarray) -> np.ndarray:
    """A dataset as part of the file's memory map."""
    start = data.id.get_offset()
    if start is None and data.size:
        raise ValueError(f"{data.name} is not stored in one piece; run the stage that writes it again")
    start = start or 0
    return memory[start : start + data.nbytes].view(data.dtype).reshape(data.shape)


def _crops(photos: h5py.Group, windows: h5py.Dataset, memory: np.ndarray) -> _Crops:
    """The crops of one side of a group, whose photographs are named by their numbers."""
    mapped = [_mapped(photos[name], memory) for name in sorted(photos, key=int)]
    return _Crops(mapped, _mapped(windows, memory), int(windows.attrs["size"]))
