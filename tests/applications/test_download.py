"""Released weights on their way: from a server on loopback into the cache and into a model."""

import hashlib
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from kcore.applications.imagenet_utils import ReleasedWeights, load_weights
from kcore.errors import DamagedFileError, DownloadError
from kcore.layers import Dense
from kcore.models import Sequential


def classifier():
    return Sequential([Dense(300, input_shape=(200,))])


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Serves the bytes that a test puts into `files`; breaks off after half of them as often as `broken` says."""
    monkeypatch.setenv("KCORE_HOME", str(tmp_path / "home"))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            content = self.server.files.get(self.path[1:])
            if content is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.server.requests.append(self.path)
            if len(self.server.requests) <= self.server.broken:
                content = content[: len(content) // 2]
            self.wfile.write(content)

        def log_message(self, *_):
            """Nothing: a test's output is its own."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.files, server.requests, server.broken = {}, [], 0
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def released(server, tmp_path):
    """A release whose file with the top has the weights of `model`, with its hash."""
    model = classifier()
    model.save_weights(tmp_path / "w.h5")
    content = (tmp_path / "w.h5").read_bytes()
    server.files["Net-top.h5"] = content
    address = f"http://127.0.0.1:{server.server_port}/"
    release = ReleasedWeights(address, "Net-top.h5", "Net-features.h5", hashlib.md5(content).hexdigest())
    return model, release


@pytest.fixture
def cached(tmp_path):
    return tmp_path / "home" / "models" / "net_top.h5"


def assert_loads(released):
    model, release = released
    other = classifier()
    load_weights(other, "imagenet", release, True)
    for ours, theirs in zip(other.get_weights(), model.get_weights()):
        np.testing.assert_array_equal(ours, theirs)


def test_the_right_file_is_fetched_once(server, released, cached):
    assert_loads(released)
    assert_loads(released)
    assert server.requests == ["/Net-top.h5"] and cached.read_bytes() == server.files["Net-top.h5"]


def test_a_broken_transfer_is_tried_again(server, released, monkeypatch):
    monkeypatch.setattr("kcore.data.download._FIRST_PAUSE", 0.01)
    server.broken = 2
    assert_loads(released)
    assert len(server.requests) == 3


def test_a_transfer_that_never_ends_leaves_nothing(server, released, cached, monkeypatch):
    monkeypatch.setattr("kcore.data.download._FIRST_PAUSE", 0.01)
    server.broken = 100
    with pytest.raises(DownloadError, match=r"Cannot fetch .*Net-top.h5: the connection ended after \d+ of \d+ bytes"):
        assert_loads(released)
    assert list(cached.parent.iterdir()) == []
    server.broken = 0
    assert_loads(released)


def test_a_wrong_hash_is_refused_and_a_file_put_there_by_hand_is_taken(server, released, cached):
    model, release = released
    wrong = replace(release, top_hash="0" * 32)
    with pytest.raises(DownloadError) as failure:
        assert_loads((model, wrong))
    text = str(failure.value)
    assert f"its md5 is {release.top_hash}, expected {'0' * 32}. It was not kept" in text
    assert f"fetch it yourself and put it at {cached}: a file that is already there is taken as it is" in text
    assert not cached.exists()
    cached.write_bytes(server.files["Net-top.h5"])  # as the message says
    assert_loads((model, wrong))


def test_offline(server, released, cached):
    model, release = released
    away = replace(release, url="http://127.0.0.1:9/")
    with pytest.raises(DownloadError) as failure:
        assert_loads((model, away))
    assert "Cannot fetch http://127.0.0.1:9/Net-top.h5: " in str(failure.value)
    assert f"fetch the file (its hash: {release.top_hash}) elsewhere and put it at {cached}" in str(failure.value)
    cached.write_bytes(server.files["Net-top.h5"])  # as the message says
    assert_loads((model, away))


def test_what_is_not_on_the_server(server, released):
    _, release = released
    with pytest.raises(DownloadError, match="the server answered 404"):
        load_weights(classifier(), "imagenet", release, False)


def test_a_damaged_file_in_the_cache(server, released, cached):
    cached.parent.mkdir(parents=True)
    cached.write_bytes(server.files["Net-top.h5"][:3000])
    with pytest.raises(DamagedFileError, match=r"net_top\.h5"):
        assert_loads(released)
