"""A network as a dictionary, and back: the `config` of `Model` in saved files (Keras 2 layout).

    {"name": ..., "layers": [{"name", "class_name", "config", "inbound_nodes"}, ...],
     "input_layers": [[name, node index, tensor index], ...], "output_layers": [...]}

`inbound_nodes` has, for each call of the layer that belongs to the network, a list with
`[layer name, node index, tensor index, keyword arguments]` for each input. Only such calls are
counted; a nested network's count starts at 1, because its node 0 links its own inputs and outputs.
"""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kcore.engine.deserialize import deserialize
from kcore.engine.layer import Layer
from kcore.engine.node import Node
from kcore.engine.structure import unpack_singleton
from kcore.errors import SavedModelError, warn
from kcore.graph import Tensor

if TYPE_CHECKING:
    from kcore.engine.network import Network


# --- writing -----------------------------------------------------------------------------------------


def network_config(network: Network) -> dict[str, Any]:
    """The description of a network."""
    graph = network._graph
    index = _node_indices(network)

    def place(history: tuple[Any, int, int]) -> list[Any]:
        layer, node_index, tensor_index = history
        return [layer.name, index[layer._inbound_nodes[node_index]], tensor_index]

    def call_config(node: Node) -> list[Any]:
        kwargs = _arguments(node)
        return [[*place(graph.history(x)), kwargs] for x in node.input_tensors]

    # As 2.1.6 has it, which knows no frozen networks in files; the flag is one that later versions write.
    frozen = {} if network.trainable else {"trainable": False}
    return {
        "name": network.name,
        **frozen,
        "layers": [
            {
                "name": layer.name,
                "class_name": type(layer).__name__,
                "config": layer.get_config(),
                "inbound_nodes": [
                    call_config(node) for node in layer._inbound_nodes if node in graph.node_set and node.inbound_layers
                ],
            }
            for layer in graph.layers
        ],
        "input_layers": [place(history) for history in graph.input_histories],
        "output_layers": [place(history) for history in graph.output_histories],
    }


def _node_indices(network: Network) -> dict[Node, int]:
    """The number of each call in the description."""
    graph = network._graph
    index: dict[Node, int] = {}
    for layer in graph.layers:
        own = [node for node in layer._inbound_nodes if node in graph.node_set]
        first = 1 if has_own_node(layer) else 0
        index.update((node, number) for number, node in enumerate(own, first))
    return index


def has_own_node(layer: Layer) -> bool:
    """Whether node 0 of a layer is not a call: that of a network."""
    from kcore.engine.network import Network

    return isinstance(layer, Network)


def _arguments(node: Node) -> dict[str, Any]:
    if not node.arguments:
        return {}
    try:
        json.dumps(node.arguments)
    except TypeError:
        warn(
            f"Layer {node.outbound_layer.name} was passed non-serializable keyword arguments: {node.arguments}. They "
            "will not be included in the serialized model (and thus will be missing at deserialization time)."
        )
        return {}
    return node.arguments


# --- reading -----------------------------------------------------------------------------------------


def tensors_from_config(
    config: Any, custom_objects: Mapping[str, Any] | None = None
) -> tuple[list[Tensor], list[Tensor]]:
    """Make the layers that a description lists, repeat their calls; return input and output tensors.

    Raises:
        ValueError: the description is not one, or contradicts itself.
    """
    if not isinstance(config, Mapping):
        raise SavedModelError(f"Expected the description of a model, a dictionary, but found {config!r:.200}")
    builder = _Builder(_list_in(config, "layers", "the model"), custom_objects)
    builder.run()
    inputs = [builder.tensor(place) for place in _places(config, "input_layers")]
    outputs = [builder.tensor(place) for place in _places(config, "output_layers")]
    return inputs, outputs


