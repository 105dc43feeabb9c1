"""Compositions that layers are made of: bias, normalization to unit length, drop-out."""

from __future__ import annotations

from typing import Any

from kcore.errors import ShapeError
from kcore.graph import Tensor, as_tensors, dim_of
from kcore.ops.common import as_tensor, require_float
from kcore.ops.elementwise import maximum, rsqrt, square
from kcore.ops.movement import reshape
from kcore.ops.random import random_tensor
from kcore.ops.reduce import reduce_sum


def bias_add(x: Any, bias: Any, data_format: str) -> Tensor:
    """Add a bias to the channels of a batch, or to every position of a sample.

    Args:
        x: ``(batch, ..., channels)``, or ``(batch, channels, ...)`` with "channels_first".
        bias: ``(channels,)``, or ``(..., channels)`` with as many dimensions as a sample (last in both formats;
            "channels_first" reads its numbers in order as ``(channels, ...)``: a reshape, not a transposition).

    Raises:
        ShapeError: the bias has another rank.
    """
    x, bias = as_tensors((x, bias))
    if bias.ndim not in (1, x.ndim - 1):
        raise ShapeError(
            f"Unexpected bias dimensions {bias.ndim}: expected 1, or {x.ndim - 1} for {x.spec}; got {bias.spec}",
            shapes=(x.shape, bias.shape),
            op="bias_add",
        )
    if data_format == "channels_first" and x.ndim > 2:
        if bias.ndim == 1:
            bias = reshape(bias, (1, dim_of(bias, 0)) + (1,) * (x.ndim - 2))
        else:
            # The original reshapes here, and the biases in saved channels_first models were trained that way.
            bias = reshape(bias, (dim_of(bias, bias.ndim - 1), *(dim_of(bias, i) for i in range(bias.ndim - 1))))
    channels = x.shape[1 if data_format == "channels_first" and x.ndim > 2 else -1]
    given = bias.shape[-1] if bias.ndim <= 1 or data_format == "channels_last" else None
    if None not in (channels, given) and given not in (channels, 1):
        raise ShapeError(
            f"bias_add: a bias of {given} channels does not fit {x.spec} of {channels} channels ({data_format})",
            shapes=(x.shape, bias.shape),
            op="bias_add",
        )
    return x + bias


def l2_normalize(x: Any, axis: Any = None, epsilon: float = 1e-12) -> Tensor:
    """`x` divided by its Euclidean length along `axis` (lengths below ``sqrt(epsilon)`` count as that)."""
    x = as_tensor(x)
    require_float("l2_normalize", x.spec)
    return x * rsqrt(maximum(reduce_sum(square(x), axis, keepdims=True), epsilon))


def dropout(x: Any, level: float, noise_shape: Any, seed: int) -> Tensor:
    """Set elements to zero at random and divide the others by the probability of being kept.

    Args:
        x: a float tensor.
        level: the probability of zero, in ``[0, 1)``.
        noise_shape: the shape of the random choice, broadcast to `x` (None: that of `x`); None or an int for
            each dimension.
        seed: of the random numbers.
    """
    x = as_tensor(x)
    require_float("dropout", x.spec)
    if level == 0:
        return x * 1
    if noise_shape is None:
        noise_shape = (None,) * x.ndim
    shape = [dim_of(x, i) if d is None else d for i, d in enumerate(noise_shape)]
    keep = 1.0 - level
    return x * random_tensor("random_mask", shape, seed, x.dtype, keep=keep, value=1.0 / keep)
