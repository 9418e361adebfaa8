"""Downloads: against a server that misbehaves, each ends in the right file or in one line, never in a wrong file."""

import hashlib
import multiprocessing
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from misbehaving import FINAL, PASSING, a_zip, server
from tqdm import tqdm

from dbgan.data import answers, archives, fetch, transfer
from dbgan.data.fetch import Download

KEY = "data.archives.rwbi"


BODY = a_zip()
SHA256 = hashlib.sha256(BODY).hexdigest()


def quiet(items=None, **options):
    return tqdm(items, disable=True, **options)


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    """Small reads, short waits; no request leaves the machine by a proxy."""
    monkeypatch.setattr(transfer, "CHUNK", 1000)
    monkeypatch.setattr(transfer, "PAUSE", 0.0)
    monkeypatch.setattr(answers, "PATIENCE", (5, 5))  # long enough for a busy machine
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def cache(tmp_path) -> Path:
    return tmp_path / ".downloads"


def fetched(url: str | None, cache: Path, said: list[str] | None = None, **changes) -> bytes:
    """The bytes of the file that `fetch.file` gives, or its fault."""
    values = {"file": "file.zip", "url": url, "drive": None, "sha256": None, "path": None} | changes
    say = (said if said is not None else []).append
    path, digest = fetch.file(Download(**values), KEY, cache, quiet, say, archives.check)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == digest
    return path.read_bytes()


def one_line(error: pytest.ExceptionInfo) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("seed", range(100))
def test_random_faults_end_in_the_right_file_or_one_line(cache, monkeypatch, seed):
    rng = np.random.default_rng(seed)
    faults = [str(name) for name in rng.choice([*PASSING, "chunked", "none"], rng.integers(0, 7))]
    if rng.random() < 0.4:
        faults.append(str(rng.choice([*FINAL, "corrupt", "too short", "empty"])))
    sha256 = [None, SHA256, SHA256[:8]][seed % 3]
    monkeypatch.setattr(answers, "PATIENCE", (5, 0.1 if "stall" in faults else 5))
    with server(BODY, faults, seed) as running:
        for _ in range(2):  # the second run begins with what the first one left
            try:
                found = fetched(running.url, cache, sha256=sha256)
            except (ValueError, OSError) as fault:
                assert "\n" not in str(fault)
                assert KEY in str(fault)
                assert not (cache / "file.zip").exists()
            else:
                assert found == BODY
        running.faults.clear()
        monkeypatch.setattr(answers, "PATIENCE", (5, 5))
        assert fetched(running.url, cache, sha256=sha256) == BODY
    recorded = {"file.zip.sha256"} if sha256 != SHA256 else set()  # a whole one in params.yaml needs no record
    assert {path.name for path in cache.iterdir()} == {"file.zip", "file.zip.lock"} | recorded


def test_a_cut_download_goes_on_where_it_was(cache):
    with server(BODY, ["cut", "cut"], seed=0) as running:
        assert fetched(running.url, cache) == BODY
        starts = [int(asked[6:-1]) for asked in running.asked[1:]]
    assert running.asked[0] is None
    assert 0 < starts[0] < starts[1]


@pytest.mark.parametrize("fault", ["no range", "other version", "other part", "short part"])
def test_what_came_before_is_never_mixed_with_another_file(cache, fault):
    with server(BODY, ["cut", fault], seed=3) as running:
        assert fetched(running.url, cache) == BODY
        assert running.asked[1] is not None


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("forbidden", "403"),
        ("missing", "404"),
        ("loop", "more than 10 redirects"),
        ("page", 'not a zip: the server sent an HTML page ("Google Drive - Quota exceeded")'),
        ("packed", "packs the file"),
        ("unsized", "does not tell the size"),
        ("empty", "not a zip"),
        ("too short", "damaged"),
        ("corrupt", "damaged (Bad CRC-32"),
    ],
)
def test_a_fault_that_stays_is_told_at_once(cache, fault, said):
    with server(BODY, [fault]) as running, pytest.raises(OSError, match=KEY) as error:
        fetched(running.url, cache)
    assert said in one_line(error)
    assert f"{KEY}.path" in str(error.value)
    assert fault == "loop" or len(running.asked) == 1
    assert not (cache / "file.zip").exists()


@pytest.mark.parametrize("fault", ["broken", "many", "stall", "shut", "too long", "garbage"])
def test_a_fault_that_may_pass_is_tried_again_but_not_for_ever(cache, monkeypatch, fault):
    monkeypatch.setattr(answers, "PATIENCE", (5, 0.1 if fault == "stall" else 5))
    with server(BODY, [fault] * 50) as running, pytest.raises(OSError, match="6 times in a row") as error:
        fetched(running.url, cache)
    one_line(error)
    assert 6 <= len(running.asked) < 40


def test_waits_double_and_what_the_server_asks_for_is_kept(cache, monkeypatch):
    waits = []
    monkeypatch.setattr(transfer, "PAUSE", 1.0)
    monkeypatch.setattr(time, "sleep", waits.append)
    with server(BODY, ["broken", "broken", "broken", "many"]) as running:
        assert fetched(running.url, cache) == BODY
    assert waits == [1, 2, 4, 0]


def test_a_wait_that_is_too_long_is_refused(cache, monkeypatch):
    monkeypatch.setattr(answers, "wait", lambda response: 86400.0)
    with server(BODY, ["many"]) as running, pytest.raises(OSError, match="again in 1440 minutes"):
        fetched(running.url, cache)


