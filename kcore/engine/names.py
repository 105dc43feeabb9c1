"""Names of layers and of their weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from kcore import backend as K
from kcore.engine.structure import snake_case

_scope: ContextVar[str] = ContextVar("kcore_name_scope", default="")


def automatic_name(class_name: str) -> str:
    """The name of a layer that was given none: `dense_1`, `dense_2` ... in order of construction."""
    return f"{snake_case(class_name)}_{K.get_uid(class_name)}"


@contextmanager
def name_scope(name: str) -> Iterator[None]:
    """Weights made inside are called `name/...`; scopes nest (`bidirectional_1/forward_lstm_1/kernel:0`)."""
    outer = _scope.get()
    token = _scope.set(f"{outer}/{name}" if outer else name)
    try:
        yield
    finally:
        _scope.reset(token)


def scoped(name: str) -> str:
    """`name` with the scopes in force before it."""
    outer = _scope.get()
    return f"{outer}/{name}" if outer else name
