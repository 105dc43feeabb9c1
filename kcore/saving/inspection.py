"""What a file holds, read without making the model and without importing any plugin: for `kcore model FILE`."""

from __future__ import annotations

import functools
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import h5py

from kcore.errors import SavedModelError
from kcore.saving.architecture import MOST_LAYERS, count_layers, parse_json
from kcore.saving.files import name_of, reading
from kcore.saving.groups import checked_dataset, has_names, member, read_names, text_attribute
from kcore.saving.provenance import read_provenance
from kcore.saving.training import GROUP as OPTIMIZER_WEIGHTS

Record = dict[str, Any]
_MOST_JSON = 1 << 26  # bytes
_DEEPEST = 20  # wrappers around wrappers that a class is described by


def inspect_file(source: Any) -> Record:
    """Everything that a file of a model, of weights, or of an architecture in JSON, says of itself.

    Args:
        source: path, open `h5py.File` or `Group`, binary file object, or bytes.

    Returns:
        Dictionary that JSON can hold: `path`, `file_bytes`, `holds` ("model", "weights", "architecture"),
        `keras_version`, `backend`, `model` (class, name, and for each layer what it is, what it is connected to and
        its weights), `weights` and `optimizer_weights` (arrays, numbers, bytes), `training`, `provenance`, and
        `damage`, a list of what is wrong, empty for a sound file.

    Raises:
        OSError: the file is missing, or no HDF5 file at all.
    """
    if isinstance(source, (str, os.PathLike)) and os.path.isfile(source):
        with open(source, "rb") as file:
            if file.read(64).lstrip().startswith(b"{"):
                file.seek(0)
                return _Inspection(None).architecture_record(source, file.read(_MOST_JSON))
    with reading(source) as group:
        return _Inspection(group).record(source)


