"""Transposed convolutions: `Conv2DTranspose`, `Conv3DTranspose`."""

from __future__ import annotations

from typing import Any

from kcore import backend as K
from kcore.shapes import deconv_length
from kcore_layers_convolutional.base import Convolution


class _Transposed(Convolution):
    """The gradient of a convolution with respect to its input, as a layer: it enlarges by `strides`."""

    transposed = True
    config_keys = ("filters", "kernel_size", "strides", "padding", "data_format")

    def kernel_shape(self, channels: int) -> tuple[int, ...]:
        return (*self.kernel_size, self.filters, channels)

    def convolve(self, inputs: Any) -> Any:
        first = self.data_format == "channels_first"
        shape = K.shape(inputs)
        known = K.int_shape(inputs)
        axes = range(2, 2 + self.rank) if first else range(1, 1 + self.rank)
        lengths: list[Any] = [known[a] if known[a] is not None else shape[a] for a in axes]
        new = [
            deconv_length(n, s, k, self.padding)
            for n, s, k in zip(lengths, self.strides, self.kernel_size, strict=True)
        ]
        output_shape = (shape[0], self.filters, *new) if first else (shape[0], *new, self.filters)
        function = K.conv2d_transpose if self.rank == 2 else K.conv3d_transpose
        return function(
            inputs, self.kernel, output_shape, strides=self.strides, padding=self.padding, data_format=self.data_format
        )

    def output_space(self, space: tuple[int | None, ...]) -> tuple[int | None, ...]:
        settings = zip(space, self.strides, self.kernel_size, strict=True)
        return tuple(deconv_length(n, s, k, self.padding) for n, s, k in settings)


class Conv2DTranspose(_Transposed):
    """Transposed convolution of images, sometimes called deconvolution (manual, 5.3.4).

    Input ``(batch, rows, columns, channels)``, or channels first; output with `filters` channels and about
    `strides` times as many rows and columns.

    Args:
        filters: int, number of output channels.
        kernel_size: int or 2 ints, lengths of the window.
        strides: int or 2 ints, the enlargement.
        padding: "valid" or "same".
        data_format: "channels_last" or "channels_first"; by default `K.image_data_format()`.
        activation: name or function; none by default.
        use_bias: whether there is a bias.
        kernel_initializer ... bias_constraint: of the two weights.
        activity_regularizer: of the output.

    References:
        Dumoulin and Visin, A Guide to Convolution Arithmetic for Deep Learning (2016); Zeiler et al.,
        Deconvolutional Networks (2010).
    """

    rank = 2

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        data_format: str | None = None,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        settings = dict(locals())
        super().__init__(settings, **kwargs)


class Conv3DTranspose(_Transposed):
    """Transposed convolution of volumes ``(batch, depth, rows, columns, channels)``; as `Conv2DTranspose`."""

    rank = 3

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1, 1),
        padding: str = "valid",
        data_format: str | None = None,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        settings = dict(locals())
        super().__init__(settings, **kwargs)
