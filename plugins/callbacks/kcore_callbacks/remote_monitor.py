"""Telling a server about training (manual 11.1.8)."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from kcore.callbacks import Callback
from kcore.errors import warn

Logs = dict[str, Any]


class RemoteMonitor(Callback):
    """Sends the logs of each epoch to a server by HTTP POST.

    The event is the number of the epoch, from 0, and its logs. A server that does not answer costs a warning and at
    most `timeout` seconds, not the training.

    Args:
        root: address of the server.
        path: where on the server the event goes.
        field: name of the form field that holds the event, as JSON; not used with `send_as_json`.
        headers: dictionary of further HTTP headers, or None.
        send_as_json: whether to send the event itself as JSON instead of a form.

    Attributes:
        timeout: seconds to wait for the server.
    """

    timeout: float = 10.0

    def __init__(
        self,
        root: str = "http://localhost:9000",
        path: str = "/publish/epoch/end/",
        field: str = "data",
        headers: dict[str, str] | None = None,
        send_as_json: bool = False,
    ) -> None:
        super().__init__()
        self.root = root
        self.path = path
        self.field = field
        self.headers = headers
        self.send_as_json = send_as_json

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        event = json.dumps({"epoch": epoch, **(logs or {})}, default=_plain)
        if self.send_as_json:
            body, kind = event, "application/json"
        else:
            body, kind = urlencode({self.field: event}), "application/x-www-form-urlencoded"
        headers = {"Content-Type": kind, **(self.headers or {})}
        request = Request(self.root + self.path, body.encode(), headers, method="POST")
        try:
            with urlopen(request, timeout=self.timeout):
                pass
        except OSError as error:  # URLError, HTTPError and time-outs among them
            warn(f"could not reach RemoteMonitor root server at {self.root}: {error}", RuntimeWarning)


def _plain(value: Any) -> Any:
    """NumPy numbers and arrays as what JSON knows."""
    return value.tolist() if hasattr(value, "tolist") else str(value)
