"""What a server's answer means: a file, a passing fault, a refusal, or a page for people instead of the file."""

import re
from pathlib import Path
from urllib.parse import urljoin

import requests
import urllib3

PATIENCE = (10, 60)  # seconds for a connection, and without a byte
REDIRECTS = 10
PAGE = 1 << 18  # bytes of a web page that are read, at most
DRIVE = "https://drive.google.com/uc?export=download&id="
BUSY = {408, 425, 429, 500, 502, 503, 504}
MAGIC = {".zip": b"PK", ".gz": b"\x1f\x8b", ".tgz": b"\x1f\x8b"}  # how files of these suffixes begin
FAULTS = {
    requests.exceptions.SSLError: "its certificate is not valid",
    requests.exceptions.ConnectTimeout: "no connection in time",
    requests.exceptions.Timeout: "nothing came for too long",
    requests.exceptions.ConnectionError: "the connection failed",
    requests.exceptions.ChunkedEncodingError: "the connection was cut",
    requests.exceptions.InvalidURL: "this is no valid address",
    requests.exceptions.InvalidSchema: "this is no http address",
    requests.exceptions.MissingSchema: "this is no http address",
}
PASSING = (requests.exceptions.ConnectionError, requests.exceptions.Timeout, requests.exceptions.ChunkedEncodingError)


class Again(Exception):
    """A fault that another try may not meet; `wait` is what the server asks for, in seconds."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


def get(session: requests.Session, url: str, headers: dict[str, str]) -> requests.Response:
    """The response to one request, its body not yet read. Raises Again or ValueError for a failed connection.

    Redirects are followed here, as requests would read the body of each, however long.
    """
    for _ in range(REDIRECTS + 1):
        try:
            response = session.get(url, headers=headers, stream=True, timeout=PATIENCE, allow_redirects=False)
            target = session.get_redirect_target(response)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise failed(error) from None
        if target is None:
            return response
        response.close()
        url = urljoin(url, target)
    raise ValueError(f"more than {REDIRECTS} redirects")


def failed(error: Exception) -> Exception:
    """The fault of a library, in our words: worth another try or not."""
    reason = next((text for kind, text in FAULTS.items() if isinstance(error, kind)), "the server's answer is not HTTP")
    passing = isinstance(error, (*PASSING, urllib3.exceptions.HTTPError))
    return Again(reason) if passing and not isinstance(error, requests.exceptions.SSLError) else ValueError(reason)


def accepted(response: requests.Response) -> None:
    """Raises Again for a busy server, ValueError for a refusal."""
    status = f"{response.status_code} {printable(response.reason or '')}".strip()
    if response.status_code in BUSY:
        raise Again(f"the server answers {status}", wait(response))
    if response.status_code not in (200, 206):
        raise ValueError(f"the server answers {status}")


def wait(response: requests.Response) -> float | None:
    """Seconds that the server asks for by Retry-After, as a number or a date."""
    try:
        return urllib3.Retry().parse_retry_after(response.headers["Retry-After"])
    except (KeyError, ValueError, OverflowError, urllib3.exceptions.InvalidHeader):
        return None


def length(response: requests.Response) -> int | None:
    """Bytes of the body; None where its end is marked otherwise. Without either, a cut could not be told."""
    if "chunked" in response.headers.get("Transfer-Encoding", "").lower():
        return None
    stated = response.headers.get("Content-Length", "")
    if not re.fullmatch(r"\d{1,15}", stated):
        raise ValueError("the server does not tell the size of the file")
    return int(stated)


def validator(response: requests.Response) -> str | None:
    """What tells this version of the file from another."""
    etag = response.headers.get("ETag", "W/")
    return response.headers.get("Last-Modified") if etag.startswith("W/") else etag


def expected(name: str, head: bytes) -> None:
    """Raises ValueError for a web page, or other bytes than files of this name begin with."""
    suffix = Path(name).suffix
    kind = suffix.removeprefix(".") or "file"
    if head.lstrip()[:1] == b"<":
        title = re.search(r"<title[^>]*>(.*?)</title>", head[:PAGE].decode("utf-8", "replace"), re.DOTALL | re.I)
        said = f' ("{printable(title[1])}")' if title else ""
        raise ValueError(f"not a {kind}: the server sent an HTML page{said}")
    if not head.startswith(MAGIC.get(suffix, b"")):
        raise ValueError(f"not a {kind}: it does not begin like one")
    if not head:
        raise ValueError("the file is empty")


def drive_address(session: requests.Session, drive: str, name: str) -> str:
    """Where Google Drive keeps the file, past its page that warns of large ones. Raises ValueError for other pages,
    such as the one of a quota that is used up."""
    from gdown.download import get_url_from_gdrive_confirmation
    from gdown.exceptions import FileURLRetrievalError

    with get(session, DRIVE + drive, {}) as response:
        accepted(response)
        if "Content-Disposition" in response.headers:
            return DRIVE + drive
        try:
            page = next(response.iter_content(PAGE), b"").decode("utf-8", "replace")
            return get_url_from_gdrive_confirmation(page)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise failed(error) from None
        except (FileURLRetrievalError, AssertionError, LookupError) as error:
            kind = Path(name).suffix.removeprefix(".") or "file"
            raise ValueError(f"not a {kind}: Google Drive sent a page ({printable(str(error), 200)})") from None


def printable(text: str, most: int = 100) -> str:
    """Words of a server, short and on one line."""
    return "".join(c if c.isprintable() else " " for c in " ".join(text.split()))[:most]
