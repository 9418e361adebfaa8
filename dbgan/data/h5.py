"""The HDF5 files of the pipeline: written as a stream, read by slices, nothing stored twice.

crops.h5      photographs, and their crops as windows into them: see docs/data.md
synthetic.h5  synthetic/blurred    (K, S, S, 3) uint8 RGB, BGAN's blurs
              synthetic/source     (K,) the index of the sharp crop in crops.h5 that was blurred
              attribute `made_of`  the digest of that crops.h5
The attribute `digest`, the SHA-256 of all content, is written last: a file without it is not complete.
"""

import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

CHUNK = 1000  # rows read at once


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

    def crops(self, group: str, windows: np.ndarray, size: int, frames: list[str]) -> None:
        """Store a group's crops, (N, 3) of photograph, y and x, their side in pixels, and the photographs' paths."""
        self.write(f"{group}/crops", windows.astype(np.int32))
        self._file[f"{group}/crops"].attrs["size"] = size
        self._file.create_dataset(f"{group}/frames", data=frames, dtype=h5py.string_dtype())
        self.digest.update("\0".join([f"{size}{group}/frames", *frames]).encode())


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


class Rows:
    """Fills synthetic.h5 row by row, on from where a killed process stopped. HDF5 lays the file out, all in its place;
    the rows are then written there as plain bytes, since a kill may spoil a file that HDF5 itself is writing. The
    source of a row that is not on the disk is -1. Raises OSError when the disk is full.

    length: of all rows; side: of the crops in `crops`, which the sources are indices of.
    """

    def __init__(self, path: Path, crops: "Reader", length: int, side: int) -> None:
        self.path, self.row, self._pending = path, 0, b""
        self._sizes = {"blurred": 3 * side**2, "source": 8}  # bytes of a row
        if not self._find():
            path.unlink(missing_ok=True)
            with _Disk(path, "w+") as disk, h5py.File(disk, "w") as file:
                file.attrs["made_of"] = crops.digest
                layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
                layout.set_obj_track_times(False)  # or equal rows would not be equal bytes
                layout.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
                layout.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
                space = h5py.h5s.create_simple((length, side, side, 3))
                group = file.create_group("synthetic")
                h5py.h5d.create(group.id, b"blurred", h5py.h5t.STD_U8LE, space, layout)
                group["source"] = np.full(length, -1, np.int64)
            disk.check()
            self._find()
        self._digests = {name: hashlib.sha256() for name in self._sizes}
        self._file = path.open("r+b")

    def _find(self) -> bool:
        """Where the rows lie in the file, and how many are written; False for a file that is not laid out."""
        try:
            with h5py.File(self.path) as file:
                self._starts = {name: file["synthetic"][name].id.get_offset() for name in self._sizes}
                self.done = int((file["synthetic/source"][:] >= 0).sum())
                self._made_of = file.attrs["made_of"]
            return True
        except (OSError, KeyError, RuntimeError):
            return False

    def go_on(self, row: int) -> None:
        """The next row to be written is this one; those before it are read, for the digest."""
        for name, size in self._sizes.items():
            self._file.seek(self._starts[name])
            for start in range(0, row, CHUNK):
                self._digests[name].update(self._file.read(size * min(CHUNK, row - start)))
        self.row = row

    def append(self, blurred: np.ndarray, source: np.ndarray) -> None:
        """Blurs (n, S, S, 3) uint8 and the (n,) indices of their crops."""
        parts = {"blurred": blurred.tobytes(), "source": source.astype(np.int64).tobytes()}
        self._put("blurred", parts["blurred"])
        self._pending += parts["source"]
        for name, data in parts.items():
            self._digests[name].update(data)
        self.row += len(source)

    def save(self) -> None:
        """What was appended counts as written from here on, also after a power cut."""
        os.fsync(self._file.fileno())
        self.row -= len(self._pending) // 8
        self._put("source", self._pending)
        self.row, self._pending = self.row + len(self._pending) // 8, b""

    def finish(self) -> None:
        """Write the digest, which makes the file whole."""
        self._file.close()
        digest = hashlib.sha256(self._made_of.encode())
        for part in self._digests.values():
            digest.update(part.digest())
        with _Disk(self.path, "r+") as disk:
            with h5py.File(disk, "r+") as file:
                if "digest" not in file.attrs:
                    file.attrs["digest"] = digest.hexdigest()
            disk.check()

    def _put(self, name: str, data: bytes) -> None:
        try:
            self._file.seek(self._starts[name] + self.row * self._sizes[name])
            self._file.write(data)
            self._file.flush()
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path)) from None


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
