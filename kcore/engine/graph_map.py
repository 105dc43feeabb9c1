"""The part of the world's layers and calls that lies between a model's inputs and outputs.

The order of the layers decides the order of the weights in saved files, so it is that of Keras 2:
layers furthest from the outputs first, and among equals those first that a walk from the outputs back
to the inputs, depth first, meets first. A layer called several times stands where its furthest call
is. All walks are iterative and visit each call once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from kcore.errors import GraphError
from kcore.graph import Tensor

if TYPE_CHECKING:
    from kcore.engine.layer import Layer
    from kcore.engine.node import Node

History = tuple[Any, int, int]


class GraphMap:
    """Layers and calls (nodes) between `inputs` and `outputs`.

    Args:
        inputs, outputs: sequences of tensors that layers made.
        input_layers: the input layer of each input.
        owner: the model's class name, for messages.

    Attributes:
        layers: list of layers, in the order of their weights in files.
        nodes: list of nodes, each after those that make its inputs; input layers' first.
        nodes_by_depth, layers_by_depth: dictionaries, distance from the outputs to lists.
        input_histories, output_histories: for each input and output (layer, node index, tensor index).

    Raises:
        ValueError: an output depends on a tensor that is not among the inputs, or that no layer made;
            or two layers have one name.
    """

    def __init__(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], input_layers: Sequence[Layer], owner: str
    ) -> None:
        self._owner = owner
        # Where an input was made by another layer (a model cut out of a larger one) the walk ends there all the
        # same: an input layer takes the place of what made it.
        self._sources: dict[int, History] = {
            id(x): (layer, 0, 0) if x._keras_history[0] is not layer else x._keras_history
            for x, layer in zip(inputs, input_layers, strict=True)
        }
        self.input_histories = [self._sources[id(x)] for x in inputs]
        self.output_histories = [self.history(x) for x in outputs]
        self._met: dict[Layer, int] = {}
        visited = self._walk_back()
        self._set_depths(visited)
        self._add_unused_inputs()
        self._sort()
        self._check_names()

    def history(self, x: Tensor) -> History:
        """Layer, node index and tensor index that a tensor comes from in this model."""
        return self._sources.get(id(x)) or x._keras_history

    def node_of(self, x: Tensor) -> Node:
        """The call that made a tensor."""
        layer, node_index, _ = self.history(x)
        return layer._inbound_nodes[node_index]

    def sources_of(self, node: Node) -> Iterator[Tensor]:
        """The input tensors of a call; none for an input layer's."""
        return iter(node.input_tensors if node.inbound_layers else ())

    # --- building -----------------------------------------------------------------------------------------
    def _walk_back(self) -> list[Node]:
        """All calls, each after the calls it depends on; notes the order in which layers are met."""
        finished: dict[Node, None] = {}
        entered: set[Node] = set()
        for layer, node_index, _ in self.output_histories:
            stack = [self._enter(layer._inbound_nodes[node_index], entered, finished)]
            while stack:
                node, sources = stack[-1]
                x = next(sources, None)
                if x is None:
                    finished[node] = None
                    stack.pop()
                    continue
                source = self._source(node, x)
                if source not in entered:
                    stack.append(self._enter(source, entered, finished))
        return list(finished)

    def _enter(self, node: Node, entered: set[Node], finished: dict[Node, None]) -> tuple[Node, Iterator[Tensor]]:
        if node in finished:
            return node, iter(())
        entered.add(node)
        self._met.setdefault(node.outbound_layer, len(self._met))
        if not node.inbound_layers:
            self._require_given(node)
        return node, self.sources_of(node)

    def _source(self, node: Node, x: Tensor) -> Node:
        if id(x) not in self._sources and not hasattr(x, "_keras_history"):
            made_at = f", made at {x.node.origin}" if x.node.origin else ""
            raise GraphError(
                f"Input tensors to the layers of a {self._owner} must come from layers, but layer "
                f'"{node.outbound_layer.name}" was called on {x!r}{made_at}, which is the result of a backend '
                "operation. Wrap such operations in a Lambda layer: Lambda(lambda t: ...)(x)."
            )
        return self.node_of(x)

    def _require_given(self, node: Node) -> None:
        layer = node.outbound_layer
        if any(layer is given for given, _, _ in self.input_histories):
            return
        reached = [met.name for met in self._met if met is not layer]
        raise GraphError(
            f"Graph disconnected: cannot obtain value for tensor {node.output_tensors[0]!r} at layer "
            f'"{layer.name}". It is needed for the outputs but is not among the inputs of the {self._owner}. '
            f"The following layers were reached without issue: {reached}"
        )

    def _set_depths(self, visited: list[Node]) -> None:
        self._node_depths: dict[Node, int] = dict.fromkeys(visited, 0)
        self._layer_depths: dict[Layer, int] = {}
        for node in reversed(visited):
            layer = node.outbound_layer
            depth = max(self._node_depths[node], self._layer_depths.get(layer, 0))
            self._node_depths[node] = self._layer_depths[layer] = depth
            for x in self.sources_of(node):
                source = self.node_of(x)
                self._node_depths[source] = max(self._node_depths[source], depth + 1)

    def _add_unused_inputs(self) -> None:
        for layer, node_index, _ in self.input_histories:
            if layer not in self._layer_depths:
                self._layer_depths[layer] = 0
                self._met[layer] = -1
                self._node_depths[layer._inbound_nodes[node_index]] = 0

    def _sort(self) -> None:
        self.nodes_by_depth: dict[int, list[Node]] = defaultdict(list)
        for node, depth in self._node_depths.items():
            self.nodes_by_depth[depth].append(node)
        self.layers_by_depth: dict[int, list[Layer]] = defaultdict(list)
        for layer in sorted(self._layer_depths, key=self._met.__getitem__):
            self.layers_by_depth[self._layer_depths[layer]].append(layer)
        depths = sorted(self.nodes_by_depth, reverse=True)
        self.nodes = [node for depth in depths for node in self.nodes_by_depth[depth]]
        depths = sorted(self.layers_by_depth, reverse=True)
        self.layers = [layer for depth in depths for layer in self.layers_by_depth[depth]]
        self.node_set = frozenset(self.nodes)

    def _check_names(self) -> None:
        count: dict[str, int] = defaultdict(int)
        for layer in self.layers:
            count[layer.name] += 1
        for name, times in count.items():
            if times > 1:
                raise GraphError(
                    f'The name "{name}" is used {times} times in the model. All layer names should be unique. '
                    "Give the layers different `name` arguments."
                )


def get_source_inputs(tensor: Tensor, layer: Any = None, node_index: int | None = None) -> list[Tensor]:
    """The tensors of input layers that a tensor depends on.

    Args:
        tensor: tensor that a layer made.
        layer, node_index: the layer and the number of its call that made it; read from the tensor by
            default.

    Returns:
        List of tensors, each once, in the order in which a walk backwards meets them.
    """
    if layer is None or node_index is None:
        if not hasattr(tensor, "_keras_history"):
            return [tensor]
        layer, node_index, _ = tensor._keras_history
    if not layer._inbound_nodes:
        return [tensor]
    found: dict[int, Tensor] = {}
    seen: set[Node] = set()
    stack: list[Node] = [layer._inbound_nodes[node_index]]
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if not node.inbound_layers:
            found.update((id(x), x) for x in node.input_tensors)
            continue
        sources = list(zip(node.input_tensors, node.inbound_layers, node.node_indices, strict=True))
        for x, source, index in reversed(sources):
            if source is None:
                found.setdefault(id(x), x)
            else:
                stack.append(source._inbound_nodes[index or 0])
    return list(found.values())
