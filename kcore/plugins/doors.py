"""Doors: modules whose names are resolved by the registry (PEP 562).

    # kcore/layers.py
    __getattr__, __dir__ = open_door(__name__, "layers")

After this `kcore.layers.LSTM`, `from kcore.layers import LSTM`, `from kcore.layers import *`,
`dir(kcore.layers)` and tab completion work as if the names were written there. What the module
itself defines goes first.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from kcore.errors import NotInstalledError, PluginError, PluginWarning, warn
from kcore.plugins import finder, registry
from kcore.plugins.finder import RESOLVER
from kcore.plugins.old_paths import OLD_PATHS
from kcore.versions import no_name

Getattr = Callable[[str], Any]
Dir = Callable[[], list[str]]


def open_door(module_name: str, kind: str) -> tuple[Getattr, Dir]:
    """Makes the module that calls it the door of a kind.

    Args:
        module_name: the calling module's `__name__`.
        kind: 'layers', 'losses', ...

    Returns:
        The functions `__getattr__` and `__dir__` for the module to define. `__all__`, unless the
        module has its own, is what `from module import *` brings: every name whose plugin can be
        imported, and the public functions that the module defines.
    """
    module = sys.modules[module_name]
    # A path makes Python ask the finder when a name of an import statement is not there, so that
    # the error can say what to install; an empty one has no files.
    module.__dict__.setdefault("__path__", [])

    def resolve(name: str) -> Any:
        return registry.get(kind, name)

    def get_attribute(name: str) -> Any:
        if name == "__all__":
            return _importable(module, kind, resolve)
        if name.startswith("_"):
            # What inspection tools ask every module for is no reason to scan.
            raise AttributeError(f"module {module_name!r} has no attribute {name!r}")
        if f"{module_name}.{name}" in OLD_PATHS:
            return importlib.import_module(f"{module_name}.{name}")
        try:
            found = resolve(name)
        except NotInstalledError as error:
            raise error.for_attribute() from None
        if isinstance(found, ModuleType):
            finder.enter(f"{module_name}.{name}", found)
        return found

    def directory() -> list[str]:
        special = {name for name in vars(module) if name.startswith("__")}
        return sorted({*special, *_own_functions(module), *registry.names(kind)})

    module.__dict__[RESOLVER] = resolve
    return get_attribute, directory


def _importable(module: ModuleType, kind: str, resolve: Getattr) -> list[str]:
    """The names for `import *`: a broken plugin costs its own names and a warning, no more."""
    names = _own_functions(module)
    for name in registry.names(kind):
        try:
            resolve(name)
        except PluginError as error:
            warn(f"left out of 'from {module.__name__} import *': {error}", PluginWarning)
        else:
            names.add(name)
    return sorted(names)


def _own_functions(module: ModuleType) -> set[str]:
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    }


def lazy_names(module_name: str, table: dict[str, str]) -> tuple[Getattr, Dir]:
    """`__getattr__` and `__dir__` for a module whose names live elsewhere in the core.

    Args:
        module_name: the calling module's `__name__`.
        table: name to 'module:attribute'; the module is imported when the name is first used.
    """
    module = sys.modules[module_name]

    def get_attribute(name: str) -> Any:
        if f"{module_name}.{name}" in OLD_PATHS:
            return importlib.import_module(f"{module_name}.{name}")
        if name not in table:
            raise AttributeError(no_name(module_name, name))
        source, _, attribute = table[name].partition(":")
        value = getattr(importlib.import_module(source), attribute)
        vars(module)[name] = value
        return value

    def directory() -> list[str]:
        return sorted({*(name for name in vars(module) if name.startswith("__")), *_own_functions(module), *table})

    refuse = finder.refusing(module_name, directory)

    def resolve(name: str) -> Any:
        try:
            return get_attribute(name)
        except AttributeError:
            return refuse(name)

    # As a door: `from kcore.models.Model import from_config` asks the finder.
    module.__dict__.setdefault("__path__", [])
    module.__dict__[RESOLVER] = resolve

    return get_attribute, directory


registry.when_refreshed(finder.forget_aliases)
