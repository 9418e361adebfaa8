"""Public files: resumed after a cut, compared by their digest, recorded, unpacked in full and nowhere else."""

import gzip
import hashlib
import io
import tarfile
import threading
import zipfile
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import gdown
import numpy as np
import pytest

from dbgan.data import download
from dbgan.data.download import Archive

CONTENT = np.random.default_rng(0).integers(0, 256, 3_000_000, dtype=np.uint8).tobytes()
DIGEST = hashlib.sha256(CONTENT).hexdigest()
KEY = "archives.gopro"


class Server(BaseHTTPRequestHandler):
    """Serves CONTENT; `cuts` answers end after a third of their bytes, `ranges`: whether it goes on where asked."""

    cuts, ranges, status, asked = 0, True, 200, []

    def do_GET(self) -> None:
        Server.asked.append(self.headers.get("Range"))
        if self.status != 200:
            return self.send_error(self.status)
        start = int(self.headers["Range"][6:-1]) if self.ranges and self.headers.get("Range") else 0
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.send_header("Last-Modified", formatdate(0, usegmt=True))
        self.end_headers()
        whole = Server.cuts == 0
        Server.cuts -= not whole
        self.wfile.write(CONTENT[start:] if whole else CONTENT[start : start + len(CONTENT) // 3])

    def log_message(self, *_) -> None:
        pass


@pytest.fixture
def serve(monkeypatch):
    """serve(cuts=1): a server that behaves so; its address."""
    monkeypatch.setattr(gdown.download.__globals__["random"], "uniform", lambda *_: 0.0)  # no wait before a retry
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def start(**behaviour) -> str:
        for name, value in ({"cuts": 0, "ranges": True, "status": 200, "asked": []} | behaviour).items():
            monkeypatch.setattr(Server, name, value)
        return f"http://127.0.0.1:{server.server_port}/file"

    yield start
    server.shutdown()
    server.server_close()


def archive(**changes) -> Archive:
    values = {"path": None, "file": "file.bin", "gb": None, "url": None, "drive": None, "sha256": DIGEST}
    return Archive(**values | changes)


def cached(tmp_path) -> set[str]:
    return {path.name for path in (tmp_path / ".downloads").iterdir()} - {"file.bin.lock"}


@pytest.mark.parametrize("cuts", [0, 2])
def test_a_file_is_downloaded_once_and_resumed_after_cuts(tmp_path, serve, cuts):
    wanted = archive(url=serve(cuts=cuts), sha256=DIGEST[:8])
    for _ in range(2):
        assert download.fetch(wanted, KEY).read_bytes() == CONTENT
    assert len(Server.asked) == 1 + cuts
    assert all(asked and asked != "bytes=0-" for asked in Server.asked[1:])
    assert cached(tmp_path) == {"file.bin", "file.bin.sha256"}
    assert (tmp_path / ".downloads/file.bin.sha256").read_text() == f"{DIGEST}  file.bin\n"


def test_a_later_run_goes_on(tmp_path, serve, monkeypatch):
    monkeypatch.setattr(download, "RETRIES", 0)
    with pytest.raises(OSError, match=rf"params\.yaml, {KEY}: .*incomplete.*{KEY}\.path"):
        download.fetch(archive(url=serve(cuts=1)), KEY)
    assert download.fetch(archive(url=serve()), KEY).read_bytes() == CONTENT
    assert Server.asked[-1] and Server.asked[-1] != "bytes=0-"
    assert cached(tmp_path) == {"file.bin", "file.bin.sha256"}


def test_another_file_than_expected_is_not_used(serve):
    for _ in range(2):
        with pytest.raises(ValueError, match=f"SHA-256 {DIGEST} is not 00000000 .{KEY}.sha256.; delete it"):
            download.fetch(archive(url=serve(), sha256="0" * 8), KEY)


def test_a_refusal_is_one_line_with_the_key(serve):
    with pytest.raises(OSError, match=rf"params\.yaml, {KEY}: .*404"):
        download.fetch(archive(url=serve(status=404)), KEY)
    with pytest.raises(ValueError, match=rf"params\.yaml, {KEY}: give your own copy as path, or a url"):
        download.fetch(archive(), KEY)


def test_google_drive_is_the_second_source(serve, monkeypatch):
    real = gdown.download

    def from_drive(url: str, output: str, **options) -> None:
        if url != "https://drive.google.com/uc?id=abc":
            real(url, output, **options)
        Path(output).write_bytes(CONTENT)

    monkeypatch.setattr(gdown, "download", from_drive)
    assert download.fetch(archive(url=serve(status=503), drive="abc", sha256=None), KEY).read_bytes() == CONTENT


def test_an_unknown_digest_is_recorded_at_the_first_download_and_must_stay(tmp_path, serve, capsys):
    unknown = archive(url=serve(), sha256=None)
    out = download.fetch(unknown, KEY)
    assert f"SHA-256 {DIGEST}, recorded" in capsys.readouterr().err
    out.write_bytes(b"changed")
    with pytest.raises(ValueError, match=r"file\.bin: its SHA-256 .* delete it"):
        download.fetch(unknown, KEY)
    out.unlink()
    assert download.fetch(unknown, KEY).read_bytes() == CONTENT


def test_an_own_copy_is_used_even_where_it_is_not_the_public_file(tmp_path, capsys):
    (tmp_path / "own.bin").write_bytes(b"mine")
    assert download.fetch(archive(path="own.bin"), KEY) == tmp_path / "own.bin"
    assert "your copy is used, though it is not the public file" in capsys.readouterr().err
    with pytest.raises(ValueError, match=rf"params\.yaml, {KEY}\.path: there is no file .*gone"):
        download.fetch(archive(path="gone"), KEY)


FILES = {"top/train/blur/1.png": b"1" * 5000, "top/ü.txt": b"2"}


def packed(form: str, files: dict[str, bytes] = FILES) -> bytes:
    memory = io.BytesIO()
    if form == "zip":
        with zipfile.ZipFile(memory, "w") as file:
            for name, content in files.items():
                file.writestr(name, content)
        return memory.getvalue()
    with tarfile.open(fileobj=memory, mode="w") as file:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return memory.getvalue() if form == "tar" else gzip.compress(memory.getvalue())


def own(tmp_path, content: bytes) -> Archive:
    (tmp_path / "own").write_bytes(content)
    return archive(path="own", sha256=None)


@pytest.mark.parametrize("form", ["zip", "tar", "tar.gz"])
def test_an_archive_becomes_a_folder_of_its_files(tmp_path, form):
    folder = download.unpacked(own(tmp_path, packed(form)), KEY)
    assert folder.parent == tmp_path / ".downloads"
    assert folder.name.startswith("gopro-")
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert found == FILES
    assert download.unpacked(archive(path=str(folder)), KEY) == folder


def test_an_archive_may_be_deleted_once_its_folder_is_there(tmp_path, serve):
    (tmp_path / ".downloads").mkdir()
    (tmp_path / ".downloads" / "file.bin").write_bytes(packed("zip"))
    known = archive(sha256=None)
    folder = download.unpacked(known, KEY)
    (tmp_path / ".downloads" / "file.bin").unlink()
    assert download.unpacked(known, KEY) == folder


@pytest.mark.parametrize("form", ["zip", "tar"])
@pytest.mark.parametrize("name", ["../evil", "/tmp/dbgan_evil", "a/../../evil"])
def test_nothing_is_written_outside_of_the_folder(tmp_path, form, name):
    try:
        download.unpacked(own(tmp_path, packed(form, {name: b"x"})), KEY)
    except ValueError as error:
        assert str(tmp_path / "own") in str(error)
    cache = tmp_path / ".downloads"
    assert all(path.is_relative_to(cache) for path in tmp_path.rglob("*evil*"))
    assert not (Path("/tmp/dbgan_evil").exists() or (cache / "evil").exists())


def test_what_your_own_copy_will_take_is_told_too(tmp_path):
    archive = own(tmp_path, packed("zip"))
    size = (tmp_path / "own").stat().st_size
    assert list(download.missing(archive, KEY, unpack=True).values()) == [size]
    assert list(download.missing(archive.model_copy(update={"gb": 9.5}), KEY, unpack=True).values()) == [9.5e9]
    assert download.missing(archive, KEY, unpack=False) == {}
    download.unpacked(archive, KEY)
    assert download.missing(archive.model_copy(update={"path": str(tmp_path)}), KEY, unpack=True) == {}


DAMAGED = {"empty": b"", "page": b"<html>", "cut zip": packed("zip")[:-30], "cut gz": packed("tar.gz")[:-20]}
DAMAGED["flipped byte"] = packed("zip").replace(b"11111", b"11x11", 1)


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_archive_is_named_and_leaves_no_folder(tmp_path, content):
    with pytest.raises(ValueError, match=r"own: no undamaged zip or tar file .*replace it"):
        download.unpacked(own(tmp_path, content), KEY)
    assert not [path for path in (tmp_path / ".downloads").iterdir() if path.is_dir()]
