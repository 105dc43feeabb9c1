"""Pooling over windows."""

from __future__ import annotations

from typing import Any

from kcore import backend as K
from kcore.engine import InputSpec, Layer
from kcore.shapes import conv_output_length, normalize_data_format, normalize_padding, positive_ints


class _Pooling(Layer):
    """Pooling over windows of `rank` spatial dimensions; subclasses set `mode`."""

    rank = 2
    mode = "max"

    def __init__(self, pool_size: Any, strides: Any, padding: str, data_format: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pool_size = positive_ints(pool_size, self.rank, "pool_size", self)
        self.strides = self.pool_size if strides is None else positive_ints(strides, self.rank, "strides", self)
        self.padding = normalize_padding(padding, ("valid", "same"), self)
        self.data_format = normalize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs: Any) -> Any:
        settings = {"padding": self.padding, "data_format": self.data_format, "pool_mode": self.mode}
        if self.rank == 1:
            return K.pool1d(inputs, self.pool_size[0], self.strides[0], **settings)
        function = K.pool2d if self.rank == 2 else K.pool3d
        return function(inputs, self.pool_size, self.strides, **settings)

    def compute_output_shape(self, input_shape: Any) -> Any:
        first = 2 if self.data_format == "channels_first" else 1
        shape = list(input_shape)
        for i, (size, stride) in enumerate(zip(self.pool_size, self.strides, strict=True)):
            shape[first + i] = conv_output_length(shape[first + i], size, self.padding, stride)
        return tuple(shape)

    def get_config(self) -> dict[str, Any]:
        config = {
            "strides": self.strides,
            "pool_size": self.pool_size,
            "padding": self.padding,
            "data_format": self.data_format,
        }
        return {**super().get_config(), **config}


class _Pooling1D(_Pooling):
    rank = 1

    def __init__(
        self,
        pool_size: Any = 2,
        strides: Any = None,
        padding: str = "valid",
        data_format: str = "channels_last",
        **kwargs: Any,
    ) -> None:
        super().__init__(pool_size, strides, padding, data_format, **kwargs)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        if self.data_format == "channels_last":  # not an argument of Keras 2.1.6, whose files leave it out
            del config["data_format"]
        return config


class _Pooling2D(_Pooling):
    rank = 2

    def __init__(
        self,
        pool_size: Any = (2, 2),
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(pool_size, strides, padding, data_format, **kwargs)


class _Pooling3D(_Pooling):
    rank = 3

    def __init__(
        self,
        pool_size: Any = (2, 2, 2),
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(pool_size, strides, padding, data_format, **kwargs)


class MaxPooling1D(_Pooling1D):
    """The largest element of each window of ``(batch, steps, features)`` (manual, 5.4.1).

    Args:
        pool_size: int, length of the window.
        strides: int, step of the window; `pool_size` by default.
        padding: "valid" or "same".
    """


class AveragePooling1D(_Pooling1D):
    """The mean of each window of ``(batch, steps, features)`` (manual, 5.4.4); arguments as in `MaxPooling1D`."""

    mode = "avg"


class MaxPooling2D(_Pooling2D):
    """The largest element of each window of an image (manual, 5.4.2).

    Args:
        pool_size: int or 2 ints, lengths of the window.
        strides: int or 2 ints, steps of the window; `pool_size` by default.
        padding: "valid" or "same".
        data_format: "channels_last" or "channels_first"; by default `K.image_data_format()`.
    """


class AveragePooling2D(_Pooling2D):
    """The mean of each window of an image, of its real pixels only (manual, 5.4.5); as `MaxPooling2D`."""

    mode = "avg"


class MaxPooling3D(_Pooling3D):
    """The largest element of each window of a volume (manual, 5.4.3); arguments as in `MaxPooling2D`."""


class AveragePooling3D(_Pooling3D):
    """The mean of each window of a volume (manual, 5.4.6); arguments as in `MaxPooling2D`."""

    mode = "avg"
