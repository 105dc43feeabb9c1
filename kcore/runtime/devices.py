"""Which device is in use: the choice is made when a device is first needed."""

from __future__ import annotations

import threading

from kcore import config
from kcore.plugins import registry
from kcore.runtime.device import Device
from kcore.runtime.numpy_device import NumpyDevice

_current: Device | None = None
_lock = threading.Lock()


def current_device() -> Device:
    """The device of this process: that of `KCORE_BACKEND` or the configuration file, else NumPy."""
    global _current
    if _current is None:
        with _lock:
            if _current is None:
                _current = _make(_chosen_name())
    return _current


def _chosen_name() -> str:
    name = config.backend()
    return _best_installed() if name == "auto" else name


def _best_installed() -> str:
    """An accelerator whose plugin is installed and says that it can run here, else NumPy."""
    for name in registry.names("backends"):
        if name != "numpy" and registry.get("backends", name).is_available():
            return name
    return "numpy"


def _make(name: str) -> Device:
    return NumpyDevice() if name == "numpy" else registry.get("backends", name)()
