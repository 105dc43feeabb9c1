"""Custom objects: names that a program gives to classes and functions of its own.

The names in force are an ordinary dictionary. Entering a `CustomObjectScope` puts a copy with the
scope's names in its place, for the current thread or task only (`contextvars`), and leaving puts
the outer one back: what was changed inside is gone, as in Keras.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from kcore.errors import ArgumentError


@dataclass(frozen=True)
class _Frame:
    objects: dict[str, Any]
    outer: _Frame | None


_global_objects: dict[str, Any] = {}
_frame: ContextVar[_Frame | None] = ContextVar("kcore_custom_objects", default=None)


def get_custom_objects() -> dict[str, Any]:
    """The custom objects in force: a dictionary, name to class or function, that may be changed.

    Outside of all scopes it is the global one.

    Example:
        >>> get_custom_objects()["swish"] = lambda x: x * K.sigmoid(x)
    """
    frame = _frame.get()
    return _global_objects if frame is None else frame.objects


class CustomObjectScope:
    """Gives names to custom objects inside a `with` statement; see the manual, "CustomObjectScope".

    Args:
        args: dictionaries, name to class or function.

    Example:
        >>> with CustomObjectScope({"MyLayer": MyLayer}):
        ...     model = load_model("model.h5")
    """

    def __init__(self, *args: Mapping[str, Any]) -> None:
        self.custom_objects: dict[str, Any] = {}
        for objects in args:
            if not isinstance(objects, Mapping):
                raise ArgumentError(
                    "Custom objects are given as a dictionary, name to class or function, such as "
                    f"{{'MyLayer': MyLayer}}, but got {objects!r:.200}"
                )
            self.custom_objects.update(objects)

    def __enter__(self) -> CustomObjectScope:
        _frame.set(_Frame({**get_custom_objects(), **self.custom_objects}, _frame.get()))
        return self

    def __exit__(self, *exception: object) -> None:
        frame = _frame.get()
        _frame.set(frame.outer if frame is not None else None)


def custom_object_scope(*args: Mapping[str, Any]) -> CustomObjectScope:
    """The same as `CustomObjectScope(*args)`.

    Example:
        >>> with custom_object_scope({"MyLayer": MyLayer}):
        ...     layer = Dense(5, activation="my_activation")
    """
    return CustomObjectScope(*args)
