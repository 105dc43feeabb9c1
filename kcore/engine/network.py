"""`Network`: layers and their calls between given inputs and outputs, as one layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kcore import backend as K
from kcore.engine.calls import CallRecord, distinct, is_frozen, recording, replay
from kcore.engine.graph_map import GraphMap
from kcore.engine.input_layer import input_layer_of
from kcore.engine.layer import Layer
from kcore.engine.node import Node
from kcore.engine.saved import Saved
from kcore.engine.standardize import describe
from kcore.engine.structure import (
    Shape,
    accepts,
    fresh,
    is_keras_tensor,
    list_uid,
    shape_list,
    to_list,
    unpack_singleton,
)
from kcore.engine.tracked import assign_weights
from kcore.errors import ArgumentError, GraphError, NoAttributeError
from kcore.graph import Tensor
from kcore.shapes import whole_number


class Network(Saved, Layer):
    """A directed acyclic graph of layers, itself a layer: it can be called, shared and nested.

    Args:
        inputs: tensor or list of tensors that the graph starts from, usually from `Input`. Outputs of
            other layers are allowed too: the network then is what comes after them.
        outputs: tensor or list of tensors computed from them.
        name: string.

    Attributes:
        inputs, outputs: lists of tensors.
        layers: list of layers, those furthest from the outputs first.
        input_names, output_names: names of the layers that inputs and outputs come from.

    Raises:
        TypeError: an input or output that no layer made.
        ValueError: an input given twice, an output that does not depend on the inputs alone, or two
            layers of one name.
    """

    def __init__(self, inputs: Any = None, outputs: Any = None, name: str | None = None, **keras_1: Any) -> None:
        inputs = keras_1.pop("input", inputs)
        outputs = keras_1.pop("output", outputs)
        if keras_1:
            raise ArgumentError(
                f"{type(self).__name__} takes `inputs`, `outputs` and `name`; received also {sorted(keras_1)}."
            )
        self._begin(name)
        self._connect(_given("inputs", inputs, self), _given("outputs", outputs, self))

    def __getattr__(self, name: str) -> Any:
        if hasattr(type(self), name):
            return object.__getattribute__(self, name)  # a property failed, and does so again, for its own reason
        raise NoAttributeError(self, name)

    def _begin(self, name: str | None) -> None:
        """What can be said before inputs and outputs are known."""
        prefix = type(self).__name__.lower()
        super().__init__(name=name or f"{prefix}_{K.get_uid(prefix)}")
        self.inputs: list[Tensor] = []
        self.outputs: list[Tensor] = []
        self._map: GraphMap | None = None
        self._last_run: tuple[Any, Any] | None = None
        self._shape_cache: dict[Any, list[Shape]] = {}

    def _connect(self, inputs: list[Tensor], outputs: list[Tensor]) -> None:
        """Find the layers and calls between inputs and outputs; may be repeated with others."""
        owner = type(self).__name__
        _check_tensors(inputs, "Input", owner)
        _check_tensors(outputs, "Output", owner)
        if len({id(x) for x in inputs}) != len(inputs):
            raise GraphError(
                f"The list of inputs passed to the {owner} is redundant. All inputs should only appear once. "
                f"Found: {inputs}"
            )
        self._map = GraphMap(inputs, outputs, [input_layer_of(x) for x in inputs], owner)
        self.inputs, self.outputs = inputs, outputs
        self._last_run = None
        self._shape_cache = {}
        self.built = True
        self._own_node()

    def _changed(self) -> None:
        """Called when layers were added or removed; a subclass forgets what it derived from them."""

    def _own_node(self) -> None:
        """Node 0 of a network links its own inputs to its outputs; the indices in saved models count it."""
        later = self._inbound_nodes[1:]
        self._inbound_nodes.clear()
        shapes = [[x._keras_shape for x in tensors] for tensors in (self.inputs, self.outputs)]
        masks = [getattr(x, "_keras_mask", None) for x in self.outputs]
        Node(self, [], [], [], self.inputs, self.outputs, [None] * len(self.inputs), masks, shapes[0], shapes[1])
        self._inbound_nodes.extend(later)

    @property
    def _graph(self) -> GraphMap:
        """The layers and calls of the network."""
        assert self._map is not None
        return self._map

    # --- structure -------------------------------------------------------------------------------------
    @property
    def layers(self) -> list[Layer]:
        """The layers, those furthest from the outputs first."""
        return self._graph.layers

    @property
    def layers_by_depth(self) -> dict[int, list[Layer]]:
        """Distance from the outputs to the layers there."""
        return self._graph.layers_by_depth

    @property
    def nodes_by_depth(self) -> dict[int, list[Node]]:
        """Distance from the outputs to the calls there."""
        return self._graph.nodes_by_depth

    @property
    def input_layers(self) -> list[Layer]:
        """The layer that each input comes from."""
        return [layer for layer, _, _ in self._graph.input_histories]

    @property
    def output_layers(self) -> list[Layer]:
        """The layer that each output comes from."""
        return [layer for layer, _, _ in self._graph.output_histories]

    @property
    def input_names(self) -> list[str]:
        """The name of each input."""
        return [layer.name for layer in self.input_layers]

    @property
    def output_names(self) -> list[str]:
        """The name of the layer that each output comes from."""
        return [layer.name for layer in self.output_layers]

    def _fed(self) -> list[tuple[Tensor, Layer]]:
        return [
            (x, layer)
            for x, layer in zip(self.inputs, self.input_layers, strict=True)
            if getattr(layer, "is_placeholder", True)
        ]

    @property
    def _feed_inputs(self) -> list[Tensor]:
        """The inputs that data must be given for; those made of existing tensors need none."""
        return [x for x, _ in self._fed()]

    @property
    def _feed_input_names(self) -> list[str]:
        return [layer.name for _, layer in self._fed()]

    @property
    def _feed_input_shapes(self) -> list[Shape]:
        return [x._keras_shape for x, _ in self._fed()]

    @property
    def input(self) -> Any:
        """The input tensor, or list of tensors."""
        return unpack_singleton(self.inputs)

    @property
    def output(self) -> Any:
        """The output tensor, or list of tensors."""
        return unpack_singleton(self.outputs)

    @property
    def input_shape(self) -> Any:
        """The shape of the input, or list of shapes."""
        return unpack_singleton([x._keras_shape for x in self.inputs])

    @property
    def output_shape(self) -> Any:
        """The shape of the output, or list of shapes."""
        return unpack_singleton([x._keras_shape for x in self.outputs])

    @property
    def input_spec(self) -> list[None]:  # type: ignore[override]
        """A network checks the number of its inputs; the layers inside check the rest."""
        return [None] * len(self.inputs)

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """A layer by its name, or by its place in `layers`.

        Raises:
            ValueError: there is none.
        """
        if index is not None:
            index = whole_number(index, "index", "get_layer")
            if not -len(self.layers) <= index < len(self.layers):
                raise ArgumentError(
                    f"Was asked to retrieve layer at index {index} but model {self.name} only has "
                    f"{len(self.layers)} layers."
                )
            return self.layers[index]
        if name is None:
            raise ArgumentError("Provide either a layer name or layer index.")
        for layer in self.layers:
            if isinstance(name, str) and layer.name == name:
                return layer
        raise ArgumentError(
            f"No such layer: {name!s:.200}. Layers of {self.name}: {[layer.name for layer in self.layers]}"
        )

    # --- weights -----------------------------------------------------------------------------------------
    @property  # type: ignore[misc]
    def trainable_weights(self) -> list[Any]:
        """The trainable weights of all layers, in their order; none where `trainable` is False."""
        return _unique([w for layer in self.layers for w in layer.trainable_weights]) if self.trainable else []

    @property  # type: ignore[misc]
    def non_trainable_weights(self) -> list[Any]:
        """The weights that no optimizer changes: all of them where `trainable` is False."""
        fixed = [w for layer in self.layers for w in layer.non_trainable_weights]
        if not self.trainable:
            fixed = [w for layer in self.layers for w in layer.trainable_weights] + fixed
        return _unique(fixed)

    def _weights_by_layer(self) -> list[Any]:
        return [w for layer in self.layers for w in layer.weights]

    def get_weights(self) -> list[Any]:
        """The present values of all weights, layer by layer: a list of NumPy arrays."""
        return K.batch_get_value(self._weights_by_layer())

    def set_weights(self, weights: list[Any]) -> None:
        """Set all weights.

        Args:
            weights: list of arrays, in number, order and shapes as `get_weights` returns.
        """
        assign_weights(self.name, self._weights_by_layer(), weights)

    def weights_from_file(self, weights: list[Any], keras_version: str, backend: str | None) -> list[Any]:
        """Weights of a nested network: a file has all trainable ones before the others, each by layers."""
        parts: list[list[list[Any]]] = []
        rest = list(weights)
        if len(rest) != len(self.weights):
            return rest
        for kind in ("trainable_weights", "non_trainable_weights"):
            counts = [len(getattr(layer, kind)) for layer in self.layers]
            parts.append([[rest.pop(0) for _ in range(min(count, len(rest)))] for count in counts])
        converted = [
            layer.weights_from_file(trainable + fixed, keras_version, backend)
            for layer, trainable, fixed in zip(self.layers, *parts, strict=True)
        ]
        split = [len(layer.trainable_weights) for layer in self.layers]
        trainable = [w for part, at in zip(converted, split, strict=True) for w in part[:at]]
        return trainable + [w for part, at in zip(converted, split, strict=True) for w in part[at:]]

    # --- losses, updates, states ---------------------------------------------------------------------------
    def _records(self) -> list[CallRecord]:
        return [node.record for node in self._graph.nodes if node.record is not None]

    def _conditional_losses(self) -> list[Any]:
        losses = [loss for record in self._records() for loss in record.all_losses()]
        for node in self._graph.nodes:
            losses += node.outbound_layer.get_losses_for(node.input_tensors)
        return losses

    def _conditional_updates(self) -> list[Any]:
        updates = [update for record in self._records() for update in record.all_updates()]
        for node in self._graph.nodes:
            updates += node.outbound_layer.get_updates_for(node.input_tensors)
        return updates

    @property
    def losses(self) -> list[Any]:
        """What training adds to the loss: penalties of the layers, for their calls in this network."""
        return distinct(self.get_losses_for(None) + self.get_losses_for(self.inputs))

    @property
    def updates(self) -> list[Any]:
        """What a training step changes beside the weights (moving averages, states); none where it is frozen."""
        return distinct(self.get_updates_for(None) + self.get_updates_for(self.inputs))

    def get_losses_for(self, inputs: Any) -> list[Any]:
        """The losses of a call on these inputs; for None, those that depend on no input."""
        losses = super().get_losses_for(inputs)
        if inputs is None:
            losses += [loss for layer in self.layers for loss in layer.get_losses_for(None)]
        for node in self._calls_on(inputs):
            losses += self._conditional_losses() if node.record is None else node.record.all_losses()
        return distinct(losses)

    def get_updates_for(self, inputs: Any) -> list[Any]:
        """The updates of a call on these inputs; for None, those that depend on no input."""
        if is_frozen(self):
            return []
        updates = super().get_updates_for(inputs)
        if inputs is None:
            updates += [update for layer in self.layers for update in layer.get_updates_for(None)]
        for node in self._calls_on(inputs):
            updates += self._conditional_updates() if node.record is None else node.record.all_updates()
        return distinct(updates)

    def _calls_on(self, inputs: Any) -> list[Node]:
        uid = None if inputs is None else list_uid(inputs)
        return [node for node in self._inbound_nodes if list_uid(node.input_tensors) == uid]

    @property
    def stateful(self) -> bool:  # type: ignore[override]
        """Whether a layer keeps states from batch to batch."""
        return any(getattr(layer, "stateful", False) for layer in self.layers)

    @property
    def state_updates(self) -> list[Any]:
        """The updates of stateful layers, which take place in every call, also of `predict`."""
        updates = [update for record in self._records() for update in record.state_updates()]
        for layer in self.layers:
            if layer.stateful and not isinstance(layer, Network):
                updates += layer.get_updates_for(None)
        return distinct(updates)

    def reset_states(self) -> None:
        """Set the states of all stateful layers to zeros."""
        for layer in self.layers:
            if getattr(layer, "stateful", False) and hasattr(layer, "reset_states"):
                layer.reset_states()

    @property
    def uses_learning_phase(self) -> bool:
        """Whether an output differs between training and test."""
        return any(x._uses_learning_phase for x in self.outputs)

    # --- being a layer ---------------------------------------------------------------------------------------
    def build(self, input_shape: Any = None) -> None:
        """Nothing: the layers of a network are built when they are called."""

    def call(self, inputs: Any, mask: Any = None) -> Any:  # type: ignore[override]
        """Apply the whole graph to new inputs.

        Args:
            inputs: tensor or list of tensors, one for each input.
            mask: tensor, None, or list of these.

        Returns:
            Tensor or list of tensors.
        """
        return unpack_singleton(self._run(inputs, mask)[0])

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The masks of the outputs, for these inputs and masks."""
        return unpack_singleton(self._run(inputs, mask, again=True)[1])

    def _run(self, inputs: Any, mask: Any, again: bool = False) -> tuple[list[Tensor], list[Any]]:
        """Outputs and masks; the last result is kept, since `compute_mask` asks for what `call` just made."""
        inputs = to_list(inputs)
        masks = [None] * len(inputs) if mask is None else to_list(mask)
        key = [None if x is None else x.key for x in (*inputs, *masks)]
        if self._last_run is not None and self._last_run[0] == key:
            outputs, masks, record = self._last_run[1]
            if not again:
                replay(record)
            return outputs, masks
        with recording(self) as record:
            outputs, masks, _ = self.run_internal_graph(inputs, masks)
        self._last_run = (key, (outputs, masks, record))
        return outputs, masks

    def run_internal_graph(
        self, inputs: list[Tensor], masks: list[Any] | None = None
    ) -> tuple[list[Tensor], list[Any], list[Shape]]:
        """Apply the layers to new inputs, call by call as they were applied to the network's own.

        Args:
            inputs: list of tensors, one for each input.
            masks: list of their masks (tensors or Nones).

        Returns:
            Lists of output tensors, of their masks, and of their shapes.
        """
        self._require_number(inputs)
        graph = self._graph
        masks = masks or [None] * len(inputs)
        known = {id(x): pair for x, pair in zip(self.inputs, zip(inputs, masks, strict=True), strict=True)}
        for node in graph.nodes:
            if node.inbound_layers:
                results = _apply_again(node, [known[id(x)] for x in node.input_tensors])
                known.update(zip(map(id, node.output_tensors), results, strict=True))
        pairs = [known[id(x)] for x in self.outputs]
        return [x for x, _ in pairs], [mask for _, mask in pairs], [x._keras_shape for x, _ in pairs]

    def _require_number(self, inputs: list[Any]) -> None:
        if len(inputs) != len(self.inputs):
            raise GraphError(
                f"Model {self.name} expects {len(self.inputs)} inputs ({', '.join(self.input_names)}), but received "
                f"{len(inputs)}."
            )

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shapes of the outputs for these shapes of the inputs."""
        shapes = shape_list(input_shape)
        self._require_number(shapes)
        key = tuple(shapes)
        if key not in self._shape_cache:
            self._shape_cache[key] = self._infer_shapes(shapes)
        return unpack_singleton(self._shape_cache[key])

    def _infer_shapes(self, shapes: list[Shape]) -> list[Shape]:
        known = {id(x): shape for x, shape in zip(self.inputs, shapes, strict=True)}
        for node in self._graph.nodes:
            if not node.inbound_layers:
                continue
            inputs = [known[id(x)] for x in node.input_tensors]
            if inputs == node.input_shapes:
                results = node.output_shapes
            else:
                results = shape_list(node.outbound_layer.compute_output_shape(unpack_singleton(inputs)))
            known.update(zip(map(id, node.output_tensors), results, strict=True))
        return [known[id(x)] for x in self.outputs]

    # --- describing --------------------------------------------------------------------------------
    def get_config(self) -> Any:
        """A description that `from_config` makes an equal network from (with new weights)."""
        from kcore.engine.network_config import network_config

        return fresh(network_config(self))

    @classmethod
    def from_config(cls, config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
        """A network from the dictionary that `get_config` returned.

        Args:
            config: dictionary.
            custom_objects: dictionary, names to layers and functions that are not installed as plugins.
        """
        from kcore.engine.network_config import tensors_from_config

        inputs, outputs = tensors_from_config(config, custom_objects)
        network = cls(inputs=inputs, outputs=outputs, name=config.get("name"))
        network.trainable = config.get("trainable", True)
        return network

    def summary(
        self,
        line_length: int | None = None,
        positions: list[float] | None = None,
        print_fn: Callable[[str], Any] | None = None,
    ) -> None:
        """Print a table of the layers, their output shapes and numbers of weights.

        Args:
            line_length: int, width of the table.
            positions: list of floats, where each column ends, as parts of the width.
            print_fn: function that is given each line; `print` by default.
        """
        from kcore.engine.summary import print_summary

        print_summary(self, line_length=line_length, positions=positions, print_fn=print_fn)


def _given(name: str, tensors: Any, network: Network) -> list[Any]:
    if tensors is None or (isinstance(tensors, (list, tuple)) and not tensors):
        raise ArgumentError(f"{type(network).__name__} needs `{name}`: a tensor or a list of tensors that layers made.")
    return to_list(tensors)


def _check_tensors(tensors: list[Any], what: str, owner: str) -> None:
    for x in tensors:
        if not is_keras_tensor(x):
            raise ArgumentError(
                f"{what} tensors to a {owner} must be Keras tensors, made by layers or `Input`. Found: {describe(x)}. "
                "Wrap operations of the backend in a Lambda layer."
            )


def _apply_again(node: Node, pairs: list[tuple[Tensor, Any]]) -> list[tuple[Tensor, Any]]:
    """Repeat a call on other inputs: pairs of output and mask, from pairs of input and mask."""
    layer = node.outbound_layer
    inputs = unpack_singleton([x for x, _ in pairs])
    mask = unpack_singleton([m for _, m in pairs])
    kwargs = dict(node.arguments)
    if "mask" not in kwargs and accepts(layer.call, "mask"):
        kwargs["mask"] = mask
    with recording(layer):
        outputs, masks = layer._compute(inputs, mask, kwargs)
    return list(zip(outputs, masks, strict=True))


def _unique(variables: list[Any]) -> list[Any]:
    """Variables without repetitions: a layer may be part of several nested models."""
    return list({id(v): v for v in variables}.values())
