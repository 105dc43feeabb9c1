"""CSVLogger, LambdaCallback and RemoteMonitor."""

import csv
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs

import numpy as np
import pytest

from kcore.callbacks import Callback, CSVLogger, LambdaCallback, RemoteMonitor


def log(callback, *epochs, start=0):
    callback.on_train_begin({})
    for epoch, logs in enumerate(epochs, start):
        callback.on_epoch_end(epoch, logs)
    callback.on_train_end({})


def table(path, separator=","):
    with open(path, newline="") as file:
        return list(csv.reader(file, delimiter=separator))


# -- CSV -------------------------------------------------------------------------------------------------


def test_columns_are_sorted_after_the_epoch(tmp_path):
    path = tmp_path / "log.csv"
    log(CSVLogger(path), {"loss": np.float32(0.5), "acc": 1}, {"loss": 0.25, "acc": 2})
    assert table(path) == [["epoch", "acc", "loss"], ["0", "1", "0.5"], ["1", "2", "0.25"]]


def test_separator_sequences_and_missing_values(tmp_path):
    path = str(tmp_path / "log.csv")
    log(CSVLogger(path, separator=";"), {"a": [1, 2], "b": np.array([3, 4]), "c": np.array(5)}, {"a": "x;y"})
    assert table(path, ";") == [
        ["epoch", "a", "b", "c"],
        ["0", '"[1, 2]"', '"[3, 4]"', "5"],
        ["1", "x;y", "NA", "NA"],
    ]


def test_overwrites(tmp_path):
    path = tmp_path / "log.csv"
    for _ in range(2):
        log(CSVLogger(path), {"loss": 1})
    assert table(path) == [["epoch", "loss"], ["0", "1"]]


def test_append_goes_on_with_the_columns_of_the_file(tmp_path):
    path = tmp_path / "log.csv"
    log(CSVLogger(path, append=True), {"loss": 1, "acc": 2})
    log(CSVLogger(path, append=True), {"loss": 3, "acc": 4}, {"loss": 5}, start=1)
    assert table(path) == [["epoch", "acc", "loss"], ["0", "2", "1"], ["1", "4", "3"], ["2", "NA", "5"]]


@pytest.mark.parametrize("append", [False, True])
def test_keys_that_appear_late_get_columns(tmp_path, append):
    path = tmp_path / "log.csv"
    log(
        CSVLogger(path, separator=";", append=append),
        {"loss": 1},
        {"loss": [2, 3], "val_loss": 4, "acc": 5},
        {"acc": 6},
    )
    assert table(path, ";") == [
        ["epoch", "loss", "acc", "val_loss"],
        ["0", "1", "NA", "NA"],
        ["1", '"[2, 3]"', "5", "4"],
        ["2", "NA", "6", "NA"],
    ]
    log(CSVLogger(path, separator=";", append=True), {"lr": 7}, start=3)
    assert table(path, ";")[0] == ["epoch", "loss", "acc", "val_loss", "lr"]
    assert table(path, ";")[-1] == ["3", "NA", "NA", "NA", "7"]
    assert {len(line) for line in table(path, ";")} == {5}
    assert [p.name for p in tmp_path.iterdir()] == ["log.csv"]


def test_file_is_complete_after_each_epoch(tmp_path):
    path = tmp_path / "log.csv"
    callback = CSVLogger(path)
    callback.on_train_begin({})
    callback.on_epoch_end(0, {"loss": 1})
    assert table(path) == [["epoch", "loss"], ["0", "1"]]


def test_unwritable_file_is_refused_before_training(tmp_path):
    with pytest.raises(OSError, match="nowhere"):
        CSVLogger(tmp_path / "nowhere" / "log.csv").on_train_begin({})


# -- lambdas ---------------------------------------------------------------------------------------------


def test_each_hook_is_called_with_its_arguments():
    hooks = ["on_epoch_begin", "on_epoch_end", "on_batch_begin", "on_batch_end"]
    calls = []

    def recording(name):
        return lambda *arguments: calls.append((name, *arguments))

    names = [*hooks, "on_train_begin", "on_train_end"]
    callback = LambdaCallback(**{name: recording(name) for name in names}, tag=3)
    for name in hooks:
        getattr(callback, name)(1, {"x": 2})
    callback.on_train_begin({})
    callback.on_train_end({})
    assert calls == [*((n, 1, {"x": 2}) for n in hooks), ("on_train_begin", {}), ("on_train_end", {})]
    assert callback.tag == 3


def test_hooks_that_are_not_given_do_nothing():
    callback = LambdaCallback(on_epoch_end=lambda epoch, logs: None)
    assert isinstance(callback, Callback)
    callback.on_batch_begin(0, {})
    callback.on_train_end({})


# -- remote ----------------------------------------------------------------------------------------------


@pytest.fixture
def server():
    """A local server, with a list of what it was sent: (path, content type, headers, body)."""
    received = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            received.append((self.path, self.headers["Content-Type"], dict(self.headers), body))
            self.send_response(500 if self.path == "/broken" else 200)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}", received
        http.shutdown()
        thread.join()


def test_form(server):
    root, received = server
    RemoteMonitor(root, headers={"X-Key": "secret"}).on_epoch_end(3, {"loss": np.float32(0.5), "v": np.arange(2)})
    ((path, kind, headers, body),) = received
    assert path == "/publish/epoch/end/" and kind == "application/x-www-form-urlencoded"
    assert headers["X-Key"] == "secret"
    assert json.loads(parse_qs(body)["data"][0]) == {"epoch": 3, "loss": 0.5, "v": [0, 1]}


def test_json(server):
    root, received = server
    RemoteMonitor(root, path="/here", send_as_json=True).on_epoch_end(0, {"loss": 1.5})
    ((path, kind, _, body),) = received
    assert (path, kind, json.loads(body)) == ("/here", "application/json", {"epoch": 0, "loss": 1.5})


def test_a_server_that_fails_costs_a_warning(server):
    root, _ = server
    with pytest.warns(RuntimeWarning, match=r"could not reach.*500"):
        RemoteMonitor(root, path="/broken").on_epoch_end(0, {})
    with pytest.warns(RuntimeWarning, match="could not reach"):
        RemoteMonitor("http://127.0.0.1:9").on_epoch_end(0, {})
