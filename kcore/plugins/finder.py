"""Import statements for modules that have no file in the core.

- `import kcore.datasets.mnist`: a plugin's module under the core's name; the door resolves it.
- `import kcore.engine.topology`: an old import path (`old_paths.py`).
- `from kcore.layers.Lambda import from_config`: a class as the last part of a path; it stands for itself.
- `from kcore.layers import Dense` where nothing has `Dense`: Python asks for a module of that name,
  and the answer is an ImportError that says what to install.

This module is imported by `import kcore`: it must stay light, and so does without `importlib.abc`.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

from kcore.plugins.old_paths import OLD_NAMES, OLD_PATHS

#: A module whose attribute of this name is a function `name -> object` is a door: what its own
#: `__getattr__` does not find is asked here again, to answer an import statement.
RESOLVER = "__kcore_resolve__"

_aliases: set[str] = set()


def refusing(module_name: str, names: Callable[[], Sequence[str]], written: str | None = None) -> Callable[[str], Any]:
    """A resolver for a module that has all its names: what is not there is refused with the nearest of `names()`.

    Args:
        module_name: where the names live.
        names: gives them.
        written: the import path that the user wrote, where it is an old one.
    """

    def resolve(name: str) -> Any:
        from kcore.versions import no_name

        message = f"cannot import name {name!r} from {written or module_name!r}: there is no such name or module"
        raise ModuleNotFoundError(no_name(module_name, name, message, names()), name=name)

    return resolve


class KcoreFinder:
    """Finds the modules under `kcore.` that are not files (a meta path finder)."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith("kcore."):
            return None
        parent_name, _, name = fullname.rpartition(".")
        parent = sys.modules.get(parent_name)
        if parent is None:
            return None
        if parent_name in _aliases and parent.__name__ != parent_name:
            # Below a plugin's module the plugin's own import path is the true one; going by the
            # folder would load a second copy.
            real_name = f"{parent.__name__}.{name}"
            return _spec(fullname, _Alias(lambda: importlib.import_module(real_name)))
        if not isinstance(parent, ModuleType):
            return None  # below a class there are attributes, no modules
        resolve = vars(parent).get(RESOLVER)
        if fullname not in OLD_PATHS and resolve is None:
            return None
        spec = PathFinder.find_spec(fullname, path)
        if spec is not None:
            return spec  # a file of the core
        if fullname in OLD_PATHS:
            return _spec(fullname, _OldPath(), is_package=True)
        assert resolve is not None
        return _spec_of_plugin_module(fullname, resolve, name)


def _spec_of_plugin_module(fullname: str, resolve: Callable[[str], Any], name: str) -> ModuleSpec:
    from kcore.errors import NotInstalledError

    if name.startswith("_"):
        raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
    try:
        found = resolve(name)  # must not enter the module into sys.modules: Python would load it again
    except NotInstalledError as error:
        raise error.for_import() from None
    if isinstance(found, type):
        return _spec(fullname, _Class(found))
    if not isinstance(found, ModuleType):
        package = fullname.rpartition(".")[0]
        raise ModuleNotFoundError(f"{fullname} is not a module; use: from {package} import {name}")
    return _spec(fullname, _Alias(lambda: found))


def _spec(fullname: str, loader: Any, is_package: bool = False) -> ModuleSpec:
    return ModuleSpec(fullname, loader, is_package=is_package)


class _Alias:
    """Puts a module that has another name of its own under an import path."""

    def __init__(self, target: Callable[[], ModuleType]) -> None:
        self._target = target

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        # The import system hands out what stands in sys.modules afterwards, so that the plugin's
        # module keeps its own name, spec and loader.
        enter(module.__name__, self._target())


class _Class:
    """Lets a class stand for itself in `sys.modules`, so that its methods can be imported from its path.

    The class stays the attribute of its module that it was: Python sets the attribute to what it finds there.
    """

    def __init__(self, found: type) -> None:
        self._found = found

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        enter(module.__name__, self._found)


class _OldPath:
    """Makes the module of an old import path."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return OldPathModule(spec.name, f"Old import path; its names live in {OLD_PATHS[spec.name]}.")

    def exec_module(self, module: ModuleType) -> None:
        refuse = refusing(OLD_PATHS[module.__name__][0], lambda: dir(module), module.__name__)

        def resolve(name: str) -> Any:
            try:
                return getattr(module, name)
            except AttributeError as error:
                if hasattr(error, "for_import"):  # a door's: it says what to install
                    raise
                return refuse(name)

        vars(module)[RESOLVER] = resolve


class OldPathModule(ModuleType):
    """A module whose names are looked up in the modules of `OLD_PATHS`."""

    def __getattr__(self, name: str) -> Any:
        error: AttributeError | None = None
        if not name.startswith("__"):
            name = OLD_NAMES.get((self.__name__, name), name)
            for source in _sources(self.__name__):
                try:
                    return getattr(source, name)
                except AttributeError as missing:
                    error = missing
        raise error or AttributeError(f"module {self.__name__!r} has no attribute {name!r}")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """`merge([a, b], mode="concat")`: a function of Keras 1 where Keras 2 has a module."""
        from kcore.versions import history_of

        kind, _, name = self.__name__.removeprefix("kcore.").partition(".")
        history = history_of(kind, name)
        raise TypeError(f"`{name}()` {history[3:]}" if history else f"{self!r} is a module and cannot be called")

    def __dir__(self) -> list[str]:
        return sorted({name for source in _sources(self.__name__) for name in dir(source)})


def _sources(old_path: str) -> list[ModuleType]:
    return [importlib.import_module(name) for name in OLD_PATHS[old_path]]


def enter(fullname: str, found: ModuleType | type) -> None:
    """Makes a module, or a class, importable under a second name."""
    _aliases.add(fullname)
    sys.modules[fullname] = found  # type: ignore[assignment]


def forget_aliases() -> None:
    """Drops the second names, after what is installed has changed."""
    for fullname in _aliases:
        sys.modules.pop(fullname, None)
        parent_name, _, name = fullname.rpartition(".")
        if parent_name in sys.modules:
            vars(sys.modules[parent_name]).pop(name, None)
    _aliases.clear()


def install() -> None:
    """Puts the finder on `sys.meta_path`, once."""
    if not any(isinstance(finder, KcoreFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, KcoreFinder())
