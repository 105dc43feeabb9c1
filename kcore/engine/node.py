"""`Node`: one call of a layer; and what a layer can say of its calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kcore.engine.structure import Shape, unpack_singleton
from kcore.errors import NotConnectedError
from kcore.graph import Tensor
from kcore.shapes import whole_number

if TYPE_CHECKING:
    from kcore.engine.calls import CallRecord
    from kcore.engine.layer import Layer


class Node:
    """One call of a layer: the link from its input tensors to its output tensors.

    Making one appends it to `outbound_layer._inbound_nodes`, and to `_outbound_nodes` of the layers
    that made the inputs.

    Attributes:
        outbound_layer: the layer that was called.
        inbound_layers: the layer that made each input (None for a tensor no layer made).
        node_indices, tensor_indices: which call of that layer, and which of its outputs.
        input_tensors, output_tensors: lists of tensors; their masks and shapes likewise
            (`input_masks`, `output_masks`, `input_shapes`, `output_shapes`).
        arguments: dictionary, the keyword arguments the user gave to the call.
        record: the losses and updates that the call created, or None.
    """

    def __init__(
        self,
        outbound_layer: Layer,
        inbound_layers: list[Layer | None],
        node_indices: list[int | None],
        tensor_indices: list[int | None],
        input_tensors: list[Tensor],
        output_tensors: list[Tensor],
        input_masks: list[Tensor | None],
        output_masks: list[Tensor | None],
        input_shapes: list[Shape],
        output_shapes: list[Shape],
        arguments: dict[str, Any] | None = None,
        record: CallRecord | None = None,
    ) -> None:
        self.outbound_layer = outbound_layer
        self.inbound_layers = inbound_layers
        self.node_indices = node_indices
        self.tensor_indices = tensor_indices
        self.input_tensors = input_tensors
        self.output_tensors = output_tensors
        self.input_masks = input_masks
        self.output_masks = output_masks
        self.input_shapes = input_shapes
        self.output_shapes = output_shapes
        self.arguments = arguments or {}
        self.record = record
        for layer in inbound_layers:
            if layer is not None:
                layer._outbound_nodes.append(self)
        outbound_layer._inbound_nodes.append(self)

    @classmethod
    def of_call(
        cls,
        layer: Layer,
        inputs: list[Tensor],
        outputs: list[Tensor],
        input_masks: list[Tensor | None],
        output_masks: list[Tensor | None],
        arguments: dict[str, Any] | None = None,
        record: CallRecord | None = None,
    ) -> Node:
        """The node of a call, which also becomes the history of the call's output tensors."""
        histories = [getattr(x, "_keras_history", (None, None, None)) for x in inputs]
        node_index = len(layer._inbound_nodes)
        node = cls(
            layer,
            [layer for layer, _, _ in histories],
            [index for _, index, _ in histories],
            [index for _, _, index in histories],
            inputs,
            outputs,
            input_masks,
            output_masks,
            [x._keras_shape for x in inputs],
            [x._keras_shape for x in outputs],
            arguments,
            record,
        )
        for position, (x, mask) in enumerate(zip(outputs, output_masks, strict=True)):
            x._keras_history = (layer, node_index, position)
            x._keras_mask = mask
        return node

    def get_config(self) -> dict[str, Any]:
        """The call by names and indices, as Keras 2 describes it."""
        return {
            "outbound_layer": self.outbound_layer.name,
            "inbound_layers": [layer.name if layer is not None else None for layer in self.inbound_layers],
            "node_indices": self.node_indices,
            "tensor_indices": self.tensor_indices,
        }


