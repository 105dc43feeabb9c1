"""`LSTM` and its cell."""

from __future__ import annotations

from typing import Any

from kcore import backend as K
from kcore.ops import recurrent
from kcore_layers_recurrent.bias import UnitForgetBias
from kcore_layers_recurrent.cell import WEIGHT_KEYS, Cell
from kcore_layers_recurrent.layouts import (
    KERAS_1_LSTM,
    is_cudnn,
    joined_gates,
    plain_kernels,
    warn_of_other_activations,
)
from kcore_layers_recurrent.standard import CellSetting, StandardRNN, split_arguments
from kcore_layers_recurrent.support import activation_name, implementation_number


class LSTMCell(Cell):
    """The step of an `LSTM` (manual, 5.6.8); gates in the order i (input), f (forget), c (candidate), o (output).

    ``i, f, o = s(x W + h U + b)``, ``c' = f * c + i * a(x Wc + h Uc + bc)``, ``h' = o * a(c')``.

    Args:
        units: int, size of the output.
        activation: of candidate and output; name or function.
        recurrent_activation: of the gates.
        use_bias: whether there is a bias.
        kernel_initializer ... bias_constraint: of the three weights.
        unit_forget_bias: whether the bias of the forget gate starts at 1 (Jozefowicz et al., 2015).
        dropout: float in [0, 1], share of the inputs to drop.
        recurrent_dropout: float in [0, 1], share of the state to drop.
        implementation: 1 or 2; with 2 the gates share one drop-out mask. The result is the same without drop-out.

    References:
        Hochreiter and Schmidhuber, Long Short-Term Memory (1997).
    """

    gates = 4
    config_keys = (
        "activation", "recurrent_activation", "use_bias", "unit_forget_bias", *WEIGHT_KEYS, "dropout",
        "recurrent_dropout", "implementation",
    )  # fmt: skip

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "hard_sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        implementation: int = 1,
        **kwargs: Any,
    ) -> None:
        settings = dict(locals())
        super().__init__(units, settings, **kwargs)
        self.unit_forget_bias = unit_forget_bias
        self.implementation = implementation_number(implementation, self)
        self.state_size = (units, units)

    def first_bias(self) -> Any:
        return UnitForgetBias(self.bias_initializer, self.units) if self.unit_forget_bias else self.bias_initializer

    def call(self, inputs: Any, states: Any, training: Any = None) -> Any:
        previous, carry = states[0], states[1]
        x_masks, h_masks = self.masks_for(inputs, previous, training)
        i, f, c, o = (self._gate(inputs, previous, x_masks, h_masks, gate) for gate in range(4))
        i, f, o = (self.recurrent_activation(gate) for gate in (i, f, o))
        carry = f * carry + i * self.activation(c)
        output = o * self.activation(carry)
        return output, [output, carry]

    def _gate(self, x: Any, h: Any, x_masks: list[Any] | None, h_masks: list[Any] | None, gate: int) -> Any:
        """The sum that goes into the activation of a gate."""
        chosen = 0 if self.implementation == 2 else gate
        x = x if x_masks is None else x * x_masks[chosen]
        h = h if h_masks is None else h * h_masks[chosen]
        total = K.dot(x, self.columns(self.kernel, gate)) + K.dot(h, self.columns(self.recurrent_kernel, gate))
        return total if self.bias is None else K.bias_add(total, self.columns(self.bias, gate))


class LSTM(StandardRNN):
    """Long short-term memory (manual, 5.6.4).

    Args:
        units: int, size of the output.
        activation, recurrent_activation, use_bias, kernel_initializer ... bias_constraint, unit_forget_bias,
            dropout, recurrent_dropout, implementation: as in `LSTMCell`.
        activity_regularizer: of the output.
        return_sequences, return_state, go_backwards, stateful, unroll: as in `RNN`.
    """

    cell_class = LSTMCell
    recurrent_activation = CellSetting()
    implementation = CellSetting()
    unit_forget_bias = CellSetting()

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "hard_sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        implementation: int = 1,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        **kwargs: Any,
    ) -> None:
        cell, sequence = split_arguments(locals())
        super().__init__(LSTMCell(**cell), activity_regularizer, sequence, **kwargs)

    def fused(self, inputs: Any, states: list[Any], mask: Any, masks: dict[str, Any]) -> tuple[Any, list[Any]]:
        cell = self.cell
        outputs, h, c = recurrent.lstm(
            inputs, cell.kernel, cell.recurrent_kernel, cell.bias, initial_state=tuple(states), mask=mask,
            activation=activation_name(cell.activation),
            recurrent_activation=activation_name(cell.recurrent_activation),
            go_backwards=self.go_backwards, **masks,
        )  # fmt: skip
        return outputs, [h, c]

    def weights_from_file(self, weights: list[Any], keras_version: str, backend: str | None) -> list[Any]:
        """Weights of a plain LSTM, of a `CuDNNLSTM` (whose two biases are added up), or of Keras 1."""
        weights = joined_gates(weights, KERAS_1_LSTM)
        if not is_cudnn(weights, 4, self.units):
            return weights
        warn_of_other_activations(self, "CuDNNLSTM")
        return [*plain_kernels(weights, 4), weights[2].reshape(2, -1).sum(axis=0)]
