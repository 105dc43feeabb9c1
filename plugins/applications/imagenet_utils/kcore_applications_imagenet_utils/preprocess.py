"""Images as the published models were trained on them."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcore import backend as K
from kcore.errors import ArgumentError, ShapeError

#: Means of the ImageNet training set, in the order blue, green, red; the Caffe models subtract them.
_CAFFE_MEAN = (103.939, 116.779, 123.68)

#: Mean and deviation of red, green, blue on the scale 0..1; torchvision's models use them.
_TORCH_MEAN = (0.485, 0.456, 0.406)
_TORCH_DEVIATION = (0.229, 0.224, 0.225)

_MODES = ("caffe", "tf", "torch")


def preprocess_input(x: Any, data_format: str | None = None, mode: str = "caffe") -> Any:
    """Images from 0..255 to the values a model expects.

    Args:
        x: array or tensor of RGB images, (batch, rows, cols, 3) or one image (rows, cols, 3); the channels come
            first for 'channels_first'. It is not changed.
        data_format: 'channels_last', 'channels_first', or None for the configured one.
        mode: 'caffe': BGR, the means of ImageNet subtracted, no scaling; 'tf': scaled to -1..1; 'torch': scaled to
            0..1, then standardized by the means and deviations of ImageNet.

    Returns:
        A new array or tensor of the same shape, of the configured float type.

    Raises:
        ArgumentError: an unknown mode or data format.
        ShapeError: x is not three- or four-dimensional, or has other than three channels.
    """
    axis = _channel_axis(data_format)
    if mode not in _MODES:
        raise ArgumentError(f"mode is {mode!r}; expected 'caffe', 'tf' or 'torch'")
    x = K.cast(x, K.floatx()) if K.is_tensor(x) else np.array(x, dtype=K.floatx())
    _check_shape(tuple(x.shape), axis, mode)
    if mode == "tf":
        return x / 127.5 - 1.0
    if mode == "torch":
        return (x / 255.0 - _per_channel(_TORCH_MEAN, axis)) / _per_channel(_TORCH_DEVIATION, axis)
    return _reversed(x, axis) - _per_channel(_CAFFE_MEAN, axis)


def _channel_axis(data_format: str | None) -> int:
    """Counted from the end, so that it holds with and without a batch axis."""
    data_format = K.image_data_format() if data_format is None else data_format
    if data_format not in ("channels_last", "channels_first"):
        raise ArgumentError(f"data_format is {data_format!r}; expected 'channels_last' or 'channels_first'")
    return -1 if data_format == "channels_last" else -3


def _check_shape(shape: tuple[int | None, ...], axis: int, mode: str) -> None:
    if len(shape) not in (3, 4):
        raise ShapeError(f"x has the shape {shape}; expected one image or a batch: 3 or 4 axes", shapes=(shape,))
    if mode != "tf" and shape[axis] not in (3, None):
        raise ShapeError(
            f"x has the shape {shape}, with {shape[axis]} channels on axis {axis}; mode {mode!r} expects three (RGB). "
            "Is data_format right?",
            shapes=(shape,),
        )


def _per_channel(values: tuple[float, ...], axis: int) -> np.ndarray:
    return np.array(values, dtype=K.floatx()).reshape((3,) + (1,) * (-axis - 1))


def _reversed(x: Any, axis: int) -> Any:
    return K.reverse(x, x.ndim + axis) if K.is_tensor(x) else np.flip(x, axis)
