"""The door to all metric functions: `from kcore.metrics import binary_accuracy`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kcore.plugins import registry
from kcore.plugins.doors import open_door
from kcore.plugins.objects import deserialize_keras_object, interpret, serialize_keras_object

__getattr__, __dir__ = open_door(__name__, "metrics")


def serialize(metric: Any) -> Any:
    """The name of a metric function, or the configuration of a metric object."""
    return serialize_keras_object(metric)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The metric of that name or configuration; an unknown name is a ValueError."""
    return deserialize_keras_object(config, registry.mapping("metrics"), custom_objects, "metric function")


def get(identifier: Any) -> Any:
    """The metric that an argument of `compile` stands for.

    Args:
        identifier: a name ('mae'), a configuration, or a function `(y_true, y_pred) -> metric`.
    """
    return interpret("metrics", identifier, instance=False)
