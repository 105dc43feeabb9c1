"""`Activation`, and `ActivityRegularization`, a penalty on what passes through."""

from __future__ import annotations

from typing import Any

from kcore import activations, regularizers
from kcore.engine import InputSpec, Layer
from kcore.shapes import real_number


class Activation(Layer):
    """Apply an activation function; manual 5.2.2.

    Args:
        activation: name ("relu", "softmax", ...) or function of a tensor.
        kwargs: as for `Layer`.

    Input shape, output shape:
        Any; the same.
    """

    input_spec = InputSpec()  # one tensor

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.activation = activations.get(activation)

    def call(self, inputs: Any) -> Any:
        return self.activation(inputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "activation": activations.serialize(self.activation)}


class ActivityRegularization(Layer):
    """Add a penalty on the input's values to the loss, and pass the input on; manual 5.2.10.

    Args:
        l1: float >= 0, factor of the sum of absolute values.
        l2: float >= 0, factor of the sum of squares.
        kwargs: as for `Layer`.

    Input shape, output shape:
        Any; the same.
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.l1 = real_number(l1, "l1", self)
        self.l2 = real_number(l2, "l2", self)
        self.activity_regularizer = regularizers.L1L2(l1=l1, l2=l2)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "l1": self.l1, "l2": self.l2}
