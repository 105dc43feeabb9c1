"""Which device is in use: the choice is made when a device is first needed."""

from __future__ import annotations

import os
import threading

from kcore import config
from kcore.errors import NotInstalledError, PluginWarning, warn
from kcore.plugins import registry
from kcore.runtime.device import Device
from kcore.runtime.numpy_device import NumpyDevice

#: What to install for a device whose plugin needs one extra or another; other names are in the catalogue.
_EXTRAS = {"cupy": 'pip install "kcore[cuda12]" or pip install "kcore[cuda13]", whichever CUDA the driver supports'}

_current: Device | None = None
_lock = threading.Lock()


def current_device() -> Device:
    """The device of this process: that of `KCORE_BACKEND` or the configuration file, else an accelerator whose
    plugin is installed and works, else NumPy.

    Raises:
        NotInstalledError: the device that the configuration names is not installed.
    """
    global _current
    if _current is None:
        failures: list[str] = []
        with _lock:
            if _current is None:
                name = config.backend()
                _current = _best(failures) if name == "auto" else _named(name)
        for failure in failures:  # when the choice stands, so that it is told once even where warnings are errors
            warn(failure, PluginWarning)
    return _current


def _best(failures: list[str]) -> Device:
    """An accelerator whose plugin is installed and says that it can run here, else NumPy."""
    for name in registry.names("backends"):
        if name == "numpy":
            continue
        try:
            device = registry.get("backends", name)
            if device.is_available():
                return device()
        except Exception as error:  # whatever a plugin or its driver does must not take NumPy away
            failures.append(
                f"The backend '{name}' is installed but does not work; it is left out. {type(error).__name__}: "
                f"{error}. Set KCORE_BACKEND=numpy to choose NumPy, or KCORE_BACKEND={name} to see the whole error."
            )
    return NumpyDevice()


def _named(name: str) -> Device:
    if name == "numpy":
        return NumpyDevice()
    try:
        return registry.get("backends", name)()
    except NotInstalledError as error:
        if type(error) is not NotInstalledError:  # switched off
            raise
        remedy = f"The backend '{name}' is not installed: {_EXTRAS[name]}." if name in _EXTRAS else str(error)
        asked = "KCORE_BACKEND" if os.environ.get("KCORE_BACKEND") else '"backend" in kcore.json'
        message = f"{remedy} {asked} asks for it; 'numpy' is always there."
        raise NotInstalledError(message, kind="backends", name=name, nearest=error.nearest) from None
