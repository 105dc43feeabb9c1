"""Layers from their descriptions in saved models, checked before they are believed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kcore.engine.layer import Layer
from kcore.errors import KcoreError, PluginError, SavedModelError
from kcore.plugins import registry
from kcore.plugins.objects import deserialize_keras_object, serialize_keras_object

#: Class names that other versions of the format use for what is `Model` here.
_SAME_AS_MODEL = ("Functional", "Container", "Network")


def serialize(layer: Layer) -> dict[str, Any]:
    """A layer as `{"class_name": ..., "config": ...}`."""
    return serialize_keras_object(layer)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Layer:
    """A layer from `{"class_name": ..., "config": ...}`.

    Args:
        config: dictionary; further keys do no harm.
        custom_objects: dictionary, names to classes and functions that are not installed as plugins.

    Raises:
        ValueError: no layer, or one that nobody has; the message says which and what to install.
    """
    if not isinstance(config, Mapping) or not isinstance(config.get("class_name"), str) or "config" not in config:
        raise SavedModelError(
            f"Expected the description of a layer, with 'class_name' and 'config', but found {config!r:.300}"
        )
    class_name = config["class_name"]
    if class_name in _SAME_AS_MODEL:
        class_name = "Model"
    cls = registry.get("layers", class_name, custom_objects)
    if not (isinstance(cls, type) and issubclass(cls, Layer)):
        raise SavedModelError(f"'{class_name}' stands where a layer should, but is {cls!r}")
    description = {"class_name": class_name, "config": config["config"]}
    try:
        layer = deserialize_keras_object(description, registry.mapping("layers"), custom_objects, "layer")
    except (PluginError, SavedModelError, RecursionError):
        raise
    except (KcoreError, TypeError, ValueError, KeyError, AttributeError, IndexError) as error:
        raise SavedModelError(
            f"The layer {_name_in(config['config'])!r} ({class_name}) cannot be made from its configuration: "
            f"{type(error).__name__}: {error} Given: {config['config']!r:.300}"
        ) from error
    if not isinstance(layer, Layer):
        raise SavedModelError(f"'{class_name}' made {layer!r}, which is no layer")
    return layer


def _name_in(config: Any) -> Any:
    return config.get("name") if isinstance(config, Mapping) else None