class _Inspection:
    """Goes on after damage, and notes it."""

    def __init__(self, group: Any) -> None:
        self.group = group
        self.damage: list[str] = []

    def attempt(self, read: Callable[[], Any], otherwise: Any = None) -> Any:
        """What `read` returns; damage is noted and gives `otherwise`."""
        try:
            return read()
        except (SavedModelError, OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
            self.damage.append(f"{error}")
            return otherwise

    def record(self, source: Any) -> Record:
        group = self.group
        path = name_of(source)
        is_model = "model_config" in group.attrs
        weights = group
        if is_model or ("model_weights" in group and not has_names(group, "layer_names")):
            weights = self.attempt(lambda: member(group, "model_weights", h5py.Group))
        if not is_model and weights is group and not has_names(group, "layer_names"):
            self.damage.append("It has neither 'model_config' nor 'layer_names': neither a model nor weights of one.")
        arrays = {} if weights is None else self.attempt(lambda: self._arrays_by_layer(weights), {})
        config = self.attempt(lambda: self._config("model_config")) if is_model else None
        training = self.attempt(lambda: self._config("training_config")) if "training_config" in group.attrs else None
        state = self.attempt(self._optimizer_arrays, []) if OPTIMIZER_WEIGHTS in group else []
        model = self.attempt(lambda: _model(config, arrays)) if config else None
        if model is None:
            model = {"class": None, "name": None, "layers": [_layer_record(n, a) for n, a in arrays.items()]}
        else:
            self._compare_with_weights(model, arrays)
        return {
            "path": path,
            "file_bytes": os.path.getsize(path) if os.path.isfile(path) else None,
            "holds": "model" if is_model else "weights",
            "keras_version": self.attempt(lambda: self._version("keras_version")),
            "backend": self.attempt(lambda: self._version("backend")),
            "model": model,
            "weights": _sizes([a for listed in arrays.values() for a in listed]),
            "training": training,
            "optimizer_weights": _sizes(state),
            "provenance": self.attempt(lambda: read_provenance(group)),
            "damage": self.damage,
        }

    def architecture_record(self, source: Any, text: bytes) -> Record:
        """What the text of `Model.to_json` says, in the form of `record`."""
        config = self.attempt(lambda: parse_json(text, "The text"), {})
        model = self.attempt(lambda: _model(config, {})) if config else None
        return {
            "path": name_of(source),
            "file_bytes": os.path.getsize(source),
            "holds": "architecture",
            "keras_version": _get(config, "keras_version"),
            "backend": _get(config, "backend"),
            "model": model or {"class": None, "name": None, "layers": []},
            "weights": _sizes([]),
            "training": None,
            "optimizer_weights": _sizes([]),
            "provenance": None,
            "damage": self.damage,
        }

    def _config(self, name: str) -> Record:
        config = parse_json(text_attribute(self.group, name), f"The attribute '{name}'")
        if not isinstance(config, dict):
            raise SavedModelError(f"The attribute '{name}' is no description of anything: {config!r:.100}")
        return config

    def _version(self, name: str) -> str | None:
        found = text_attribute(self.group, name)
        if found is None and "model_weights" in self.group:
            found = text_attribute(member(self.group, "model_weights", h5py.Group), name)
        return found

    def _arrays_by_layer(self, group: Any) -> dict[str, list[Record]]:
        return {
            name: self.attempt(functools.partial(self._arrays, group, name), [])
            for name in read_names(group, "layer_names")
        }

    def _arrays(self, parent: Any, name: str) -> list[Record]:
        group = member(parent, name, h5py.Group)
        records = [self.attempt(functools.partial(_array, group, path)) for path in read_names(group, "weight_names")]
        return [record for record in records if record is not None]

    def _optimizer_arrays(self) -> list[Record]:
        return self._arrays(self.group, OPTIMIZER_WEIGHTS)

    def _compare_with_weights(self, model: Record, arrays: Mapping[str, Any]) -> None:
        names = {layer["name"] for layer in model["layers"]}
        for name, listed in arrays.items():
            if listed and name not in names:
                self.damage.append(f"There are weights for a layer '{name}', which the model does not have.")
        for name in sorted(names - set(arrays)) if arrays else ():
            self.damage.append(f"There is no entry for layer '{name}' among the weights.")


# --- arrays -------------------------------------------------------------------------------------------------


def _array(group: Any, path: str) -> Record:
    dataset = checked_dataset(group, path)
    size = dataset.size * dataset.dtype.itemsize
    if dataset.chunks is None and size > dataset.id.get_storage_size():
        raise SavedModelError(
            f"'{path}' in {group.name} should have {size:,} bytes, but {dataset.id.get_storage_size():,} are there."
        )
    for _ in _pieces(dataset):
        pass  # a piece that cannot be read is an OSError
    return {
        "name": path,
        "shape": list(dataset.shape),
        "dtype": str(dataset.dtype),
        "numbers": dataset.size,
        "bytes": size,
    }


def _pieces(dataset: Any, rows_bytes: int = 1 << 24) -> Iterator[Any]:
    """The stored values, some rows at a time."""
    if not dataset.shape or not dataset.size or not dataset.id.get_storage_size():
        return
    step = max(1, rows_bytes * dataset.shape[0] // (dataset.size * dataset.dtype.itemsize))
    most = 1 << 32  # compressed data can claim any size
    for start in range(0, min(dataset.shape[0], step * (most // rows_bytes)), step):
        yield dataset[start : start + step]


def _sizes(arrays: list[Record]) -> Record:
    return {
        "arrays": len(arrays),
        "numbers": sum(a["numbers"] for a in arrays),
        "bytes": sum(a["bytes"] for a in arrays),
        "dtypes": sorted({a["dtype"] for a in arrays}),
    }


# --- the description of a model -------------------------------------------------------------------------------


def _model(config: Record, arrays: Mapping[str, list[Record]]) -> Record:
    if count_layers(config) > MOST_LAYERS:
        raise SavedModelError(f"The description of the model has more than {MOST_LAYERS} layers.")
    inner = config.get("config")
    layers = inner.get("layers") if isinstance(inner, dict) else inner
    if not isinstance(layers, list) or not all(isinstance(layer, dict) for layer in layers):
        raise SavedModelError(f"The description of the model has no list of layers: {config!r:.100}")
    records = []
    for layer in layers:
        name = layer.get("name") or _get(layer, "config", "name")
        if not isinstance(name, str):
            raise SavedModelError(f"A layer has no name: {layer!r:.100}")
        records.append(
            {**_layer_record(name, arrays.get(name, [])), "class": _class(layer), "from": _connections(layer)}
        )
    return {"class": config.get("class_name"), "name": _get(config, "config", "name"), "layers": records}


def _layer_record(name: str, arrays: list[Record]) -> Record:
    return {"name": name, "class": None, "from": [], "numbers": sum(a["numbers"] for a in arrays), "weights": arrays}


def _get(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _class(layer: Record, depth: int = 0) -> str:
    """`LSTM`, `Bidirectional(LSTM)`, `Model(12 layers)`."""
    name = str(layer.get("class_name"))
    config = layer.get("config")
    inner = _get(config, "layer") or _get(config, "cell")
    if isinstance(inner, dict) and depth < _DEEPEST:
        return f"{name}({_class(inner, depth + 1)})"
    below = config if isinstance(config, list) else _get(config, "layers")
    return f"{name}({len(below)} layers)" if isinstance(below, list) else name


def _connections(layer: Record) -> list[str]:
    """The layers whose outputs it gets, whatever way a version writes calls."""
    found: Counter[str] = Counter()
    todo = [layer.get("inbound_nodes")]
    while todo:
        item = todo.pop(0)
        if isinstance(item, list) and item and isinstance(item[0], str):
            found[item[0]] += 1
        elif isinstance(item, list):
            todo = item + todo
    return list(found)
