"""The door to all loss functions: `from kcore.losses import mean_squared_error`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kcore.plugins import registry
from kcore.plugins.doors import open_door
from kcore.plugins.objects import deserialize_keras_object, interpret, serialize_keras_object

__getattr__, __dir__ = open_door(__name__, "losses")


def serialize(loss: Any) -> Any:
    """The name of a loss function."""
    return serialize_keras_object(loss)


def deserialize(name: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The loss function of that name; an unknown name is a ValueError that says what to install."""
    return deserialize_keras_object(name, registry.mapping("losses"), custom_objects, "loss function")


def get(identifier: Any) -> Any:
    """The loss function that an argument of `compile` stands for.

    Args:
        identifier: None, a name ('mse'), or a function `(y_true, y_pred) -> loss`.

    Returns:
        A function, or None for None.
    """
    return None if identifier is None else interpret("losses", identifier, instance=False)
