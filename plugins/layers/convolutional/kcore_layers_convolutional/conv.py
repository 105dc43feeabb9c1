"""`Conv1D`, `Conv2D`, `Conv3D`."""

from __future__ import annotations

from typing import Any

from kcore.errors import ShapeError
from kcore_layers_convolutional.base import Convolution

_ARGUMENTS = """
    Args:
        filters: int, number of output channels.
        kernel_size: int or {rank} ints, lengths of the window.
        strides: int or {rank} ints, steps of the window.
        padding: {paddings}.
        data_format: "channels_last" or "channels_first"; by default `K.image_data_format()`.
        dilation_rate: int or {rank} ints, distance of the taps; not together with strides above 1.
        activation: name or function; none by default.
        use_bias: whether there is a bias.
        kernel_initializer ... bias_constraint: of the two weights.
        activity_regularizer: of the output.
"""


class _Plain(Convolution):
    def __init__(self, settings: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(settings, **kwargs)
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ShapeError(
                f"layer {self.name} ({type(self).__name__}): strides {self.strides} and "
                f"dilation_rate {self.dilation_rate} cannot both be above 1"
            )


class Conv1D(_Plain):
    """Convolution over time (manual, 5.3.1): ``(batch, steps, channels)`` to ``(batch, new_steps, filters)``."""

    rank = 1
    paddings = ("valid", "same", "causal")
    config_keys = ("filters", "kernel_size", "strides", "padding", "dilation_rate")

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        data_format: str = "channels_last",
        **kwargs: Any,
    ) -> None:
        settings = dict(locals())
        super().__init__(settings, **kwargs)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        if self.data_format != "channels_last":  # not an argument of Keras 2.1.6, whose files leave it out
            config["data_format"] = self.data_format
        return config


class Conv2D(_Plain):
    """Convolution over images (manual, 5.3.2): ``(batch, rows, columns, channels)``, or channels first."""

    rank = 2

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = (1, 1),
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


class Conv3D(_Plain):
    """Convolution over volumes (manual, 5.3.5): ``(batch, depth, rows, columns, channels)``, or channels first."""

    rank = 3

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1, 1),
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = (1, 1, 1),
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


for _layer in (Conv1D, Conv2D, Conv3D):
    _paddings = ", ".join(f'"{p}"' for p in _layer.paddings)
    _layer.__doc__ = f"{_layer.__doc__}\n{_ARGUMENTS.format(rank=_layer.rank, paddings=_paddings)}"