def test_a_known_digest_refuses_another_file(cache):
    with server(BODY, []) as running, pytest.raises(OSError, match=f"SHA-256 {SHA256}") as error:
        fetched(running.url, cache, sha256="0" * 64)
    one_line(error)
    assert not list(cache.glob("*.zip*part*"))


def test_the_first_digest_is_said_recorded_and_verified(cache):
    said: list[str] = []
    with server(BODY, []) as running:
        fetched(running.url, cache, said)
        assert [SHA256 in line for line in said] == [True]
        assert (cache / "file.zip.sha256").read_text() == f"{SHA256}  file.zip\n"
        fetched(running.url, cache, said)
        assert len(running.asked) == len(said) == 1
        (cache / "file.zip").write_bytes(BODY[:-1])
        with pytest.raises(ValueError, match="delete it") as error:
            fetched(running.url, cache)
        one_line(error)
        (cache / "file.zip").unlink()
        running.body = a_zip(20_000)
        with pytest.raises(OSError, match=f"the file has {SHA256}"):
            fetched(running.url, cache)


def test_a_copy_of_ones_own_is_used_and_said_to_differ(tmp_path, cache):
    (tmp_path / "mine.zip").write_bytes(BODY)
    said: list[str] = []
    assert fetched(None, cache, said, path="mine.zip", sha256="0" * 64) == BODY
    assert SHA256 in said[0]
    assert fetched(None, cache, path=str(tmp_path / "mine.zip")) == BODY
    with pytest.raises(ValueError, match=rf"{KEY}\.path"):
        fetched(None, cache, path="gone.zip")
    with pytest.raises(ValueError, match=f"{KEY}: give"):
        fetched(None, cache)


@pytest.mark.parametrize("choice", ["vgg19.pth", "~/vgg19.pth", "{folder}/vgg19.pth"])
def test_weights_of_ones_own_are_found_as_other_paths_are_whatever_the_current_folder(
    tmp_path, cache, monkeypatch, choice
):
    (tmp_path / "vgg19.pth").write_bytes(BODY)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("HOME", str(tmp_path))
    none = Download(file="x", url=None, drive=None, sha256=None, path=None)
    found = fetch.weights(choice.format(folder=tmp_path), none, cache, quiet, print)
    assert found == (str(tmp_path / "vgg19.pth"), SHA256)
    with pytest.raises(ValueError, match=r"perceptual\.weights: there is no file .*gone"):
        fetch.weights("gone.pth", none, cache, quiet, print)


def test_a_full_disk_is_seen_before_the_download(cache, monkeypatch):
    little = shutil.disk_usage("/")._replace(free=transfer.RESERVE + len(BODY) - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: little)
    with server(BODY, []) as running, pytest.raises(OSError, match=r"has 0\.0 GB to spare") as error:
        fetched(running.url, cache)
    one_line(error)
    assert not (cache / "file.zip.part").exists()


FORM = '<form id="download-form" action="{url}"><input type="hidden" name="confirm" value="t"></form>'
QUOTA = '<p class="uc-error-subcaption">Too many users have viewed or downloaded this file recently.</p>'


@pytest.mark.parametrize(("page", "said"), [(QUOTA, "Too many users"), ("<html>", "public link"), ("", "public link")])
def test_a_page_of_google_drive_is_recognised(cache, monkeypatch, page, said):
    with server(page.encode(), []) as running, pytest.raises(OSError, match="not a zip: Google Drive") as error:
        monkeypatch.setattr(answers, "DRIVE", f"{running.url}?id=")
        fetched(None, cache, drive="x")
    assert said in one_line(error)


def test_behind_the_warning_of_google_drive_lies_the_file_and_another_source_is_tried_first(cache, monkeypatch):
    with server(BODY, ["cut"]) as file, server(b"", []) as drive, server(BODY, ["missing"]) as first:
        drive.body = FORM.format(url=file.url).encode()
        monkeypatch.setattr(answers, "DRIVE", f"{drive.url}?id=")
        assert fetched(first.url, cache, drive="x", sha256=SHA256) == BODY
        assert len(first.asked) == 1
        assert len(drive.asked) == 2


def test_the_beginning_of_one_source_is_not_continued_from_another(cache, monkeypatch):
    other = a_zip(seed=2)
    with server(BODY, ["cut", "missing"]) as first, server(b"", []) as drive, server(other, []) as file:
        drive.body = FORM.format(url=file.url).encode()
        monkeypatch.setattr(answers, "DRIVE", f"{drive.url}?id=")
        assert fetched(first.url, cache, drive="x") == other


def _download(url: str, cache: Path) -> None:
    transfer.CHUNK = 100
    fetched(url, cache)


def test_a_killed_download_goes_on_and_ends_the_same(cache):
    fork = multiprocessing.get_context("fork")
    with server(BODY, []) as running:
        running.pause = 0.01
        for seed in range(6):
            asked = len(running.asked)
            process = fork.Process(target=_download, args=(running.url, cache))
            process.start()
            while len(running.asked) == asked and process.is_alive():
                time.sleep(0.001)
            process.join(np.random.default_rng(seed).uniform(0, 0.1))
            process.kill()
            process.join()
        running.pause = 0
        assert fetched(running.url, cache) == BODY
        assert any(running.asked)  # not all began anew
    assert {path.name for path in cache.iterdir()} == {"file.zip", "file.zip.lock", "file.zip.sha256"}


def test_two_at_once_fetch_it_once(cache):
    fork = multiprocessing.get_context("fork")
    with server(BODY, []) as running:
        both = [fork.Process(target=_download, args=(running.url, cache)) for _ in range(2)]
        [process.start() for process in both]
        [process.join() for process in both]
        assert [process.exitcode for process in both] == [0, 0]
        assert len(running.asked) == 1
