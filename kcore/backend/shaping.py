"""Shapes, joining, repeating, padding, choosing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from kcore import ops as O
from kcore.errors import ShapeError
from kcore.graph import Tensor, dim_of
from kcore.ops.common import as_tensor as _tensor
from kcore.ops.common import normalize_axis
from kcore.shapes import normalize_data_format

__all__ = [
    "batch_flatten",
    "concatenate",
    "expand_dims",
    "flatten",
    "gather",
    "one_hot",
    "permute_dimensions",
    "repeat",
    "repeat_elements",
    "reshape",
    "resize_images",
    "resize_volumes",
    "reverse",
    "spatial_2d_padding",
    "spatial_3d_padding",
    "squeeze",
    "stack",
    "temporal_padding",
    "tile",
    "transpose",
]


def _require_ndim(function: str, x: Tensor, n: int) -> None:
    if x.ndim != n:
        raise ShapeError(f"{function} needs a tensor of {n} dimensions, got {x.spec}", shapes=(x.shape,), op=function)


# -- views ------------------------------------------------------------------------------------------------


def reshape(x: Any, shape: Any) -> Tensor:
    """`x` with its elements in another shape.

    Args:
        x: a tensor.
        shape: ints (one may be -1: what is left), scalar tensors such as ``K.shape(x)[0]``; or a 1-D tensor.
    """
    return O.reshape(x, shape)


def permute_dimensions(x: Any, pattern: Sequence[int]) -> Tensor:
    """`x` with its axes in another order, such as ``(0, 2, 1)``."""
    return O.transpose(x, tuple(pattern))


def transpose(x: Any) -> Tensor:
    """`x` with the order of its axes turned round."""
    return O.transpose(x)


def flatten(x: Any) -> Tensor:
    """All elements of `x` in one dimension."""
    return O.flatten(x)


def batch_flatten(x: Any) -> Tensor:
    """Each sample of `x` in one dimension: ``(batch, ...)`` as ``(batch, elements)``."""
    x = _tensor(x)
    if x.ndim == 0:
        raise ShapeError(f"batch_flatten needs a tensor with a batch dimension, got {x.spec}")
    elements = math.prod(-1 if d is None else d for d in x.shape[1:])
    if elements > 0 and None not in x.shape[1:]:
        return O.reshape(x, (-1, elements))
    return O.reshape(x, (dim_of(x, 0), elements if elements == 0 else -1))


def expand_dims(x: Any, axis: int = -1) -> Tensor:
    """`x` with a new axis of length 1 at the position `axis` of the result."""
    return O.expand_dims(x, axis)


def squeeze(x: Any, axis: int) -> Tensor:
    """`x` without the axis `axis`, whose length is 1."""
    return O.squeeze(x, axis)


def reverse(x: Any, axes: int | Sequence[int]) -> Tensor:
    """`x` with the order of its elements turned round along `axes`."""
    return O.reverse(x, axes)


# -- joining and repeating --------------------------------------------------------------------------------


def concatenate(tensors: Iterable[Any], axis: int = -1) -> Tensor:
    """The tensors one after the other along `axis`."""
    return O.concat(_several("concatenate", tensors), axis)


def stack(x: Iterable[Any], axis: int = 0) -> Tensor:
    """The tensors, all of one shape, side by side along a new `axis`."""
    return O.stack(_several("stack", x), axis)


def _several(function: str, tensors: Iterable[Any]) -> list[Any]:
    if isinstance(tensors, Tensor):
        raise ShapeError(f"{function} takes a list of tensors, such as [a, b]; got one, {tensors!r}")
    return list(tensors)


def tile(x: Any, n: Any) -> Tensor:
    """`x` as a whole ``n[i]`` times along axis i; `n` has as many elements as `x` dimensions."""
    return O.tile(x, n)


def repeat(x: Any, n: int) -> Tensor:
    """Each row `n` times: ``(samples, dim)`` as ``(samples, n, dim)``."""
    x = _tensor(x)
    _require_ndim("repeat", x, 2)
    return O.tile(O.expand_dims(x, 1), (1, n, 1))


def repeat_elements(x: Any, rep: int, axis: int) -> Tensor:
    """Each element `rep` times in a row along `axis`, as ``numpy.repeat``."""
    x = _tensor(x)
    along = normalize_axis("repeat_elements", axis, x.ndim)
    return O.repeat(x, [rep if i == along else 1 for i in range(x.ndim)])


def resize_images(x: Any, height_factor: int, width_factor: int, data_format: str) -> Tensor:
    """Images enlarged by whole factors; pixels are repeated.

    Args:
        x: ``(batch, rows, cols, channels)``, or ``(batch, channels, rows, cols)``.
        height_factor, width_factor: positive ints.
        data_format: "channels_last" or "channels_first".
    """
    return _resize("resize_images", x, (height_factor, width_factor), data_format)


def resize_volumes(x: Any, depth_factor: int, height_factor: int, width_factor: int, data_format: str) -> Tensor:
    """Volumes enlarged by whole factors; elements are repeated.

    Args:
        x: ``(batch, dim1, dim2, dim3, channels)``, or ``(batch, channels, dim1, dim2, dim3)``.
        depth_factor, height_factor, width_factor: positive ints.
        data_format: "channels_last" or "channels_first".
    """
    return _resize("resize_volumes", x, (depth_factor, height_factor, width_factor), data_format)


def _resize(function: str, x: Any, factors: tuple[int, ...], data_format: str) -> Tensor:
    x = _tensor(x)
    _require_ndim(function, x, len(factors) + 2)
    channels_last = normalize_data_format(data_format) == "channels_last"
    return O.repeat(x, (1, *factors, 1) if channels_last else (1, 1, *factors))


# -- padding ----------------------------------------------------------------------------------------------


def temporal_padding(x: Any, padding: Sequence[int] = (1, 1)) -> Tensor:
    """Zeros before and after the middle axis of ``(batch, steps, features)``."""
    return _pad("temporal_padding", x, (padding,), "channels_last")


def spatial_2d_padding(
    x: Any, padding: Sequence[Sequence[int]] = ((1, 1), (1, 1)), data_format: str | None = None
) -> Tensor:
    """Zeros around images.

    Args:
        x: ``(batch, rows, cols, channels)``, or ``(batch, channels, rows, cols)``.
        padding: ``((top, bottom), (left, right))``.
        data_format: "channels_last" or "channels_first"; by default the configured one.
    """
    return _pad("spatial_2d_padding", x, padding, data_format)


def spatial_3d_padding(
    x: Any, padding: Sequence[Sequence[int]] = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None
) -> Tensor:
    """Zeros around volumes: a pair ``(before, after)`` for each of the three spatial axes."""
    return _pad("spatial_3d_padding", x, padding, data_format)


def _pad(function: str, x: Any, padding: Sequence[Sequence[int]], data_format: str | None) -> Tensor:
    x = _tensor(x)
    pairs = [tuple(pair) for pair in padding]
    n = {"temporal_padding": 1, "spatial_2d_padding": 2, "spatial_3d_padding": 3}[function]
    if len(pairs) != n or any(len(pair) != 2 for pair in pairs):
        raise ShapeError(f"{function} needs {n} pair(s) (before, after), got {padding!r}", op=function)
    _require_ndim(function, x, n + 2)
    channels_last = normalize_data_format(data_format) == "channels_last"
    zero = (0, 0)
    return O.pad(x, (zero, *pairs, zero) if channels_last else (zero, zero, *pairs))


# -- choosing ---------------------------------------------------------------------------------------------


def gather(reference: Any, indices: Any) -> Tensor:
    """Rows of `reference` (along axis 0) at `indices`, integers of any shape."""
    return O.gather(reference, indices)


def one_hot(indices: Any, num_classes: int) -> Tensor:
    """A vector of length `num_classes` for each of `indices`: 1 at the index, else 0; float32 whatever `floatx` is."""
    return O.one_hot(indices, num_classes, "float32")
