"""`Masking`: steps of a sequence to be skipped."""

from __future__ import annotations

from typing import Any

from kcore import backend as K
from kcore.engine import InputSpec, Layer
from kcore.shapes import real_number


class Masking(Layer):
    """Mask the steps at which all features equal a value; manual 5.2.11.

    Layers downstream that support masks skip these steps; one that does not raises an error.

    Args:
        mask_value: float.
        kwargs: as for `Layer`.

    Input shape:
        (batch, steps, ..., features)

    Output shape:
        The same; masked steps are zeros. The mask has shape (batch, steps, ...).

    Example:
        >>> model = Sequential()
        >>> model.add(Masking(mask_value=0.0, input_shape=(timesteps, features)))
        >>> model.add(LSTM(32))
    """

    input_spec = InputSpec()  # one tensor

    def __init__(self, mask_value: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.mask_value = real_number(mask_value, "mask_value", self)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return K.any(K.not_equal(inputs, self.mask_value), axis=-1)

    def call(self, inputs: Any) -> Any:
        kept = K.any(K.not_equal(inputs, self.mask_value), axis=-1, keepdims=True)
        return inputs * K.cast(kept, K.dtype(inputs))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mask_value": self.mask_value}
