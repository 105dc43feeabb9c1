"""The table that `model.summary()` prints."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from kcore.engine.layer import Layer
from kcore.engine.network import Network
from kcore.errors import ArgumentError
from kcore.shapes import listed, positive_int, real_number


def print_summary(
    model: Any,
    line_length: int | None = None,
    positions: Sequence[float] | None = None,
    print_fn: Callable[[str], Any] | None = None,
) -> None:
    """Print a table of a model's layers, their output shapes and numbers of weights.

    Args:
        model: model.
        line_length: int, width of the table (65, or 98 where calls are shown too).
        positions: floats, where each column ends, as parts of the width (up to 1) or in characters.
        print_fn: function that is given each line; `print` by default.
    """
    out = print if print_fn is None else print_fn
    if not callable(out):
        raise ArgumentError(f"`print_fn` must be a function of a line of text. Received: {out!r:.200}")
    chain = is_chain(model)
    width = positive_int(line_length or (65 if chain else 98), "line_length")
    parts = [0.45, 0.85, 1.0] if chain else [0.33, 0.55, 0.67, 1.0]
    if positions is not None:
        parts = [real_number(one, "positions", least=0) for one in listed(positions, "positions", "numbers")] or parts
    ends = [int(width * part) for part in parts] if parts[-1] <= 1 else [int(part) for part in parts]
    titles = ["Layer (type)", "Output Shape", "Param #", *([] if chain else ["Connected to"])]

    out("_" * width)
    out(format_row(titles, ends))
    out("=" * width)
    for number, layer in enumerate(model.layers, 1):
        for row in _rows_of(layer, model, chain):
            out(format_row(row, ends))
        out(("=" if number == len(model.layers) else "_") * width)
    trainable = count_params(model.trainable_weights)
    fixed = count_params(model.non_trainable_weights)
    out(f"Total params: {trainable + fixed:,}")
    out(f"Trainable params: {trainable:,}")
    out(f"Non-trainable params: {fixed:,}")
    out("_" * width)


def is_chain(model: Any) -> bool:
    """Whether every layer has one input, the layer before it, so that connections need not be shown."""
    from kcore.engine.sequential import Sequential

    if isinstance(model, Sequential):
        return True
    graph = model._graph
    several = any(len(nodes) > 1 for nodes in graph.nodes_by_depth.values())
    joined = any(len(node.input_tensors) > 1 for node in graph.nodes)
    called_again = any(sum(node in graph.node_set for node in layer._inbound_nodes) > 1 for layer in graph.layers)
    return not (several or joined or called_again)


def _rows_of(layer: Layer, model: Network, chain: bool) -> list[list[str]]:
    try:
        shape = str(layer.output_shape)
    except AttributeError:
        shape = "multiple"
    row = [f"{layer.name} ({type(layer).__name__})", shape, str(layer.count_params())]
    if chain:
        return [row]
    connections = _connections(layer, model)
    first = [[*row, connections[0] if connections else ""]]
    return first + [["", "", "", connection] for connection in connections[1:]]


def _connections(layer: Layer, model: Network) -> list[str]:
    """Each input of the layer's calls in the model, as `layer[node index][tensor index]`."""
    graph = model._graph
    found = []
    for node in layer._inbound_nodes:
        if node in graph.node_set and node.inbound_layers:
            for source, node_index, tensor_index in map(graph.history, node.input_tensors):
                found.append(f"{source.name}[{node_index}][{tensor_index}]")
    return found


def format_row(fields: Sequence[str], ends: Sequence[int]) -> str:
    """One line: each field cut off or filled up to the end of its column, with a space between columns."""
    line = ""
    for field, end in zip(fields, ends, strict=False):
        if line:
            line = line[:-1] + " "
        line = (line + field)[:end].ljust(end)
    return line


def count_params(weights: Sequence[Any]) -> int:
    """The number of scalars in some weights, each counted once."""
    return sum(math.prod(weight.shape) for weight in {id(w): w for w in weights}.values())
