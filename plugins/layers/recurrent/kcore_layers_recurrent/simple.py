"""`SimpleRNN` and its cell."""

from __future__ import annotations

from typing import Any

from kcore import backend as K
from kcore.ops import recurrent
from kcore_layers_recurrent.cell import WEIGHT_KEYS, Cell
from kcore_layers_recurrent.standard import StandardRNN, split_arguments
from kcore_layers_recurrent.support import activation_name


class SimpleRNNCell(Cell):
    """The step of a `SimpleRNN`: ``h' = activation(x W + h U + b)`` (manual, 5.6.6).

    Args:
        units: int, size of the output.
        activation: name or function.
        use_bias: whether there is a bias.
        kernel_initializer ... bias_constraint: of the three weights.
        dropout: float in [0, 1], share of the inputs to drop.
        recurrent_dropout: float in [0, 1], share of the state to drop.
    """

    config_keys = ("activation", "use_bias", *WEIGHT_KEYS, "dropout", "recurrent_dropout")

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        settings = dict(locals())
        super().__init__(units, settings, **kwargs)

    def call(self, inputs: Any, states: Any, training: Any = None) -> Any:
        previous = states[0]
        x_masks, h_masks = self.masks_for(inputs, previous, training)
        x = inputs if x_masks is None else inputs * x_masks[0]
        h = previous if h_masks is None else previous * h_masks[0]
        output = K.dot(x, self.kernel) + K.dot(h, self.recurrent_kernel)
        if self.bias is not None:
            output = K.bias_add(output, self.bias)
        output = self.activation(output)
        return output, [output]


class SimpleRNN(StandardRNN):
    """A fully connected recurrent layer whose output is fed back (manual, 5.6.2).

    Args:
        units: int, size of the output.
        activation, use_bias, kernel_initializer ... bias_constraint, dropout, recurrent_dropout: as in
            `SimpleRNNCell`.
        activity_regularizer: of the output.
        return_sequences, return_state, go_backwards, stateful, unroll: as in `RNN`.
    """

    cell_class = SimpleRNNCell

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        **kwargs: Any,
    ) -> None:
        kwargs.pop("implementation", None)  # files of earlier versions have it; there is one implementation
        cell, sequence = split_arguments(locals())
        super().__init__(SimpleRNNCell(**cell), activity_regularizer, sequence, **kwargs)

    def fused(self, inputs: Any, states: list[Any], mask: Any, masks: dict[str, Any]) -> tuple[Any, list[Any]]:
        cell = self.cell
        outputs, h = recurrent.simple_rnn(
            inputs, cell.kernel, cell.recurrent_kernel, cell.bias, initial_state=states[0], mask=mask,
            activation=activation_name(cell.activation), go_backwards=self.go_backwards, **masks,
        )  # fmt: skip
        return outputs, [h]
