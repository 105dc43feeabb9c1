"""Activations without weights. Each keeps the shape of its input and lets a mask pass."""

from __future__ import annotations

from typing import Any

from kcore import activations
from kcore import backend as K
from kcore.engine import InputSpec, Layer
from kcore.shapes import real_number, whole_number


class _Activation(Layer):
    """A layer that applies a function to each element, with one setting."""

    setting = ""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        value = getattr(self, self.setting)
        return {**super().get_config(), self.setting: int(value) if self.setting == "axis" else float(value)}


class LeakyReLU(_Activation):
    """``x`` where ``x >= 0``, else ``alpha * x`` (manual, 5.9.1).

    Args:
        alpha: float >= 0, the slope below zero.

    References:
        Maas, Hannun and Ng, Rectifier Nonlinearities Improve Neural Network Acoustic Models (2013).
    """

    input_spec = InputSpec()  # one tensor

    setting = "alpha"

    def __init__(self, alpha: float = 0.3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = K.cast_to_floatx(real_number(alpha, "alpha", self))

    def call(self, inputs: Any) -> Any:
        return K.relu(inputs, alpha=float(self.alpha))


class ReLU(Layer):
    """``x`` from `threshold` to `max_value`, below it ``negative_slope * (x - threshold)``, never above `max_value`.

    Keras has it since 2.2, whose files name it; in 2.1.6 its like is `Activation("relu")` or a `Lambda`.

    Args:
        max_value: float >= 0, or None for no bound.
        negative_slope: float >= 0, the slope below the threshold.
        threshold: float >= 0, below which `x` is not passed on.
    """

    input_spec = InputSpec()  # one tensor

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.max_value = None if max_value is None else float(real_number(max_value, "max_value", self, 0))
        self.negative_slope = float(real_number(negative_slope, "negative_slope", self, 0))
        self.threshold = float(real_number(threshold, "threshold", self, 0))

    def call(self, inputs: Any) -> Any:
        if self.threshold == 0.0:
            return K.relu(inputs, alpha=self.negative_slope, max_value=self.max_value)
        passed = inputs * K.cast(K.greater_equal(inputs, self.threshold), K.dtype(inputs))
        if self.max_value is not None:
            passed = K.minimum(passed, self.max_value)
        if self.negative_slope == 0.0:
            return passed
        return passed - self.negative_slope * K.relu(self.threshold - inputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        settings = {name: getattr(self, name) for name in ("max_value", "negative_slope", "threshold")}
        return {**super().get_config(), **settings}


class ELU(_Activation):
    """``x`` where ``x >= 0``, else ``alpha * (exp(x) - 1)`` (manual, 5.9.3).

    Args:
        alpha: float, the scale below zero.

    References:
        Clevert, Unterthiner and Hochreiter, Fast and Accurate Deep Network Learning by Exponential Linear Units
        (2016).
    """

    input_spec = InputSpec()  # one tensor

    setting = "alpha"

    def __init__(self, alpha: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = K.cast_to_floatx(real_number(alpha, "alpha", self))

    def call(self, inputs: Any) -> Any:
        return K.elu(inputs, float(self.alpha))


class ThresholdedReLU(_Activation):
    """``x`` where ``x > theta``, else 0 (manual, 5.9.4).

    Args:
        theta: float >= 0, the threshold.

    References:
        Konda, Memisevic and Krueger, Zero-Bias Autoencoders and the Benefits of Co-Adapting Features (2015).
    """

    input_spec = InputSpec()  # one tensor

    setting = "theta"

    def __init__(self, theta: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.theta = K.cast_to_floatx(real_number(theta, "theta", self))

    def call(self, inputs: Any) -> Any:
        return inputs * K.cast(K.greater(inputs, float(self.theta)), K.dtype(inputs))


class Softmax(_Activation):
    """The softmax along an axis (manual, 5.9.5).

    Args:
        axis: int, the axis of the classes.
    """

    input_spec = InputSpec()  # one tensor

    setting = "axis"

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = whole_number(axis, "axis", self)

    def call(self, inputs: Any) -> Any:
        return activations.softmax(inputs, axis=self.axis)