class Connected:
    """What a layer knows of its own calls: tensors, shapes and masks, of the only call or of one by index."""

    name: str
    _inbound_nodes: list[Node]
    _outbound_nodes: list[Node]

    @property
    def inbound_nodes(self) -> list[Node]:
        """The calls of this layer."""
        return self._inbound_nodes

    @property
    def outbound_nodes(self) -> list[Node]:
        """The calls of other layers that read an output of this one."""
        return self._outbound_nodes

    @outbound_nodes.setter
    def outbound_nodes(self, nodes: list[Node]) -> None:
        self._outbound_nodes = nodes  # scripts forget them so when they cut a model off

    @property
    def uses_learning_phase(self) -> bool:
        """Whether an output of any call differs between training and test."""
        return any(x._uses_learning_phase for node in self._inbound_nodes for x in node.output_tensors)

    def _at(self, node_index: int, attribute: str, what: str) -> Any:
        if not self._inbound_nodes:
            raise NotConnectedError(
                f"The layer {self.name} has never been called and thus has no defined {what}. Call it on a tensor "
                "first."
            )
        node_index = whole_number(node_index, "node_index", f"layer {self.name}")
        if not -len(self._inbound_nodes) <= node_index < len(self._inbound_nodes):
            raise ValueError(
                f"Asked to get {what} at node {node_index}, but the layer {self.name} has only "
                f"{len(self._inbound_nodes)} inbound nodes."
            )
        return unpack_singleton(getattr(self._inbound_nodes[node_index], attribute))

    def get_input_at(self, node_index: int) -> Any:
        """The input tensor (or list of tensors) of the call number `node_index`."""
        return self._at(node_index, "input_tensors", "input")

    def get_output_at(self, node_index: int) -> Any:
        """The output tensor (or list of tensors) of the call number `node_index`."""
        return self._at(node_index, "output_tensors", "output")

    def get_input_shape_at(self, node_index: int) -> Any:
        """The input shape (or list of shapes) of the call number `node_index`."""
        return self._at(node_index, "input_shapes", "input shape")

    def get_output_shape_at(self, node_index: int) -> Any:
        """The output shape (or list of shapes) of the call number `node_index`."""
        return self._at(node_index, "output_shapes", "output shape")

    def get_input_mask_at(self, node_index: int) -> Any:
        """The input mask (or list of masks) of the call number `node_index`."""
        return self._at(node_index, "input_masks", "input mask")

    def get_output_mask_at(self, node_index: int) -> Any:
        """The output mask (or list of masks) of the call number `node_index`."""
        return self._at(node_index, "output_masks", "output mask")

    def _only(self, attribute: str, what: str, getter: str) -> Any:
        if not self._inbound_nodes:
            raise NotConnectedError(
                f"Layer {self.name} is not connected, no {what} to return. Call it on a tensor first."
            )
        if len(self._inbound_nodes) > 1:
            raise NotConnectedError(
                f'Layer {self.name} has multiple inbound nodes, hence the notion of "layer {what}" is ill-defined. '
                f"Use `{getter}(node_index)` instead."
            )
        return unpack_singleton(getattr(self._inbound_nodes[0], attribute))

    @property
    def input(self) -> Any:
        """The input tensor or tensors, where the layer was called exactly once (else an AttributeError)."""
        return self._only("input_tensors", "input", "get_input_at")

    @property
    def output(self) -> Any:
        """The output tensor or tensors, where the layer was called exactly once (else an AttributeError)."""
        return self._only("output_tensors", "output", "get_output_at")

    @property
    def input_mask(self) -> Any:
        """The input mask or masks, where the layer was called exactly once (else an AttributeError)."""
        return self._only("input_masks", "input mask", "get_input_mask_at")

    @property
    def output_mask(self) -> Any:
        """The output mask or masks, where the layer was called exactly once (else an AttributeError)."""
        return self._only("output_masks", "output mask", "get_output_mask_at")

    def _common(self, attribute: str, what: str, getter: str) -> Any:
        if not self._inbound_nodes:
            raise NotConnectedError(
                f"The layer {self.name} has never been called and thus has no defined {what}. Call it on a tensor "
                "first."
            )
        shapes = [getattr(node, attribute) for node in self._inbound_nodes]
        if any(shape != shapes[0] for shape in shapes):
            raise NotConnectedError(
                f'The layer "{self.name}" has multiple inbound nodes, with different {what}s. Hence the notion of '
                f'"{what}" is ill-defined for the layer. Use `{getter}(node_index)` instead.'
            )
        return unpack_singleton(shapes[0])

    @property
    def input_shape(self) -> Any:
        """The shape (or list of shapes) that all calls have in common, else an AttributeError."""
        return self._common("input_shapes", "input shape", "get_input_shape_at")

    @property
    def output_shape(self) -> Any:
        """The shape (or list of shapes) that all calls have in common, else an AttributeError."""
        return self._common("output_shapes", "output shape", "get_output_shape_at")
