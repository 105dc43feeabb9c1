"""Downloads from a real server on loopback that breaks in every way it can; archives that try to escape."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from kcore.data import download as module
from kcore.data.archives import extract
from kcore.data.download import download, hash_file, validate_file
from kcore.errors import ArchiveError, DownloadError
from kcore.utils import get_file

CONTENT = np.random.RandomState(0).bytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MD5 = hashlib.md5(CONTENT).hexdigest()


class Server:
    """Serves `content`; `plan` says for each request in turn: None (whole), a status, or bytes to break after."""

    def __init__(self):
        self.content, self.etag, self.plan, self.requests = CONTENT, '"1"', [], []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answer(self)

            def log_message(self, *args):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/file.bin"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,))
        self.thread.start()

    def answer(self, request):
        self.requests.append(dict(request.headers))
        step = self.plan.pop(0) if self.plan else None
        if isinstance(step, tuple):
            request.send_error(step[0])
            return
        start = 0
        if "Range" in request.headers and request.headers.get("If-Range") == self.etag:
            start = int(request.headers["Range"][len("bytes=") : -1])
            request.send_response(206)
            request.send_header("Content-Range", f"bytes {start}-{len(self.content) - 1}/{len(self.content)}")
        else:
            request.send_response(200)
        body = self.content[start:]
        request.send_header("Content-Length", str(len(body)))
        request.send_header("ETag", self.etag)
        request.end_headers()
        request.wfile.write(body if step is None else body[:step])

    def close(self):
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(module, "_FIRST_PAUSE", 0.001)
    server = Server()
    yield server
    server.close()


def test_hashes(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    assert validate_file(path, SHA256) and validate_file(path, MD5) and validate_file(path, MD5.upper(), "md5")
    assert not validate_file(path, SHA256[::-1]) and not validate_file(path, MD5, "sha256")
    assert hash_file(path) == SHA256 and hash_file(path, "md5", 100) == MD5


def test_a_whole_file(server, tmp_path):
    seen = []
    download(server.url, tmp_path / "a", SHA256, progress=lambda there, total: seen.append((there, total)))
    assert (tmp_path / "a").read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT)) and os.listdir(tmp_path) == ["a"]


def test_a_broken_connection_is_taken_up_where_it_broke(server, tmp_path):
    server.plan = [100_000, 50_000, None]
    download(server.url, tmp_path / "a", SHA256)
    assert (tmp_path / "a").read_bytes() == CONTENT
    assert [r.get("Range") for r in server.requests] == [None, "bytes=100000-", "bytes=150000-"]


def test_a_file_that_changes_meanwhile_is_begun_anew(server, tmp_path):
    server.plan = [100_000, None]
    answer = server.answer

    def change_after_first(request):
        answer(request)
        server.content, server.etag = CONTENT[::-1], '"2"'

    server.answer = change_after_first
    download(server.url, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == CONTENT[::-1]


def test_a_busy_server_is_asked_again_a_missing_file_is_not(server, tmp_path):
    server.plan = [(503,), (500,), None]
    download(server.url, tmp_path / "a", MD5)
    assert len(server.requests) == 3
    server.plan = [(404,)] * 5
    with pytest.raises(DownloadError, match="404 Not Found") as failure:
        download(server.url, tmp_path / "b")
    assert len(server.requests) == 4 and str(tmp_path / "b") in str(failure.value)
    assert os.listdir(tmp_path) == ["a"]


def test_it_gives_up_and_leaves_what_was_there(server, tmp_path):
    (tmp_path / "a").write_text("old")
    server.plan = [(503,)] * 4
    with pytest.raises(OSError, match="503"):
        download(server.url, tmp_path / "a")
    server.plan = [10] * 9
    with pytest.raises(DownloadError, match="the connection ended after 40 of 300000 bytes"):
        download(server.url, tmp_path / "a")
    assert (tmp_path / "a").read_text() == "old" and os.listdir(tmp_path) == ["a"]


def test_a_wrong_hash(server, tmp_path):
    with pytest.raises(DownloadError, match=f"its sha256 is {SHA256}, expected {'0' * 64}"):
        download(server.url, tmp_path / "a", "0" * 64)
    assert len(server.requests) == 2 and os.listdir(tmp_path) == []
    # A transfer damaged once is repeated.
    answer = server.answer

    def damaged_once(request):
        server.content = CONTENT if len(server.requests) > 2 else b"\0" + CONTENT[1:]
        answer(request)

    server.answer = damaged_once
    download(server.url, tmp_path / "a", SHA256)
    assert (tmp_path / "a").read_bytes() == CONTENT and len(server.requests) == 4


def test_offline_says_which_file_to_put_where(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_FIRST_PAUSE", 0.001)
    with pytest.raises(DownloadError) as failure:
        get_file("data.npz", "http://127.0.0.1:9/data.npz", file_hash=SHA256, cache_dir=tmp_path)
    path = tmp_path / "datasets" / "data.npz"
    for word in ("http://127.0.0.1:9/data.npz", "no network", SHA256, str(path)):
        assert word in str(failure.value)
    path.write_bytes(CONTENT)  # as the message says
    assert get_file("data.npz", "http://127.0.0.1:9/data.npz", file_hash=SHA256, cache_dir=tmp_path) == str(path)


@pytest.mark.parametrize("url", ["data.npz", "gopher://x/y", "data:text/plain,abc"])
def test_only_urls_of_files(url, tmp_path):
    with pytest.raises(DownloadError, match="expected a URL"):
        download(url, tmp_path / "a")


def test_an_interrupt_leaves_nothing(server, tmp_path):
    def interrupt(there, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(server.url, tmp_path / "a", progress=interrupt)
    assert os.listdir(tmp_path) == []


# --- get_file ----------------------------------------------------------------------------------------------


def test_get_file_fetches_once_and_again_when_the_hash_differs(server, tmp_path, capsys):
    path = get_file("f.bin", server.url, file_hash=SHA256, cache_dir=tmp_path)
    assert path == str(tmp_path / "datasets" / "f.bin")
    output = capsys.readouterr().out
    assert f"Downloading data from {server.url}" in output and "300000/300000 [====" in output
    get_file("f.bin", server.url, file_hash=SHA256, cache_dir=tmp_path)
    get_file("f.bin", server.url, cache_dir=tmp_path)
    assert len(server.requests) == 1 and capsys.readouterr().out == ""
    with open(path, "ab") as file:
        file.write(b"x")
    get_file("f.bin", server.url, md5_hash=MD5, cache_dir=tmp_path)
    assert len(server.requests) == 2 and validate_file(path, SHA256)


def test_get_file_in_the_configured_home(server, tmp_path, monkeypatch):
    monkeypatch.setenv("KCORE_HOME", str(tmp_path / "home"))
    assert get_file("m.h5", server.url, cache_subdir="models") == str(tmp_path / "home" / "models" / "m.h5")
    assert get_file(str(tmp_path / "there.bin"), server.url) == str(tmp_path / "there.bin")
    assert (tmp_path / "there.bin").read_bytes() == CONTENT


def test_get_file_unpacks(server, tmp_path):
    server.content = tar_bytes([("words/a.txt", b"a"), ("words/b.txt", b"b")])
    folder = get_file("words", server.url, untar=True, cache_dir=tmp_path)
    assert folder == str(tmp_path / "datasets" / "words") and sorted(os.listdir(folder)) == ["a.txt", "b.txt"]
    server.content = zip_bytes([("one/c.txt", b"c")])
    path = get_file("one.zip", server.url, extract=True, cache_dir=tmp_path)
    assert path.endswith("one.zip") and (tmp_path / "datasets" / "one" / "c.txt").read_bytes() == b"c"
    server.content = CONTENT
    with pytest.raises(ArchiveError, match="not a tar archive"):
        get_file("no", server.url, untar=True, cache_dir=tmp_path)


# --- archives ----------------------------------------------------------------------------------------------


def tar_bytes(files, mode="w:gz", links=()):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for name, target, kind in links:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            archive.addfile(info)
    return buffer.getvalue()


def zip_bytes(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files:
            archive.writestr(name, content)
    return buffer.getvalue()


def unpack(tmp_path, data, **kwargs):
    path = tmp_path / "archive"
    path.write_bytes(data)
    return extract(path, tmp_path / "into", **kwargs)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tar(tmp_path, mode):
    assert unpack(tmp_path, tar_bytes([("./a/b.txt", b"1"), ("c", b"2")], mode))
    assert (tmp_path / "into/a/b.txt").read_bytes() == b"1" and (tmp_path / "into/c").read_bytes() == b"2"
    assert sorted(os.listdir(tmp_path / "into")) == ["a", "c"]


def test_files_there_are_replaced_and_others_stay(tmp_path):
    (tmp_path / "into" / "a").mkdir(parents=True)
    (tmp_path / "into" / "a" / "old").write_text("old")
    (tmp_path / "into" / "a" / "b").write_text("old")
    assert unpack(tmp_path, zip_bytes([("a/b", b"new")]))
    assert (tmp_path / "into/a/b").read_bytes() == b"new" and (tmp_path / "into/a/old").read_text() == "old"


def test_formats(tmp_path):
    data = zip_bytes([("a", b"1")])
    assert not unpack(tmp_path, data, archive_format="tar") and not unpack(tmp_path, data, archive_format=None)
    assert not unpack(tmp_path, b"text") and not (tmp_path / "into").exists()
    assert unpack(tmp_path, data, archive_format=["tar", "zip"])
    with pytest.raises(ArchiveError, match="'rar'"):
        unpack(tmp_path, data, archive_format="rar")


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/evil", "a\\..\\..\\evil", "C:/evil"])
@pytest.mark.parametrize("make", [tar_bytes, zip_bytes])
def test_paths_that_leave_the_folder(tmp_path, make, name):
    with pytest.raises(ArchiveError, match="outside the folder"):
        unpack(tmp_path, make([("good", b"1"), (name, b"2")]))
    assert os.listdir(tmp_path / "into") == [] and not (tmp_path / "evil").exists()


def test_links(tmp_path):
    (tmp_path / "secret").write_text("secret")
    for target in ("../secret", str(tmp_path / "secret"), ".."):
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
            with pytest.raises(ArchiveError, match="link"):
                unpack(tmp_path, tar_bytes([], links=[("out", target, kind)]))
    assert os.listdir(tmp_path / "into") == []
    assert unpack(tmp_path, tar_bytes([("d/a", b"1")], links=[("d/b", "a", tarfile.SYMTYPE)]))
    assert (tmp_path / "into/d/b").read_bytes() == b"1" and not (tmp_path / "into/d/b").is_symlink()


def test_links_in_zip_and_devices_in_tar(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("out")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(ArchiveError, match="is a link"):
        unpack(tmp_path, buffer.getvalue())
    with pytest.raises(ArchiveError, match="neither a file nor a directory"):
        unpack(tmp_path, tar_bytes([], links=[("fifo", "", tarfile.FIFOTYPE)]))


def test_an_existing_link_is_not_followed(tmp_path):
    (tmp_path / "into").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "into" / "a").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError):
        unpack(tmp_path, tar_bytes([("a/b", b"1")]))
    assert os.listdir(tmp_path / "elsewhere") == []


@pytest.mark.parametrize("cut", [200, 5_000, 20_000])
def test_damaged(tmp_path, cut):
    content = np.random.RandomState(1).bytes(40_000)
    with pytest.raises(ArchiveError, match="damaged"):
        unpack(tmp_path, tar_bytes([("a", content[:1000]), ("b", content)])[:cut])
    data = bytearray(zip_bytes([("a", content)]))
    data[cut] ^= 0xFF
    with pytest.raises(ArchiveError, match="damaged"):
        unpack(tmp_path, bytes(data))
    assert os.listdir(tmp_path / "into") == []
