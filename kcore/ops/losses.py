"""Crossentropies, in the forms that Keras 2 computes on TensorFlow."""

from __future__ import annotations

import math
from typing import Any

from kcore import config
from kcore.dtypes import is_float
from kcore.errors import ShapeError
from kcore.graph import Shape, Tensor, as_tensors, dim_of, dims_of
from kcore.ops.common import as_tensor, merge_dims, require_float
from kcore.ops.elementwise import cast, clip, log, softplus
from kcore.ops.indexing import pick
from kcore.ops.movement import reshape
from kcore.ops.reduce import reduce_sum
from kcore.ops.softmax import log_softmax


def categorical_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Tensor:
    """``-sum(target * log(output))`` over the last axis.

    Args:
        target: probabilities ``(..., classes)``.
        output: probabilities, which are divided by their sum and clipped to ``[epsilon, 1 - epsilon]`` first;
            or, with `from_logits`, unscaled logarithms.

    Returns:
        ``(...)``.
    """
    target, output = as_tensors((target, output))
    require_float("categorical_crossentropy", output.spec)
    target = cast(target, output.dtype)
    merge_dims("categorical_crossentropy", (target.spec, output.spec))
    if from_logits:
        logarithms = log_softmax(output)
    else:
        logarithms = log(_clipped(output / reduce_sum(output, -1, keepdims=True)))
    return -reduce_sum(target * logarithms, -1)


def sparse_categorical_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Tensor:
    """The crossentropy for class numbers.

    Args:
        target: class numbers, ``(...)`` or ``(..., 1)``; of any dtype.
        output: ``(..., classes)``, probabilities (clipped to ``[epsilon, 1 - epsilon]``, then normalized), or, with
            `from_logits`, unscaled logarithms.

    Returns:
        ``(...)``, the shape of `output` without its last axis.
    """
    output = as_tensor(output)
    require_float("sparse_categorical_crossentropy", output.spec)
    if output.ndim < 1:
        raise ShapeError(f"sparse_categorical_crossentropy needs an axis of classes, got {output.spec}")
    target = as_tensor(target)
    if not _one_class_each(target.shape, output.shape):
        raise ShapeError(
            f"sparse_categorical_crossentropy needs one class number for each distribution: {target.spec} does not fit "
            f"{output.spec}; targets with a column for each class (one-hot) belong to categorical_crossentropy",
            shapes=(target.shape, output.shape),
        )
    logits = output if from_logits else log(_clipped(output))
    rows = reshape(logits, (-1, dim_of(output, -1)))
    classes = reshape(cast(target, "int64"), (-1,))
    losses = -pick(log_softmax(rows), classes)
    return losses if output.ndim == 2 else reshape(losses, dims_of(output)[:-1])


def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Tensor:
    """``-target * log(output) - (1 - target) * log(1 - output)``, elementwise.

    Args:
        target: numbers in ``[0, 1]``.
        output: probabilities, which are clipped to ``[epsilon, 1 - epsilon]``; or, with `from_logits`, their logits.
    """
    target, output = as_tensors((target, output))
    require_float("binary_crossentropy", output.spec)
    if not is_float(target.dtype):
        target = cast(target, output.dtype)
    if not from_logits:
        output = _clipped(output)
        output = log(output / (1 - output))
    # -t log(s(x)) - (1 - t) log(1 - s(x)) with s = sigmoid, without overflow.
    return softplus(output) - output * target


def _one_class_each(target: Shape, output: Shape) -> bool:
    """Whether class numbers fit: ``(...)`` or ``(..., 1)`` for ``(..., classes)``, or as many in another shape."""
    lead = output[:-1]
    if len(target) == len(output) and target[-1] in (1, None):
        target = target[:-1]
    if len(target) == len(lead):
        return all(None in pair or pair[0] == pair[1] for pair in zip(target, lead, strict=True))
    return None in (*target, *lead) or math.prod(target) == math.prod(lead)  # type: ignore[arg-type]


def _clipped(output: Tensor) -> Tensor:
    epsilon = config.epsilon()
    return clip(output, epsilon, 1.0 - epsilon)
