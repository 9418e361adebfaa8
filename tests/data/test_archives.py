"""Unpacking: the same bytes always, nothing outside, and of two hundred hostile archives one line each."""

import io
import multiprocessing
import tarfile
import time
import tracemalloc
import zipfile
from pathlib import Path

import hostile
import numpy as np
import pytest
from misbehaving import server
from tqdm import tqdm

from dbgan.data import archives, members
from dbgan.data.fetch import Download

KEY = "data.archives.gopro"
PHOTOS = {f"GOPRO_Large/train/S/{half}/{i}.png": bytes([i]) * 999 for half in ("blur", "sharp") for i in range(20)}


def quiet(items=None, **options):
    return tqdm(items, disable=True, **options)


def slow(items=None, **options):
    """A bar that takes its time."""
    bar = quiet()
    bar.update = lambda count: time.sleep(0.002)
    return bar


def zipped(path: Path, photos: dict[str, bytes] = PHOTOS) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("GOPRO_Large/", b"")
        for name, data in photos.items():
            archive.writestr(name, data)
    return path


def tarred(path: Path, mode: str) -> Path:
    with tarfile.open(path, mode) as archive:
        for name, data in PHOTOS.items():
            info = tarfile.TarInfo(f"./{name}")
            info.size, info.mode = len(data), 0o6777
            archive.addfile(info, io.BytesIO(data))
    return path


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def folder(cache: Path, said: list[str] | None = None, progress=quiet, **changes) -> Path:
    values = {"file": "gopro.zip", "url": None, "drive": None, "sha256": None, "path": None} | changes
    return archives.folder(Download(**values), KEY, cache, progress, (said if said is not None else []).append)


@pytest.fixture
def small(monkeypatch):
    """Limits that a small archive reaches."""
    monkeypatch.setattr(members, "FREE", 1 << 20)
    monkeypatch.setattr(members, "MOST_FILES", 300)


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_every_format_gives_the_same_plain_files(tmp_path, kind):
    path = tmp_path / f"photos.{kind}"
    zipped(path) if kind == "zip" else tarred(path, "w:gz" if kind == "tar.gz" else "w")
    archives.check(path)
    archives.extract(path, tmp_path / "out", quiet)
    assert files(tmp_path / "out") == PHOTOS
    assert not any(found.stat().st_mode & 0o7000 for found in (tmp_path / "out").rglob("*"))


@pytest.mark.parametrize("seed", range(200))
def test_a_hostile_archive_ends_in_one_line_and_writes_nothing_outside(tmp_path, small, seed):
    rng = np.random.default_rng(seed)
    kind = hostile.KINDS[seed % len(hostile.KINDS)]
    path = tmp_path / "archive"
    path.write_bytes(hostile.archive(kind, rng))
    out = tmp_path / "a" / "b" / "out"
    try:
        archives.extract(path, out, quiet)
    except ValueError as fault:
        assert str(fault).startswith(f"{path}: ")
        assert str(fault).isprintable()
        assert len(str(fault)) < 400
        assert not out.exists()
    else:
        assert kind not in hostile.REFUSED
        assert not any(found.is_symlink() or not (found.is_file() or found.is_dir()) for found in out.rglob("*"))
    left = {found for found in tmp_path.rglob("*") if out not in (found, *found.parents)}
    assert left == {path, tmp_path / "a", tmp_path / "a" / "b"}


@pytest.mark.parametrize(
    ("kind", "make", "said"),
    [
        ("twice", "zip", "top/blur/0.png stands twice"),
        ("case", "tar", "TOP/blur/0.PNG stands twice"),
        ("file as folder", "zip", "stands twice"),
        ("bomb", "zip", "more than 0.0 GB"),
        ("bomb", "tar", "more than 0.0 GB"),
        ("many", "tar", "more than 300 files"),
        ("encrypted", "zip", "is encrypted"),
        ("method", "zip", "packed.png is packed in a way that is not read"),
        ("kind", "zip", "link is a link or device"),
        ("kind", "tar", "link is a link or device"),
    ],
)
def test_the_line_says_what_is_wrong(tmp_path, small, kind, make, said):
    path = tmp_path / "archive"
    path.write_bytes({"zip": hostile.a_zip, "tar": hostile.a_tar}[make](kind, np.random.default_rng(0)))
    with pytest.raises(ValueError, match=said):
        archives.check(path)


