"""Where the classes of a saved model come from: recorded on saving, checked on loading.

The attribute `kcore_provenance`, which Keras ignores, is JSON:

    {"kcore": "0.1.0", "classes": {"layers:Dense": ["kcore-layers-core", "0.1.0"], "layers:Mine": null}}

null stands for a class of the program itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from kcore.engine.layer import Layer
from kcore.errors import NotInstalledError, SavedModelError, warn
from kcore.plugins import registry
from kcore.plugins.scopes import get_custom_objects
from kcore.saving.architecture import parse_json
from kcore.saving.groups import text_attribute

ATTRIBUTE = "kcore_provenance"


# --- writing -----------------------------------------------------------------------------------------------


def provenance_of(model: Any) -> dict[str, Any]:
    """The record for a model: its layers, however nested, and its optimizer."""
    from kcore import __version__

    classes: dict[str, Any] = {}
    for layer in layers_in(model):
        _note(classes, "layers", type(layer))
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None:
        _note(classes, "optimizers", type(optimizer))
    return {"kcore": __version__, "classes": classes}


def _note(classes: dict[str, Any], kind: str, cls: type) -> None:
    origin = registry.distribution_of(cls)
    classes[f"{kind}:{cls.__name__}"] = None if origin is None else list(origin)


def layers_in(model: Any) -> Iterator[Layer]:
    """A model and all layers inside it: of nested models, in wrappers, cells of recurrent layers."""
    seen: set[int] = set()
    todo: list[Any] = [model]
    while todo:
        item = todo.pop()
        if isinstance(item, (list, tuple)):
            todo.extend(item)
        elif isinstance(item, Layer) and id(item) not in seen:
            seen.add(id(item))
            yield item
            todo.extend(getattr(item, "layers", ()))
            todo.extend(vars(item).values())


def write_provenance(group: Any, model: Any) -> None:
    """Write the record into a file."""
    group.attrs[ATTRIBUTE] = json.dumps(provenance_of(model)).encode("utf-8")


# --- reading -----------------------------------------------------------------------------------------------


def read_provenance(group: Any) -> dict[str, Any] | None:
    """The record of a file, or None where it has none (Keras wrote it)."""
    source = text_attribute(group, ATTRIBUTE)
    if source is None:
        return None
    record = parse_json(source, f"The attribute '{ATTRIBUTE}'")
    if not isinstance(record, dict) or not isinstance(record.get("classes"), dict):
        raise SavedModelError(f"The attribute '{ATTRIBUTE}' is damaged: {record!r:.200}")
    return record


def check_provenance(group: Any, custom_objects: Mapping[str, Any] | None = None) -> None:
    """Say everything that is missing at once, before anything is loaded; warn of another major version.

    # Raises
        SavedModelError (a ValueError): classes that neither plugins nor custom objects have.
    """
    record = read_provenance(group)
    if record is None:
        return
    missing = []
    known = {**get_custom_objects(), **(custom_objects or {})}
    for full_name, origin in record["classes"].items():
        kind, _, name = full_name.partition(":")
        if kind not in ("layers", "optimizers") or name in known:
            continue
        try:
            here = registry.distribution_of(registry.get(kind, name))
        except NotInstalledError:
            missing.append(_how_to_get(name, origin))
        else:
            _warn_of_other_version(name, origin, here)
    if missing:
        raise SavedModelError("The model uses what is not there:\n  " + "\n  ".join(missing))


def _how_to_get(name: str, origin: Any) -> str:
    if _is_origin(origin):
        return f"{name}, of {origin[0]} {origin[1]}: pip install {origin[0]}"
    return f"{name}, of the program that saved the model: give it with custom_objects={{'{name}': {name}}}"


def _is_origin(origin: Any) -> bool:
    return isinstance(origin, list) and len(origin) == 2 and all(isinstance(part, str) for part in origin)


def _warn_of_other_version(name: str, origin: Any, here: tuple[str, str] | None) -> None:
    if not _is_origin(origin) or here is None or origin[0] != here[0]:
        return
    saved, present = origin[1].split(".")[0], here[1].split(".")[0]
    if saved != present:
        warn(
            f"The model was saved with {name} of {origin[0]} {origin[1]}; version {here[1]} is installed and may "
            "understand it differently."
        )
