"""Arithmetic: elementwise functions, comparisons, reductions, products."""

from __future__ import annotations

import math as _math
from typing import Any

from kcore import ops as O
from kcore.graph import Tensor, apply
from kcore.ops.common import no_python_bool

__all__ = [
    "abs",
    "all",
    "any",
    "argmax",
    "argmin",
    "batch_dot",
    "clip",
    "cos",
    "cumprod",
    "cumsum",
    "dot",
    "equal",
    "exp",
    "greater",
    "greater_equal",
    "less",
    "less_equal",
    "log",
    "logsumexp",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "not_equal",
    "pow",
    "prod",
    "round",
    "sign",
    "sin",
    "sqrt",
    "square",
    "std",
    "sum",
    "var",
]

# -- elementwise ------------------------------------------------------------------------------------------


def square(x: Any) -> Tensor:
    """``x * x``, elementwise."""
    return O.square(x)


def abs(x: Any) -> Tensor:
    """``|x|``, elementwise."""
    return apply("abs", x)


def sqrt(x: Any) -> Tensor:
    """The square root, elementwise; numbers below 0 count as 0."""
    return O.sqrt(O.clip(x, 0.0, _math.inf))


def exp(x: Any) -> Tensor:
    """``e ** x``, elementwise."""
    return O.exp(x)


def log(x: Any) -> Tensor:
    """The natural logarithm, elementwise."""
    return O.log(x)


def round(x: Any) -> Tensor:
    """The nearest integer, elementwise; halves go to the even one."""
    return O.rint(x)


def sign(x: Any) -> Tensor:
    """-1, 0 or 1, elementwise."""
    return O.sign(x)


def sin(x: Any) -> Tensor:
    """The sine, elementwise."""
    return O.sin(x)


def cos(x: Any) -> Tensor:
    """The cosine, elementwise."""
    return O.cos(x)


def pow(x: Any, a: Any) -> Tensor:
    """``x ** a``, elementwise; `a` a number."""
    return O.power(x, a)


def clip(x: Any, min_value: float | None, max_value: float | None) -> Tensor:
    """`x` with elements outside of ``[min_value, max_value]`` moved to the nearer bound.

    Args:
        x: a tensor.
        min_value: a number; None for no bound.
        max_value: a number, which counts as `min_value` where it is smaller; None for no bound.
    """
    if isinstance(min_value, Tensor) or isinstance(max_value, Tensor):
        bounded = x if min_value is None else O.maximum(x, min_value)
        return bounded if max_value is None else O.minimum(bounded, max_value)
    low = -_math.inf if min_value is None else float(min_value)
    high = _math.inf if max_value is None else float(max_value)
    return O.clip(x, low, high if high >= low else low)


def maximum(x: Any, y: Any) -> Tensor:
    """The larger of `x` and `y`, elementwise."""
    return O.maximum(x, y)


def minimum(x: Any, y: Any) -> Tensor:
    """The smaller of `x` and `y`, elementwise."""
    return O.minimum(x, y)


# -- comparisons ------------------------------------------------------------------------------------------


def equal(x: Any, y: Any) -> Tensor:
    """Whether elements are equal; bool."""
    return O.equal(x, y)


def not_equal(x: Any, y: Any) -> Tensor:
    """Whether elements differ; bool."""
    return O.not_equal(x, y)


def greater(x: Any, y: Any) -> Tensor:
    """``x > y``, elementwise; bool."""
    return apply("greater", x, y)


def greater_equal(x: Any, y: Any) -> Tensor:
    """``x >= y``, elementwise; bool."""
    return apply("greater_equal", x, y)


def less(x: Any, y: Any) -> Tensor:
    """``x < y``, elementwise; bool."""
    return apply("less", x, y)


def less_equal(x: Any, y: Any) -> Tensor:
    """``x <= y``, elementwise; bool."""
    return apply("less_equal", x, y)


# -- reductions -------------------------------------------------------------------------------------------


def sum(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The sum of elements along `axis`.

    Args:
        x: a tensor.
        axis: an int, a sequence of ints, or None for all axes; negative ones count from the last.
        keepdims: whether the axes that are summed over stay, with length 1.

    Raises:
        ShapeError: `x` has no such axis.
    """
    no_python_bool("sum", x)
    return O.reduce_sum(x, axis, keepdims)


def mean(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The mean of elements along `axis` (arguments as of `sum`); of bool elements, their share, in `floatx`."""
    no_python_bool("mean", x)
    return O.reduce_mean(x, axis, keepdims)


def prod(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The product of elements along `axis` (arguments as of `sum`)."""
    return O.reduce_prod(x, axis, keepdims)


def max(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The largest element along `axis` (arguments as of `sum`); of none, the least value of the dtype."""
    return O.reduce_max(x, axis, keepdims)


def min(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The smallest element along `axis` (arguments as of `sum`); of none, the greatest value of the dtype."""
    return O.reduce_min(x, axis, keepdims)


def var(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The variance of elements along `axis`, divided by their number (arguments as of `sum`)."""
    return O.variance(x, axis, keepdims)


def std(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The standard deviation of elements along `axis`, divided by their number (arguments as of `sum`)."""
    return O.sqrt(O.variance(x, axis, keepdims))


def any(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Whether any element along `axis` is not 0 (arguments as of `sum`); bool."""
    return O.reduce_any(x, axis, keepdims)


def all(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Whether no element along `axis` is 0 (arguments as of `sum`); bool."""
    return O.reduce_all(x, axis, keepdims)


def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """``log(sum(exp(x)))`` along `axis`, without overflow or underflow (arguments as of `sum`)."""
    return O.logsumexp(x, axis, keepdims)


def argmax(x: Any, axis: int = -1) -> Tensor:
    """The position of the largest element along `axis`, an int, which goes; int64. Of equal ones the first."""
    return O.argmax(x, axis)


def argmin(x: Any, axis: int = -1) -> Tensor:
    """The position of the smallest element along `axis`, an int, which goes; int64. Of equal ones the first."""
    return O.argmin(x, axis)


def cumsum(x: Any, axis: int = 0) -> Tensor:
    """The running sum along `axis`, an int; the shape stays."""
    return O.cumsum(x, axis)


def cumprod(x: Any, axis: int = 0) -> Tensor:
    """The running product along `axis`, an int; the shape stays."""
    return O.cumprod(x, axis)


# -- products ---------------------------------------------------------------------------------------------


def dot(x: Any, y: Any) -> Tensor:
    """The product over the last axis of `x` and the last but one of `y`.

    Args:
        x: ``(..., n)``.
        y: ``(..., n, m)``.

    Returns:
        ``(*x.shape[:-1], *y.shape[:-2], m)``: ``(2, 3)`` with ``(4, 3, 5)`` gives ``(2, 4, 5)``.
    """
    return O.dot(x, y)


def batch_dot(x: Any, y: Any, axes: Any = None) -> Tensor:
    """The product over one axis of `x` and one of `y`, for each sample of a batch.

    Args:
        x, y: tensors of at least 2 dimensions; the first is the batch.
        axes: the axis to sum over, in both, or a pair of axes.

    Returns:
        ``(batch, other axes of x, other axes of y)``; ``(batch, 1)`` if there are no others.
    """
    return O.batch_dot(x, y, axes)
