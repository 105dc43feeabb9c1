"""`keras.legacy.interfaces`, whose decorators optimizers and layers of Keras 2 scripts wear.

    @interfaces.legacy_get_updates_support
    def get_updates(self, loss, params): ...

They let a method be called as Keras 1 did. Here a method is left as it is: what calls it calls it as Keras 2 does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def legacy_get_updates_support(method: Callable[..., Any]) -> Callable[..., Any]:
    """The method itself."""
    return method


def generate_legacy_interface(*args: Any, **kwargs: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator that returns what it is given."""
    return legacy_get_updates_support


def __getattr__(name: str) -> Callable[..., Any]:
    if name.startswith("legacy_"):  # one for each layer and method
        return legacy_get_updates_support
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
