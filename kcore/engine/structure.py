"""Small helpers for what may be one thing or a list of things, and for signatures and names."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from kcore.errors import ShapeError
from kcore.graph import Tensor

Shape = tuple[int | None, ...]


def to_list(value: Any) -> list[Any]:
    """`value` as a fresh list: a list or tuple element by element, anything else alone."""
    return list(value) if isinstance(value, (list, tuple)) else [value]


def unpack_singleton(values: list[Any]) -> Any:
    """The only element of a list of one; a longer (or empty) list as it is."""
    return values[0] if len(values) == 1 else values


def fresh(value: Any) -> Any:
    """`value` with new dictionaries, lists and tuples; what is in them stays, since not all of it can be copied."""
    if isinstance(value, dict):
        return {key: fresh(item) for key, item in value.items()}
    return type(value)(map(fresh, value)) if type(value) in (list, tuple) else value


def is_shape(value: Any) -> bool:
    """Whether `value` is one shape (a tuple or list of ints and Nones) and not a list of shapes."""
    return isinstance(value, (list, tuple)) and all(d is None or not hasattr(d, "__len__") for d in value)


def shape_list(value: Any) -> list[Shape]:
    """One shape, or a list of shapes, as a list of tuples."""
    if not isinstance(value, Iterable):
        raise ShapeError(f"expected a shape, a tuple of ints and Nones, or a list of shapes. Received: {value!r:.200}")
    return [tuple(value)] if is_shape(value) else [tuple(shape) for shape in value]


def is_keras_tensor(x: Any) -> bool:
    """Whether a layer (`Input` included) returned this very handle."""
    return isinstance(x, Tensor) and hasattr(x, "_keras_history")


def list_uid(values: Any) -> str:
    """A string that names the objects of a list by identity, as Keras 2 keys per-input losses."""
    return ", ".join(str(id(value)) for value in to_list(values))


def snake_case(name: str) -> str:
    """A class's name as the beginning of its instances' names: `MaxPooling2D` -> `max_pooling2d`.

    Saved models contain these names, so the rule, oddities included (`ConvLSTM2D` ->
    `conv_lst_m2d`), is that of Keras 2.
    """
    spaced = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", name)
    spaced = re.sub(r"([a-z])([A-Z])", r"\1_\2", spaced).lower()
    return "private" + spaced if spaced.startswith("_") else spaced


def accepts(function: Callable[..., Any], name: str) -> bool:
    """Whether a function has a parameter called `name` (`**kwargs` does not count)."""
    return name in _parameters(getattr(function, "__func__", function))


@lru_cache(maxsize=4096)
def _parameters(function: Callable[..., Any]) -> frozenset[str]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return frozenset()
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return frozenset(p.name for p in parameters if p.kind in named)


def unique_by(items: Iterable[Any], key: Callable[[Any], Any]) -> list[Any]:
    """The items whose key has not been seen before, in order."""
    found: dict[Any, Any] = {}
    for item in items:
        found.setdefault(key(item), item)
    return list(found.values())
