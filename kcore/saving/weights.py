"""Weights in HDF5 files: `save_weights`, `load_weights`, and the groups they use.

attributes: layer_names, backend, keras_version
<layer>/          attribute: weight_names
<layer>/<weight name>   a data set, such as dense_1/dense_1/kernel:0
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import h5py
import numpy as np

from kcore import backend as K
from kcore.engine.network import Network
from kcore.errors import SavedModelError, ShapeError, WeightsMismatchError, warn
from kcore.saving.files import may_write, reading, writing
from kcore.saving.groups import (
    Memory,
    has_names,
    member,
    read_arrays,
    read_names,
    text_attribute,
    write_array,
    write_names,
)

#: What files say they were written by: the version whose layout and weight orders they have ...
KERAS_VERSION = "2.1.6"
#: ... and the backend whose kernel layout they have.
LAYOUT_BACKEND = "tensorflow"

#: Weights, their values, and whether nobody else has the array.
Pairs = list[tuple[Any, np.ndarray, bool]]


def save_weights(model: Any, filepath: Any, overwrite: bool = True) -> None:
    """Save the weights of a model; see `Model.save_weights`."""
    if may_write(filepath, overwrite):
        with writing(filepath) as group:
            write_weights(group, model.layers)


def load_weights(
    model: Any, filepath: Any, by_name: bool = False, skip_mismatch: bool = False, reshape: bool = False
) -> None:
    """Load the weights of a model; see `Model.load_weights`."""
    with reading(filepath) as group:
        if not has_names(group, "layer_names") and "model_weights" in group:
            group = member(group, "model_weights", h5py.Group)
        if by_name:
            pairs = matched_by_name(group, model.layers, skip_mismatch, reshape)
        else:
            try:
                pairs = matched_in_order(group, model.layers, reshape)
            except WeightsMismatchError as error:
                if skip_mismatch:
                    error.args = (f"{error} (skip_mismatch=True skips layers with by_name=True only.)",)
                raise
    set_and_release(pairs)


# --- writing -----------------------------------------------------------------------------------------------


def write_weights(group: Any, layers: Sequence[Any]) -> None:
    """Write the weights of layers into a group."""
    write_names(group, "layer_names", [layer.name for layer in layers])
    group.attrs["backend"] = LAYOUT_BACKEND.encode("utf-8")
    group.attrs["keras_version"] = KERAS_VERSION.encode("utf-8")
    for layer in layers:
        below = group.require_group(layer.name)
        names = weight_names(layer.weights)
        write_names(below, "weight_names", names)
        for name, weight in zip(names, layer.weights, strict=True):
            write_array(below, name, K.get_value(weight))


def weight_names(weights: Sequence[Any]) -> list[str]:
    """A name for each weight: its own, told apart (`kernel_1:0`) where it is not the first of that name."""
    names: dict[str, None] = {}
    for number, weight in enumerate(weights):
        own = getattr(weight, "name", None) or f"param_{number}"
        stem, colon, index = own.rpartition(":")
        stem, suffix = (stem, f":{index}") if colon else (own, ":0")
        candidate, count = f"{stem}{suffix}", 0
        while candidate in names:
            count += 1
            candidate = f"{stem}_{count}{suffix}"
        names[candidate] = None
    return list(names)


# --- reading -----------------------------------------------------------------------------------------------


def matched_in_order(group: Any, layers: Sequence[Any], reshape: bool = False, of_this_model: bool = False) -> Pairs:
    """Weights and their values, the layers with weights of file and model matched in their order.

    Args:
        group: `h5py.Group`.
        layers: list of layers.
        reshape: boolean, whether a value of equal size is taken in another shape.
        of_this_model: boolean, whether the model was made from the same file, so that names are to be relied on.

    Raises:
        ValueError: their number differs, or that of a layer's weights, or a shape.
    """
    mine = [layer for layer in layers if layer.weights]
    found = _layer_groups(group)
    found = [saved for saved in found if saved.weight_names]
    if of_this_model:
        found = _in_order_of_layers(found, mine)
    if len(found) != len(mine):
        names = [saved.name for saved in found]
        raise SavedModelError(
            f"You are trying to load a weight file containing {len(names)} layers into a model with {len(mine)} "
            f"layers. "
            f"In the file: {_some(names)}. In the model: {_some([layer.name for layer in mine])}. Use by_name=True to "
            "load the layers that have the same names."
        )
    pairs: Pairs = []
    for number, (layer, saved) in enumerate(zip(mine, found, strict=True)):
        pairs += _fitted(number, layer, saved, reshape)
    return pairs


def _in_order_of_layers(found: list[_LayerGroup], layers: Sequence[Any]) -> list[_LayerGroup]:
    """What a file has of layers, in the order of the layers where these have the same names."""
    by_name = {saved.name: saved for saved in found}
    names = [layer.name for layer in layers]
    is_order = len(by_name) == len(found) == len(names) and set(names) == set(by_name)
    return [by_name[name] for name in names] if is_order else found


def set_and_release(pairs: Pairs) -> None:
    """Set weights to values, and let each value go at once: a large model is not held twice."""
    while pairs:
        weight, value, is_own = pairs.pop()
        weight.set(value, give=is_own)


def names_in_file(group: Any, layers: Sequence[Any]) -> dict[int, str]:
    """What the file calls each weight (by `id`), the layers matched in their order; those of other layouts left out."""
    mine = [layer for layer in layers if layer.weights]
    found = _layer_groups(group)
    pairs = zip(mine, [saved for saved in found if saved.weight_names], strict=False)
    return {
        id(weight): name
        for layer, saved in pairs
        if len(layer.weights) == len(saved.weight_names)
        for weight, name in zip(layer.weights, saved.weight_names, strict=True)
    }


def matched_by_name(group: Any, layers: Sequence[Any], skip_mismatch: bool = False, reshape: bool = False) -> Pairs:
    """Weights and their values, for the layers whose names are in the file.

    Raises:
        ValueError: without `skip_mismatch`, the number of a layer's weights differs, or a shape.
    """
    by_name: dict[str, list[Any]] = defaultdict(list)
    for layer in layers:
        by_name[layer.name].append(layer)
    pairs: Pairs = []
    written_by, memory = _written_by(group), Memory()
    for number, name in enumerate(read_names(group, "layer_names")):
        for layer in by_name.get(name, ()):
            try:
                pairs += _fitted(number, layer, _LayerGroup(group, name, memory, *written_by), reshape)
            except WeightsMismatchError as error:
                if not skip_mismatch:
                    raise
                warn(f"Skipping loading of weights for layer {name}: {error}")
    return pairs


def _layer_groups(group: Any) -> list[_LayerGroup]:
    """What a file has of each layer, in order."""
    written_by, memory = _written_by(group), Memory()
    return [_LayerGroup(group, name, memory, *written_by) for name in read_names(group, "layer_names")]


def _written_by(group: Any) -> tuple[str, str | None]:
    """Version and backend of the Keras that wrote a file."""
    return text_attribute(group, "keras_version", "1") or "1", text_attribute(group, "backend")


def _backend_by_names(names: Sequence[str]) -> str | None:
    """The backend of Keras 1, which wrote none: TensorFlow's names end with ":0", and Theano's do not."""
    if all(name.endswith(":0") for name in names):
        return "tensorflow"
    return "theano" if all(re.search(r"_(W|U|b)(_\w+)?$", name) for name in names) else None


class _LayerGroup:
    """What a file has of one layer; `version` and `backend` of the Keras that wrote it."""

    def __init__(self, parent: Any, name: str, memory: Memory, version: str, backend: str | None) -> None:
        self.name = name
        self.memory = memory
        self.version = version
        self.backend = backend
        self.group = member(parent, name, h5py.Group)
        self.weight_names = read_names(self.group, "weight_names")
        if backend is None and version.split(".")[0] == "1" and self.weight_names:
            self.backend = _backend_by_names(self.weight_names)

    def values_for(self, layer: Any) -> list[tuple[np.ndarray, bool]]:
        """The weights, in the form in which a layer of the model holds them, and whether nobody else has the array."""
        # Other layouts may hold some weights twice over (the biases of CuDNN), and in double precision.
        most = (1 << 20) + 8 * sum(K.count_params(w) * np.dtype(w.dtype).itemsize for w in layer.weights)
        read = read_arrays(self.group, self.weight_names, most, self.memory)
        own = {id(value) for value in read}
        if isinstance(layer, Network):
            read = _in_order_of(layer, self.weight_names, read)
        try:
            values = layer.weights_from_file(list(read), self.version, self.backend)
        except ShapeError as error:
            raise WeightsMismatchError(str(error)) from error
        return [(np.asarray(value), id(value) in own) for value in values]


def _in_order_of(network: Network, names: list[str], values: list[np.ndarray]) -> list[np.ndarray]:
    """The weights of a nested network by their names, where these agree.

    The order in the file depends on which layers were trainable when it was written.
    """
    mine = [weight.name for weight in network.weights]
    if len(set(names)) == len(names) and len(set(mine)) == len(mine) and set(names) == set(mine):
        by_name = dict(zip(names, values, strict=True))
        return [by_name[name] for name in mine]
    return values


def _fitted(number: int, layer: Any, saved: _LayerGroup, reshape: bool) -> Pairs:
    """The weights of a layer and their values from the file, of equal shapes."""
    values = saved.values_for(layer)
    if len(values) != len(layer.weights):
        raise WeightsMismatchError(
            f'Layer #{number} (named "{layer.name}" in the current model) was found to correspond to layer '
            f"{saved.name} in the save file. However the new layer {layer.name} expects {len(layer.weights)} "
            f"weights, but the saved weights have {len(values)} elements."
        )
    pairs: Pairs = []
    for weight, (value, is_own) in zip(layer.weights, values, strict=True):
        shape = tuple(weight.shape)
        if value.shape != shape:
            if not reshape or value.size != K.count_params(weight):
                may_reshape = " With reshape=True it is taken." if value.size == K.count_params(weight) else ""
                raise WeightsMismatchError(
                    f"The weight {weight.name} of layer {layer.name} has shape {shape}, but in the file its shape is "
                    f"{value.shape}.{may_reshape}"
                )
            value = value.reshape(shape)
        pairs.append((weight, value, is_own))
    return pairs


def _some(names: Sequence[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" ... ({len(names)})" if len(names) > most else "")


def preprocess_weights_for_loading(
    layer: Any,
    weights: list[Any],
    original_keras_version: str | None = None,
    original_backend: str | None = None,
) -> list[Any]:
    """Weights of another version or backend in the form in which a layer holds them.

    Args:
        layer: layer.
        weights: list of arrays, as the file has them.
        original_keras_version: version that wrote them; '1' by default.
        original_backend: backend that wrote them, or None.

    Returns:
        List of arrays for `layer.set_weights`.
    """
    return layer.weights_from_file(list(weights), original_keras_version or "1", original_backend)
