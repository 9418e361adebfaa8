"""One file over HTTP into `<file>.part`: resumed after a cut, tried again where that may help, never a mix of two."""

import json
import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import requests
import urllib3

from dbgan.data.answers import Again, accepted, drive_address, expected, failed, get, length, validator

Progress = Callable[..., object]
Say = Callable[[str], None]

CHUNK = 1 << 16  # bytes that are read at once, and lost by a cut, at most
TRIES = 6  # in a row that bring nothing new
PAUSE = 1.0  # seconds before the second try, doubled before each further one
LONGEST = 300  # seconds that a server may make us wait
RESERVE = 1 << 30  # bytes of the disk that stay free


def transfer(url: str | None, drive: str | None, part: Path, copies: int, progress: Progress, say: Say) -> None:
    """Fetch the file at `url`, or of Google Drive's id `drive`, into `part`, and go on where an earlier run was cut.

    `copies` is how often the file must fit on the disk. Raises ValueError or OSError, one line that names the source;
    what came so far stays in `part` where the next run can use it.
    """
    source = url or f"Google Drive, {drive}"
    furthest, tries = size(part), 0
    with requests.Session() as session:
        session.headers.update({"Accept-Encoding": "identity", "User-Agent": "Mozilla/5.0 (compatible; dbgan)"})
        while True:
            try:
                return attempt(session, url or drive_address(session, drive, part.stem), source, part, copies, progress)
            except Again as fault:
                reached = size(part)
                tries = 0 if reached >= furthest + CHUNK else tries + 1
                furthest = max(furthest, reached)
                if tries == TRIES:
                    raise OSError(f"{source}: {fault}, {TRIES} times in a row; try again later") from None
                wait = PAUSE * 2 ** max(tries - 1, 0) if fault.wait is None else fault.wait
                if wait > LONGEST:
                    raise OSError(f"{source}: {fault}; it asks to try again in {wait / 60:.0f} minutes") from None
                say(f"{source}: {fault}; again in {wait:.0f} s")
                time.sleep(wait)
            except ValueError as fault:
                raise ValueError(f"{source}: {fault}") from None


def attempt(session: requests.Session, url: str, source: str, part: Path, copies: int, progress: Progress) -> None:
    """One request: returns when `part` is whole. Raises Again for faults that may pass, else ValueError or OSError."""
    note = read_note(part)
    start = size(part) if note.get("source") == source and note.get("validator") else 0
    if start and start == note.get("total"):
        return
    headers = {"Range": f"bytes={start}-", "If-Range": note["validator"]} if start else {}
    with get(session, url, headers) as response:
        if response.status_code == 416:
            forget(part)
            raise Again("the file has become shorter")
        accepted(response)
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise ValueError("the server packs the file, so that its size is not known")
        if response.status_code == 206:
            total = rest(response, start, note, part)
        else:
            start, total = 0, length(response)
        free = shutil.disk_usage(part.parent).free - RESERVE
        if total is not None and (total * copies - start) > free:
            raise OSError(
                f"{part.parent}: needs {gigabytes(total * copies - start)}, has {gigabytes(max(free, 0))} to spare"
            )
        chunks = received(response, part, start)
        if not start:
            write_note(part, {"source": source, "validator": validator(response), "total": total})
        named = {"desc": part.stem, "unit": "B", "unit_scale": True, "unit_divisor": 1024}
        with part.open("ab" if start else "wb") as file, progress(total=total, initial=start, **named) as bar:
            for chunk in chunks:
                file.write(chunk)
                bar.update(len(chunk))
                if total is None and file.tell() > free:
                    forget(part)
                    raise OSError(f"{part.parent}: the file, whose size the server does not tell, fills the disk")
            file.flush()
            os.fsync(file.fileno())
    if total is not None and size(part) != total:
        if size(part) > total:
            forget(part)
        raise Again(f"{total} bytes were promised, {size(part)} came")


def rest(response: requests.Response, start: int, note: dict, part: Path) -> int:
    """The size of the whole file, of which this answer is the rest. Raises Again where it belongs to another file."""
    match = re.fullmatch(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})", response.headers.get("Content-Range", ""))
    first, last, total = map(int, match.groups()) if match else (-1, -1, -1)
    other = validator(response) not in (None, note.get("validator")) or note.get("total") not in (None, total)
    if other or not start or first != start or last != total - 1:
        forget(part)
        raise Again("the server sends another part than was asked for")
    return total


def received(response: requests.Response, part: Path, start: int):
    """The body in chunks, the first one looked at, and taken before anything is written."""
    chunks = iter(response.iter_content(CHUNK))

    def one() -> bytes | None:
        try:
            return next(chunks, None)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise failed(error) from None

    first = one() or b""
    if not start:
        expected(part.stem, first)

    def all_chunks():
        chunk = first
        while chunk:
            yield chunk
            chunk = one()

    return all_chunks()


def gigabytes(count: int) -> str:
    """A size for people."""
    return f"{count / 1e9:.1f} GB"


def size(part: Path) -> int:
    """Bytes of a file; 0 where there is none."""
    return part.stat().st_size if part.exists() else 0


def note_of(part: Path) -> Path:
    """The file beside `part` that says whose beginning it is."""
    return part.with_name(part.name + ".json")


def read_note(part: Path) -> dict:
    """What `write_note` wrote; {} where nothing whole is there."""
    try:
        note = json.loads(note_of(part).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def write_note(part: Path, note: dict) -> None:
    """Say whose beginning `part` will be, after all of another is gone."""
    forget(part)
    note_of(part).write_text(json.dumps(note), encoding="utf-8")


def forget(part: Path) -> None:
    """Remove what came so far."""
    note_of(part).unlink(missing_ok=True)
    part.unlink(missing_ok=True)
