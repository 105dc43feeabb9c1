"""The door to all optimizers: `from kcore.optimizers import SGD`. Names are also found in lower case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kcore.errors import ArgumentError
from kcore.plugins import registry
from kcore.plugins.doors import open_door
from kcore.plugins.objects import deserialize_keras_object, interpret, serialize_keras_object

__getattr__, __dir__ = open_door(__name__, "optimizers")


def serialize(optimizer: Any) -> dict[str, Any]:
    """The optimizer as `{"class_name": ..., "config": ...}`."""
    return serialize_keras_object(optimizer)


def deserialize(config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Makes an optimizer from its configuration.

    Args:
        config: dictionary with 'class_name' (in any case) and 'config'.
        custom_objects: name to class, for what is not installed as a plugin.
    """
    return deserialize_keras_object(config, registry.mapping("optimizers"), custom_objects, "optimizer")


def get(identifier: Any) -> Any:
    """The optimizer that an argument of `compile` stands for.

    Args:
        identifier: a name ('adam': default arguments), a configuration, an optimizer, or an
            optimizer object from elsewhere, with `compute_gradients` and `apply_gradients`, which is
            wrapped in a `TFOptimizer`.

    Raises:
        ArgumentError (a ValueError and TypeError): none of these, such as a class.
        NotInstalledError (a ValueError): nobody has the name.
    """
    if isinstance(identifier, (str, Mapping)):
        identifier = interpret("optimizers", identifier, instance=True)
    if not isinstance(identifier, type):
        if hasattr(identifier, "get_updates"):
            return identifier
        if hasattr(identifier, "apply_gradients"):
            return registry.get("optimizers", "TFOptimizer")(identifier)
    raise ArgumentError(
        f"Could not interpret optimizer identifier: {identifier!r}. Expected a name such as 'adam', a "
        "dictionary with 'class_name' and 'config', or an optimizer (an instance: Adam(), not Adam)."
    )
