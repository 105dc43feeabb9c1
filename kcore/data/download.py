"""Files from the network: complete, verified, and only then given their name.

A download is written beside its target under a name of its own, so that two processes do not disturb each
other. A broken connection is taken up where it broke if the server can and the file there has not changed
meanwhile; otherwise it begins anew. A call that fails leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import secrets
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any

from kcore.errors import DownloadError

#: Called with the bytes there so far, and the total or None.
Progress = Callable[[int, int | None], Any]

ATTEMPTS = 4
TIMEOUT = 30.0  # seconds without a byte
_FIRST_PAUSE = 0.5  # seconds before the second attempt; twice as long before each further one
_CHUNK = 1 << 16
_SCHEMES = ("http", "https", "ftp", "file")
_WORTH_A_RETRY = (408, 425, 429, 500, 502, 503, 504)


def validate_file(
    fpath: str | os.PathLike[str], file_hash: str, algorithm: str = "auto", chunk_size: int = 65535
) -> bool:
    """Whether a file has a hash.

    Args:
        fpath: path of the file.
        file_hash: the expected sha256 or md5 hash, in hexadecimal.
        algorithm: 'sha256', 'md5', or 'auto', which tells them by their length.
        chunk_size: bytes to read at a time.
    """
    return hash_file(fpath, _algorithm(file_hash, algorithm), chunk_size) == str(file_hash).lower()


def hash_file(fpath: str | os.PathLike[str], algorithm: str = "sha256", chunk_size: int = 65535) -> str:
    """The hash of a file, in hexadecimal.

    Args:
        fpath: path of the file.
        algorithm: 'sha256' or 'md5'; 'auto' is 'sha256'.
        chunk_size: bytes to read at a time.
    """
    hasher = hashlib.sha256() if algorithm in ("sha256", "auto") else hashlib.md5(usedforsecurity=False)
    with open(fpath, "rb") as file:
        while chunk := file.read(chunk_size):
            hasher.update(chunk)
    return hasher.hexdigest()


def _algorithm(file_hash: str, algorithm: str) -> str:
    if algorithm == "auto":
        return "sha256" if len(str(file_hash)) == 64 else "md5"
    if algorithm not in ("sha256", "md5"):
        raise DownloadError(f"hash_algorithm is {algorithm!r}; expected 'auto', 'sha256' or 'md5'")
    return algorithm


def download(
    url: str,
    target: str | os.PathLike[str],
    file_hash: str | None = None,
    algorithm: str = "auto",
    progress: Progress | None = None,
    attempts: int = ATTEMPTS,
) -> None:
    """Fetches a file; `target` is replaced once the new file is complete and has its hash.

    Args:
        url: of http, https, ftp or file.
        target: the path it gets; its folder must exist.
        file_hash, algorithm: as in `validate_file`; None to accept anything.
        progress: called as bytes arrive.
        attempts: how often to try.

    Raises:
        DownloadError (an OSError): not there, no connection, or not the expected file.
    """
    target = os.fspath(target)
    scheme = urllib.parse.urlsplit(url).scheme
    if scheme not in _SCHEMES:
        raise DownloadError(f"Cannot fetch {url}: expected a URL of {', '.join(_SCHEMES)}.", url=url)
    folder, name = os.path.split(target)
    partial = os.path.join(folder, f".{name}.{secrets.token_hex(4)}.part")
    try:
        _fetch(_Transfer(url, partial, progress), target, attempts, file_hash)
        if file_hash is not None and not validate_file(partial, file_hash, algorithm):
            _require_hash_of_second_try(url, partial, target, file_hash, algorithm, progress, attempts)
        os.replace(partial, target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(partial)


def _require_hash_of_second_try(
    url: str, partial: str, target: str, file_hash: str, algorithm: str, progress: Progress | None, attempts: int
) -> None:
    """A damaged transfer is worth one clean restart; the same wrong file twice is another file."""
    os.unlink(partial)
    _fetch(_Transfer(url, partial, progress), target, attempts, file_hash)
    kind = _algorithm(file_hash, algorithm)
    found = hash_file(partial, kind)
    if found != file_hash.lower():
        raise DownloadError(
            f"{url} is not the expected file: its {kind} is {found}, expected {file_hash}. It was not kept. "
            "It has changed at its source, or something on the way has replaced it.",
            url=url,
            path=target,
        )


def _fetch(transfer: _Transfer, target: str, attempts: int, file_hash: str | None) -> None:
    pause = _FIRST_PAUSE
    for attempt in range(1, attempts + 1):
        try:
            transfer.run()
            return
        except (OSError, http.client.HTTPException) as error:
            if attempt == attempts or not _may_pass(error, attempt):
                raise _failure(transfer.url, target, file_hash, error) from error
        time.sleep(pause)
        pause *= 2


def _may_pass(error: BaseException, attempt: int) -> bool:
    """Whether trying again can help."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code in _WORTH_A_RETRY
    reason = getattr(error, "reason", error)
    if isinstance(reason, (socket.gaierror, ConnectionRefusedError)):
        return attempt < 2  # no network: do not keep the user waiting
    if isinstance(reason, (FileNotFoundError, PermissionError)):
        return False
    return isinstance(reason, (TimeoutError, ConnectionError, http.client.HTTPException, _Incomplete))


