"""Names to objects: the one place where a layer, loss, optimizer, data set ... is looked up.

The order, for imports, for strings and for class names in saved models alike:

1. the caller's `custom_objects`,
2. the innermost `CustomObjectScope`, outer scopes, the global custom objects,
3. what was registered at run time,
4. the core's own objects,
5. installed plugins (entry points).

`distribution:Name` chooses a plugin by name at any time. Nothing is imported but the one
distribution that has the name, and nothing is ever looked up in `globals()`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Any, TypeVar

from kcore.config import PluginSettings, normalized, settings
from kcore.errors import NotInstalledError, PluginConflictError, PluginError, PluginLoadError
from kcore.plugins import discovery, policy
from kcore.plugins.core_objects import CORE, CORE_OBJECTS, UNLISTED, core_entry
from kcore.plugins.kinds import KINDS, kind_of
from kcore.plugins.metadata import Entry
from kcore.plugins.missing import not_installed
from kcore.plugins.policy import Choice
from kcore.plugins.scopes import get_custom_objects

T = TypeVar("T")

_registered: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
_loaded: dict[tuple[str, str], Any] = {}
_loaded_under: PluginSettings | None = None
_failures: dict[tuple[str, str, str], PluginLoadError] = {}


# --- looking up ------------------------------------------------------------------------------------


def get(kind: str, name: str, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The object that a name stands for; see the module's docstring for the order.

    Args:
        kind: 'layers', 'losses', 'metrics', 'optimizers', 'callbacks', 'initializers',
            'activations', 'regularizers', 'constraints', 'datasets', 'applications',
            'preprocessing', 'wrappers' or 'backends'.
        name: the public name, or 'distribution:Name'.
        custom_objects: names that go before all others, name to object.

    Returns:
        A class, a function, or for data sets and the like a module.

    Raises:
        NotInstalledError (a ValueError): nothing installed has the name; says what to install.
        PluginDisabledError, PluginConflictError, PluginVersionError, PluginLoadError: a plugin has
            it, but cannot be used.
    """
    if not isinstance(name, str):
        label = kind_of(kind).label
        message = f"Unknown {label}: {name!r}. Expected its name, a string."
        raise NotInstalledError(message, kind=kind, name=name)
    if custom_objects and name in custom_objects:
        return custom_objects[name]
    in_scope = get_custom_objects()
    if name in in_scope:
        return in_scope[name]
    found = _get_registered(kind, name)
    return _get_installed(kind, name) if found is None else found


def _get_registered(kind: str, name: str) -> Any:
    registered = _registered[kind_of(kind).name]
    if name in registered or not kind_of(kind).ignores_case:
        return registered.get(name)
    return next((obj for known, obj in registered.items() if known.lower() == name.lower()), None)


def _get_installed(kind: str, name: str) -> Any:
    global _loaded_under
    if _loaded_under is not settings().plugins:
        _loaded.clear()  # pins or switches have changed: choose anew
        _loaded_under = settings().plugins
    try:
        return _loaded[kind, name]
    except KeyError:
        pass
    try:
        choice = _choice_for(kind, name)
    except PluginConflictError as error:
        found = _same_object(kind, error)
    else:
        policy.tell(choice)
        found = load(choice.entry)
    _loaded[kind, name] = found
    return found


def _same_object(kind: str, error: PluginConflictError) -> Any:
    """The one object that all conflicting entries name, if they do; else raises the conflict."""
    try:
        objects = [get(kind, choice) for choice in error.candidates]
    except PluginLoadError:
        raise error from None
    if any(obj is not objects[0] for obj in objects):
        raise error
    return objects[0]


def entry_for(kind: str, name: str) -> Entry:
    """Which entry answers for a name, custom and registered objects aside; imports nothing.

    Raises:
        As `get`, without PluginLoadError.
    """
    return _choice_for(kind, name).entry


def _choice_for(kind: str, name: str) -> Choice:
    kind_of(kind)
    try:
        choice = _choose(kind, name)
    except NotInstalledError:  # what a pin names is not there
        if not discovery.changed():
            raise
        choice = None
    if choice is None and discovery.changed():
        refresh()  # something was installed since the scan, perhaps this
        choice = _choose(kind, name)
    if choice is None:
        raise not_installed(kind, name, names(kind))
    if choice.entry.distribution != CORE:
        distribution = discovery.index().distributions.get(choice.entry.distribution)
        if distribution is not None:  # another thread's refresh may have dropped it
            policy.require_api(choice.entry, distribution)
    return choice


def _choose(kind: str, name: str) -> Choice | None:
    if ":" in name:
        entry = _named_explicitly(kind, name)
        return Choice(entry) if entry else None
    own = core_entry(kind, _canonical(name, CORE_OBJECTS.get(kind, {}), kind))
    if own and f"{kind}:{own.name}" not in settings().plugins.pins:
        return Choice(own)  # without a scan
    offered = discovery.index().entries[kind]
    canonical = _canonical(name, offered, kind)
    return policy.choose(kind, canonical, ([own] if own else []) + offered.get(canonical, []))


def _canonical(name: str, known: Mapping[str, Any], kind: str) -> str:
    """The spelling under which a name is known: 'sgd' is 'SGD' among the optimizers."""
    if name in known or not kind_of(kind).ignores_case:
        return name
    return next((spelling for spelling in known if spelling.lower() == name.lower()), name)


def _named_explicitly(kind: str, full_name: str) -> Entry | None:
    distribution, _, name = full_name.partition(":")
    distribution = normalized(distribution)
    if distribution == CORE:
        return core_entry(kind, name)
    offered = discovery.index().entries[kind]
    for entry in offered.get(_canonical(name, offered, kind), []):
        if entry.distribution == distribution:
            policy.require_enabled(entry)
            return entry
    return None


