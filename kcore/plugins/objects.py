"""Objects to configurations and back, as saved models hold them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from kcore.errors import ArgumentError
from kcore.plugins import registry
from kcore.plugins.kinds import kind_of
from kcore.plugins.scopes import CustomObjectScope, get_custom_objects


def serialize_keras_object(instance: Any) -> Any:
    """What a saved model says of an object.

    Args:
        instance: an object with `get_config`, a function or class, or None.

    Returns:
        `{"class_name": ..., "config": ...}`, or the function's name, or None.

    Raises:
        ValueError: the object has neither configuration nor name.
    """
    if instance is None:
        return None
    if hasattr(instance, "get_config"):
        return {"class_name": type(instance).__name__, "config": instance.get_config()}
    if hasattr(instance, "__name__"):
        return instance.__name__
    raise ValueError(
        f"Cannot serialize {instance!r}: it has no get_config() and no __name__. "
        "Give its class a get_config() method that returns the arguments of its constructor."
    )


def deserialize_keras_object(
    identifier: Any,
    module_objects: Mapping[str, Any] | None = None,
    custom_objects: Mapping[str, Any] | None = None,
    printable_module_name: str = "object",
) -> Any:
    """The object that a saved configuration describes.

    Args:
        identifier: `{"class_name": ..., "config": ...}` for an instance, or the name of a function
            or class.
        module_objects: name to object, where custom objects do not have it; `registry.mapping(kind)`
            for the names that plugins offer.
        custom_objects: name to object; goes before everything, also for what is nested inside.
        printable_module_name: what it is called in messages.

    Returns:
        An instance for a dictionary, the function or class itself for a name.

    Raises:
        ValueError: nobody has the name, or the identifier is neither of the two.
    """
    if isinstance(identifier, str):
        return _look_up(identifier, module_objects, custom_objects, printable_module_name)
    if not isinstance(identifier, Mapping) or "class_name" not in identifier or "config" not in identifier:
        raise ValueError(
            f"Could not interpret serialized {printable_module_name}: {identifier!r}. Expected a name or "
            "a dictionary with 'class_name' and 'config'."
        )
    cls = _look_up(identifier["class_name"], module_objects, custom_objects, printable_module_name)
    config = identifier["config"]
    with CustomObjectScope(custom_objects or {}):
        if not hasattr(cls, "from_config"):
            return cls(**config)
        if _takes_custom_objects(getattr(cls.from_config, "__func__", cls.from_config)):
            return cls.from_config(config, custom_objects=dict(get_custom_objects()))
        return cls.from_config(config)


@lru_cache(maxsize=1024)
def _takes_custom_objects(from_config: Callable[..., Any]) -> bool:
    return "custom_objects" in inspect.signature(from_config).parameters


def _look_up(
    name: Any,
    module_objects: Mapping[str, Any] | None,
    custom_objects: Mapping[str, Any] | None,
    label: str,
) -> Any:
    if isinstance(module_objects, registry.KindMapping):
        return registry.get(module_objects.kind, name, custom_objects)
    for objects in (custom_objects, get_custom_objects(), module_objects):
        if objects and name in objects:
            return objects[name]
    raise ValueError(f"Unknown {label}: {name}. If it is your own, name it in custom_objects or a CustomObjectScope.")


def interpret(kind: str, identifier: Any, *, instance: bool) -> Any:
    """What a user's argument stands for: the common part of every `get`.

    Args:
        kind: 'losses', 'initializers', ...
        identifier: a name, a dictionary with 'class_name' and 'config', or a callable.
        instance: whether a name stands for an instance made with default arguments ('zeros' is
            `Zeros()`), or for the named function itself ('mse').

    Returns:
        The callable as it is, or what the name or dictionary describes.

    Raises:
        ValueError: the identifier is none of these, or nobody has the name.
    """
    label = kind_of(kind).label
    if isinstance(identifier, str) and instance:
        found = registry.get(kind, identifier)
        if not _makes_instances(found):
            return found
        identifier = {"class_name": identifier, "config": {}}
    if isinstance(identifier, (str, Mapping)):
        return deserialize_keras_object(identifier, registry.mapping(kind), printable_module_name=label)
    if callable(identifier):
        return identifier
    raise ArgumentError(
        f"Could not interpret {label} identifier: {identifier!r}. Expected a name, a dictionary with "
        "'class_name' and 'config', or a callable."
    )


def _makes_instances(found: Any) -> bool:
    """Whether a named object is a class or a function such as `he_normal(seed=None)`, to be called for an instance.

    A user's own `def my_init(shape, dtype=None)` cannot be called without arguments: it is the initializer.
    """
    if isinstance(found, type) or not callable(found):
        return True
    required = [p for p in inspect.signature(found).parameters.values() if p.default is p.empty]
    return all(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in required)
