"""`ConvLSTM2D`: an LSTM whose products are convolutions."""

from __future__ import annotations

from typing import Any

from kcore import activations, regularizers
from kcore import backend as K
from kcore.engine import Layer
from kcore.saving.kernels import kernel_from_file
from kcore.shapes import (
    conv_output_length,
    normalize_data_format,
    normalize_padding,
    positive_int,
    positive_ints,
    real_number,
)
from kcore_layers_recurrent.bias import UnitForgetBias
from kcore_layers_recurrent.cell import WEIGHT_KEYS
from kcore_layers_recurrent.layouts import KERAS_1_LSTM, joined_gates
from kcore_layers_recurrent.rnn import RNN
from kcore_layers_recurrent.standard import CellSetting
from kcore_layers_recurrent.support import dropout_masks, set_weight_settings, weight_config

_CONV_KEYS = ("filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate")
_CELL_KEYS = (
    *_CONV_KEYS, "activation", "recurrent_activation", "use_bias", "unit_forget_bias", *WEIGHT_KEYS, "dropout",
    "recurrent_dropout",
)  # fmt: skip


class ConvLSTM2DCell(Layer):
    """The step of a `ConvLSTM2D`, on images ``(batch, rows, columns, channels)``; gates in the order i, f, c, o.

    The arguments are those of `ConvLSTM2D` that do not concern the sequence.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = (1, 1),
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
        **kwargs: Any,
    ) -> None:
        settings = dict(locals())
        super().__init__(**kwargs)
        self.filters = positive_int(filters, "filters", self)
        self.kernel_size = positive_ints(kernel_size, 2, "kernel_size", self)
        self.strides = positive_ints(strides, 2, "strides", self)
        self.padding = normalize_padding(padding, ("valid", "same"), self)
        self.data_format = normalize_data_format(data_format)
        self.dilation_rate = positive_ints(dilation_rate, 2, "dilation_rate", self)
        self.activation = activations.get(activation)
        self.recurrent_activation = activations.get(recurrent_activation)
        self.use_bias = use_bias
        self.unit_forget_bias = unit_forget_bias
        set_weight_settings(self, {key: settings[key] for key in WEIGHT_KEYS})
        self.dropout = real_number(dropout, "dropout", self, 0, 1)
        self.recurrent_dropout = real_number(recurrent_dropout, "recurrent_dropout", self, 0, 1)
        self.state_size = (self.filters, self.filters)
        self.input_masks: list[Any] | None = None
        self.recurrent_masks: list[Any] | None = None

    def build(self, input_shape: Any) -> None:
        channels = input_shape[1 if self.data_format == "channels_first" else -1]
        self.kernel = self._weight("kernel", (*self.kernel_size, channels, 4 * self.filters), "kernel")
        self.recurrent_kernel = self._weight(
            "recurrent_kernel", (*self.kernel_size, self.filters, 4 * self.filters), "recurrent"
        )
        self.bias = None
        if self.use_bias:
            own = self.bias_initializer  # type: ignore[attr-defined]
            first = UnitForgetBias(own, self.filters) if self.unit_forget_bias else own
            self.bias = self._weight("bias", (4 * self.filters,), "bias", first)
        self.built = True

    def _weight(self, name: str, shape: tuple[int, ...], part: str, initializer: Any = None) -> Any:
        return self.add_weight(
            name=name,
            shape=shape,
            initializer=initializer or getattr(self, f"{part}_initializer"),
            regularizer=getattr(self, f"{part}_regularizer"),
            constraint=getattr(self, f"{part}_constraint"),
        )

    def begin_sequence(self, inputs: Any, training: Any) -> None:
        """Draw the drop-out masks of a sequence; `inputs` is its first image."""
        self.input_masks = dropout_masks(inputs, self.dropout, training, 4)
        state = K.zeros_like(self.input_convolution(inputs, 0))
        self.recurrent_masks = dropout_masks(state, self.recurrent_dropout, training, 4)

    def call(self, inputs: Any, states: Any, training: Any = None) -> Any:
        previous, carry = states[0], states[1]
        i, f, c, o = (self._gate(inputs, previous, gate) for gate in range(4))
        i, f, o = (self.recurrent_activation(gate) for gate in (i, f, o))
        carry = f * carry + i * self.activation(c)
        output = o * self.activation(carry)
        return output, [output, carry]

    def _gate(self, x: Any, h: Any, gate: int) -> Any:
        if self.input_masks is not None:
            x = x * self.input_masks[gate]
        if self.recurrent_masks is not None:
            h = h * self.recurrent_masks[gate]
        recurrent = K.conv2d(
            h, self._of_gate(self.recurrent_kernel, gate), strides=(1, 1), padding="same", data_format=self.data_format
        )
        return self.input_convolution(x, gate) + recurrent

    def input_convolution(self, x: Any, gate: int) -> Any:
        """The convolution of the input with the kernel of a gate, bias included."""
        y = K.conv2d(
            x,
            self._of_gate(self.kernel, gate),
            strides=self.strides,
            padding=self.padding,
            data_format=self.data_format,
            dilation_rate=self.dilation_rate,
        )
        return y if self.bias is None else K.bias_add(y, self._of_gate(self.bias, gate), self.data_format)

    def _of_gate(self, weight: Any, gate: int) -> Any:
        return weight[..., gate * self.filters : (gate + 1) * self.filters]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **weight_config(self, _CELL_KEYS)}


class ConvLSTM2D(RNN):
    """A convolutional LSTM (manual, 5.6.5).

    Input ``(batch, steps, rows, columns, channels)``, or ``(batch, steps, channels, rows, columns)`` with
    ``channels_first``; output the same with new rows, columns and `filters` channels, without the steps unless
    `return_sequences`.

    Args:
        filters: int, number of output channels.
        kernel_size, strides, padding, data_format, dilation_rate: of the convolution of the input; that of the
            state has stride 1 and keeps its size.
        activation, recurrent_activation, use_bias, kernel_initializer ... bias_constraint, unit_forget_bias,
            dropout, recurrent_dropout: as in `LSTMCell`.
        activity_regularizer: of the output.
        return_sequences, go_backwards, stateful: as in `RNN`.

    References:
        Shi et al., Convolutional LSTM Network (2015).
    """

    sequence_ndim = 5
    filters = CellSetting()
    kernel_size = CellSetting()
    strides = CellSetting()
    padding = CellSetting()
    data_format = CellSetting()
    dilation_rate = CellSetting()
    activation = CellSetting()
    recurrent_activation = CellSetting()
    use_bias = CellSetting()
    dropout = CellSetting()
    recurrent_dropout = CellSetting()
    kernel = CellSetting()
    recurrent_kernel = CellSetting()
    bias = CellSetting()

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = (1, 1),
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
        return_sequences: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        arguments = dict(locals())
        cell = ConvLSTM2DCell(**{key: arguments[key] for key in _CELL_KEYS})
        sequence = {key: arguments[key] for key in ("return_sequences", "go_backwards", "stateful")}
        super().__init__(cell, **sequence, **kwargs)
        self.activity_regularizer = regularizers.get(activity_regularizer)

    def state_shape(self, size: Any, input_shape: Any) -> tuple[Any, ...]:
        first = self.cell.data_format == "channels_first"
        space = input_shape[3:5] if first else input_shape[2:4]
        cell = self.cell
        settings = zip(space, cell.kernel_size, cell.strides, cell.dilation_rate, strict=True)
        new = [conv_output_length(n, k, cell.padding, s, dilation=d) for n, k, s, d in settings]
        return (size, *new) if first else (*new, size)

    def get_initial_state(self, inputs: Any) -> list[Any]:
        like = K.zeros_like(self.cell.input_convolution(inputs[:, 0], 0))
        return [like for _ in self.state_sizes]

    def get_config(self) -> dict[str, Any]:
        activity = {"activity_regularizer": regularizers.serialize(self.activity_regularizer)}
        own = weight_config(self.cell, _CELL_KEYS)
        return {**Layer.get_config(self), **self.sequence_config(), **own, **activity}

    def weights_from_file(self, weights: list[Any], keras_version: str, backend: str | None) -> list[Any]:
        """Weights of another backend or of Keras 1, which has kernels and bias of each gate apart."""
        first = self.data_format == "channels_first"
        parts = self.kernel, self.recurrent_kernel
        if len(weights) == 12:
            shapes = [(*part.shape[:-1], self.filters) for part in parts] * 4
            places = [place for gate in range(4) for place in (3 * gate, 3 * gate + 1)]
        else:
            shapes, places = [tuple(part.shape) for part in parts], [0, 1]
        weights = list(weights)
        for place, shape in zip(places[: len(weights)], shapes):
            weights[place] = kernel_from_file(weights[place], shape, keras_version, backend, first)
        return joined_gates(weights, KERAS_1_LSTM)