def load(entry: Entry) -> Any:
    """Imports what an entry names.

    Raises:
        PluginLoadError: the import failed, or the module lacks the attribute.
    """
    if entry.distribution == CORE:
        return _import(entry)
    key = (entry.kind, entry.name, entry.distribution)
    try:
        found = _import(entry)
        if isinstance(found, ModuleType) and not kind_of(entry.kind).modules:
            raise TypeError(f"it is a module; the entry point of a {kind_of(entry.kind).label} is 'module:name'")
    except (Exception, SystemExit) as error:  # whatever a stranger's module does at import
        failure = PluginLoadError(
            f"The {kind_of(entry.kind).label} '{entry.name}' of {entry.source} cannot be loaded: importing "
            f"{entry.value} failed with {type(error).__name__}: {str(error).removesuffix('.')}. Other plugins keep "
            f"working. As its user: pip install --upgrade {entry.distribution}, or tell its author.",
            kind=entry.kind,
            name=entry.name,
            distribution=entry.distribution,
            version=entry.version,
            value=entry.value,
            cause=error,
        )
        _failures[key] = failure
        raise failure from error
    _failures.pop(key, None)
    return found


def _import(entry: Entry) -> Any:
    found: Any = importlib.import_module(entry.module)
    for attribute in filter(None, entry.attribute.split(".")):
        found = getattr(found, attribute)
    return found


def failure_of(entry: Entry) -> PluginLoadError | None:
    """How loading an entry failed in this process, or None."""
    return _failures.get((entry.kind, entry.name, entry.distribution))


# --- listing ---------------------------------------------------------------------------------------


def installed() -> discovery.Index:
    """The index of installed plugins, read again where the search path has changed since."""
    if discovery.changed():
        refresh()
    return discovery.index()


def names(kind: str) -> list[str]:
    """The names of a kind that can be looked up, sorted; imports nothing.

    A name that is switched off is not among them; one whose plugin is broken is.
    """
    offered = installed().entries[kind_of(kind).name]
    plugins = settings().plugins
    enabled = [name for name, entries in offered.items() if policy.split_enabled(entries, plugins)[0]]
    core = [name for name in CORE_OBJECTS.get(kind, {}) if (kind, name) not in UNLISTED]
    return sorted({*enabled, *core, *_registered[kind]})


class KindMapping(Mapping[str, Any]):
    """All names of a kind as a mapping, each object imported when it is read.

    It stands where Keras programs pass `globals()` as `module_objects`.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind_of(kind).name

    def __getitem__(self, name: str) -> Any:
        try:
            return get(self.kind, name)
        except NotInstalledError as error:
            raise KeyError(str(error)) from error

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str):
            return False
        if name in get_custom_objects() or _get_registered(self.kind, name) is not None:
            return True
        try:
            return bool(entry_for(self.kind, name))
        except NotInstalledError:
            return False
        except PluginError:  # it is there, and cannot be used
            return True

    def __iter__(self) -> Iterator[str]:
        return iter(names(self.kind))

    def __len__(self) -> int:
        return len(names(self.kind))

    def __repr__(self) -> str:
        return f"<{len(self)} {self.kind}>"


def mapping(kind: str) -> KindMapping:
    """All names of a kind as a mapping, each object imported when it is read."""
    return KindMapping(kind)


def distribution_of(obj: Any) -> tuple[str, str] | None:
    """Distribution and version that a class or function came from; None where it is no plugin's.

    Saved models record it, so that loading one can say what to install.
    """
    package = (getattr(obj, "__module__", None) or "").partition(".")[0]
    if package == CORE:
        from kcore import __version__

        return CORE, __version__
    for distribution in discovery.index().distributions.values():
        if any(entry.module.partition(".")[0] == package for entry in distribution.entries):
            return distribution.name, distribution.version
    return None


# --- registering at run time, refreshing -------------------------------------------------------------


def register(kind: str, name: Any = None, obj: Any = None) -> Any:
    """Gives a name to an object for the rest of the process; also a decorator.

    Args:
        kind: the kind, as in `get`.
        name: the public name; by default the object's `__name__`.
        obj: the object; without it a decorator is returned.

    Returns:
        The object.

    Example:
        >>> @register("losses")
        ... def half_squared_error(y_true, y_pred):
        ...     return K.mean(K.square(y_pred - y_true), axis=-1) / 2
    """
    if obj is not None:
        return _register(kind, name or obj.__name__, obj)

    def decorator(obj: T) -> T:
        return _register(kind, name or obj.__name__, obj)  # type: ignore[attr-defined]

    return decorator


def _register(kind: str, name: str, obj: T) -> T:
    if not isinstance(name, str) or not name or ":" in name:
        raise ValueError(f"{name!r} cannot name a {kind_of(kind).label}: a string without ':' was expected")
    _registered[kind_of(kind).name][name] = obj
    return obj


def unregister(kind: str, name: str) -> None:
    """Takes back a `register`; a KeyError where there was none."""
    del _registered[kind_of(kind).name][name]


_when_refreshed: list[Callable[[], None]] = []


def when_refreshed(action: Callable[[], None]) -> None:
    """Has `action` called at each `refresh`, to forget what was derived from the old scan."""
    _when_refreshed.append(action)


def refresh() -> None:
    """Reads again what is installed: after `pip install` in a running notebook, for instance.

    Objects already handed out stay as they are. Looking up a missing name does this by itself when
    the search path has changed.
    """
    _loaded.clear()
    _failures.clear()
    policy.forget_warnings()
    discovery.refresh()
    for action in _when_refreshed:
        action()
