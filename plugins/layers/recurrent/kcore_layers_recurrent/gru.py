"""`GRU` and its cell."""

from __future__ import annotations

from typing import Any

from kcore import backend as K
from kcore.errors import ShapeError
from kcore.ops import recurrent
from kcore_layers_recurrent.cell import WEIGHT_KEYS, Cell
from kcore_layers_recurrent.layouts import KERAS_1_GRU, is_cudnn, joined_gates, plain_kernels, warn_of_other_activations
from kcore_layers_recurrent.standard import CellSetting, StandardRNN, split_arguments
from kcore_layers_recurrent.support import activation_name, implementation_number


class GRUCell(Cell):
    """The step of a `GRU` (manual, 5.6.7); gates in the order z (update), r (reset), h (candidate).

    ``z = s(x Wz + h Uz + bz)``, ``r = s(x Wr + h Ur + br)``, ``c = a(x Wh + (r * h) Uh + bh)`` (with `reset_after`:
    ``c = a(x Wh + b + r * (h Uh + b'))``), ``h' = z * h + (1 - z) * c``.

    Args:
        units: int, size of the output.
        activation: of the candidate; name or function.
        recurrent_activation: of the gates.
        use_bias: whether there is a bias.
        kernel_initializer ... bias_constraint: of the three weights.
        dropout: float in [0, 1], share of the inputs to drop.
        recurrent_dropout: float in [0, 1], share of the state to drop.
        implementation: 1 or 2; with 2 the gates share one drop-out mask. The result is the same without drop-out.
        reset_after: whether the reset gate acts after the product, as cuDNN has it.

    References:
        Cho et al., On the Properties of Neural Machine Translation (2014).
    """

    gates = 3
    config_keys = (
        "activation", "recurrent_activation", "use_bias", *WEIGHT_KEYS, "dropout", "recurrent_dropout",
        "implementation", "reset_after",
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
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        implementation: int = 1,
        reset_after: bool = False,
        **kwargs: Any,
    ) -> None:
        settings = dict(locals())
        super().__init__(units, settings, **kwargs)
        self.implementation = implementation_number(implementation, self)
        self.reset_after = reset_after

    @property
    def bias_shape(self) -> tuple[int, ...]:
        """One bias, or with `reset_after` one for the input and one for the state."""
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    def call(self, inputs: Any, states: Any, training: Any = None) -> Any:
        previous = states[0]
        x_masks, h_masks = self.masks_for(inputs, previous, training)
        x = [self._projected(inputs, x_masks, gate, self.kernel) for gate in range(3)]
        input_bias, state_bias = self._biases()
        if input_bias is not None:
            x = [K.bias_add(part, self.columns(input_bias, gate)) for gate, part in enumerate(x)]
        h = [self._projected(previous, h_masks, gate, self.recurrent_kernel) for gate in range(2)]
        if state_bias is not None:
            h = [K.bias_add(part, self.columns(state_bias, gate)) for gate, part in enumerate(h)]
        z = self.recurrent_activation(x[0] + h[0])
        r = self.recurrent_activation(x[1] + h[1])
        if self.reset_after:
            inner = self._projected(previous, h_masks, 2, self.recurrent_kernel)
            if state_bias is not None:
                inner = K.bias_add(inner, self.columns(state_bias, 2))
            inner = r * inner
        else:
            inner = self._projected(r * previous, h_masks, 2, self.recurrent_kernel)
        candidate = self.activation(x[2] + inner)
        output = z * previous + (1 - z) * candidate
        return output, [output]

    def _projected(self, value: Any, masks: list[Any] | None, gate: int, weight: Any) -> Any:
        """`value`, dropped out, times the columns of a gate."""
        if masks is not None:
            value = value * masks[0 if self.implementation == 2 else gate]
        return K.dot(value, self.columns(weight, gate))

    def _biases(self) -> tuple[Any, Any]:
        if self.bias is None:
            return None, None
        return (self.bias[0], self.bias[1]) if self.reset_after else (self.bias, None)


class GRU(StandardRNN):
    """Gated recurrent units (manual, 5.6.3).

    Args:
        units: int, size of the output.
        activation, recurrent_activation, use_bias, kernel_initializer ... bias_constraint, dropout,
            recurrent_dropout, implementation, reset_after: as in `GRUCell`.
        activity_regularizer: of the output.
        return_sequences, return_state, go_backwards, stateful, unroll: as in `RNN`.
    """

    cell_class = GRUCell
    recurrent_activation = CellSetting()
    implementation = CellSetting()
    reset_after = CellSetting()

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "hard_sigmoid",
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
        implementation: int = 1,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        reset_after: bool = False,
        **kwargs: Any,
    ) -> None:
        cell, sequence = split_arguments(locals())
        super().__init__(GRUCell(**cell), activity_regularizer, sequence, **kwargs)

    def fused(self, inputs: Any, states: list[Any], mask: Any, masks: dict[str, Any]) -> tuple[Any, list[Any]]:
        cell = self.cell
        outputs, h = recurrent.gru(
            inputs, cell.kernel, cell.recurrent_kernel, cell.bias, initial_state=states[0], mask=mask,
            activation=activation_name(cell.activation),
            recurrent_activation=activation_name(cell.recurrent_activation),
            reset_after=cell.reset_after, go_backwards=self.go_backwards, **masks,
        )  # fmt: skip
        return outputs, [h]

    def weights_from_file(self, weights: list[Any], keras_version: str, backend: str | None) -> list[Any]:
        """Weights of a plain GRU, of a `CuDNNGRU`, or of Keras 1.

        Raises:
            ShapeError: weights of a `CuDNNGRU`, for a layer without `reset_after`.
        """
        weights = joined_gates(weights, KERAS_1_GRU)
        if not is_cudnn(weights, 3, self.units):
            return weights
        if not self.reset_after:
            raise ShapeError(
                f"The file has the weights of a CuDNNGRU, whose reset gate acts after the product; layer {self.name} "
                "is a GRU with reset_after=False, which computes something else. Make it GRU(..., reset_after=True, "
                "recurrent_activation='sigmoid')."
            )
        warn_of_other_activations(self, "CuDNNGRU")
        return [*plain_kernels(weights, 3), weights[2].reshape(2, -1)]
