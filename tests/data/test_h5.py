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


def make(path):
    """A table; two photographs with three crops."""
    with h5.create(path) as file:
        file.write("synthetic/blurred", IMAGES)
        for side, change in (("sharp", 0), ("blurred", 1)):
            for i, photo in enumerate(PHOTOS):
                file.write(f"paired/{side}/{i:06}", photo + np.uint8(change))
        file.crops("paired", WINDOWS, 6, ["a/b", "c"])
    return path


def test_what_is_written_is_read(tmp_path):
    reader = h5.Reader(make(tmp_path / "a.h5"), "synthetic/blurred")
    assert reader.length("synthetic/blurred") == 5
    assert np.array_equal(reader.rows("synthetic/blurred", slice(None)), IMAGES)
    assert np.array_equal(reader.rows("synthetic/blurred", 3), IMAGES[3])
    assert np.array_equal(reader.rows("synthetic/blurred", slice(1, 3)), IMAGES[1:3])
    assert reader.rows("synthetic/blurred", 0).dtype == np.uint8
    assert "paired/sharp" in reader
    assert "real/blurred" not in reader
    with h5py.File(tmp_path / "a.h5") as file:
        assert [name.decode() for name in file["paired/frames"][:]] == ["a/b", "c"]


def fill(path, crops, stops=(), images=IMAGES):
    """Blurs of crops 2, 1, 0, 2, 1, two at a time; at each of `stops` rows the process is another."""
    rows, done = h5.Rows(path, crops, 5, 8), 0
    while done < 5:
        if done in stops:
            rows = h5.Rows(path, crops, 5, 8)
            assert rows.done == done
            rows.go_on(done)
        part = slice(done, done + 2)
        rows.append(images[part], np.array([2, 1, 0, 2, 1])[part])
        rows.save()
        done += 2
    rows.finish()
    return path


def test_rows_are_the_same_bytes_wherever_their_writer_was_killed(tmp_path):
    crops = h5.Reader(make(tmp_path / "a.h5"))
    whole = fill(tmp_path / "b.h5", crops)
    made = h5.Reader(whole, "synthetic/blurred", "synthetic/source")
    assert np.array_equal(made.rows("synthetic/blurred", slice(None)), IMAGES)
    assert made.rows("synthetic/source", slice(None)).tolist() == [2, 1, 0, 2, 1]
    assert made.made_of == crops.digest
    for stops in ((2,), (4,), (0, 2, 4)):
        assert fill(tmp_path / f"{stops}.h5", crops, stops).read_bytes() == whole.read_bytes()
    (tmp_path / "torn.h5").write_bytes(whole.read_bytes()[:100])
    assert fill(tmp_path / "torn.h5", crops).read_bytes() == whole.read_bytes()
    assert h5.Reader(fill(tmp_path / "c.h5", crops, images=255 - IMAGES)).digest != made.digest
    assert h5.Reader(fill(tmp_path / "d.h5", made)).digest != made.digest


def test_rows_that_are_not_all_written_are_refused_and_those_not_saved_do_not_count(tmp_path):
    crops = h5.Reader(make(tmp_path / "a.h5"))
    rows = h5.Rows(tmp_path / "b.h5", crops, 5, 8)
    rows.append(IMAGES[:2], np.array([0, 1]))
    assert h5.Rows(tmp_path / "b.h5", crops, 5, 8).done == 0
    rows.save()
    assert h5.Rows(tmp_path / "b.h5", crops, 5, 8).done == 2
    with pytest.raises(ValueError, match=r"b\.h5: .*incomplete"):
        h5.Reader(tmp_path / "b.h5")


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
