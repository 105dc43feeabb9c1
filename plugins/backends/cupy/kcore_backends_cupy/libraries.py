"""NVIDIA's libraries, loaded by ctypes: where they lie, calls that answer with a status, one of each for a GPU."""

from __future__ import annotations

import ctypes
import importlib.util
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from ctypes import c_int, c_void_p
from pathlib import Path
from typing import Any, ClassVar

from kcore.errors import ExecutionError


class StatusError(ExecutionError):
    """A call of a library failed; `status` is what it answered."""

    status: int = 0


class Library:
    """A library with a handle for the present GPU.

    Args:
        path: of the library.

    Attributes:
        title: its name, for messages.
        entries: entry points that answer with a status, with their parameters.

    Raises:
        OSError: it cannot be loaded.
        ExecutionError: it does not start.
    """

    title: ClassVar[str]
    entries: ClassVar[dict[str, list[Any]]]

    def __init__(self, path: str):
        self._library = ctypes.CDLL(path)
        for name, parameters in self.entries.items():
            entry = getattr(self._library, name, None)
            if entry is None:
                raise ExecutionError(f"{self.title}: {path} has no {name}")
            entry.argtypes, entry.restype = parameters, c_int

    def explain(self, status: int) -> str:
        """What a status means, in the library's words."""
        raise NotImplementedError

    def run(self, name: str, *args: Any) -> None:
        """Call an entry point.

        Raises:
            StatusError: it answers with an error.
        """
        status = getattr(self._library, name)(*args)
        if status:
            raise StatusError(f"{self.title}: {name} fails with status {status}: {self.explain(status)}", status=status)

    def made(self, name: str, *args: Any) -> c_void_p:
        """What an entry point makes: its first parameter is where it puts a pointer to it."""
        made = c_void_p()
        self.run(name, ctypes.byref(made), *args)
        return made


def in_wheels(file: str, folders: Sequence[str]) -> Iterator[str]:
    """Where a library may lie: in NVIDIA's wheels, in one of these folders, and then wherever the system has it."""
    spec = importlib.util.find_spec("nvidia")
    roots = [Path(root) for root in (spec.submodule_search_locations or [])] if spec is not None else []
    for root in roots:
        for folder in folders:
            path = root / folder / "lib" / file
            if path.exists():
                yield str(path)
    yield file


class Latest(OrderedDict[Any, Any]):
    """What a library made, by what was wanted; as much as is kept, the latest used of it."""

    def get_or_make(self, wanted: Any, make: Callable[[Any], Any], most: int) -> Any:
        """What there is for `wanted`, or what `make` makes of it; None is an answer as well.

        Args:
            most: how many are kept.
        """
        if wanted in self:
            self.move_to_end(wanted)
            return self[wanted]
        made = self[wanted] = make(wanted)
        if len(self) > most:
            self.popitem(last=False)
        return made


class OncePerDevice:
    """What is made for a device at its first use: libraries with a handle.

    Args:
        make: from a device to what is wanted; None is an answer as well.
    """

    def __init__(self, make: Callable[[Any], Any]):
        self._make = make
        self._made: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()

    def __call__(self, device: Any) -> Any:
        with self._lock:
            if device not in self._made:
                with device.here():  # a handle is for the present one
                    self._made[device] = self._make(device)
            return self._made[device]