def _failure(url: str, target: str, file_hash: str | None, error: BaseException) -> DownloadError:
    reason = getattr(error, "reason", None) or error
    if isinstance(error, urllib.error.HTTPError):
        reason = f"the server answered {error.code} {error.reason}"
    hash_note = f" (its hash: {file_hash})" if file_hash else ""
    return DownloadError(
        f"Cannot fetch {url}: {reason}. Where there is no network, fetch the file{hash_note} elsewhere and put it at "
        f"{target}",
        url=url,
        path=target,
    )


class _Incomplete(OSError):
    """The connection ended before the file did."""


class _Transfer:
    """One file on its way; `run` may be called again after an error, and goes on from there."""

    def __init__(self, url: str, partial: str, progress: Progress | None) -> None:
        self.url = url
        self.partial = partial
        self.progress = progress
        self.there = 0  # bytes written
        self.version: str | None = None  # what the server calls the file's present content

    def run(self) -> None:
        with contextlib.closing(self._open()) as response:
            self.there = self._start_of(response)
            length = response.headers.get("Content-Length")
            total = self.there + int(length) if length is not None and length.isdigit() else None
            self.version = response.headers.get("ETag") or response.headers.get("Last-Modified")
            with open(self.partial, "r+b" if self.there else "wb") as file:
                file.seek(self.there)
                self._copy(response, file, total)
                file.truncate()
                file.flush()
                os.fsync(file.fileno())
            if total is not None and self.there < total:
                raise _Incomplete(f"the connection ended after {self.there} of {total} bytes")

    def _open(self) -> Any:
        headers = {"User-Agent": "kcore", "Accept-Encoding": "identity"}
        # A weak ETag does not promise equal bytes.
        if self.there and self.version and not self.version.startswith("W/"):
            headers["Range"] = f"bytes={self.there}-"
            headers["If-Range"] = self.version
        try:
            return urllib.request.urlopen(urllib.request.Request(self.url, headers=headers), timeout=TIMEOUT)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 416 and self.there:  # the file has become shorter: begin anew
                self.there = 0
                raise _Incomplete("the file has changed") from None
            raise

    def _start_of(self, response: Any) -> int:
        """The position that the answer begins at: where the last one ended, or 0."""
        if getattr(response, "status", None) != 206:
            return 0
        sent = response.headers.get("Content-Range", "")
        if sent.startswith(f"bytes {self.there}-"):
            return self.there
        self.there, self.version = 0, None
        raise _Incomplete(f"the server sent another part ({sent}) than was asked for")

    def _copy(self, response: Any, file: Any, total: int | None) -> None:
        while chunk := response.read(_CHUNK):
            file.write(chunk)
            self.there += len(chunk)
            if self.progress is not None:
                self.progress(self.there, total)
