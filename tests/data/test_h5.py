"""HDF5 files: round trip, equal bytes, and one line for a file that is not whole."""

import resource
import subprocess
import sys

import h5py
import numpy as np
import pytest

from dbgan.data import h5

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
PHOTOS = [np.random.default_rng(i).integers(0, 255, (9 + i, 12, 3), dtype=np.uint8) for i in range(2)]
WINDOWS = np.array([[0, 0, 0], [0, 3, 6], [1, 4, 2]])


def make(path, images=IMAGES, step: int = 2):
    """Blurs in parts, as a table; two photographs with three crops."""
    with h5.create(path) as file:
        for i in range(0, len(images), step):
            file.append("synthetic/blurred", images[i : i + step], len(images))
        file.write("synthetic/source", np.arange(len(images), dtype=np.int64))
        for side, change in (("sharp", 0), ("blurred", 1)):
            for i, photo in enumerate(PHOTOS):
                file.write(f"paired/{side}/{i:06}", photo + np.uint8(change))
        file.crops("paired", WINDOWS, 6, ["a/b", "c"])
    return path


def test_what_is_written_in_parts_is_read_whole(tmp_path):
    reader = h5.Reader(make(tmp_path / "a.h5"), "synthetic/blurred", "synthetic/source")
    assert reader.length("synthetic/blurred") == 5
    assert np.array_equal(reader.rows("synthetic/blurred", slice(None)), IMAGES)
    assert np.array_equal(reader.rows("synthetic/blurred", 3), IMAGES[3])
    assert np.array_equal(reader.rows("synthetic/blurred", slice(1, 3)), IMAGES[1:3])
    assert reader.rows("synthetic/source", slice(None)).tolist() == [0, 1, 2, 3, 4]
    assert reader.rows("synthetic/blurred", 0).dtype == np.uint8
    assert "paired/sharp" in reader
    assert "real/blurred" not in reader
    with h5py.File(tmp_path / "a.h5") as file:
        assert [name.decode() for name in file["paired/frames"][:]] == ["a/b", "c"]


def test_a_file_says_what_it_is_made_of(tmp_path):
    source = h5.Reader(make(tmp_path / "a.h5"))
    digests = []
    for of in (None, source):
        with h5.create(tmp_path / "b.h5") as file:
            file.write("a/b", np.arange(3))
            if of:
                file.made_of(of)
        made = h5.Reader(tmp_path / "b.h5")
        assert made.made_of == (of.digest if of else None)
        digests.append(made.digest)
    assert len({source.digest, *digests}) == 3


def test_crops_are_windows_into_photographs_stored_once(tmp_path):
    reader = h5.Reader(make(tmp_path / "a.h5"), "paired/sharp", "paired/blurred")
    cut = np.stack([PHOTOS[i][y : y + 6, x : x + 6] for i, y, x in WINDOWS])
    for side, change in (("sharp", 0), ("blurred", 1)):
        name = f"paired/{side}"
        assert reader.length(name) == 3
        assert np.array_equal(reader.rows(name, slice(None)), cut + np.uint8(change))
        assert np.array_equal(reader.rows(name, slice(1, 9)), cut[1:] + np.uint8(change))
        assert np.array_equal(reader.rows(name, 2), cut[2] + np.uint8(change))
        assert np.array_equal(reader.photograph(name, 1), PHOTOS[1] + np.uint8(change))
        assert np.array_equal(reader.windows(name), WINDOWS)
    with h5py.File(tmp_path / "a.h5") as file:
        assert np.array_equal(file["paired/sharp/000001"], PHOTOS[1])
        assert file["paired/crops"].attrs["size"] == 6


def test_a_photograph_written_twice_is_stored_once(tmp_path):
    photo = np.random.default_rng(1).integers(0, 256, (100, 100, 3), dtype=np.uint8)
    with h5.create(tmp_path / "a.h5") as file:
        for i in range(3):
            file.write(f"paired/sharp/{i:06}", photo)
        file.crops("paired", np.array([[2, 50, 50]]), 20, ["a"])
    assert np.array_equal(h5.Reader(tmp_path / "a.h5").rows("paired/sharp", 0), photo[50:70, 50:70])
    assert (tmp_path / "a.h5").stat().st_size < 1.5 * photo.nbytes


def test_equal_data_are_equal_bytes_and_equal_digests(tmp_path):
    first, second = make(tmp_path / "a.h5"), make(tmp_path / "other_name.h5")
    assert first.read_bytes() == second.read_bytes()
    assert h5.Reader(first).digest == h5.Reader(second).digest


def test_the_digest_tells_other_data_names_corners_and_sizes_apart(tmp_path):
    variants = [("sharp", PHOTOS[0], 0, 6), ("blurred", PHOTOS[0], 0, 6), ("sharp", PHOTOS[0], 1, 6)]
    variants += [("sharp", PHOTOS[0], 0, 5), ("sharp", PHOTOS[0].reshape(12, 9, 3), 0, 6), ("sharp", PHOTOS[1], 0, 6)]
    digests = set()
    for side, photo, corner, size in variants:
        with h5.create(tmp_path / "a.h5") as file:
            file.write(f"paired/{side}/000000", photo)
            file.crops("paired", np.array([[0, corner, 0]]), size, ["a"])
        digests.add(h5.Reader(tmp_path / "a.h5").digest)
    assert len(digests) == len(variants)


def test_a_file_whose_writer_failed_is_refused(tmp_path):
    with pytest.raises(ZeroDivisionError), h5.create(tmp_path / "a.h5") as file:
        file.write("synthetic/blurred", IMAGES)
        raise ZeroDivisionError
    with pytest.raises(ValueError, match=r"a\.h5: .*incomplete"):
        h5.Reader(tmp_path / "a.h5")


@pytest.mark.parametrize("share", [0, 0.3, 0.9, None])
def test_a_file_that_is_cut_short_or_missing_is_named(tmp_path, share):
    path = make(tmp_path / "a.h5")
    content = path.read_bytes()
    path.unlink()
    if share is not None:
        path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ValueError, match=r"a\.h5"):
        h5.Reader(path, "paired/sharp")


def test_a_file_that_another_program_writes_to_is_not_called_damaged(tmp_path):
    path = make(tmp_path / "a.h5")
    code = "import h5py, sys; file = h5py.File(sys.argv[1], 'r+'); print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code, path], stdin=-1, stdout=-1, text=True) as other:
        other.stdout.readline()
        with pytest.raises(ValueError, match=r"a\.h5: another program has it open for writing; close it there"):
            h5.Reader(path)
        other.communicate("\n")


def test_a_missing_dataset_is_named_with_its_file(tmp_path):
    reader = h5.Reader(make(tmp_path / "a.h5"), "paired/sharp")
    for read in (lambda: h5.Reader(reader.path, "real/blurred"), lambda: reader.rows("real/blurred", 0)):
        with pytest.raises(ValueError, match=r"a\.h5: has no real/blurred; run the stage"):
            read()


@pytest.mark.parametrize("room", [0, 30_000])
def test_a_disk_that_refuses_more_is_one_os_error(tmp_path, room):
    """By a limit on the size of files; HDF5 itself would end the process."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"), h5.create(tmp_path / "a.h5") as file:
            for i in range(20):
                file.write(f"paired/sharp/{i:06}", np.full((200, 200, 3), i, np.uint8))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    with pytest.raises(ValueError, match=r"a\.h5"):
        h5.Reader(tmp_path / "a.h5")
