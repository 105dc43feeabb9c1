"""Random tensors and variables. Without a seed, one is drawn from ``numpy.random``, so that ``np.random.seed``
at the top of a script makes the whole script repeatable."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcore import config, dtypes
from kcore import ops as O
from kcore.backend.variables import variable
from kcore.errors import ArgumentError, DTypeError, ShapeError
from kcore.graph import Tensor
from kcore.ops.common import as_tensor as _tensor
from kcore.ops.common import number
from kcore.ops.random import random_tensor
from kcore.runtime.variable import Variable

__all__ = [
    "random_binomial",
    "random_normal",
    "random_normal_variable",
    "random_uniform",
    "random_uniform_variable",
    "truncated_normal",
]


def seed_of(function: str, seed: Any) -> int:
    """`seed`, or where it is None one that is drawn from ``numpy.random``.

    Raises:
        ValueError: it is no whole number.
    """
    if seed is None:
        return int(np.random.randint(10**7))
    return int(number(function, "seed", seed, whole=True))


def _drawn_dtype(function: str, dtype: str | None, floating: bool) -> str:
    name = config.floatx() if dtype is None else dtypes.canonical(dtype)
    if name == "bool" or (floating and not dtypes.is_float(name)):
        kind = "a floating dtype" if floating else "a dtype of numbers"
        raise DTypeError(f"{function} draws numbers of {kind}, got dtype={dtype!r}; use K.cast on its result")
    return name


def _is_field(value: Any) -> bool:
    """Whether a parameter of a distribution is no number, but has a value for each draw or is computed."""
    return isinstance(value, Tensor) or (isinstance(value, (list, tuple, np.ndarray)) and np.size(value) != 1)


def _fitting(function: str, result: Tensor, draws: Tensor) -> Tensor:
    """`result`, in which a field was combined with `draws`, if it has their shape."""
    if result.ndim != draws.ndim or any(
        a != b and None not in (a, b) for a, b in zip(result.shape, draws.shape, strict=True)
    ):
        raise ShapeError(
            f"{function}: its parameters make {result.spec} of {draws.spec}; they must be broadcast to the shape of "
            "the draws",
            shapes=(result.shape, draws.shape),
        )
    return result


def _normal(function: str, shape: Any, mean: Any, stddev: Any, dtype: Any, seed: Any, truncated: bool) -> Tensor:
    dtype, seed = _drawn_dtype(function, dtype, True), seed_of(function, seed)
    if _is_field(mean) or _is_field(stddev):
        draws = random_tensor("random_normal", shape, seed, dtype, mean=0.0, stddev=1.0, truncated=truncated)
        return _fitting(function, draws * _tensor(stddev, dtype) + _tensor(mean, dtype), draws)
    attrs = {"mean": number(function, "mean", mean), "stddev": number(function, "stddev", stddev)}
    return random_tensor("random_normal", shape, seed, dtype, truncated=truncated, **attrs)


def random_uniform(
    shape: Any, minval: float = 0.0, maxval: float = 1.0, dtype: str | None = None, seed: int | None = None
) -> Tensor:
    """Numbers drawn evenly from ``[minval, maxval)``, anew at each call.

    Args:
        shape: ints or scalar tensors.
        minval, maxval: the interval: numbers; for floating dtypes also tensors that are broadcast to `shape`.
        dtype: `floatx` by default; integers too.
        seed: of the sequence of draws.

    Raises:
        ValueError: `shape` is incomplete, an argument is no number, or an interval of integers is empty.
    """
    name, seed = _drawn_dtype("random_uniform", dtype, False), seed_of("random_uniform", seed)
    if dtypes.is_float(name) and (_is_field(minval) or _is_field(maxval)):
        draws = random_tensor("random_uniform", shape, seed, name, low=0.0, high=1.0)
        low, high = _tensor(minval, name), _tensor(maxval, name)
        return _fitting("random_uniform", draws * (high - low) + low, draws)
    least, limit = number("random_uniform", "minval", minval), number("random_uniform", "maxval", maxval)
    if not dtypes.is_float(name) and least >= limit:
        raise ArgumentError(f"random_uniform of {name}: no number is at least {minval!r} and below {maxval!r}")
    return random_tensor("random_uniform", shape, seed, name, low=least, high=limit)


def random_normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: str | None = None, seed: int | None = None
) -> Tensor:
    """Numbers drawn from a normal distribution, anew at each call.

    Args:
        shape: ints or scalar tensors.
        mean, stddev: numbers, or tensors that are broadcast to `shape`.
        dtype: `floatx` by default.
        seed: of the sequence of draws.
    """
    return _normal("random_normal", shape, mean, stddev, dtype, seed, truncated=False)


def truncated_normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: str | None = None, seed: int | None = None
) -> Tensor:
    """Numbers drawn from a normal distribution cut at two standard deviations (arguments as of `random_normal`)."""
    return _normal("truncated_normal", shape, mean, stddev, dtype, seed, truncated=True)


def random_binomial(shape: Any, p: Any = 0.0, dtype: str | None = None, seed: int | None = None) -> Tensor:
    """1 with probability `p`, else 0.

    Args:
        shape: ints or scalar tensors.
        p: a probability, in ``[0, 1]``, or a tensor of such that is broadcast to `shape`.
        dtype: `floatx` by default.
        seed: of the sequence of draws.
    """
    name = config.floatx() if dtype is None else dtypes.canonical(dtype)
    draws = random_tensor("random_uniform", shape, seed_of("random_binomial", seed), "float32", low=0.0, high=1.0)
    if _is_field(p):
        return O.cast(_fitting("random_binomial", draws < _tensor(p, "float32"), draws), name)
    if not 0.0 <= number("random_binomial", "p", p) <= 1.0:
        raise ArgumentError(f"random_binomial needs a probability between 0 and 1, got {p!r}")
    return O.cast(draws < p, name)


def random_uniform_variable(
    shape: Any, low: float, high: float, dtype: str | None = None, name: str | None = None, seed: int | None = None
) -> Variable:
    """A variable whose initial value is drawn evenly from ``[low, high)``."""
    return variable(random_uniform(shape, low, high, dtype, seed), dtype, name)


def random_normal_variable(
    shape: Any, mean: float, scale: float, dtype: str | None = None, name: str | None = None, seed: int | None = None
) -> Variable:
    """A variable whose initial value is drawn from a normal distribution of standard deviation `scale`."""
    return variable(random_normal(shape, mean, scale, dtype, seed), dtype, name)
