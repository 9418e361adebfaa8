"""HDF5 files: round trip, equal bytes, and one line for a file that is not whole."""

import multiprocessing
import os
import pickle

import h5py
import numpy as np
import pytest

from dbgan.data import h5

fork = multiprocessing.get_context("fork")
IMAGES = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)


def make(path, images=IMAGES, step: int = 2):
    with h5.create(path) as file:
        for i in range(0, len(images), step):
            file.append("paired/sharp", images[i : i + step])
        file.append("paired/y", np.arange(len(images), dtype=np.int32))
        file.names("paired/frames", ["a/b", "c"])
    return path


def test_what_is_written_in_parts_is_read_whole(tmp_path):
    reader = h5.Reader(make(tmp_path / "a.h5"), "paired/sharp", "paired/y")
    assert reader.length("paired/sharp") == 5
    assert np.array_equal(reader.rows("paired/sharp", slice(None)), IMAGES)
    assert np.array_equal(reader.rows("paired/sharp", 3), IMAGES[3])
    assert np.array_equal(reader.rows("paired/sharp", slice(1, 3)), IMAGES[1:3])
    assert reader.rows("paired/y", slice(None)).tolist() == [0, 1, 2, 3, 4]
    assert reader.rows("paired/sharp", 0).dtype == np.uint8
    assert "paired/sharp" in reader
    assert "real/blurred" not in reader
    with h5py.File(tmp_path / "a.h5") as file:
        assert [name.decode() for name in file["paired/frames"][:]] == ["a/b", "c"]


def test_equal_data_are_equal_bytes_and_equal_digests(tmp_path):
    first, second = make(tmp_path / "a.h5"), make(tmp_path / "other_name.h5")
    assert first.read_bytes() == second.read_bytes()
    assert h5.Reader(first).digest == h5.Reader(second).digest


def test_the_digest_tells_other_data_order_and_names_apart(tmp_path):
    changed = IMAGES.copy()
    changed[4, 7, 7, 2] ^= 1
    digests = {h5.Reader(make(tmp_path / f"{i}.h5", x)).digest for i, x in enumerate((IMAGES, changed, IMAGES[::-1]))}
    for name in ("sharp", "blurred"):
        with h5.create(tmp_path / f"{name}.h5") as file:
            file.append(name, IMAGES)
        digests.add(h5.Reader(tmp_path / f"{name}.h5").digest)
    assert len(digests) == 5


def test_a_file_whose_writer_failed_is_refused(tmp_path):
    with pytest.raises(ZeroDivisionError), h5.create(tmp_path / "a.h5") as file:
        file.append("paired/sharp", IMAGES)
        raise ZeroDivisionError
    with pytest.raises(ValueError, match=r"a\.h5: .*incomplete"):
        h5.Reader(tmp_path / "a.h5")


@pytest.mark.parametrize("share", [0, 0.3, 0.9])
def test_a_file_cut_short_is_named(tmp_path, share):
    path = make(tmp_path / "a.h5")
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(ValueError, match=r"a\.h5"):
        h5.Reader(path, "paired/sharp").rows("paired/sharp", slice(None))


def test_a_missing_or_foreign_file_is_named(tmp_path):
    (tmp_path / "text.h5").write_text("no data")
    for name in ("gone.h5", "text.h5"):
        with pytest.raises(ValueError, match=name):
            h5.Reader(tmp_path / name)


def test_a_missing_dataset_is_named_with_its_file(tmp_path):
    with pytest.raises(ValueError, match=r"a\.h5: has no real/blurred"):
        h5.Reader(make(tmp_path / "a.h5"), "paired/sharp", "real/blurred")


@pytest.mark.parametrize("read", [lambda r: r.rows("real/blurred", 0), lambda r: r.length("real/blurred")])
def test_a_dataset_that_turns_out_to_be_missing_is_named_with_its_file(tmp_path, read):
    reader = h5.Reader(make(tmp_path / "a.h5"), "paired/sharp")
    with pytest.raises(ValueError, match=r"a\.h5: has no real/blurred; .*again") as error:
        read(reader)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("opened", [False, True])
def test_a_reader_can_be_sent_to_another_process(tmp_path, opened):
    reader = h5.Reader(make(tmp_path / "a.h5"))
    if opened:
        reader.rows("paired/sharp", 0)
    received = pickle.loads(pickle.dumps(reader))
    assert np.array_equal(received.rows("paired/sharp", 2), IMAGES[2])
    assert received.digest == reader.digest


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_worker_opens_the_file_itself_once(tmp_path, monkeypatch):
    """Two processes on one handle would move each other's place in the file."""
    opened, real = [], h5py.File
    monkeypatch.setattr(h5.h5py, "File", lambda *a, **k: opened.append(os.getpid()) or real(*a, **k))
    reader = h5.Reader(make(tmp_path / "a.h5"))
    reader.rows("paired/sharp", 0)
    here, there = fork.Pipe()

    def worker():
        right = [np.array_equal(reader.rows("paired/sharp", i), IMAGES[i]) for i in range(5)]
        there.send((right, opened.count(os.getpid())))

    process = fork.Process(target=worker)
    process.start()
    assert here.poll(30), "the worker died"
    assert here.recv() == ([True] * 5, 1)
    process.join()
    mine = len(opened)
    assert np.array_equal(reader.rows("paired/sharp", 4), IMAGES[4])
    assert len(opened) == mine


def test_an_unwritable_place_is_an_os_error_naming_it(tmp_path):
    with pytest.raises(OSError, match=r"a\.h5"), h5.create(tmp_path / "gone" / "a.h5"):
        pass
