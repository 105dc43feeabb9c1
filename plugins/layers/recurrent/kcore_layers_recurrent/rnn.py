"""`RNN`: a cell, or a stack of cells, applied to every step of a sequence."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcore import backend as K
from kcore.engine import InputSpec, Layer
from kcore.errors import ArgumentError, GraphError, ShapeError
from kcore.layers import deserialize
from kcore_layers_recurrent.stacked import StackedRNNCells
from kcore_layers_recurrent.support import accepts, as_list


class RNN(Layer):
    """Applies a cell to the steps of a sequence ``(batch, steps, features)`` (manual, 5.6.1).

    Args:
        cell: an object with ``call(inputs, states) -> (output, new_states)`` and ``state_size`` (an int, or a list
            of ints whose first is the size of the output), usually a layer; or a list of cells, which are stacked.
            ``call`` may also take `constants` and `training`.
        return_sequences: whether to return the output of every step, ``(batch, steps, units)``, or of the last one.
        return_state: whether to return the last states behind the output.
        go_backwards: whether to read the sequence from its end; the outputs are then in reverse order.
        stateful: whether the last states of sample i of a batch are the first states of sample i of the next one.
            The batch size must then be fixed.
        unroll: whether to build each step anew, which suits short sequences of known length.

    A call takes `initial_state` (a tensor or a list of tensors) and `constants` (tensors that every step gets).
    With a mask, states and output of a masked step are those of the step before.
    """

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        **kwargs: Any,
    ) -> None:
        if isinstance(cell, (list, tuple)):
            cell = StackedRNNCells(cell)
        for needed in ("call", "state_size"):
            if not hasattr(cell, needed):
                raise ArgumentError(
                    f"the cell of an RNN must have `{needed}`: a method `call(inputs, states)` and an attribute "
                    f"`state_size` (an int or a list of ints); got {cell!r}"
                )
        if kwargs.get("input_shape") is None and kwargs.get("batch_input_shape") is None:
            kwargs = _with_input_shape(kwargs)
        super().__init__(**kwargs)
        self.cell: Any = cell
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.stateful = stateful
        self.unroll = unroll
        self.supports_masking = True
        self.input_spec = [InputSpec(ndim=self.sequence_ndim)]
        self.state_spec: Any = None
        self.constants_spec: Any = None
        self._states: list[Any] | None = None
        self._num_constants: int | None = None

    sequence_ndim = 3

    # --- states ---------------------------------------------------------------------------------------
    @property
    def state_sizes(self) -> list[Any]:
        """The size of each state."""
        return as_list(self.cell.state_size)

    @property
    def states(self) -> list[Any]:
        """The variables that hold the states of a stateful layer; Nones before it is built."""
        return [None for _ in self.state_sizes] if self._states is None else self._states

    @states.setter
    def states(self, states: list[Any]) -> None:
        self._states = states

    def state_shape(self, size: Any, input_shape: Any) -> tuple[Any, ...]:
        """The shape, without the batch axis, of a state of `size`."""
        return (size,)

    def get_initial_state(self, inputs: Any) -> list[Any]:
        """Zero states for a batch of sequences."""
        batch = K.shape(inputs)[0]
        shape = K.int_shape(inputs)
        return [K.zeros((batch, *self.state_shape(size, shape)), dtype=K.dtype(inputs)) for size in self.state_sizes]

    def reset_states(self, states: Any = None) -> None:
        """Set the states of a stateful layer.

        Args:
            states: an array, or a list of arrays, of shape ``(batch, size)``; zeros by default.

        Raises:
            AttributeError: the layer is not stateful.
            ValueError: the batch size is not fixed, or a shape or the number of arrays is wrong.
        """
        if not self.stateful:
            raise AttributeError(f"Layer {self.name} must be stateful to reset its states: give stateful=True")
        spec = as_list(self.input_spec)[0]
        if spec.shape is None or spec.shape[0] is None:
            raise ShapeError(
                f"Layer {self.name} is stateful and needs a fixed batch size. In a Sequential model give its first "
                "layer `batch_input_shape`; with the functional API give Input a `batch_shape`."
            )
        shapes = [(spec.shape[0], *self.state_shape(size, spec.shape)) for size in self.state_sizes]
        if self._states is None:
            self._states = [K.zeros(shape) for shape in shapes]
        values = [np.zeros(s) for s in shapes] if states is None else as_list(states)
        if len(values) != len(shapes):
            raise ShapeError(
                f"Layer {self.name} expects {len(shapes)} states, but it received {len(values)} state values."
            )
        for i, (value, shape) in enumerate(zip(values, shapes, strict=True)):
            if np.shape(value) != shape:
                raise ShapeError(
                    f"State {i} is incompatible with layer {self.name}: expected shape={shape}, "
                    f"found shape={np.shape(value)}"
                )
        for state, value in zip(self._states, values, strict=True):
            K.set_value(state, value)

    # --- shapes and masks -------------------------------------------------------------------------------
    def compute_output_shape(self, input_shape: Any) -> Any:
        if isinstance(input_shape, list):
            input_shape = input_shape[0]
        output = self.state_shape(self.state_sizes[0], input_shape)
        shape = (*input_shape[:2], *output) if self.return_sequences else (input_shape[0], *output)
        if not self.return_state:
            return shape
        return [shape, *((input_shape[0], *self.state_shape(s, input_shape)) for s in self.state_sizes)]

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        if isinstance(mask, list):
            mask = mask[0]
        output_mask = mask if self.return_sequences else None
        return [output_mask, *(None for _ in self.state_sizes)] if self.return_state else output_mask

    def build(self, input_shape: Any) -> None:
        constants: list[Any] = []
        if self._num_constants:
            constants = list(input_shape[-self._num_constants :])
        if isinstance(input_shape, list):
            input_shape = input_shape[0]
        fixed = input_shape[0] if self.stateful else None
        self.input_spec = [InputSpec(shape=(fixed, None, *input_shape[2:])), *as_list(self.input_spec)[1:]]
        if isinstance(self.cell, Layer) and not self.cell.built:
            step_shape = (input_shape[0], *input_shape[2:])
            self.cell.build([step_shape, *constants] if constants else step_shape)
            self.cell.built = True
        shapes = [self.state_shape(size, input_shape) for size in self.state_sizes]
        expected = [InputSpec(shape=(None, *shape)) for shape in shapes]
        if self.state_spec is not None and [s.shape[1:] for s in self.state_spec] != shapes:
            raise ShapeError(
                f"layer {self.name} was given initial states of shapes {[s.shape for s in self.state_spec]}, but its "
                f"cell has state sizes {self.state_sizes}"
            )
        self.state_spec = expected
        if self.stateful:
            self.reset_states()
        self.built = True

    # --- being called -----------------------------------------------------------------------------------
    def __call__(self, inputs: Any, initial_state: Any = None, constants: Any = None, **kwargs: Any) -> Any:
        """Apply the layer; states and constants that are tensors of the model become further inputs of it."""
        inputs, states, constants = self._split(inputs, initial_state, constants)
        if constants is not None:
            self._num_constants = len(constants)
        if states is None and constants is None:
            return super().__call__(inputs, **kwargs)
        extra = [*(states or []), *(constants or [])]
        if not all(K.is_tensor(x) for x in (inputs, *extra)):
            raise GraphError(
                f"layer {self.name} ({type(self).__name__}) must be called on tensors: a sequence, and after it its "
                f"initial states and constants; got {[inputs, *extra]!r:.200}"
            )
        symbolic = [K.is_keras_tensor(x) for x in extra]
        if any(symbolic) and not all(symbolic):
            raise GraphError(
                f"the initial states and constants of RNN layer {self.name} must either all be outputs of layers, or "
                "none of them"
            )
        if states is not None:
            self.state_spec = [InputSpec(shape=K.int_shape(s)) for s in states]
        if constants is not None:
            self.constants_spec = [InputSpec(shape=K.int_shape(c)) for c in constants]
        if not all(symbolic):
            return super().__call__(inputs, initial_state=states, constants=constants, **kwargs)
        own = self.input_spec
        self.input_spec = [*as_list(own)[:1], *(InputSpec(shape=K.int_shape(x)) for x in extra)]
        try:
            return super().__call__([inputs, *extra], **kwargs)
        finally:
            self.input_spec = as_list(self.input_spec)[:1]

    def _split(self, inputs: Any, states: Any, constants: Any) -> tuple[Any, list[Any] | None, list[Any] | None]:
        """Inputs, states and constants apart; they may have come as one list (from a saved model)."""
        if isinstance(inputs, (list, tuple)):
            if states is not None or constants is not None:
                raise ArgumentError(
                    f"layer {self.name}: give states and constants by keyword, or in the list, not both"
                )
            inputs = list(inputs)
            if not inputs:
                raise ArgumentError(f"layer {self.name} was called on no tensors")
            if self._num_constants:
                constants = inputs[-self._num_constants :]
                inputs = inputs[: -self._num_constants]
            if len(inputs) > 1:
                states = inputs[1:]
            inputs = inputs[0]
        return inputs, None if states is None else as_list(states), None if constants is None else as_list(constants)

    def call(
        self,
        inputs: Any,
        mask: Any = None,
        training: Any = None,
        initial_state: Any = None,
        constants: Any = None,
    ) -> Any:
        if isinstance(inputs, list):
            inputs, initial_state, constants = self._split(inputs, None, None)
        if isinstance(mask, list):
            mask = mask[0]
        if K.int_shape(inputs)[1] == 0:
            raise ShapeError(
                f"RNN layer {self.name} needs at least one time step; its input of shape {K.int_shape(inputs)} has none"
            )
        if initial_state is None:
            initial_state = self.states if self.stateful else self.get_initial_state(inputs)
        initial_state = as_list(initial_state)
        if len(initial_state) != len(self.state_sizes):
            raise ShapeError(
                f"Layer {self.name} has {len(self.state_sizes)} states but was passed {len(initial_state)} "
                "initial states."
            )
        if self.unroll and K.int_shape(inputs)[1] in (None, 1):
            raise ShapeError(
                f"Cannot unroll RNN layer {self.name} if the time dimension is undefined or equal to 1. In a "
                "Sequential model give the first layer `input_shape` or `batch_input_shape`; with the functional API "
                "give Input a `shape` with the number of steps."
            )
        last, sequence, states = self.iterate(inputs, initial_state, mask, training, constants)
        if self.stateful:
            self.add_update([K.update(old, new) for old, new in zip(self.states, states, strict=True)], inputs)
        output = sequence if self.return_sequences else last
        return [output, *states] if self.return_state else output

    def iterate(
        self, inputs: Any, states: list[Any], mask: Any, training: Any, constants: list[Any] | None
    ) -> tuple[Any, Any, list[Any]]:
        """The last output, all outputs, and the last states."""
        kwargs = {"training": training} if accepts(self.cell.call, "training") else {}
        if constants and not accepts(self.cell.call, "constants"):
            raise ArgumentError(f"RNN layer {self.name} was given constants, but its cell's `call` takes none")
        count = len(states)

        def step(x: Any, values: Any) -> Any:
            given = dict(kwargs, constants=values[count:]) if constants else kwargs
            output, new = self.cell.call(x, values[:count], **given)
            return output, list(new)

        self.start_sequence(inputs, training)
        return K.rnn(
            step,
            inputs,
            states,
            constants=constants,
            go_backwards=self.go_backwards,
            mask=mask,
            unroll=self.unroll,
            input_length=K.int_shape(inputs)[1],
        )

    def start_sequence(self, inputs: Any, training: Any) -> None:
        """Called before the first step: cells draw what stays constant over a sequence (drop-out masks)."""
        if hasattr(self.cell, "begin_sequence"):
            self.cell.begin_sequence(inputs[:, 0], training)

    # --- what belongs to the cell -----------------------------------------------------------------------
    @property  # type: ignore[misc] # read-only: the weights are others'
    def trainable_weights(self) -> list[Any]:
        own = super().trainable_weights
        return [*own, *self.cell.trainable_weights] if self.trainable and isinstance(self.cell, Layer) else own

    @property  # type: ignore[misc]
    def non_trainable_weights(self) -> list[Any]:
        own = super().non_trainable_weights
        if not isinstance(self.cell, Layer):
            return own
        return [*own, *(self.cell.non_trainable_weights if self.trainable else self.cell.weights)]

    @property
    def losses(self) -> list[Any]:
        return [*(self.cell.losses if isinstance(self.cell, Layer) else []), *super().losses]

    def get_losses_for(self, inputs: Any = None) -> list[Any]:
        own = super().get_losses_for(inputs)
        return [*self.cell.get_losses_for(inputs), *own] if isinstance(self.cell, Layer) else own

    # --- configuration ------------------------------------------------------------------------------------
    def sequence_config(self) -> dict[str, Any]:
        """The settings that every recurrent layer has."""
        config: dict[str, Any] = {
            "return_sequences": self.return_sequences,
            "return_state": self.return_state,
            "go_backwards": self.go_backwards,
            "stateful": self.stateful,
            "unroll": self.unroll,
        }
        if self._num_constants is not None:
            config["num_constants"] = self._num_constants
        return config

    def get_config(self) -> dict[str, Any]:
        cell = {"class_name": type(self.cell).__name__, "config": self.cell.get_config()}
        return {**super().get_config(), **self.sequence_config(), "cell": cell}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        config = dict(config)
        count = config.pop("num_constants", None)
        if "cell" in config:
            config["cell"] = deserialize(config["cell"], custom_objects=custom_objects)
        layer = cls(**config)
        layer._num_constants = count
        return layer


def _with_input_shape(kwargs: dict[str, Any]) -> dict[str, Any]:
    """`input_dim` and `input_length`, the old way to announce the input of a first layer."""
    kwargs = dict(kwargs)
    features = kwargs.pop("input_dim", None)
    steps = kwargs.pop("input_length", None)
    if features is not None:
        kwargs["input_shape"] = (steps, features)
    return kwargs
