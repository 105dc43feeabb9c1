"""Random tensors and variables. Without a seed, one is drawn from ``numpy.random``, so that ``np.random.seed``
at the top of a script makes the whole script repeatable."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcore import config, dtypes
from kcore import ops as O
from kcore.backend.variables import variable
from kcore.errors import ArgumentError
from kcore.graph import Tensor
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


def _seed(seed: int | None) -> int:
    return int(np.random.randint(10**7)) if seed is None else int(seed)


def _dtype(dtype: str | None) -> str:
    return config.floatx() if dtype is None else dtypes.canonical(dtype)


def random_uniform(
    shape: Any, minval: float = 0.0, maxval: float = 1.0, dtype: str | None = None, seed: int | None = None
) -> Tensor:
    """Numbers drawn evenly from ``[minval, maxval)``, anew at each call.

    Args:
        shape: ints or scalar tensors.
        minval, maxval: the interval.
        dtype: `floatx` by default; integers too.
        seed: of the sequence of draws.
    """
    return random_tensor("random_uniform", shape, _seed(seed), _dtype(dtype), low=minval, high=maxval)


def random_normal(
    shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: str | None = None, seed: int | None = None
) -> Tensor:
    """Numbers drawn from a normal distribution, anew at each call (arguments as of `random_uniform`)."""
    attrs = {"mean": mean, "stddev": stddev, "truncated": False}
    return random_tensor("random_normal", shape, _seed(seed), _dtype(dtype), **attrs)


def truncated_normal(
    shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: str | None = None, seed: int | None = None
) -> Tensor:
    """Numbers drawn from a normal distribution cut at two standard deviations."""
    attrs = {"mean": mean, "stddev": stddev, "truncated": True}
    return random_tensor("random_normal", shape, _seed(seed), _dtype(dtype), **attrs)


def random_binomial(shape: Any, p: float = 0.0, dtype: str | None = None, seed: int | None = None) -> Tensor:
    """1 with probability `p`, else 0.

    Args:
        shape: ints or scalar tensors.
        p: a probability, in ``[0, 1]``.
        dtype: `floatx` by default.
        seed: of the sequence of draws.
    """
    if not 0.0 <= p <= 1.0:
        raise ArgumentError(f"random_binomial needs a probability between 0 and 1, got {p!r}")
    draws = random_tensor("random_uniform", shape, _seed(seed), "float32", low=0.0, high=1.0)
    return O.cast(draws < p, _dtype(dtype))


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
