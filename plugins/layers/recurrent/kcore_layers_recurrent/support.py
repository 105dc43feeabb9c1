"""Small helpers of the recurrent layers."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from kcore import activations, constraints, initializers, regularizers
from kcore import backend as K
from kcore.errors import ArgumentError
from kcore.ops import recurrent

_PARTS = {"initializer": initializers, "regularizer": regularizers, "constraint": constraints}


def as_list(value: Any) -> list[Any]:
    """A list of one or more values."""
    return list(value) if isinstance(value, (list, tuple)) else [value]


def accepts(function: Callable[..., Any], name: str) -> bool:
    """Whether a function can be called with an argument of this name."""
    return name in inspect.signature(function).parameters


def set_weight_settings(layer: Any, settings: dict[str, Any]) -> None:
    """Set ``layer.kernel_initializer`` and the like from what the user gave: names, dictionaries or objects."""
    for key, value in settings.items():
        part = key.rsplit("_", 1)[-1]
        setattr(layer, key, _PARTS[part].get(value) if part in _PARTS else value)


def weight_config(layer: Any, keys: tuple[str, ...]) -> dict[str, Any]:
    """The configuration of the settings `keys`: what makes equal ones."""
    config = {}
    for key in keys:
        part = key.rsplit("_", 1)[-1]
        value = getattr(layer, key)
        if part in _PARTS:
            value = _PARTS[part].serialize(value)
        elif part == "activation":
            value = activations.serialize(value)
        config[key] = value
    return config


def implementation_number(value: Any, layer: Any) -> int:
    """The argument `implementation` of a layer: 1 or 2; 0, of earlier versions, stands for 1."""
    if value in (0, 1, 2):
        return int(value) or 1
    raise ArgumentError(f"`implementation` of layer {layer.name} must be 1 or 2. Received: {value!r}")


def dropout_masks(like: Any, rate: float, training: Any, count: int) -> list[Any] | None:
    """`count` drop-out masks ``(batch, features)`` that are all ones in the test phase; None without drop-out."""
    if not rate > 0:
        return None
    ones = K.ones_like(like)
    return [K.in_train_phase(lambda: K.dropout(ones, rate), ones, training=training) for _ in range(count)]


def activation_name(function: Any) -> str:
    """The name of an activation of kcore, empty for a function of somebody else."""
    name = getattr(function, "__name__", "")
    return name if getattr(activations, name, None) is function else ""


def fusible(*functions: Any) -> bool:
    """Whether the fused operations know all these activations."""
    names = [activation_name(f) for f in functions]
    return all(names) and recurrent.supports(*names)
