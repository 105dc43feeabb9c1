"""`CuDNNGRU` and `CuDNNLSTM`: the variants of cuDNN, with its weights, on every device.

They have sigmoid gates, tanh activations, no drop-out and no masks; the GRU resets after the product. cuDNN keeps
two biases, one for the input and one for the state.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from kcore import backend as K
from kcore import regularizers
from kcore.engine import Layer
from kcore.errors import MaskingError, ShapeError
from kcore.ops import recurrent
from kcore.shapes import positive_int
from kcore_layers_recurrent.bias import UnitForgetBias
from kcore_layers_recurrent.cell import WEIGHT_KEYS
from kcore_layers_recurrent.layouts import cudnn_kernels, is_plain, warn_of_cudnn_activations
from kcore_layers_recurrent.rnn import RNN
from kcore_layers_recurrent.support import set_weight_settings, weight_config


class _CuDNNRNN(RNN):
    """What both share; the weights are the layer's own, and `cell` only tells the size of the states."""

    gates = 1
    states_per_unit = 1

    def __init__(self, units: int, arguments: dict[str, Any], **kwargs: Any) -> None:
        cell = SimpleNamespace(call=None, state_size=None)
        sequence = {key: arguments[key] for key in ("return_sequences", "return_state", "stateful")}
        kwargs.pop("unroll", None)  # configurations have it; there is nothing to unroll
        super().__init__(cell, **sequence, **kwargs)
        self.supports_masking = False
        self.units = positive_int(units, "units", self)
        cell.state_size = (self.units,) * self.states_per_unit
        set_weight_settings(self, {key: arguments[key] for key in WEIGHT_KEYS})
        self.activity_regularizer = regularizers.get(arguments["activity_regularizer"])

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        shape = input_shape[0] if isinstance(input_shape, list) else input_shape
        self.kernel = self._weight("kernel", (shape[-1], self.gates * self.units), "kernel")
        self.recurrent_kernel = self._weight("recurrent_kernel", (self.units, self.gates * self.units), "recurrent")
        self.bias = self._weight("bias", (2 * self.gates * self.units,), "bias", self.first_bias())

    def first_bias(self) -> Any:
        """The initializer of the two biases."""
        return self.bias_initializer  # type: ignore[attr-defined]

    def _weight(self, name: str, shape: tuple[int, ...], part: str, initializer: Any = None) -> Any:
        return self.add_weight(
            name=name,
            shape=shape,
            initializer=initializer or getattr(self, f"{part}_initializer"),
            regularizer=getattr(self, f"{part}_regularizer"),
            constraint=getattr(self, f"{part}_constraint"),
        )

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        if any(m is not None for m in (mask if isinstance(mask, list) else [mask])):
            raise MaskingError(
                f"layer {self.name} ({type(self).__name__}) does not support masks: use LSTM or GRU, or leave the mask "
                "out upstream (mask_zero=False, no Masking layer)"
            )
        return super().compute_mask(inputs, None)

    def iterate(
        self, inputs: Any, states: list[Any], mask: Any, training: Any, constants: list[Any] | None
    ) -> tuple[Any, Any, list[Any]]:
        sequence, new = self.run(inputs, states)
        return new[0], sequence, new

    def run(self, inputs: Any, states: list[Any]) -> tuple[Any, list[Any]]:
        """All outputs and the last states."""
        raise NotImplementedError

    def plain_kernels(self) -> tuple[Any, Any]:
        """The two kernels as `LSTM` and `GRU` have them.

        cuDNN multiplies with the transposed matrix of each gate; the input kernel is kept under the untransposed
        shape all the same, so that files can be exchanged with the original.
        """
        units = self.units
        own = [self.kernel[:, g * units : (g + 1) * units] for g in range(self.gates)]
        kernel = [K.transpose(K.reshape(block, (units, -1))) for block in own]
        recurrent_kernel = [
            K.transpose(self.recurrent_kernel[:, g * units : (g + 1) * units]) for g in range(self.gates)
        ]
        return K.concatenate(kernel, axis=1), K.concatenate(recurrent_kernel, axis=1)

    def get_config(self) -> dict[str, Any]:
        own = {"units": self.units, **weight_config(self, WEIGHT_KEYS)}
        sequence = self.sequence_config()
        del sequence["unroll"]
        activity = {"activity_regularizer": regularizers.serialize(self.activity_regularizer)}
        return {**Layer.get_config(self), **sequence, **own, **activity}


