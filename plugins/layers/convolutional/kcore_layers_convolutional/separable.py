"""Depthwise and separable convolutions."""

from __future__ import annotations

from typing import Any

from kcore import backend as K
from kcore.shapes import positive_int
from kcore_layers_convolutional.base import Convolution


class DepthwiseConv2D(Convolution):
    """Convolves each channel of an image by itself: the first half of a separable convolution.

    Args:
        kernel_size: int or 2 ints, lengths of the window.
        strides: int or 2 equal ints, steps of the window.
        padding: "valid" or "same".
        depth_multiplier: int, number of output channels for each input channel.
        data_format: "channels_last" or "channels_first"; by default `K.image_data_format()`.
        activation: name or function; none by default.
        use_bias: whether there is a bias.
        depthwise_initializer ... bias_constraint: of the two weights.
        activity_regularizer: of the output.
        dilation_rate: int or 2 ints, distance of the taps.
    """

    rank = 2
    weight_parts = ("depthwise", "bias")
    theano_flips = False  # Keras flips these itself when it computes on Theano
    config_keys = ("kernel_size", "strides", "padding", "depth_multiplier", "data_format")

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        bias_constraint: Any = None,
        dilation_rate: Any = (1, 1),
        **kwargs: Any,
    ) -> None:
        settings = dict(locals())
        super().__init__(settings, **kwargs)
        self.depth_multiplier = positive_int(depth_multiplier, "depth_multiplier", self)

    def build(self, input_shape: Any) -> None:
        channels = self.channels_of(input_shape)
        shape = (*self.kernel_size, channels, self.depth_multiplier)
        self.depthwise_kernel = self.weight("depthwise_kernel", "depthwise", shape)
        self.bias = self.weight("bias", "bias", (channels * self.depth_multiplier,)) if self.use_bias else None
        self.built = True

    def convolve(self, inputs: Any) -> Any:
        return K.depthwise_conv2d(
            inputs,
            self.depthwise_kernel,
            strides=self.strides,
            padding=self.padding,
            data_format=self.data_format,
            dilation_rate=self.dilation_rate,
        )

    def output_channels(self, channels: int | None) -> int | None:
        return None if channels is None else channels * self.depth_multiplier

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        if max(self.dilation_rate) > 1:
            config["dilation_rate"] = self.dilation_rate
        return config


class _Separable(Convolution):
    """A depthwise convolution and then one of window 1 that mixes the channels."""

    weight_parts = ("depthwise", "pointwise", "bias")
    theano_flips = False  # Keras flips these itself when it computes on Theano
    config_keys = ("filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate", "depth_multiplier")

    def __init__(self, settings: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(settings, **kwargs)
        self.depth_multiplier = positive_int(settings["depth_multiplier"], "depth_multiplier", self)

    def build(self, input_shape: Any) -> None:
        channels = self.channels_of(input_shape)
        depth = channels * self.depth_multiplier
        ones = (1,) * self.rank
        shape = (*self.kernel_size, channels, self.depth_multiplier)
        self.depthwise_kernel = self.weight("depthwise_kernel", "depthwise", shape)
        self.pointwise_kernel = self.weight("pointwise_kernel", "pointwise", (*ones, depth, self.filters))
        self.bias = self.weight("bias", "bias", (self.filters,)) if self.use_bias else None
        self.built = True

    def convolve(self, inputs: Any) -> Any:
        one = self.rank == 1
        function = K.separable_conv1d if one else K.separable_conv2d
        return function(
            inputs,
            self.depthwise_kernel,
            self.pointwise_kernel,
            strides=self.strides[0] if one else self.strides,
            padding=self.padding,
            data_format=self.data_format,
            dilation_rate=self.dilation_rate[0] if one else self.dilation_rate,
        )


class SeparableConv2D(_Separable):
    """Separable convolution of images (manual, 5.3.3): each channel by itself, then a mixture of the channels.

    Args:
        filters: int, number of output channels.
        kernel_size: int or 2 ints, lengths of the window.
        strides: int or 2 equal ints, steps of the window.
        padding: "valid" or "same".
        data_format: "channels_last" or "channels_first"; by default `K.image_data_format()`.
        dilation_rate: int or 2 ints, distance of the taps; not together with strides above 1.
        depth_multiplier: int, number of channels between the two steps for each input channel.
        activation: name or function; none by default.
        use_bias: whether there is a bias.
        depthwise_initializer ... bias_constraint: of the three weights.
        activity_regularizer: of the output.
    """

    rank = 2

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = (1, 1),
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        settings = dict(locals())
        super().__init__(settings, **kwargs)


class SeparableConv1D(_Separable):
    """Separable convolution over time ``(batch, steps, channels)``; arguments as in `SeparableConv2D`."""

    rank = 1
    paddings = ("valid", "same", "causal")

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        settings = dict(locals())
        super().__init__(settings, **kwargs)
