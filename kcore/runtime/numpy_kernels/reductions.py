"""Sums, means and softmax on NumPy.

The sum of a matrix along an axis is its product with a vector of ones, and BLAS computes that two to three times
faster than ``np.add.reduce``, most of all where the matrix is small and overhead is what counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from kcore.graph import get_op
from kcore.runtime.numpy_kernels.table import numpy_kernel
from kcore.runtime.parallel import parallel_for, thread_count

_ELEMENTS_PER_THREAD = 1 << 18  # of a sum over leading axes: below, waking a thread costs about what it saves
_FLAT_LIMIT = 4096  # one long sum in single precision: np.add.reduce adds pairwise, BLAS does not


@numpy_kernel("sum")
def sum_(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    return _weighted_sum(outs[0], ins[0], attrs, 1.0) or get_op("sum").bind(ctx, outs, ins, attrs)


@numpy_kernel("mean")
def mean(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    (x,), (out,) = ins, outs
    count = x.size // max(out.size, 1)
    run = _weighted_sum(out, x, attrs, 1.0 / count) if count else None
    return run or get_op("mean").bind(ctx, outs, ins, attrs)


def _weighted_sum(out: Any, x: Any, attrs: Any, weight: float) -> Callable[[], Any] | None:
    """The call that sums `x` along its first or last axes by a product, or None where that would not do."""
    if not (x.flags.c_contiguous and x.dtype == out.dtype and x.dtype in (np.float32, np.float64) and x.size):
        return None
    axes = attrs["axes"]
    if axes == tuple(range(x.ndim)):
        if x.size > _FLAT_LIMIT:
            return None
        return partial(np.dot, x.reshape(-1), np.full(x.size, weight, x.dtype), out.reshape(()))
    if axes == tuple(range(len(axes))):  # leading axes
        rows = math.prod(x.shape[: len(axes)])
        return _sum_of_rows(np.full(rows, weight, x.dtype), x.reshape(rows, -1), out.reshape(-1))
    if axes == tuple(range(x.ndim - len(axes), x.ndim)):  # trailing axes
        columns = math.prod(x.shape[x.ndim - len(axes) :])
        return partial(np.dot, x.reshape(-1, columns), np.full(columns, weight, x.dtype), out.reshape(-1))
    return None


def _sum_of_rows(weights: Any, matrix: Any, out: Any) -> Callable[[], Any]:
    """The call for ``out = weights @ matrix``; of a large matrix each thread sums a part of its own.

    The threads of BLAS would wait for each other by spinning, which takes many times as long on a busy machine.
    """
    rows = len(matrix)
    parts = max(1, min(thread_count(), rows, matrix.size // _ELEMENTS_PER_THREAD))
    if parts == 1:
        return partial(np.dot, weights, matrix, out)
    sums = np.empty((parts, out.size), out.dtype)
    bounds = [rows * part // parts for part in range(parts + 1)]

    def sum_parts(first: int, last: int) -> None:
        for part in range(first, last):
            lo, hi = bounds[part], bounds[part + 1]
            np.dot(weights[lo:hi], matrix[lo:hi], sums[part])

    def run() -> None:
        parallel_for(sum_parts, parts)
        np.add.reduce(sums, axis=0, out=out)

    return run


@numpy_kernel("softmax")
def softmax(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    """Along the last axis, with the sums as a product and without temporary arrays."""
    (x,), (out,) = ins, outs
    if attrs["axis"] != x.ndim - 1 or out.dtype not in (np.float32, np.float64) or not out.size:
        return get_op("softmax").bind(ctx, outs, ins, attrs)
    classes = x.shape[-1]
    column = ctx.scratch((*x.shape[:-1], 1), str(x.dtype))
    total, rows, ones = column.reshape(-1), out.reshape(-1, classes), np.ones(classes, out.dtype)

    def run() -> None:
        np.maximum.reduce(x, axis=-1, keepdims=True, out=column)
        np.subtract(x, column, out)
        np.exp(out, out)
        np.dot(rows, ones, total)
        np.divide(out, column, out)

    return run
