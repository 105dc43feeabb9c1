"""The table's models on tf-keras, and what they compute where TensorFlow cannot run the layer itself on a CPU."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cudnn_layout
import numpy as np
import peer_layers

from interchange import custom
from interchange.entry import Entry, Variant, parts
from interchange.shapes import Builder, build, shape_of
from interchange.training import Training

keras = peer_layers.keras
CUDNN = tuple(cudnn_layout.GATES)


def custom_objects(cells: dict[str, Any]) -> dict[str, Any]:
    """What files name besides the layers of tf-keras."""
    v1 = peer_layers.v1_layers()
    return {**custom.objects(keras), **cells, **{name: getattr(v1, name) for name in CUDNN}}


def builder(objects: dict[str, Any]) -> Builder:
    """Makes models as tf-keras saves them."""
    return Builder(keras, objects, lambda layer: peer_layers.translate(layer, to_compute=False))


def optimizer(training: Training) -> Any:
    """The optimizer of a case: of the kind that has the arguments and state of 2.1.6, or of the later one."""
    # What 2.1.6 calls `clipnorm` clips by the norm of all gradients together.
    names = {"lr": "learning_rate", "clipnorm": "global_clipnorm"}
    arguments = {names.get(key, key): value for key, value in training.arguments.items()}
    if training.optimizer == "Adagrad":
        arguments["initial_accumulator_value"] = 0.0
    kinds = keras.optimizers if training.later else keras.optimizers.legacy
    return getattr(kinds, training.optimizer)(**arguments)


def legacy_optimizers() -> dict[str, Any]:
    """For loading files of 2.1.6: its optimizers by their names."""
    names = ("SGD", "RMSprop", "Adam", "Adagrad", "Adadelta", "Adamax", "Nadam")
    return {name: getattr(keras.optimizers.legacy, name) for name in names}


def predict(entry: Entry, shape: str, model: Any, inputs: list[np.ndarray], objects: dict[str, Any]) -> list:
    """What the model of an entry predicts, states starting from zero."""
    twin, rank = _twin(entry, shape, model, objects)
    fed = [_to_last(x, rank) for x in inputs]
    outputs = twin(fed if len(fed) > 1 else fed[0], training=False)  # of a tiny model, quicker than `predict`
    twin.reset_states()
    return [_to_first(np.asarray(y), rank) for y in (outputs if isinstance(outputs, list) else [outputs])]


def runs(entry: Entry, shape: str) -> bool:
    """Whether TensorFlow computes the layer itself on a CPU."""
    return entry.class_name not in CUDNN and not _rank(entry, shape)


def _rank(entry: Entry, shape: str) -> int:
    moved = shape == "channels_first"
    return max(peer_layers.spatial_rank_to_move(one.layer) for one in entry.variants(shape)) if moved else 0


def _twin(entry: Entry, shape: str, model: Any, objects: dict[str, Any]) -> tuple[Any, int]:
    """A model that computes the same and can run: channels last, plain recurrent layers; rank of what to move."""
    if runs(entry, shape):
        return model, 0
    rank = _rank(entry, shape)
    other = replace(entry, main=_runnable(entry.main, rank), others=tuple(_runnable(one, rank) for one in entry.others))
    twin = build(Builder(keras, objects, peer_layers.translate), other, shape).model
    weights = model.get_weights()
    if entry.class_name in CUDNN:
        layout = cudnn_layout.of(entry.class_name)
        assert layout is not None
        own = len(layout.to_plain(None, weights[:3]))
        places = [i for i, w in enumerate(model.weights) if w.name.endswith("kernel:0") and "recurrent" not in w.name]
        for i in places:
            if weights[i].shape[-1] == layout.gates * entry.main.config["units"]:
                weights[i : i + own] = layout.to_plain(None, weights[i : i + own])
    twin.set_weights(weights)
    return twin, rank


def _runnable(variant: Variant, rank: int) -> Variant:
    layer = variant.layer
    for part in parts(layer):
        if part["class_name"] in CUDNN:
            layer = cudnn_layout.of(part["class_name"]).plain_layer(part)  # type: ignore[union-attr]
    moved = tuple(_moved(source, rank) for source in variant.inputs) if rank else variant.inputs
    return replace(variant, layer=layer, inputs=moved)


def _moved(source: Any, rank: int) -> Any:
    shape = list(shape_of(source))
    channels = shape.pop(len(shape) - 1 - rank)
    return (*shape, channels)


def _to_last(array: np.ndarray, rank: int) -> np.ndarray:
    return np.moveaxis(array, array.ndim - 1 - rank, -1) if rank and array.ndim > rank + 1 else array


def _to_first(array: np.ndarray, rank: int) -> np.ndarray:
    return np.moveaxis(array, -1, array.ndim - 1 - rank) if rank and array.ndim > rank + 1 else array
