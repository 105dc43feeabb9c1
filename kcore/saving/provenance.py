"""Where the classes of a saved model come from: recorded on saving, checked on loading.

The attribute `kcore_provenance`, which Keras ignores, is JSON:

    {"kcore": "0.1.0", "classes": {"layers:Dense": ["kcore-layers-core", "0.1.0"], "layers:Mine": null}}

null stands for a class of the program itself. Besides layers and the optimizer, the record has what plugins offer of
losses, metrics, initializers, regularizers, constraints and activations, by the names in the file.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kcore.engine.layer import Layer
from kcore.engine.network import Network
from kcore.errors import KcoreError, NotInstalledError, SavedModelError, warn
from kcore.plugins import registry
from kcore.plugins.kinds import KINDS
from kcore.plugins.scopes import get_custom_objects
from kcore.saving.architecture import parse_json
from kcore.saving.groups import text_attribute

ATTRIBUTE = "kcore_provenance"
#: The arguments of layers that name something else, by the ends of their names.
_ARGUMENTS = {
    "initializer": "initializers",
    "regularizer": "regularizers",
    "constraint": "constraints",
    "activation": "activations",
}
#: The kinds that only a compiled model uses.
_FOR_TRAINING = ("optimizers", "losses", "metrics")


# --- writing -----------------------------------------------------------------------------------------------


def provenance_of(model: Any, description: Any = None) -> dict[str, Any]:
    """The record for a model: its layers, however nested, and its optimizer; of what these use, what plugins have.

    Args:
        model: model.
        description: its configuration, in the form that JSON has.
    """
    from kcore import __version__

    classes: dict[str, Any] = {}
    for layer in layers_in(model):
        classes[f"layers:{type(layer).__name__}"] = _origin(type(layer))
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None:
        classes[f"optimizers:{type(optimizer).__name__}"] = _origin(type(optimizer))
    for kind, name in _named_in(model, description):
        try:
            origin = _origin(registry.get(kind, name))
        except KcoreError:  # the program's own, or a word such as "accuracy"
            continue
        if origin is not None and origin[0] != "kcore":
            classes[f"{kind}:{name}"] = origin
    return {"kcore": __version__, "classes": classes}


def _origin(cls: Any) -> list[str] | None:
    origin = registry.distribution_of(cls)
    return None if origin is None else list(origin)


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
            todo.extend(item.layers if isinstance(item, Network) else vars(item).values())


def _named_in(model: Any, description: Any) -> Iterator[tuple[str, str]]:
    """Kind and name of everything but layers that a model is described with."""
    for kind, values in (
        ("losses", [getattr(model, "loss", None)]),
        ("metrics", [getattr(model, "metrics", None), getattr(model, "weighted_metrics", None)]),
    ):
        yield from ((kind, name) for name in _names(values))
    todo = [description]
    while todo:
        item = todo.pop()
        if isinstance(item, Mapping):
            for key, value in item.items():
                kind = _ARGUMENTS.get(str(key).rpartition("_")[2], "")
                if kind:
                    yield from ((kind, name) for name in _names([value]))
            todo.extend(item.values())
        elif isinstance(item, list):
            todo.extend(item)


def _names(values: Any) -> Iterator[str]:
    """The names by which a file has functions and objects, given in whatever form."""
    for value in values:
        if isinstance(value, Mapping) and isinstance(value.get("class_name"), str):
            yield value["class_name"]
        elif isinstance(value, (list, tuple, Mapping)):
            yield from _names(value.values() if isinstance(value, Mapping) else value)
        elif isinstance(value, str):
            yield value
        elif value is not None:
            yield type(value).__name__ if hasattr(value, "get_config") else getattr(value, "__name__", "")


def write_provenance(group: Any, model: Any, description: Any = None) -> None:
    """Write the record into a file."""
    group.attrs[ATTRIBUTE] = json.dumps(provenance_of(model, description)).encode("utf-8")


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


def check_provenance(group: Any, custom_objects: Mapping[str, Any] | None = None, compiled: bool = True) -> None:
    """Say everything that is missing at once, before anything is loaded; warn of other major versions.

    Args:
        group: `h5py.Group` of the file.
        custom_objects: dictionary, names to classes and functions.
        compiled: boolean, whether the model will be compiled, and needs optimizer, losses and metrics.

    Raises:
        SavedModelError (a ValueError): classes that neither plugins nor custom objects have.
    """
    from kcore import __version__

    record = read_provenance(group)
    if record is None:
        return
    missing: dict[tuple[str, str] | None, list[str]] = defaultdict(list)
    versions = {("kcore", record["kcore"], __version__)} if isinstance(record.get("kcore"), str) else set()
    known = {**get_custom_objects(), **(custom_objects or {})}
    for full_name, origin in record["classes"].items():
        kind, _, name = full_name.partition(":")
        if kind not in KINDS or name in known or (kind in _FOR_TRAINING and not compiled):
            continue
        origin = (origin[0], origin[1]) if _is_origin(origin) else None
        try:
            here = registry.distribution_of(registry.get(kind, name))
        except NotInstalledError:
            missing[origin].append(name)
        else:
            if origin and here and origin[0] == here[0]:
                versions.add((*origin, here[1]))
    if missing:
        raise SavedModelError(_how_to_get(missing))
    _warn_of_other_versions(versions)


def _is_origin(origin: Any) -> bool:
    return isinstance(origin, list) and len(origin) == 2 and all(isinstance(part, str) for part in origin)


def _how_to_get(missing: Mapping[tuple[str, str] | None, list[str]]) -> str:
    lines = ["The model uses what is not there:"]
    lines += [f"  {', '.join(names)}, of {origin[0]} {origin[1]}" for origin, names in missing.items() if origin]
    own = missing.get(None, [])
    if own:
        lines.append(f"  {', '.join(own)}, of the program that saved the model")
    distributions = sorted({origin[0] for origin in missing if origin})
    ways = [f"install {'it' if len(distributions) == 1 else 'them'}: pip install {' '.join(distributions)}"]
    ways = ways if distributions else []
    if own:
        ways.append(f"give them when loading: custom_objects={{{', '.join(f'{name!r}: {name}' for name in own)}}}")
    return "\n".join([*lines, "To load it, " + "; and ".join(ways)])


def _warn_of_other_versions(versions: Iterable[tuple[str, str, str]]) -> None:
    others = [v for v in sorted(versions) if v[1].split(".")[0] != v[2].split(".")[0]]
    if others:
        saved = ", ".join(f"{name} {version} ({here} is installed)" for name, version, here in others)
        warn(f"The model was saved with another major version of {saved}, and may be understood differently.")
