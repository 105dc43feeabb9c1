"""Convolutions whose weights are not shared: each place of the output has a kernel of its own."""

from __future__ import annotations

import math
from typing import Any

from kcore import activations, constraints, initializers, regularizers
from kcore import backend as K
from kcore.engine import InputSpec, Layer
from kcore.errors import ShapeError
from kcore.shapes import conv_output_length, normalize_data_format, normalize_padding, positive_int, positive_ints

_PARTS = {"initializer": initializers, "regularizer": regularizers, "constraint": constraints}


class _LocallyConnected(Layer):
    """A locally connected layer over `rank` spatial dimensions."""

    rank = 1

    def __init__(self, settings: dict[str, Any], **kwargs: Any) -> None:
        """Take the arguments, which `settings` holds by name."""
        super().__init__(**kwargs)
        self.filters = positive_int(settings["filters"], "filters", self)
        self.kernel_size = positive_ints(settings["kernel_size"], self.rank, "kernel_size", self)
        self.strides = positive_ints(settings["strides"], self.rank, "strides", self)
        self.padding = normalize_padding(settings["padding"], ("valid",), self)
        self.data_format = normalize_data_format(settings["data_format"])
        self.activation = activations.get(settings["activation"])
        self.use_bias = settings["use_bias"]
        for part in ("kernel", "bias"):
            for kind, module in _PARTS.items():
                setattr(self, f"{part}_{kind}", module.get(settings[f"{part}_{kind}"]))
        self.activity_regularizer = regularizers.get(settings["activity_regularizer"])
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def build(self, input_shape: Any) -> None:
        first = self.data_format == "channels_first"
        space = tuple(input_shape[2:] if first else input_shape[1:-1])
        channels = input_shape[1] if first else input_shape[-1]
        if None in (*space, channels):
            raise ShapeError(
                f"layer {self.name} ({type(self).__name__}) has weights for each place, so that all dimensions of its "
                f"input must be known; it has shape {tuple(input_shape)}"
            )
        self.output_space = self._output_space(space)
        if min(self.output_space) < 1:
            raise ShapeError(
                f"the window {self.kernel_size} of layer {self.name} ({type(self).__name__}) is larger than its input, "
                f"which has shape {tuple(input_shape)}; use a larger input, or a smaller kernel_size"
            )
        places = math.prod(self.output_space)
        taps = math.prod(self.kernel_size) * channels
        self.kernel = self._weight("kernel", (places, taps, self.filters))
        self.bias = self._weight("bias", (*self.output_space, self.filters)) if self.use_bias else None
        self.input_spec = InputSpec(ndim=self.rank + 2, axes={1 if first else -1: channels})
        self.built = True

    def _weight(self, part: str, shape: tuple[int, ...]) -> Any:
        return self.add_weight(
            name=part,
            shape=shape,
            initializer=getattr(self, f"{part}_initializer"),
            regularizer=getattr(self, f"{part}_regularizer"),
            constraint=getattr(self, f"{part}_constraint"),
        )

    def _output_space(self, space: tuple[Any, ...]) -> tuple[Any, ...]:
        settings = zip(space, self.kernel_size, self.strides, strict=True)
        return tuple(conv_output_length(n, k, self.padding, s) for n, k, s in settings)

    def call(self, inputs: Any) -> Any:
        if self.rank == 1:
            outputs = K.local_conv1d(inputs, self.kernel, self.kernel_size, self.strides, data_format=self.data_format)
        else:
            outputs = K.local_conv2d(
                inputs, self.kernel, self.kernel_size, self.strides, self.output_space, data_format=self.data_format
            )
        if self.bias is not None:
            outputs = K.bias_add(outputs, self.bias, data_format=self.data_format)
        return outputs if self.activation is None else self.activation(outputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        first = self.data_format == "channels_first"
        new = self._output_space(tuple(input_shape[2:] if first else input_shape[1:-1]))
        return (input_shape[0], self.filters, *new) if first else (input_shape[0], *new, self.filters)

    def get_config(self) -> dict[str, Any]:
        config: dict[str, Any] = {
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "data_format": self.data_format,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
        }
        for part in ("kernel", "bias"):
            for kind, module in _PARTS.items():
                config[f"{part}_{kind}"] = module.serialize(getattr(self, f"{part}_{kind}"))
        config["activity_regularizer"] = regularizers.serialize(self.activity_regularizer)
        return {**super().get_config(), **config}


class LocallyConnected1D(_LocallyConnected):
    """As `Conv1D`, with weights of its own at each step of the output (manual, 5.5.1).

    Input ``(batch, steps, channels)``, output ``(batch, new_steps, filters)``.

    Args:
        filters: int, number of output channels.
        kernel_size, strides: int, length and step of the window.
        padding: only "valid".
        data_format: "channels_last" or "channels_first"; by default `K.image_data_format()`.
        activation: name or function; none by default.
        use_bias: whether there is a bias, one at each place.
        kernel_initializer ... bias_constraint: of the two weights.
        activity_regularizer: of the output.
    """

    rank = 1

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
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


class LocallyConnected2D(_LocallyConnected):
    """As `Conv2D`, with weights of its own at each pixel of the output (manual, 5.5.2).

    Arguments as in `LocallyConnected1D`, with one or two ints for `kernel_size` and `strides`.
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
