"""The two ends of an application: its input, and what stands for the classifier without one."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcore import backend as K
from kcore.engine import Input, Model, get_source_inputs
from kcore.errors import ArgumentError, ShapeError
from kcore.layers import GlobalAveragePooling2D, GlobalMaxPooling2D


def channel_axis() -> int:
    """The axis of the channels in a batch of images: 3, or 1 for 'channels_first'."""
    return 1 if K.image_data_format() == "channels_first" else 3


def image_input(input_tensor: Any, input_shape: tuple[int | None, ...]) -> Any:
    """The tensor at which an application begins: the user's if there is one, made an input where it is not yet.

    Raises:
        ArgumentError: input_tensor is no tensor.
        ShapeError: it is not of rank 4.
    """
    if input_tensor is None:
        return Input(shape=input_shape)
    if not K.is_tensor(input_tensor):
        what = "an array" if isinstance(input_tensor, np.ndarray) else repr(input_tensor)
        raise ArgumentError(
            f"input_tensor is {what}; expected a tensor, such as Input(shape={input_shape}) or the output of a layer. "
            "Arrays are for predict and fit"
        )
    shape = K.int_shape(input_tensor)
    if shape is None or len(shape) != 4:
        raise ShapeError(
            f"input_tensor has the shape {shape}; expected images of rank 4: {(None, *input_shape)}", shapes=(shape,)
        )
    if K.is_keras_tensor(input_tensor):
        return input_tensor
    return Input(tensor=input_tensor, shape=input_shape)


def pooled(x: Any, pooling: str | None) -> Any:
    """What a model without its top returns: images of features, or their mean or maximum, (batch, channels)."""
    if pooling == "avg":
        return GlobalAveragePooling2D()(x)
    if pooling == "max":
        return GlobalMaxPooling2D()(x)
    return x


def connect(begin: Any, end: Any, name: str) -> Model:
    """The model from `begin`, or from the inputs that `begin` itself was computed from, to `end`."""
    return Model(get_source_inputs(begin), end, name=name)
