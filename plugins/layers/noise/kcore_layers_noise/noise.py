"""Noise for regularization: active in the training phase only; shapes and masks pass unchanged."""

from __future__ import annotations

import math
from typing import Any

from kcore import backend as K
from kcore.engine import InputSpec, Layer
from kcore.shapes import check_noise_shape, plain, real_number


class _Noise(Layer):
    """A layer that returns `disturbed(inputs)` in the training phase and its input otherwise."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    @property
    def active(self) -> bool:
        """Whether the settings ask for any noise at all."""
        raise NotImplementedError

    def disturbed(self, inputs: Any) -> Any:
        """`inputs` with noise."""
        raise NotImplementedError

    def call(self, inputs: Any, training: Any = None) -> Any:
        if not self.active:
            return inputs
        return K.in_train_phase(lambda: self.disturbed(inputs), inputs, training=training)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


class GaussianNoise(_Noise):
    """Adds normal noise of mean 0 (manual, 5.11.1).

    Args:
        stddev: float >= 0, the standard deviation of the noise.
    """

    input_spec = InputSpec()  # one tensor

    def __init__(self, stddev: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stddev = real_number(stddev, "stddev", self, 0)

    @property
    def active(self) -> bool:
        return self.stddev != 0

    def disturbed(self, inputs: Any) -> Any:
        return inputs + K.random_normal(K.shape(inputs), mean=0.0, stddev=self.stddev, dtype=K.dtype(inputs))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "stddev": self.stddev}


class GaussianDropout(_Noise):
    """Multiplies by normal noise of mean 1 (manual, 5.11.2).

    Args:
        rate: float in [0, 1), as in `Dropout`: the standard deviation is ``sqrt(rate / (1 - rate))``.

    References:
        Srivastava et al., Dropout: A Simple Way to Prevent Neural Networks from Overfitting (2014).
    """

    input_spec = InputSpec()  # one tensor

    def __init__(self, rate: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = real_number(rate, "rate", self, 0, 1)

    @property
    def active(self) -> bool:
        return 0 < self.rate < 1

    def disturbed(self, inputs: Any) -> Any:
        stddev = math.sqrt(self.rate / (1.0 - self.rate))
        return inputs * K.random_normal(K.shape(inputs), mean=1.0, stddev=stddev, dtype=K.dtype(inputs))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate}


# The fixed point of the SELU activation: its value for very negative input is -scale * alpha.
_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946


class AlphaDropout(_Noise):
    """Drop-out for self-normalizing networks: mean and variance of the input are kept (manual, 5.11.3).

    Dropped elements become the negative saturation value of SELU, and an affine map restores the moments. With
    ``q`` the probability to keep and ``m`` the saturation value: ``a = 1 / sqrt(q (1 + (1 - q) m**2))`` and
    ``b = -a (1 - q) m``.

    Args:
        rate: float in [0, 1), the probability to drop.
        noise_shape: shape of the mask, broadcast to the input (None for a size of the input); by default its shape.
        seed: int, makes the masks repeatable.

    References:
        Klambauer et al., Self-Normalizing Neural Networks (2017).
    """

    input_spec = InputSpec()  # one tensor

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = real_number(rate, "rate", self, 0, 1)
        self.noise_shape = plain(noise_shape)
        self.seed = seed

    @property
    def active(self) -> bool:
        return 0 < self.rate < 1

    def disturbed(self, inputs: Any) -> Any:
        shape = K.shape(inputs)
        if self.noise_shape is not None:
            check_noise_shape(self.noise_shape, K.int_shape(inputs), self)
            shape = [shape[axis] if dim is None else dim for axis, dim in enumerate(self.noise_shape)]
        keep = 1.0 - self.rate
        low = -_SELU_ALPHA * _SELU_SCALE
        kept = K.random_binomial(shape, p=keep, dtype=K.dtype(inputs), seed=self.seed)
        a = (keep * (1.0 + self.rate * low**2)) ** -0.5
        b = -a * low * self.rate
        return a * (inputs * kept + low * (1.0 - kept)) + b

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "noise_shape": self.noise_shape, "seed": self.seed}
