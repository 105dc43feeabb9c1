"""Scripts written for Keras 2, unchanged: `import keras` means kcore.

    kcore run script.py --its options          # or: python -m kcore.compat script.py --its options

    import kcore.compat                        # or, in a program, before its first `import keras`
    kcore.compat.install()

`keras`, and every module below it, are then kcore's own modules under a second name. Nothing is written
anywhere, and an installed Keras is as it was for every other program.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from kcore.errors import CompatError

#: The version that scripts find in `keras.__version__`: that of the API.
KERAS_VERSION = "2.1.6"

# Processes that Python spawns import the script again and know nothing of what was installed here, but they get
# `sys.path`: this folder has a package `keras` that calls `install`.
_SHIM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "shim")


def install() -> None:
    """Makes `import keras`, and all import paths below it, mean kcore in this process and those it starts.

    Raises:
        CompatError (an ImportError): Keras itself is imported already.
    """
    present = sys.modules.get("keras")
    if isinstance(present, _Keras):
        return
    origin = getattr(present, "__file__", None) or ""
    if present is not None and os.path.dirname(origin) != os.path.join(_SHIM, "keras"):
        raise CompatError(
            f"Keras itself is imported already, from {origin}: call kcore.compat.install() before the first "
            "`import keras`."
        )
    sys.modules["keras"] = _Keras()
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    if _SHIM not in sys.path:
        sys.path.insert(0, _SHIM)


def uninstall() -> None:
    """Takes back `install`: `import keras` means an installed Keras again."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Finder)]
    sys.path[:] = [folder for folder in sys.path if folder != _SHIM]
    if isinstance(sys.modules.get("keras"), _Keras):
        for name in [name for name in sys.modules if name == "keras" or name.startswith("keras.")]:
            del sys.modules[name]


def run_script(path: str, arguments: Sequence[str] = ()) -> None:
    """Runs a script as `python path arguments` does, with `keras` meaning kcore.

    Args:
        path: the script.
        arguments: what it finds in `sys.argv` after its own name.

    Raises:
        What the script raises.
    """
    import runpy

    install()
    sys.argv = [path, *arguments]
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    runpy.run_path(path, run_name="__main__")


def main(path: str, arguments: Sequence[str] = ()) -> int:
    """As `run_script`, for a command line: prints what the script raises and returns the exit status."""
    if not os.path.isfile(path):
        print(f"kcore run: there is no file {path}", file=sys.stderr)
        return 2
    try:
        run_script(path, arguments)
    except Exception as error:
        # As Python shows it: beginning at the script, not at what runs it.
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename != path:
            trace = trace.tb_next
        traceback.print_exception(type(error), error, trace or error.__traceback__)
        return 1
    return 0


class _Keras(ModuleType):
    """The module `keras`: kcore under another name, with the version of the API."""

    def __init__(self) -> None:
        super().__init__("keras", "kcore, under the name that Keras 2 scripts import.")
        self.__path__: list[str] = []
        self.__spec__ = ModuleSpec("keras", None, is_package=True)
        self.__version__ = KERAS_VERSION

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module("kcore"), name)

    def __dir__(self) -> list[str]:
        return dir(importlib.import_module("kcore"))


class _Finder:
    """Finds `keras.x.y` as `kcore.x.y` (a meta path finder)."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == "keras" and "keras" not in sys.modules:  # a program deleted it to import it anew
            return _spec(fullname, _Keras)
        if not fullname.startswith("keras."):
            return None
        real = "kcore" + fullname[len("keras") :]
        return _spec(fullname, lambda: importlib.import_module(real))


def _spec(fullname: str, target: Callable[[], ModuleType]) -> ModuleSpec:
    return ModuleSpec(fullname, _Alias(target), is_package=True)


class _Alias(Loader):
    """Loads a module by putting another one in its place."""

    def __init__(self, target: Callable[[], ModuleType]) -> None:
        self._target = target

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__
        try:
            found = self._target()
        except ModuleNotFoundError as error:
            if type(error) is ModuleNotFoundError:
                raise ModuleNotFoundError(str(error).replace("'kcore", "'keras"), name=error.name) from None
            raise
        # The import system hands out what stands in sys.modules afterwards.
        sys.modules[name] = found
