"""`Bidirectional`: a recurrent layer that reads its sequence in both directions."""

from __future__ import annotations

import inspect
from typing import Any

from kcore import backend as K
from kcore.engine import InputSpec, Wrapper
from kcore.errors import ArgumentError, ShapeError
from kcore.shapes import listed

MERGE_MODES = ("sum", "mul", "concat", "ave", None)


class Bidirectional(Wrapper):
    """Runs a recurrent layer forwards and a copy of it backwards (manual, 5.12.2).

    Args:
        layer: a recurrent layer (an `RNN`).
        merge_mode: how the two outputs become one: "sum", "mul", "concat", "ave", or None for a list of both.
        weights: initial weights, those of the forward layer first.

    A call takes `initial_state`: the states of the forward layer, then those of the backward layer; and `constants`,
    which both get.
    """

    def __init__(self, layer: Any, merge_mode: str | None = "concat", weights: Any = None, **kwargs: Any) -> None:
        if not isinstance(merge_mode, (str, type(None))) or merge_mode not in MERGE_MODES:
            raise ArgumentError(
                f"Invalid merge mode {merge_mode!r}: merge_mode of Bidirectional should be one of 'sum', 'mul', "
                "'concat', 'ave' and None"
            )
        if not hasattr(layer, "go_backwards"):
            raise ArgumentError(f"Bidirectional wraps a recurrent layer, such as LSTM(8) or RNN(cell); given {layer!r}")
        self.forward_layer = _copy(layer, "forward_" + layer.name, layer.go_backwards)
        self.backward_layer = _copy(layer, "backward_" + layer.name, not layer.go_backwards)
        self.merge_mode = merge_mode
        if weights is not None:
            weights = listed(weights, "weights", "arrays", "Bidirectional")
            half = len(weights) // 2
            self.forward_layer._initial_weights = weights[:half]
            self.backward_layer._initial_weights = weights[half:]
        if "batch_input_shape" not in kwargs and "input_shape" not in kwargs and hasattr(layer, "batch_input_shape"):
            kwargs["batch_input_shape"] = layer.batch_input_shape
        super().__init__(layer, **kwargs)
        self.stateful = layer.stateful
        self.return_sequences = layer.return_sequences
        self.return_state = layer.return_state
        self.supports_masking = True
        self._num_constants: int | None = None
        self.input_spec = layer.input_spec

    @property
    def _directions(self) -> list[Any]:
        return [self.forward_layer, self.backward_layer]

    @property
    def trainable(self) -> bool:
        """Whether training changes the weights of both layers."""
        return self.forward_layer.trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for layer in (*self._directions, self.layer) if hasattr(self, "layer") else self._directions:
            layer.trainable = value

    def build(self, input_shape: Any) -> None:  # type: ignore[override] # as in `TimeDistributed`
        for layer in self._directions:
            with K.name_scope(layer.name):
                if not layer.built:
                    layer.build(input_shape)
                    layer.built = True
            if layer._initial_weights is not None:
                layer.set_weights(layer._initial_weights)
                layer._initial_weights = None
        self.built = True

    # --- shapes and masks -------------------------------------------------------------------------------
    def compute_output_shape(self, input_shape: Any) -> Any:
        shape = self.forward_layer.compute_output_shape(input_shape)
        states = shape[1:] if self.return_state else []
        shape = shape[0] if self.return_state else shape
        if self.merge_mode == "concat":
            outputs = [(*shape[:-1], 2 * shape[-1])]
        else:
            outputs = [shape, shape] if self.merge_mode is None else [shape]
        every = [*outputs, *states, *states]
        return every[0] if len(every) == 1 else every

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        if isinstance(mask, list):
            mask = mask[0]
        output = mask if self.return_sequences else None
        outputs = [output, output] if self.merge_mode is None else [output]
        states = [None] * (2 * len(self.forward_layer.state_sizes)) if self.return_state else []
        every = [*outputs, *states]
        return every[0] if len(every) == 1 else every

    # --- being called -----------------------------------------------------------------------------------
    def __call__(self, inputs: Any, initial_state: Any = None, constants: Any = None, **kwargs: Any) -> Any:
        """Apply both layers; states and constants that are tensors of the model become further inputs."""
        if isinstance(inputs, (list, tuple)):
            inputs = list(inputs)
            if self._num_constants:
                constants, inputs = inputs[-self._num_constants :], inputs[: -self._num_constants]
            if len(inputs) > 1:
                initial_state = inputs[1:]
            inputs = inputs[0]
        if initial_state is None and constants is None:
            return super().__call__(inputs, **kwargs)
        states, constants = _as_list(initial_state), _as_list(constants)
        self._check_states(states)
        self._num_constants = len(constants) or None
        own = self.input_spec
        first = own[0] if isinstance(own, list) else own
        self.input_spec = [first, *(InputSpec(shape=K.int_shape(x)) for x in [*states, *constants])]
        try:
            return super().__call__([inputs, *states, *constants], **kwargs)
        finally:
            self.input_spec = own

    def _check_states(self, states: list[Any]) -> None:
        if len(states) % 2:
            raise ShapeError(
                f"layer {self.name}: when passing `initial_state` to a Bidirectional RNN, the state should be a list "
                f"with the states of both layers, forward first; got {len(states)} states"
            )

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        states: list[Any] = []
        constants: list[Any] = []
        if isinstance(inputs, list):
            count = self._num_constants or 0
            constants = inputs[len(inputs) - count :]
            states = inputs[1 : len(inputs) - count]
            inputs = inputs[0]
        if isinstance(mask, list):
            mask = mask[0]
        half = len(states) // 2
        parts = []
        for layer, own in zip(self._directions, (states[:half], states[half:]), strict=True):
            kwargs: dict[str, Any] = {"initial_state": own or None, "constants": constants or None}
            parameters = inspect.signature(layer.call).parameters
            kwargs |= {k: v for k, v in (("training", training), ("mask", mask)) if k in parameters}
            result = layer.call(inputs, **kwargs)
            parts.append(result if isinstance(result, list) else [result])
        (forward, *forward_states), (backward, *backward_states) = parts
        if self.return_sequences:
            backward = K.reverse(backward, 1)
        outputs = self._merged(forward, backward)
        every = [*outputs, *(forward_states + backward_states if self.return_state else [])]
        return every[0] if len(every) == 1 else every

    def _merged(self, forward: Any, backward: Any) -> list[Any]:
        if self.merge_mode is None:
            return [forward, backward]
        if self.merge_mode == "concat":
            return [K.concatenate([forward, backward])]
        if self.merge_mode == "mul":
            return [forward * backward]
        total = forward + backward
        return [total / 2 if self.merge_mode == "ave" else total]

    def reset_states(self) -> None:
        """Set the states of both layers to zero."""
        for layer in self._directions:
            layer.reset_states()

    # --- what belongs to the two layers -------------------------------------------------------------------
    @property  # type: ignore[misc] # read-only: the weights are others'
    def trainable_weights(self) -> list[Any]:
        return [w for layer in self._directions for w in layer.trainable_weights]

    @property  # type: ignore[misc]
    def non_trainable_weights(self) -> list[Any]:
        return [w for layer in self._directions for w in layer.non_trainable_weights]

    def get_weights(self) -> list[Any]:
        """The values of the forward layer's weights, then the backward layer's."""
        return [w for layer in self._directions for w in layer.get_weights()]

    def set_weights(self, weights: Any) -> None:
        """Set the values of the weights, in the order of `get_weights`."""
        weights = listed(weights, "weights", "arrays", self)
        half = len(weights) // 2
        self.forward_layer.set_weights(weights[:half])
        self.backward_layer.set_weights(weights[half:])

    def weights_from_file(self, weights: list[Any], keras_version: str, backend: str | None) -> list[Any]:
        half = len(weights) // 2
        parts = (weights[:half], weights[half:])
        converted = [
            layer.weights_from_file(part, keras_version, backend)
            for layer, part in zip(self._directions, parts, strict=True)
        ]
        return [weight for part in converted for weight in part]

    @property
    def losses(self) -> list[Any]:
        return [loss for layer in self._directions for loss in layer.losses] + self._losses

    @property
    def updates(self) -> list[Any]:
        return [update for layer in self._directions for update in layer.updates] + self._updates

    @property
    def constraints(self) -> dict[Any, Any]:
        """The constraints of the weights that have one, by weight."""
        return {w: w.constraint for w in self.trainable_weights if w.constraint is not None}

    def get_losses_for(self, inputs: Any = None) -> list[Any]:
        found = [loss for layer in self._directions for loss in layer.get_losses_for(inputs)]
        return found + [loss for loss in super().get_losses_for(inputs) if all(loss is not known for known in found)]

    def get_updates_for(self, inputs: Any = None) -> list[Any]:
        found = [update for layer in self._directions for update in layer.get_updates_for(inputs)]
        return found + [u for u in super().get_updates_for(inputs) if all(u is not known for known in found)]

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "merge_mode": self.merge_mode}
        if self._num_constants is not None:
            config["num_constants"] = self._num_constants
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        config = dict(config)
        count = config.pop("num_constants", None)
        layer = super().from_config(config, custom_objects)
        layer._num_constants = count
        return layer


def _copy(layer: Any, name: str, go_backwards: bool) -> Any:
    """An equal layer, with another name and direction."""
    config = {**layer.get_config(), "name": name, "go_backwards": go_backwards}
    return type(layer).from_config(config)


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]
