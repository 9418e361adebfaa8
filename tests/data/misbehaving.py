"""A loopback server that answers each request by the next fault of a list, and well when the list is at its end."""

import io
import re
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from threading import Thread

import numpy as np

PAGE = b"<!DOCTYPE html><html><head><title>Google Drive - Quota exceeded</title></head><body>Sorry</body></html>"
STATUS = {"forbidden": 403, "missing": 404, "many": 429, "broken": 500, "away": 503}
FINAL = ["forbidden", "missing", "loop", "page", "packed", "unsized"]  # faults that no other try can mend
PASSING = [
    *("many", "broken", "away", "cut", "cut", "cut", "shut", "garbage", "stall", "too long", "chunked cut"),
    *("other part", "short part", "other version", "no range", "reset"),
]


def a_zip(size: int = 30_000, seed: int = 1) -> bytes:
    """An archive whose bytes nearly all belong to its one file."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("photo.png", np.random.default_rng(seed).bytes(size))
    return made.getvalue()


class Server(ThreadingTCPServer):
    """`asked`: the Range of each request, in order. `pause`: seconds after each 1000 bytes."""

    daemon_threads = True

    def __init__(self, body: bytes, faults: list[str], seed: int) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.body, self.faults, self.asked, self.pause = body, list(faults), [], 0.0
        self.rng = np.random.default_rng(seed)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/file.zip"

    def handle_error(self, request, client_address) -> None:
        """The client hanging up is no news."""


class Answer(BaseHTTPRequestHandler):
    """One answer; what each fault does stands beside its name."""

    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *args) -> None:
        """Nothing is printed."""

    def do_GET(self) -> None:
        self.close_connection = True
        self.server.asked.append(self.headers.get("Range"))
        fault = self.server.faults.pop(0) if self.server.faults else "none"
        rng, body = self.server.rng, self.server.body
        if fault in STATUS:
            return self.answer(STATUS[fault], b"no", {"Retry-After": "0"} if fault == "many" else {})
        if fault == "loop":
            self.server.faults.insert(0, "loop")
            return self.answer(302, b"x" * 5000, {"Location": self.server.url})
        if fault == "page":
            return self.answer(200, PAGE, {"Content-Type": "text/html"})
        if fault == "garbage":
            return self.send(bytes(rng.integers(0, 256, 100, dtype=np.uint8)) + b"\r\n\r\n")
        if fault == "shut":
            return None
        if fault == "packed":
            return self.answer(200, body, {"Content-Encoding": "gzip"})
        if fault == "unsized":
            return self.answer(200, body, {"Content-Length": None})
        if fault == "empty":
            return self.answer(200, b"", {})
        if fault == "corrupt":
            at = len(body) // 3 + int(rng.integers(1000))
            return self.answer(200, body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :], {"ETag": '"a"'})
        if fault == "too short":
            return self.answer(200, body, {"Content-Length": str(int(rng.integers(1, len(body))))})
        if fault == "too long":
            return self.answer(200, body, {"Content-Length": str(len(body) + 7), "ETag": '"a"'})
        if fault in ("chunked", "chunked cut"):
            pieces = [body[i : i + 999] for i in range(0, len(body), 999)]
            sent = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
            until = len(sent) if fault == "chunked" else int(rng.integers(len(sent) - 5))
            return self.answer(200, sent[:until], {"Content-Length": None, "Transfer-Encoding": "chunked"})
        return self.part(fault, rng, body)

    def part(self, fault: str, rng: np.random.Generator, body: bytes) -> None:
        """The body, or the part that is asked for: well, cut after some bytes, slow, of another version, or another."""
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        etag = '"b"' if fault == "other version" else '"a"'
        start = int(asked[1]) if asked and self.headers.get("If-Range") == etag and fault != "no range" else 0
        if start and start >= len(body):
            return self.answer(416, b"", {})
        back = int(start > 0 and fault == "other part")  # bytes that it begins and ends too early
        sent = body[start - back : len(body) - back] if fault != "other version" else body[:-1] + b"?"
        if start and fault == "short part":
            sent = sent[:-1]
        headers = {"Content-Length": str(len(sent))} | ({} if fault == "no range" else {"ETag": etag})
        if start:
            headers["Content-Range"] = f"bytes {start - back}-{len(body) - 1 - back}/{len(body)}"
        if fault == "other version":
            sent = sent[: len(sent) // 2]
        elif fault in ("cut", "stall", "reset"):
            sent = sent[: int(rng.integers(len(sent)))]
        self.answer(206 if start else 200, sent, headers)
        if fault == "stall":
            time.sleep(0.2)
        return None

    def answer(self, status: int, body: bytes, headers: dict[str, str | None]) -> None:
        """Status line, headers (None: left out) and body."""
        lines = {"Content-Length": str(len(body)), "Connection": "close"} | headers
        text = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value is not None)
        self.send(f"HTTP/1.1 {status} Some Reason\r\n{text}\r\n".encode() + body)

    def send(self, data: bytes) -> None:
        for at in range(0, len(data), 1000):
            self.wfile.write(data[at : at + 1000])
            if self.server.pause:
                time.sleep(self.server.pause)


@contextmanager
def server(body: bytes, faults: list[str], seed: int = 0) -> Iterator[Server]:
    """A server on the loopback, running until the end of the block."""
    running = Server(body, faults, seed)
    thread = Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield running
    finally:
        running.shutdown()
        running.server_close()
        thread.join()
