"""The graph of a model as TensorBoard draws it: operations, grouped by layers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tensorboardX.proto.graph_pb2 import GraphDef
from tensorboardX.proto.node_def_pb2 import NodeDef
from tensorboardX.proto.tensor_shape_pb2 import TensorShapeProto

from kcore.graph import Node, nodes_of

# The names under which TensorBoard knows what it draws in its own way.
_TENSORFLOW_NAMES = {"variable": "VariableV2", "constant": "Const", "placeholder": "Placeholder"}


def graph_of(model: Any) -> GraphDef:
    """The operations from a model's inputs to its outputs, its loss and its metrics.

    Each operation stands in the scope of the layer whose call made it (a model inside is one scope); what comes after
    the outputs is in the scope `loss`.
    """
    scopes = _scopes(model)
    names = _names(scopes)
    graph = GraphDef()
    graph.versions.producer = 22
    graph.node.extend(_described(node, names) for node in scopes)
    return graph


def _scopes(model: Any) -> dict[Node, str]:
    """The layer, or 'loss', that each node belongs to; inputs before readers."""
    ends = [*model.outputs, model.total_loss, *model.metrics_tensors]
    nodes = nodes_of(ends)
    scopes = dict.fromkeys(nodes, "")
    for layer in model.layers:
        for call in layer.inbound_nodes:
            stop = {x.key for x in call.input_tensors} if call.inbound_layers else set()
            for node in nodes_of(call.output_tensors, stop):
                if scopes.get(node) == "":
                    scopes[node] = layer.name
    inside = set(nodes_of(model.outputs))
    return {node: scope if scope or node in inside else "loss" for node, scope in scopes.items()}


def _names(scopes: dict[Node, str]) -> dict[Node, str]:
    taken: set[str] = set()
    return {node: _unique(_name(node, scope), taken) for node, scope in scopes.items()}


def _name(node: Node, scope: str) -> str:
    own = str(node.attrs.get("name") or "").partition(":")[0] if node.op.name in _TENSORFLOW_NAMES else ""
    name = own if own.startswith(f"{scope}/") else "/".join(filter(None, [scope, own or node.op.name]))
    name = re.sub(r"[^A-Za-z0-9_.\-/]", "_", name)
    return name if name[0] not in "_-/" else f".{name}"  # what TensorBoard takes for a name


def _unique(name: str, taken: set[str]) -> str:
    found = next(f for f in _candidates(name) if f not in taken)
    taken.add(found)
    return found


def _candidates(name: str) -> Iterator[str]:
    yield name
    number = 0
    while True:
        number += 1
        yield f"{name}_{number}"


def _described(node: Node, names: dict[Node, str]) -> NodeDef:
    inputs = [names[x.node] + (f":{x.index}" if x.index else "") for x in node.inputs]
    described = NodeDef(name=names[node], op=_TENSORFLOW_NAMES.get(node.op.name, node.op.name), input=inputs)
    described.attr["dtype"].s = node.specs[0].dtype.encode()
    described.attr["_output_shapes"].list.shape.extend(_shape(spec.shape) for spec in node.specs)
    if node.origin is not None:
        described.attr["line"].s = str(node.origin).encode()
    return described


def _shape(shape: Any) -> TensorShapeProto:
    sizes = [TensorShapeProto.Dim(size=-1 if size is None else size) for size in shape]
    return TensorShapeProto(dim=sizes)
