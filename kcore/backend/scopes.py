"""Name scopes: the front parts of the names of weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["name_scope"]

_scope: ContextVar[str] = ContextVar("kcore_name_scope", default="")


@contextmanager
def name_scope(name: str) -> Iterator[None]:
    """Weights made inside are called `name/...`; scopes nest (`bidirectional_1/forward_lstm_1/kernel:0`).

    Layers open one for themselves; programs written for TensorFlow open further ones. The names that are given to
    `K.variable` are used as they are.
    """
    token = _scope.set(scoped(name))
    try:
        yield
    finally:
        _scope.reset(token)


def scoped(name: str) -> str:
    """`name` with the scopes in force before it."""
    outer = _scope.get()
    return f"{outer}/{name}" if outer else name