@pytest.mark.parametrize("make", ["zip", "gz", "header"])
def test_bombs_and_endless_headers_take_little_memory(tmp_path, make):
    path = tmp_path / "archive"
    if make == "zip":
        zipped(path, {"zeros.png": bytes(64 << 20)})
    elif make == "gz":
        with tarfile.open(path, "w:gz", compresslevel=1) as archive:
            info = tarfile.TarInfo("zeros.png")
            info.size = 64 << 20
            archive.addfile(info, io.BytesIO(bytes(info.size)))
    else:
        path.write_bytes(hostile.long_header(64 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="archive: ") if make == "header" else memoryview(b""):
            archives.check(path)
        assert tracemalloc.get_traced_memory()[1] < 24 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_tar_that_ends_too_early_is_damaged(tmp_path, at):
    """Its reader would take what it cannot read for the end."""
    data = bytearray(tarred(tmp_path / "whole.tar", "w").read_bytes())
    end = at * 3 * 512  # a header and two blocks for each photograph
    (tmp_path / "cut.tar").write_bytes(data[:end])
    data[end : end + 512] = b"x" * 512
    (tmp_path / "changed.tar").write_bytes(data)
    for name in ("cut.tar", "changed.tar"):
        with pytest.raises(ValueError, match=f"{name}: "):
            archives.check(tmp_path / name)


def test_a_folder_of_ones_own_is_taken_as_it_is(tmp_path):
    (tmp_path / "mine").mkdir()
    assert folder(tmp_path / ".downloads", path="mine") == tmp_path / "mine"
    assert not (tmp_path / ".downloads").exists()


def test_an_archive_of_ones_own_is_unpacked_once(tmp_path):
    zipped(tmp_path / "mine.zip")
    out = folder(tmp_path / ".downloads", path="mine.zip")
    assert out.parent == tmp_path / ".downloads"
    assert files(out) == PHOTOS
    changed = (out / "GOPRO_Large/train/S/blur/0.png").stat().st_mtime_ns
    assert folder(tmp_path / ".downloads", path="mine.zip") == out
    assert (out / "GOPRO_Large/train/S/blur/0.png").stat().st_mtime_ns == changed


def test_an_archive_is_fetched_and_unpacked_once_and_may_then_be_deleted(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    cache, said = tmp_path / ".downloads", []
    with server(zipped(tmp_path / "published.zip").read_bytes(), []) as running:
        out = folder(cache, said, url=running.url)
        assert files(out) == PHOTOS
        assert len(said) == 1  # the new digest
        (cache / "gopro.zip").unlink()
        assert folder(cache, said, url=running.url) == out
        assert len(running.asked) == 1


def test_a_file_that_is_no_archive_is_named(tmp_path):
    (tmp_path / "mine.zip").write_bytes(b"photographs")
    with pytest.raises(ValueError, match=r"mine\.zip: "):
        folder(tmp_path / ".downloads", path="mine.zip")


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    zipped(tmp_path / "mine.zip")
    monkeypatch.setattr(archives, "RESERVE", 1 << 60)
    with pytest.raises(OSError, match="no room"):
        folder(tmp_path / ".downloads", path="mine.zip")
    assert not [path for path in (tmp_path / ".downloads").iterdir() if path.is_dir()]


def test_a_killed_extraction_starts_again_and_ends_the_same(tmp_path):
    zipped(tmp_path / "mine.zip")
    cache = tmp_path / ".downloads"
    fork = multiprocessing.get_context("fork")
    for seed in range(4):
        process = fork.Process(target=folder, args=(cache, None, slow), kwargs={"path": "mine.zip"})
        process.start()
        while process.is_alive() and not list(cache.glob("gopro-*.part/*")):
            time.sleep(0.001)
        process.join(np.random.default_rng(seed).uniform(0, 0.06))
        process.kill()
        process.join()
        assert {path.name.endswith(".part") for path in cache.iterdir() if path.is_dir()} <= {True}
    out = folder(cache, path="mine.zip")
    assert files(out) == PHOTOS
    assert [path for path in cache.iterdir() if path.is_dir()] == [out]