class CuDNNGRU(_CuDNNRNN):
    """The GRU of cuDNN (manual, 5.6.10). Its bias is ``(6 * units,)``: of the input, then of the state.

    Args:
        units: int, size of the output.
        kernel_initializer ... bias_constraint: of the three weights.
        activity_regularizer: of the output.
        return_sequences, return_state, stateful: as in `RNN`.
    """

    gates = 3

    def __init__(
        self,
        units: int,
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
        return_sequences: bool = False,
        return_state: bool = False,
        stateful: bool = False,
        **kwargs: Any,
    ) -> None:
        arguments = dict(locals())
        super().__init__(units, arguments, **kwargs)

    def run(self, inputs: Any, states: list[Any]) -> tuple[Any, list[Any]]:
        outputs, h = recurrent.gru(
            inputs, *self.plain_kernels(), K.reshape(self.bias, (2, 3 * self.units)),
            initial_state=states[0], activation="tanh", recurrent_activation="sigmoid",
            reset_after=True, go_backwards=self.go_backwards,
        )  # fmt: skip
        return outputs, [h]

    def weights_from_file(self, weights: list[Any], keras_version: str, backend: str | None) -> list[Any]:
        """Weights of a `CuDNNGRU`, or of a `GRU` with `reset_after`.

        Raises:
            ShapeError: weights of a `GRU` without `reset_after`.
        """
        if not is_plain(weights, 3, self.units):
            return weights
        if np.ndim(weights[2]) == 1:
            raise ShapeError(
                f"The file has the weights of a GRU with reset_after=False; layer {self.name} is a CuDNNGRU, whose "
                "reset gate acts after the product and which computes something else. Make it a GRU."
            )
        warn_of_cudnn_activations(self, "GRU")
        return [*cudnn_kernels(weights, 3), weights[2].reshape(-1)]


class CuDNNLSTM(_CuDNNRNN):
    """The LSTM of cuDNN (manual, 5.6.11). Its bias is ``(8 * units,)``: of the input, then of the state.

    Args:
        units: int, size of the output.
        kernel_initializer ... bias_constraint: of the three weights.
        unit_forget_bias: whether the bias of the forget gate starts at 1.
        activity_regularizer: of the output.
        return_sequences, return_state, stateful: as in `RNN`.
    """

    gates = 4
    states_per_unit = 2

    def __init__(
        self,
        units: int,
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
        return_sequences: bool = False,
        return_state: bool = False,
        stateful: bool = False,
        **kwargs: Any,
    ) -> None:
        arguments = dict(locals())
        super().__init__(units, arguments, **kwargs)
        self.unit_forget_bias = unit_forget_bias

    def first_bias(self) -> Any:
        # The biases are added up, so that one of the two forget biases is 1: that of the state.
        own = self.bias_initializer  # type: ignore[attr-defined]
        return UnitForgetBias(own, self.units, before=5) if self.unit_forget_bias else own

    def run(self, inputs: Any, states: list[Any]) -> tuple[Any, list[Any]]:
        bias = self.bias[: 4 * self.units] + self.bias[4 * self.units :]
        outputs, h, c = recurrent.lstm(
            inputs, *self.plain_kernels(), bias, initial_state=tuple(states),
            activation="tanh", recurrent_activation="sigmoid", go_backwards=self.go_backwards,
        )  # fmt: skip
        return outputs, [h, c]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "unit_forget_bias": self.unit_forget_bias}

    def weights_from_file(self, weights: list[Any], keras_version: str, backend: str | None) -> list[Any]:
        """Weights of a `CuDNNLSTM`, or of an `LSTM`, whose bias becomes two halves of itself."""
        if not is_plain(weights, 4, self.units) or np.ndim(weights[2]) == 2:
            return weights
        warn_of_cudnn_activations(self, "LSTM")
        return [*cudnn_kernels(weights, 4), np.tile(weights[2] / 2, 2)]
