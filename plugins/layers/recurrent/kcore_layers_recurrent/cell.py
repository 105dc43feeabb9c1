"""What the standard cells share: settings, weights, drop-out masks, configuration."""

from __future__ import annotations

from typing import Any

from kcore import activations
from kcore import backend as K
from kcore.engine import Layer
from kcore.shapes import positive_int, real_number
from kcore_layers_recurrent.support import dropout_masks, set_weight_settings, weight_config

WEIGHT_KEYS = (
    "kernel_initializer",
    "recurrent_initializer",
    "bias_initializer",
    "kernel_regularizer",
    "recurrent_regularizer",
    "bias_regularizer",
    "kernel_constraint",
    "recurrent_constraint",
    "bias_constraint",
)


class Cell(Layer):
    """A cell with an input kernel, a recurrent kernel and a bias, each for `gates` blocks of `units` columns.

    Subclasses set `gates` and `config_keys` and define ``call(inputs, states, training=None)``.
    """

    gates = 1
    activation: Any
    recurrent_activation: Any
    bias_initializer: Any
    dropout: float
    recurrent_dropout: float
    config_keys: tuple[str, ...] = ()

    def __init__(self, units: int, settings: dict[str, Any], **kwargs: Any) -> None:
        """Take the arguments of a standard cell, which `settings` holds by name."""
        super().__init__(**kwargs)
        self.units = positive_int(units, "units", self)
        for key in ("activation", "recurrent_activation"):
            if key in settings:
                setattr(self, key, activations.get(settings[key]))
        self.use_bias = settings["use_bias"]
        set_weight_settings(self, {key: settings[key] for key in WEIGHT_KEYS})
        for rate in ("dropout", "recurrent_dropout"):
            setattr(self, rate, real_number(settings[rate], rate, self, 0, 1))
        self.state_size: Any = self.units
        self.input_masks: list[Any] | None = None
        self.recurrent_masks: list[Any] | None = None

    def build(self, input_shape: Any) -> None:
        if isinstance(input_shape, list):
            input_shape = input_shape[0]
        self.kernel = self._weight("kernel", (input_shape[-1], self.units * self.gates))
        self.recurrent_kernel = self._weight("recurrent_kernel", (self.units, self.units * self.gates), "recurrent")
        self.bias = None
        if self.use_bias:
            self.bias = self._weight("bias", self.bias_shape, initializer=self.first_bias())
        self.built = True

    @property
    def bias_shape(self) -> tuple[int, ...]:
        """The shape of the bias."""
        return (self.units * self.gates,)

    def first_bias(self) -> Any:
        """The initializer of the bias."""
        return self.bias_initializer

    def _weight(self, name: str, shape: tuple[int, ...], part: str | None = None, initializer: Any = None) -> Any:
        part = part or name
        return self.add_weight(
            name=name,
            shape=shape,
            initializer=initializer or getattr(self, f"{part}_initializer"),
            regularizer=getattr(self, f"{part}_regularizer"),
            constraint=getattr(self, f"{part}_constraint"),
        )

    # --- drop-out masks, constant over a sequence -----------------------------------------------------------
    def begin_sequence(self, inputs: Any, training: Any) -> None:
        """Draw the drop-out masks of a sequence; `inputs` is its first step ``(batch, features)``."""
        self.input_masks = dropout_masks(inputs, self.dropout, training, self.gates)
        state = K.zeros((K.shape(inputs)[0], self.units), dtype=K.dtype(inputs))
        self.recurrent_masks = dropout_masks(state, self.recurrent_dropout, training, self.gates)

    def masks_for(self, inputs: Any, state: Any, training: Any) -> tuple[list[Any] | None, list[Any] | None]:
        """The masks of the sequence, or fresh ones where the cell is used outside an RNN layer."""
        if self.dropout > 0 and self.input_masks is None:
            self.input_masks = dropout_masks(inputs, self.dropout, training, self.gates)
        if self.recurrent_dropout > 0 and self.recurrent_masks is None:
            self.recurrent_masks = dropout_masks(state, self.recurrent_dropout, training, self.gates)
        return self.input_masks, self.recurrent_masks

    def columns(self, weight: Any, gate: int) -> Any:
        """The columns of one gate of a kernel or bias."""
        lo, hi = gate * self.units, (gate + 1) * self.units
        return weight[..., lo:hi]

    def get_config(self) -> dict[str, Any]:
        config = {"units": self.units, **weight_config(self, self.config_keys)}
        return {**super().get_config(), **config}
