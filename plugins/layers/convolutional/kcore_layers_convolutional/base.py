"""`Convolution`: what the convolution layers share."""

from __future__ import annotations

from typing import Any

from kcore import activations, constraints, initializers, regularizers
from kcore import backend as K
from kcore.engine import InputSpec, Layer
from kcore.errors import ShapeError
from kcore.saving.kernels import kernel_from_file
from kcore.shapes import conv_output_length, normalize_data_format, normalize_padding, positive_int, positive_ints

_PARTS = {"initializer": initializers, "regularizer": regularizers, "constraint": constraints}
_KINDS = tuple(_PARTS)


class Convolution(Layer):
    """A convolution over `rank` spatial dimensions.

    Subclasses take the documented arguments and hand them on as a dictionary (their `locals()`), say in `weights`
    which settings belong to which weight, and define `convolve`.
    """

    rank = 2
    paddings: tuple[str, ...] = ("valid", "same")
    weight_parts: tuple[str, ...] = ("kernel", "bias")
    filters: Any  # an int; None in depthwise convolutions, where the input decides
    theano_flips = True  # whether Theano, which convolves where others correlate, keeps the kernel flipped
    transposed = False
    config_keys: tuple[str, ...] = ("filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate")

    def __init__(self, settings: dict[str, Any], **kwargs: Any) -> None:
        """Take the arguments of a convolution, which `settings` holds by name."""
        super().__init__(**kwargs)
        rank = self.rank
        self.filters = positive_int(settings["filters"], "filters", self) if "filters" in settings else None
        self.kernel_size = positive_ints(settings["kernel_size"], rank, "kernel_size", self)
        self.strides = positive_ints(settings["strides"], rank, "strides", self)
        self.padding = normalize_padding(settings["padding"], self.paddings, self)
        self.data_format = normalize_data_format(settings.get("data_format"))
        self.dilation_rate = positive_ints(settings.get("dilation_rate", 1), rank, "dilation_rate", self)
        self.activation = activations.get(settings["activation"])
        self.use_bias = settings["use_bias"]
        for part in self.weight_parts:
            for kind, module in _PARTS.items():
                setattr(self, f"{part}_{kind}", module.get(settings[f"{part}_{kind}"]))
        self.activity_regularizer = regularizers.get(settings["activity_regularizer"])
        self.input_spec = InputSpec(ndim=rank + 2)

    # --- weights ----------------------------------------------------------------------------------------
    @property
    def channel_axis(self) -> int:
        """The axis of the channels."""
        return 1 if self.data_format == "channels_first" else -1

    def channels_of(self, input_shape: Any) -> int:
        """The number of input channels; fixes it in `input_spec`."""
        channels = input_shape[self.channel_axis]
        if channels is None:
            raise ShapeError(
                f"The channel dimension of the inputs of layer {self.name} ({type(self).__name__}) should be defined, "
                f"but its input has shape {tuple(input_shape)} ({self.data_format})"
            )
        self.input_spec = InputSpec(ndim=self.rank + 2, axes={self.channel_axis: channels})
        return channels

    def weight(self, name: str, part: str, shape: tuple[int, ...]) -> Any:
        """Make the weight `name` with the settings of `part`."""
        return self.add_weight(
            name=name,
            shape=shape,
            initializer=getattr(self, f"{part}_initializer"),
            regularizer=getattr(self, f"{part}_regularizer"),
            constraint=getattr(self, f"{part}_constraint"),
        )

    def build(self, input_shape: Any) -> None:
        channels = self.channels_of(input_shape)
        self.kernel = self.weight("kernel", "kernel", self.kernel_shape(channels))
        self.bias = self.weight("bias", "bias", (self.filters,)) if self.use_bias else None
        self.built = True

    def kernel_shape(self, channels: int) -> tuple[int, ...]:
        """The shape of the kernel for this many input channels."""
        return (*self.kernel_size, channels, self.filters)

    def weights_from_file(self, weights: list[Any], keras_version: str, backend: str | None) -> list[Any]:
        """Kernels of another backend, or in the orders of axes that Keras 1 had."""
        backend = backend if self.theano_flips else None
        first = self.data_format == "channels_first"
        kernels = [tuple(weight.shape) for weight in self.weights if len(weight.shape) > 1]
        converted = [
            kernel_from_file(value, shape, keras_version, backend, first, self.transposed)
            for value, shape in zip(weights, kernels)
        ]
        return [*converted, *weights[len(converted) :]]

    # --- computation --------------------------------------------------------------------------------------
    def convolve(self, inputs: Any) -> Any:
        """The convolution alone."""
        function = (K.conv1d, K.conv2d, K.conv3d)[self.rank - 1]
        one = self.rank == 1
        return function(
            inputs,
            self.kernel,
            strides=self.strides[0] if one else self.strides,
            padding=self.padding,
            data_format=self.data_format,
            dilation_rate=self.dilation_rate[0] if one else self.dilation_rate,
        )

    def call(self, inputs: Any) -> Any:
        outputs = self.convolve(inputs)
        if self.bias is not None:
            outputs = K.bias_add(outputs, self.bias, data_format=self.data_format)
        return outputs if self.activation is None else self.activation(outputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        first = self.data_format == "channels_first"
        space = input_shape[2:] if first else input_shape[1:-1]
        new = self.output_space(tuple(space))
        channels = self.output_channels(input_shape[self.channel_axis])
        return (input_shape[0], channels, *new) if first else (input_shape[0], *new, channels)

    def output_space(self, space: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The output's lengths for these lengths of the input."""
        settings = zip(space, self.kernel_size, self.strides, self.dilation_rate, strict=True)
        return tuple(conv_output_length(n, k, self.padding, s, dilation=d) for n, k, s, d in settings)

    def output_channels(self, channels: int | None) -> int | None:
        """The number of output channels."""
        return self.filters

    # --- configuration ------------------------------------------------------------------------------------
    def get_config(self) -> dict[str, Any]:
        config = {key: getattr(self, key) for key in self.config_keys}
        config["activation"] = activations.serialize(self.activation)
        config["use_bias"] = self.use_bias
        for kind in _KINDS:
            for part in self.weight_parts:
                config[f"{part}_{kind}"] = _PARTS[kind].serialize(getattr(self, f"{part}_{kind}"))
        config["activity_regularizer"] = regularizers.serialize(self.activity_regularizer)
        return {**super().get_config(), **config}
