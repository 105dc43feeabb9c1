"""Runs one case in tf-keras and records what the layer gave: outputs, masks, gradients, weights after an update."""

from __future__ import annotations

from typing import Any

import cudnn_layout
import numpy as np
import peer_layers
import tensorflow as tf
from array_store import ArrayStore
from layer_case import Case


def run_case(case: Case, store: ArrayStore, custom_objects: dict[str, Any] | None = None) -> dict[str, Any]:
    """The case's record for `cases.json`; its arrays go to the store."""
    store.start(case.name)
    return _Run(case, store, custom_objects or {}).record()


class _Run:
    def __init__(self, case: Case, store: ArrayStore, custom_objects: dict[str, Any]) -> None:
        self.case, self.store = case, store
        self.drawn: dict[str, np.ndarray] = {}
        self.spatial = peer_layers.spatial_rank_to_move(case.layer)
        self.cudnn = cudnn_layout.of(case.layer["class_name"])
        layer = self.cudnn.plain_layer(case.layer) if self.cudnn else case.layer
        layer = {**layer, "config": _with(layer["config"], case.peer)}
        self.layer = peer_layers.build(layer, case.precision, custom_objects)

    def record(self) -> dict[str, Any]:
        case, store = self.case, self.store
        batches = [[self._input(shape) for shape in case.inputs] for _ in range(case.batches)]
        states = [store.draw(shape, 0.5) for shape in case.initial_state]
        constants = [store.draw(shape, 0.5) for shape in case.constants]
        self._build([array for _, array in batches[0]], [a for _, a in states], [a for _, a in constants])
        weights = self._draw_weights()

        watched = [self._tensor(array) for _, array in [*batches[0], *states, *constants]]
        n = len(case.inputs)
        inputs, fed_states = watched[:n], watched[n : n + len(states)]
        with tf.GradientTape(persistent=bool(case.step)) as tape:
            tape.watch([t for t in watched if t.dtype.is_floating])
            outputs = self._call(inputs, fed_states, watched[n + len(states) :])
            upstream = [store.draw(self._from_peer(y).shape, 0.5) for y in outputs]
            loss = tf.add_n([tf.reduce_sum(y * self._tensor(r)) for y, (_, r) in zip(outputs, upstream)])
            total = tf.add_n([loss, *self.layer.losses]) if case.step else loss
        sources = [*self.layer.trainable_weights, *(t for t in watched if t.dtype.is_floating)]
        gradients = dict(zip(map(id, sources), tape.gradient(loss, sources)))

        record: dict[str, Any] = {"name": case.name, "layer": case.layer}
        if case.note:
            record["note"] = case.note
        record["inputs"] = [ref for ref, _ in batches[0]]
        if any(mask is not None for mask in case.masks):
            record["masks"] = list(case.masks)
        if states:
            record["initial_state"] = [ref for ref, _ in states]
        if constants:
            record["constants"] = [ref for ref, _ in constants]
        if case.learning_phase:
            record["learning_phase"] = 1
        record["weights"] = weights
        record["outputs"] = [store.keep(self._from_peer(y)) for y in outputs]
        masks = [getattr(y, "_keras_mask", None) for y in outputs]
        if any(mask is not None for mask in masks):
            record["output_masks"] = [None if m is None else m.numpy().astype(int).tolist() for m in masks]
        record["upstream"] = [ref for ref, _ in upstream]
        record["weight_gradients"] = self._weight_gradients(gradients)
        record["input_gradients"] = [self._input_gradient(gradients, t) for t in watched]
        if case.learning_phase and self.layer.non_trainable_weights:
            record["updated_weights"] = [store.keep(a) for a in self._updated(inputs[0])]
        if case.step:
            record["step"] = self._step(total, tape)
        if case.batches > 1:
            record["next_batches"] = [self._next_batch(batch) for batch in batches[1:]]
        if case.reset_states:
            record["reset_states"] = self._after_reset(batches[0])
        return record

    # --- arrays in and out ------------------------------------------------------------------------------------

    def _input(self, shape: Any) -> tuple[Any, np.ndarray]:
        if isinstance(shape, dict):
            return shape, np.asarray(shape["values"], shape["dtype"])
        return self.store.draw(shape, self.case.input_scale)

    def _tensor(self, array: np.ndarray) -> tf.Tensor:
        """A tensor for the peer: channels moved last where it computes no other way."""
        if array.dtype == np.int32:
            return tf.constant(array)
        if self.spatial and array.ndim > self.spatial + 1:
            array = np.moveaxis(array, array.ndim - 1 - self.spatial, -1)
        return tf.constant(array, self.case.precision)

    def _from_peer(self, value: Any) -> np.ndarray:
        array = np.asarray(tf.convert_to_tensor(value))
        if self.spatial and array.ndim > self.spatial + 1:
            array = np.moveaxis(array, -1, array.ndim - 1 - self.spatial)
        return array

    # --- the layer --------------------------------------------------------------------------------------------

    def _build(self, inputs: list[np.ndarray], states: list[np.ndarray], constants: list[np.ndarray]) -> None:
        self._call(*([self._tensor(array) for array in arrays] for arrays in (inputs, states, constants)))
        if getattr(self.layer, "stateful", False):
            self.layer.reset_states()

    def _call(self, inputs: list[Any], states: list[Any], constants: list[Any]) -> list[Any]:
        """The layer's outputs as a flat list, states in the order of Keras 2.1.6."""
        for tensor, mask in zip(inputs, self.case.masks):
            if mask is not None:
                tensor._keras_mask = tf.cast(tf.constant(mask), tf.bool)
        arguments: dict[str, Any] = {}
        if states:
            arguments["initial_state"] = self._nested_states(states)
        if constants:
            arguments["constants"] = constants
        if self.case.learning_phase:
            arguments["training"] = True
        outputs = self.layer(inputs if len(inputs) > 1 else inputs[0], **arguments)
        outputs = list(outputs) if isinstance(outputs, list | tuple) else [outputs]
        if self._stacked():
            outputs[1:] = outputs[:0:-1]
        return tf.nest.flatten(outputs)

    def _stacked(self) -> bool:
        """Keras 2.1.6 lists the states of stacked cells from the last cell to the first: [h2, c2, h1, c1]."""
        return hasattr(getattr(self.layer, "cell", None), "cells")

    def _nested_states(self, states: list[Any]) -> list[Any]:
        if not self._stacked():
            return states
        nested, rest = [], list(states)
        for cell in reversed(self.layer.cell.cells):
            count = len(tf.nest.flatten(cell.state_size))
            nested.insert(0, rest[:count] if count > 1 else rest[0])
            rest = rest[count:]
        return nested

    # --- weights ----------------------------------------------------------------------------------------------

    def _draw_weights(self) -> list[dict[str, Any]]:
        """Give every weight drawn values; return their records in the order of get_weights()."""
        records, arrays = [], []
        if self.cudnn:
            declared = self.cudnn.weights(self.layer)
        else:
            trainable = {id(w) for w in self.layer.trainable_weights}
            declared = [(plain_name(w.name), tuple(w.shape), id(w) in trainable) for w in self.layer.weights]
        for name, shape, trains in declared:
            positive = name == "moving_variance"
            ref, array = self.store.draw(shape, 0.25 if positive else 0.5, 1.0 if positive else 0.0)
            records.append({"name": name, "value": ref} if trains else {"name": name, "value": ref, "trains": False})
            arrays.append(array)
            self.drawn[name] = array
        self.layer.set_weights(self.cudnn.to_plain(self.layer, arrays) if self.cudnn else arrays)
        return records

    def _weight_gradients(self, gradients: dict[int, Any]) -> list[Any]:
        found = [gradients.get(id(w)) for w in self.layer.weights]
        dense = [None if g is None else np.asarray(tf.convert_to_tensor(g)) for g in found]
        if self.cudnn:
            dense = self.cudnn.gradients_from_plain(self.layer, dense)
        return [None if g is None else self.store.keep(g) for g in dense]

    def _input_gradient(self, gradients: dict[int, Any], tensor: tf.Tensor) -> Any:
        gradient = gradients.get(id(tensor))
        return None if gradient is None else self.store.keep(self._from_peer(gradient))

    def _updated(self, x: tf.Tensor) -> list[np.ndarray]:
        """Weights after one batch in the training phase, the moving variance as Keras 2.1.6 moves it.

        Since 2.1.3 (pull request 9028, observed in issue 10443) it moves towards the unbiased variance
        var * n / (n - (1 + epsilon)), n the number of values a channel has in the batch; tf-keras takes var.
        A frozen layer (trainable=False) of 2.1.6 normalizes with the batch in the training phase and moves nothing.
        """
        if self.case.layer["config"].get("trainable") is False:
            return list(self.drawn.values())
        new = {plain_name(w.name): np.asarray(w) for w in self.layer.weights}
        axis = self.layer.axis[0] if isinstance(self.layer.axis, list | tuple) else self.layer.axis
        others = tuple(i for i in range(x.ndim) if i != axis % x.ndim)
        n = np.prod([x.shape[i] for i in others])
        variance = np.var(np.asarray(x), axis=others) * n / (n - (1.0 + self.layer.epsilon))
        momentum = self.layer.momentum
        new["moving_variance"] = self.drawn["moving_variance"] * momentum + variance * (1 - momentum)
        return list(new.values())

    def _step(self, total: tf.Tensor, tape: tf.GradientTape) -> dict[str, Any]:
        """One step of gradient descent, each weight under its constraint; frozen weights stay."""
        new = []
        for weight in self.layer.weights:
            gradient = tape.gradient(total, weight) if weight.trainable else None
            value = weight if gradient is None else weight - self.case.step * tf.convert_to_tensor(gradient)
            constrained = gradient is not None and weight.constraint is not None
            new.append(self.store.keep(np.asarray(weight.constraint(value) if constrained else value)))
        return {"size": self.case.step, "loss": self.store.keep(np.asarray(total)), "weights": new}

    # --- states -----------------------------------------------------------------------------------------------

    def _next_batch(self, batch: list[tuple[Any, np.ndarray]]) -> dict[str, Any]:
        outputs = self._call([self._tensor(array) for _, array in batch], [], [])
        return {
            "inputs": [ref for ref, _ in batch],
            "outputs": [self.store.keep(self._from_peer(y)) for y in outputs],
        }

    def _after_reset(self, batch: list[tuple[Any, np.ndarray]]) -> dict[str, Any]:
        states = [self.store.draw(shape, 0.5) for shape in self.case.reset_states]
        self.layer.reset_states([np.asarray(self._tensor(a)) for _, a in states])
        outputs = self._call([self._tensor(array) for _, array in batch], [], [])
        return {
            "states": [ref for ref, _ in states],
            "outputs": [self.store.keep(self._from_peer(y)) for y in outputs],
        }


def plain_name(name: str) -> str:
    """The weight's own name: without the layers' prefixes, ':0' and the number that makes it unique."""
    last = name.split("/")[-1].split(":")[0]
    stem, _, number = last.rpartition("_")
    return stem if number.isdigit() and stem else last


def _with(config: Any, changes: dict[str, Any]) -> Any:
    return {**config, **changes} if changes else config
