"""Loading hook modules, and calling hooks: `hooks.call("kcore_fit_callbacks", model=model)`.

Without any hook module installed a call costs one comparison; pluggy is not even imported.
"""

from __future__ import annotations

import importlib
import threading
from typing import TYPE_CHECKING, Any

from kcore.config import settings
from kcore.errors import PluginLoadError, PluginWarning, warn
from kcore.plugins import discovery, policy, registry
from kcore.plugins.metadata import Entry

if TYPE_CHECKING:
    import pluggy

_lock = threading.RLock()
_manager: pluggy.PluginManager | None = None
_nothing_installed = False
_registered: list[Any] = []


def call(name: str, **arguments: Any) -> list[Any]:
    """Calls a hook of `hookspecs.py` in every plugin that implements it.

    Args:
        name: the hook's name.
        arguments: the hook's arguments, by name.

    Returns:
        What the implementations returned, without the Nones.

    Raises:
        Whatever an implementation raises, with a note that names its plugin.
    """
    manager = _ready()
    if manager is None:
        return []
    try:
        return getattr(manager.hook, name)(**arguments)
    except Exception as error:
        origin = _origin(error)
        error.add_note(f"(in the hook {name}{f' of the plugin {origin}' if origin else ''})")
        raise


def register(module: Any) -> None:
    """Adds an object or module with hook implementations, for the rest of the process."""
    global _nothing_installed
    with _lock:
        _registered.append(module)
        _nothing_installed = False
        if _manager is not None:
            _manager.register(module)


def unregister(module: Any) -> None:
    """Takes back a `register`."""
    with _lock:
        _registered.remove(module)
        if _manager is not None:
            _manager.unregister(module)


def forget() -> None:
    """Has hook modules collected anew at the next call."""
    global _manager, _nothing_installed
    with _lock:
        _manager = None
        _nothing_installed = False


def check(entry: Entry) -> None:
    """Imports a hook module and holds it to the specifications, without its hooks taking part in anything.

    Raises:
        Whatever its import raises; pluggy's PluginValidationError: a hook that does not exist, or has other arguments.
    """
    _add(_manager_of_hooks(), entry)


def _ready() -> pluggy.PluginManager | None:
    global _manager, _nothing_installed
    if _nothing_installed:
        return None
    if _manager is None:
        with _lock:
            if _manager is None:
                entries = _usable_entries()
                if not entries and not _registered:
                    _nothing_installed = True
                    return None
                _manager = _collect(entries)
    return _manager


def _usable_entries() -> list[Entry]:
    usable = []
    for distribution in discovery.index().distributions.values():
        if distribution.hooks and not policy.api_fault(distribution):
            usable += policy.split_enabled(distribution.hooks, settings().plugins)[0]
    return sorted(usable, key=lambda entry: (entry.distribution, entry.name))


def _collect(entries: list[Entry]) -> pluggy.PluginManager:
    manager = _manager_of_hooks()
    # pluggy calls what was registered last first.
    for entry in reversed(entries):
        try:
            _add(manager, entry)
        except (Exception, SystemExit) as error:  # whatever a stranger's module does at import
            manager.set_blocked(f"{entry.distribution}:{entry.name}")
            _failed(entry, error)
    for module in _registered:
        manager.register(module)
    return manager


def _manager_of_hooks() -> pluggy.PluginManager:
    import pluggy

    from kcore.plugins import hookspecs

    manager = pluggy.PluginManager("kcore")
    manager.add_hookspecs(hookspecs)
    return manager


def _add(manager: pluggy.PluginManager, entry: Entry) -> None:
    manager.register(importlib.import_module(entry.module), name=f"{entry.distribution}:{entry.name}")
    manager.check_pending()


def _failed(entry: Entry, error: BaseException) -> None:
    message = (
        f"The hooks '{entry.name}' of {entry.source} are left out: {entry.value} failed with "
        f"{type(error).__name__}: {error}"
    )
    if settings().plugins.strict:
        raise PluginLoadError(
            message,
            kind="hooks",
            name=entry.name,
            distribution=entry.distribution,
            version=entry.version,
            value=entry.value,
            cause=error,
        ) from error
    warn(message, PluginWarning)


def _origin(error: BaseException) -> str | None:
    """The distribution in whose code an exception passed last."""
    packages = {
        entry.module.partition(".")[0]: entry.source
        for distribution in discovery.index().distributions.values()
        for entry in distribution.hooks
    }
    origin = None
    frame = error.__traceback__
    while frame is not None:
        package = str(frame.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
        origin = packages.get(package, origin)
        frame = frame.tb_next
    return origin


registry.when_refreshed(forget)
