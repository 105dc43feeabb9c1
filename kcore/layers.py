"""The door to all layers: `from kcore.layers import Dense`.

`Input`, `InputLayer`, `InputSpec` and `Layer` are the core's; every other name is a plugin's, found
by the registry (`kcore plugins list --kind layers`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kcore.plugins import registry
from kcore.plugins.doors import open_door
from kcore.plugins.objects import deserialize_keras_object, serialize_keras_object

__getattr__, __dir__ = open_door(__name__, "layers")


def serialize(layer: Any) -> dict[str, Any]:
    """The layer as `{"class_name": ..., "config": ...}`."""
    return serialize_keras_object(layer)


def deserialize(config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Makes a layer, or a nested model, from its configuration.

    Args:
        config: dictionary with 'class_name' and 'config'.
        custom_objects: name to class or function, for what is not installed as a plugin.

    Returns:
        A layer; weights are not part of a configuration.

    Raises:
        ValueError: nobody has the class's name; the message says what to install.
    """
    return deserialize_keras_object(config, registry.mapping("layers"), custom_objects, "layer")
