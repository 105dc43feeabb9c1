"""`clone_model`: the same layers anew, on the same or on other inputs."""

from __future__ import annotations

from typing import Any

from kcore.engine.graph_map import get_source_inputs
from kcore.engine.input_layer import Input, InputLayer
from kcore.engine.layer import Layer
from kcore.engine.model import Model
from kcore.engine.network import Network
from kcore.engine.sequential import Sequential
from kcore.engine.structure import is_keras_tensor, to_list, unpack_singleton
from kcore.errors import ArgumentError
from kcore.graph import Tensor


def clone_model(model: Any, input_tensors: Any = None) -> Model:
    """A model of the same architecture, with new layers and newly initialized weights.

    Args:
        model: `Model` or `Sequential`.
        input_tensors: tensor or list of tensors to build upon, instead of new inputs.

    Returns:
        A model.

    Raises:
        ValueError: `model` is none, or the number of input tensors is wrong.
    """
    if not isinstance(model, Network):
        raise ArgumentError(f"Expected `model` to be a `Model` instance, got {model!r}")
    clone = _clone(model, input_tensors)
    clone.trainable = model.trainable
    return clone


def _clone(model: Network, input_tensors: Any) -> Any:
    given = None if input_tensors is None else [_as_input(x) for x in to_list(input_tensors)]
    if given is not None and len(given) != len(model.inputs):
        raise ArgumentError(f"The model has {len(model.inputs)} inputs, but {len(given)} `input_tensors` were given.")
    return _clone_sequential(model, given) if isinstance(model, Sequential) else _clone_graph(model, given)


def _as_input(x: Any) -> Tensor:
    if is_keras_tensor(x) and isinstance(x._keras_history[0], InputLayer):
        return x
    if not isinstance(x, Tensor):
        raise ArgumentError(f"`input_tensors` must be tensors. Received: {x!r:.200}")
    return Input(tensor=x, name=f"input_wrapper_for_{x.name.replace(':', '_').replace('/', '_')}")


def _clone_layer(layer: Layer) -> Layer:
    if isinstance(layer, Network):
        return clone_model(layer)
    return type(layer).from_config(layer.get_config())


def _clone_sequential(model: Sequential, inputs: list[Tensor] | None) -> Sequential:
    layers = [_clone_layer(layer) for layer in model.layers]
    if inputs is None:
        return Sequential(layers=layers, name=model.name)
    if layers and isinstance(layers[0], InputLayer):
        layers = layers[1:]
    (source,) = get_source_inputs(inputs[0])
    return Sequential(layers=[source._keras_history[0], *layers], name=model.name)


def _clone_graph(model: Network, inputs: list[Tensor] | None) -> Any:
    graph = model._graph
    if inputs is None:
        inputs = [
            Input(batch_shape=x._keras_shape, dtype=x.dtype, sparse=getattr(layer, "sparse", False), name=layer.name)
            for x, layer in zip(model.inputs, model.input_layers, strict=True)
        ]
    copies = {layer: _clone_layer(layer) for layer in graph.layers if layer not in model.input_layers}
    known = {id(x): new for x, new in zip(model.inputs, inputs, strict=True)}
    for node in graph.nodes:
        if node.inbound_layers:
            new = unpack_singleton([known[id(x)] for x in node.input_tensors])
            outputs = to_list(copies[node.outbound_layer](new, **node.arguments))
            known.update(zip(map(id, node.output_tensors), outputs, strict=True))
    outputs = [known[id(x)] for x in model.outputs]
    return Model(inputs, outputs, name=model.name)