class _Builder:
    """Makes layers, and each call as soon as its inputs exist; linear in the size of the description."""

    def __init__(self, descriptions: list[Any], custom_objects: Mapping[str, Any] | None) -> None:
        self.layers: dict[str, Layer] = {}
        self.made: dict[str, int] = {}  # nodes of each layer that exist: described calls only
        self.pending: dict[str, deque[Any]] = {}
        self.waiting: dict[tuple[str, int], list[str]] = defaultdict(list)
        for description in descriptions:
            self._add(description, custom_objects)

    def _add(self, description: Any, custom_objects: Mapping[str, Any] | None) -> None:
        if not isinstance(description, Mapping):
            raise SavedModelError(f"Expected the description of a layer, a dictionary, but found {description!r:.200}")
        layer = deserialize(description, custom_objects)
        name = description.get("name", layer.name)
        if not isinstance(name, str):
            raise SavedModelError(f"The name of a layer must be a string, but found {name!r:.100}")
        if name in self.layers:
            raise SavedModelError(f"The saved model has two layers called '{name}'")
        layer.name = name  # a nested Sequential's description does not repeat it
        self.layers[name] = layer
        if has_own_node(layer) and not layer.built:
            layer.build(None)
        self.made[name] = len(layer._inbound_nodes)
        self.pending[name] = deque(_list_in(description, "inbound_nodes", f"layer '{name}'"))

    def run(self) -> None:
        """Repeat all calls.

        Raises:
            ValueError: some wait for inputs that are never made.
        """
        ready = deque(self.layers)
        while ready:
            name = ready.popleft()
            while self.pending[name] and self._call(name, self.pending[name][0]):
                self.pending[name].popleft()
                ready.extend(self.waiting.pop((name, self.made[name] - 1), ()))
        stuck = [name for name, calls in self.pending.items() if calls]
        if stuck:
            raise SavedModelError(
                f"The saved model cannot be put together: the layers {stuck[:10]} wait for outputs that no layer makes."
            )

    def _call(self, name: str, call: Any) -> bool:
        """Repeat one call; False where an input does not exist yet (the layer is noted as waiting for it)."""
        if not isinstance(call, list) or not call:
            raise SavedModelError(f"The description of a call of layer '{name}' is damaged: {call!r:.200}")
        inputs, kwargs = [], {}
        for source in call:
            place = _place(source)
            if not self._exists(place):
                self.waiting[place[0], place[1]].append(name)
                return False
            inputs.append(self.tensor(place))
            if len(source) > 3:
                kwargs = source[3]
        if not isinstance(kwargs, Mapping):
            raise SavedModelError(f"The keyword arguments of a call of layer '{name}' are damaged: {kwargs!r:.200}")
        self.layers[name](unpack_singleton(inputs), **kwargs)
        self.made[name] += 1
        return True

    def _exists(self, place: tuple[str, int, int]) -> bool:
        name, node_index, _ = place
        if name not in self.layers:
            raise SavedModelError(f"The saved model refers to a layer '{name}' that it does not contain.")
        return node_index < self.made[name]

    def tensor(self, place: tuple[str, int, int]) -> Tensor:
        """The tensor at a place (layer name, node index, tensor index)."""
        name, node_index, tensor_index = place
        if not self._exists(place):
            raise SavedModelError(
                f"The saved model refers to call {node_index} of layer '{name}', which does not exist."
            )
        outputs = self.layers[name]._inbound_nodes[node_index].output_tensors
        if tensor_index >= len(outputs):
            raise SavedModelError(
                f"The saved model refers to output {tensor_index} of layer '{name}', which has {len(outputs)} outputs."
            )
        return outputs[tensor_index]


def _list_in(config: Mapping[str, Any], key: str, where: str) -> list[Any]:
    value = config.get(key, [] if key == "inbound_nodes" else None)
    if not isinstance(value, list):
        raise SavedModelError(f"The description of {where} lacks a list '{key}'; found {value!r:.100}")
    return value


def _places(config: Mapping[str, Any], key: str) -> list[tuple[str, int, int]]:
    places = _list_in(config, key, "the model")
    if places and isinstance(places[0], str):  # a single one is not always in a list of its own
        places = [places]
    return [_place(place) for place in places]


def _place(value: Any) -> tuple[str, int, int]:
    if isinstance(value, (list, tuple)) and len(value) >= 3:
        name, node_index, tensor_index = value[:3]
        valid = isinstance(name, str) and type(node_index) is int and type(tensor_index) is int
        if valid and node_index >= 0 and tensor_index >= 0:
            return name, node_index, tensor_index
    raise SavedModelError(
        f"Expected [layer name, node index, tensor index] in the saved model, but found {value!r:.200}"
    )
