"""Architectures as text: JSON and YAML."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from kcore.engine.deserialize import deserialize
from kcore.errors import ArgumentError, KcoreError, SavedModelError
from kcore.plugins.scopes import CustomObjectScope
from kcore.saving.files import naming
from kcore.saving.translate import translate
from kcore.saving.weights import KERAS_VERSION, LAYOUT_BACKEND

if TYPE_CHECKING:
    from kcore.engine.model import Model

#: More layers than any model has; a description of more is not put together.
MOST_LAYERS = 20_000


# --- to text -------------------------------------------------------------------------------------------------


def model_description(model: Any) -> dict[str, Any]:
    """What a file says of a model: class, configuration, and the format's version."""
    return {
        "class_name": type(model).__name__,
        "config": model.get_config(),
        "keras_version": KERAS_VERSION,
        "backend": LAYOUT_BACKEND,
    }


def json_value(value: Any) -> Any:
    """What JSON has instead of an object that it cannot hold; for the argument `default` of `json.dumps`.

    Raises:
        TypeError: there is nothing.
    """
    if hasattr(value, "get_config"):
        return {"class_name": type(value).__name__, "config": value.get_config()}
    if isinstance(value, np.ndarray):
        return {"type": "ndarray", "value": value.tolist()}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, ModuleType):  # what a Lambda's function found around it: see bytecode.func_load
        return {"type": "module", "value": value.__name__}
    if hasattr(value, "__name__"):
        return value.__name__
    raise ArgumentError(
        f"Not JSON serializable: {value!r:.200}, in the configuration of a layer, loss or optimizer. Give the class of "
        "the object a get_config() method."
    )


def model_to_json(model: Any, **kwargs: Any) -> str:
    """The architecture of a model as JSON; see `Model.to_json`."""
    return json.dumps(model_description(model), default=json_value, **kwargs)


def model_to_yaml(model: Any, **kwargs: Any) -> str:
    """The architecture of a model as YAML; see `Model.to_yaml`."""
    plain = json.loads(model_to_json(model))
    return _yaml().safe_dump(plain, **kwargs)


def _yaml() -> Any:
    try:
        import yaml
    except ImportError:
        raise ImportError(
            "YAML needs the package PyYAML: pip install pyyaml. JSON (model.to_json()) needs nothing."
        ) from None
    return yaml


# --- from text -----------------------------------------------------------------------------------------------


def model_from_config(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Model:
    """A model (with new weights) from `{"class_name": ..., "config": ...}`.

    Args:
        config: dictionary.
        custom_objects: dictionary, names to classes and functions that are not installed as plugins.

    Raises:
        TypeError, ValueError: not the description of a model, or one with something that nobody has.
    """
    if isinstance(config, list):
        raise ArgumentError(
            "`model_from_config` expects a dictionary, not a list. Maybe you meant to use "
            "`Sequential.from_config(config)`?"
        )
    scope = CustomObjectScope(custom_objects or {})
    try:
        if count_layers(config) > MOST_LAYERS:
            raise SavedModelError(f"The description of the model has more than {MOST_LAYERS} layers.")
        with scope:
            return deserialize(translate(config))  # type: ignore[return-value] # of a model this is one
    except RecursionError:
        raise SavedModelError("The description of the model is nested too deeply.") from None
    except KcoreError:
        raise
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, OverflowError, MemoryError) as error:
        raise SavedModelError(
            f"The description of the model cannot be understood: {type(error).__name__}: {error}"
        ) from error


def count_layers(config: Any) -> int:
    """How many layers a description lists, those of nested models included."""
    count, todo = 0, [config]
    while todo and count <= MOST_LAYERS:
        item = todo.pop()
        if isinstance(item, Mapping):
            count += "class_name" in item
            inner = item.get("config")
            todo.extend(part for part in (inner, item.get("layers"), item.get("layer")) if part is not None)
        elif isinstance(item, list):
            todo.extend(item)
    return count


def model_from_json(json_string: str | bytes, custom_objects: Mapping[str, Any] | None = None) -> Model:
    """A model (with new weights) from the text that `Model.to_json` returned.

    Args:
        json_string: text.
        custom_objects: dictionary, names to classes and functions that are not installed as plugins.

    Raises:
        ValueError: not such a text.
    """
    with naming("model_from_json"):
        return model_from_config(parse_json(json_string, "The text"), custom_objects)


def parse_json(source: Any, what: str) -> Any:
    """JSON as Python objects; damage is a `SavedModelError` that says what was damaged."""
    try:
        return json.loads(source)
    except RecursionError:
        raise SavedModelError(f"{what} is nested too deeply.") from None
    except (TypeError, ValueError) as error:
        raise SavedModelError(f"{what} is damaged: it is not JSON ({error}).{_hint(source)}") from error


def _hint(source: Any) -> str:
    """What to do with the path of a file, or a file, that was given in place of its text."""
    if hasattr(source, "read"):
        return " Give the text: file.read()."
    if isinstance(source, (str, os.PathLike)) and re.fullmatch(r"[^\n{}\[\]]{1,250}\.\w{2,5}", os.fspath(source)):
        return f" {os.fspath(source)!r} looks like the path of a file; give what is in it: open(path).read()."
    return ""


def model_from_yaml(yaml_string: str | bytes, custom_objects: Mapping[str, Any] | None = None) -> Model:
    """A model (with new weights) from the text that `Model.to_yaml` returned.

    Only plain data are read; tags that would make Python objects are refused, but for the tuples that
    Keras writes.

    Args:
        yaml_string: text.
        custom_objects: dictionary, names to classes and functions that are not installed as plugins.

    Raises:
        ValueError: not such a text.
    """
    yaml = _yaml()

    class Loader(yaml.SafeLoader):  # type: ignore[misc,name-defined]
        """The safe loader, with Python's tuples and texts."""

    Loader.add_constructor("tag:yaml.org,2002:python/tuple", yaml.SafeLoader.construct_yaml_seq)
    Loader.add_constructor("tag:yaml.org,2002:python/unicode", yaml.SafeLoader.construct_yaml_str)
    try:
        config = yaml.load(yaml_string, Loader=Loader)
    except RecursionError:
        raise SavedModelError("model_from_yaml: The text is nested too deeply.") from None
    except (yaml.YAMLError, AttributeError, TypeError) as error:
        raise SavedModelError(
            f"model_from_yaml: The text is damaged: it is not YAML ({error}).{_hint(yaml_string)}"
        ) from error
    with naming("model_from_yaml"):
        if isinstance(config, str):
            raise SavedModelError(f"The text describes no model: {config!r:.100}.{_hint(yaml_string)}")
        return model_from_config(config, custom_objects)
