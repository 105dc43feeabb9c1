"""`Dropout`, and its spatial forms, which drop whole feature maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kcore import backend as K
from kcore.engine import InputSpec, Layer
from kcore.shapes import check_noise_shape, plain, real_number


class Dropout(Layer):
    """In training, set a random part of the input to 0 and scale up the rest; manual 5.2.3.

    Args:
        rate: float between 0 and 1, the part to drop.
        noise_shape: sequence of ints and Nones, the shape of the random mask, which is broadcast to the
            input: `(None, 1, None)` drops the same features at all steps. None stands for the
            input's size.
        seed: int, for the same masks in every run, or None.
        kwargs: as for `Layer`.

    Input shape, output shape:
        Any; the same.

    References:
        Srivastava, Hinton et al. 2014, "Dropout: A Simple Way to Prevent Neural Networks from Overfitting".
    """

    input_spec = InputSpec()  # one tensor

    def __init__(
        self, rate: float, noise_shape: Sequence[int | None] | None = None, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.rate = real_number(rate, "rate", self, 0, 1)
        self.noise_shape = plain(noise_shape)
        self.seed = seed
        self.supports_masking = True

    def _get_noise_shape(self, inputs: Any) -> Any:
        if self.noise_shape is None:
            return None
        check_noise_shape(self.noise_shape, K.int_shape(inputs), self)
        sizes = K.shape(inputs)
        return tuple(sizes[axis] if size is None else size for axis, size in enumerate(self.noise_shape))

    def call(self, inputs: Any, training: Any = None) -> Any:
        if not 0.0 < self.rate < 1.0:
            return inputs
        noise_shape = self._get_noise_shape(inputs)

        def dropped() -> Any:
            return K.dropout(inputs, self.rate, noise_shape, seed=self.seed)

        return K.in_train_phase(dropped, inputs, training=training)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "noise_shape": self.noise_shape, "seed": self.seed}


class SpatialDropout1D(Dropout):
    """Drop whole features of a sequence, at all steps alike.

    Args:
        rate: float between 0 and 1, the part to drop.
        kwargs: as for `Layer`.

    Input shape, output shape:
        (batch, steps, features); the same.

    References:
        Tompson et al. 2014, "Efficient Object Localization Using Convolutional Networks".
    """

    def __init__(self, rate: float, **kwargs: Any) -> None:
        super().__init__(rate, **kwargs)
        self.input_spec = InputSpec(ndim=3)

    def _get_noise_shape(self, inputs: Any) -> Any:
        sizes = K.shape(inputs)
        return (sizes[0], 1, sizes[2])


class _SpatialDropoutND(Dropout):
    """Drop whole feature maps."""

    spatial_axes: int

    def __init__(self, rate: float, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(rate, **kwargs)
        self.data_format = K.normalize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.spatial_axes + 2)

    def _get_noise_shape(self, inputs: Any) -> Any:
        sizes = K.shape(inputs)
        ones = (1,) * self.spatial_axes
        if self.data_format == "channels_first":
            return (sizes[0], sizes[1], *ones)
        return (sizes[0], *ones, sizes[self.spatial_axes + 1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format}


class SpatialDropout2D(_SpatialDropoutND):
    """Drop whole feature maps of images.

    Args:
        rate: float between 0 and 1, the part to drop.
        data_format: "channels_last", "channels_first", or None for the configured one.
        kwargs: as for `Layer`.

    Input shape, output shape:
        (batch, rows, columns, channels), or (batch, channels, rows, columns); the same.

    References:
        Tompson et al. 2014, "Efficient Object Localization Using Convolutional Networks".
    """

    spatial_axes = 2


class SpatialDropout3D(_SpatialDropoutND):
    """Drop whole feature maps of volumes.

    Args:
        rate: float between 0 and 1, the part to drop.
        data_format: "channels_last", "channels_first", or None for the configured one.
        kwargs: as for `Layer`.

    Input shape, output shape:
        (batch, depth, rows, columns, channels), or (batch, channels, depth, rows, columns); the same.

    References:
        Tompson et al. 2014, "Efficient Object Localization Using Convolutional Networks".
    """

    spatial_axes = 3
