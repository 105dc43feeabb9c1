"""Weights of models from elsewhere, converted: flipped kernels, and rows in another order of features."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcore import backend as K
from kcore.engine import Network
from kcore.errors import ArgumentError, ShapeError

_WITH_KERNELS = frozenset({"Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose", "Conv3DTranspose"})


def convert_kernel(kernel: Any) -> np.ndarray:
    """A convolution kernel flipped along its spatial axes: true convolution (Theano) to correlation, and back.

    Args:
        kernel: array `(*window, channels in, channels out)` of one to three spatial axes.

    Returns:
        A new array of the same shape.

    Raises:
        ShapeError (a ValueError): the kernel is not 3-, 4- or 5-dimensional.
    """
    kernel = np.asarray(kernel)
    if not 3 <= kernel.ndim <= 5:
        raise ShapeError(f"Invalid kernel shape: {kernel.shape}; expected 3, 4 or 5 axes", shapes=(kernel.shape,))
    return np.copy(np.flip(kernel, axis=tuple(range(kernel.ndim - 2))))


def convert_all_kernels_in_model(model: Any) -> None:
    """Flips all convolution kernels of a model, nested models included, in place: from Theano's convolution, and back.

    Args:
        model: a built model.
    """
    for layer in _layers_of(model, set()):
        kernel = getattr(layer, "kernel", None)
        if kernel is not None and any(cls.__name__ in _WITH_KERNELS for cls in type(layer).__mro__):
            K.set_value(kernel, convert_kernel(K.get_value(kernel)))


def _layers_of(model: Any, seen: set[int]) -> list[Any]:
    """The layers of a model and of those inside it and inside wrappers, each once."""
    found = []
    for layer in getattr(model, "layers", []):
        while hasattr(layer, "layer"):
            layer = layer.layer
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        found += _layers_of(layer, seen) if isinstance(layer, Network) else [layer]
    return found


def convert_dense_weights_data_format(
    dense: Any, previous_feature_map_shape: tuple[int, int, int], target_data_format: str = "channels_first"
) -> None:
    """Reorders, in place, the rows of a `Dense` kernel that follows a `Flatten` of images.

    Args:
        dense: the layer.
        previous_feature_map_shape: shape of the images before `Flatten`, without the batch axis, in the target
            data format: (channels, rows, cols) for 'channels_first'.
        target_data_format: the format that the images will have; until now they had the other.

    Raises:
        ArgumentError: an unknown format, or a shape that does not fit the layer.
    """
    kernel, *rest = dense.get_weights()
    shape = tuple(previous_feature_map_shape)
    if len(shape) != 3 or int(np.prod(shape)) != kernel.shape[0]:
        raise ArgumentError(
            f"previous_feature_map_shape is {previous_feature_map_shape!r}; expected three sizes whose product is "
            f"{kernel.shape[0]}, the number of inputs of {dense.name}"
        )
    if target_data_format == "channels_first":
        channels, rows, cols = shape
        images = np.moveaxis(kernel.reshape(rows, cols, channels, -1), 2, 0)
    elif target_data_format == "channels_last":
        rows, cols, channels = shape
        images = np.moveaxis(kernel.reshape(channels, rows, cols, -1), 0, 2)
    else:
        raise ArgumentError(
            f"target_data_format is {target_data_format!r}; expected 'channels_first' or 'channels_last'"
        )
    dense.set_weights([images.reshape(kernel.shape), *rest])
