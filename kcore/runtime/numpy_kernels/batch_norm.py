"""Batch normalization in training, on NumPy: two passes over the data in each direction, over threads.

For channels last: the tensor is seen as a matrix of positions and channels, and worked on in blocks of rows that
stay in the cache. The first pass takes sums, as products with a vector of ones; the second writes the result. The
variance is summed about a shift close to the mean, taken from the first rows, so that it loses no digits where the
mean is large. Small tensors and other layouts use the operation's own kernel.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from kcore.graph import get_op
from kcore.runtime.numpy_kernels.table import numpy_kernel
from kcore.runtime.parallel import parallel_for

_BLOCK = 1 << 16  # elements: 256 KiB of float32; with 64 KiB two threads wait for the GIL half of their time
_LARGE = 1 << 14  # elements from which blocks are worth their overhead
_MIN_PER_THREAD = 1 << 16
_DTYPES = (np.float32, np.float64)


class _Rows:
    """A tensor whose last axes are kept, as a matrix ``(rows, channels)`` in blocks of rows.

    Blocks are worked on flat, beside vectors over channels that are repeated for each row of a block: NumPy's loops
    are as long as the block then, where broadcasting a vector would run one short loop for each row.
    """

    def __init__(self, shape: tuple[int, ...], axes: tuple[int, ...]):
        self.trailing = axes == tuple(range(len(axes)))
        self.rows = math.prod(shape[: len(axes)])
        self.channels = math.prod(shape[len(axes) :])
        self.step = max(1, min(self.rows, _BLOCK // max(1, self.channels)))
        self.blocks = -(-self.rows // self.step)
        self.min_blocks = max(1, _MIN_PER_THREAD // max(1, self.step * self.channels))

    def suits(self, *arrays: Any) -> bool:
        """Whether the kernels below can work on `arrays`."""
        plain = all(a.flags.c_contiguous and a.dtype == arrays[0].dtype for a in arrays)
        large = self.rows * self.channels >= _LARGE
        return plain and large and self.trailing and arrays[0].dtype in _DTYPES

    def tile(self, dtype: Any) -> tuple[Any, Any]:
        """A vector repeated over the rows of a block: as a matrix to set it, and flat to use it."""
        matrix = np.empty((self.step, self.channels), dtype)
        return matrix, matrix.reshape(-1)

    def span(self, block: int) -> tuple[slice, int]:
        """Block number `block` of the flat tensor, and its number of rows."""
        lo, hi = block * self.step, min(self.rows, (block + 1) * self.step)
        return slice(lo * self.channels, hi * self.channels), hi - lo


@numpy_kernel("batch_norm")
def batch_norm(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    layout = _Rows(ins[0].shape, attrs["axes"])
    if not layout.suits(*ins):
        return get_op("batch_norm").bind(ctx, outs, ins, attrs)
    x, y = ins[0].reshape(-1), outs[0].reshape(-1)
    gamma, beta, mean, var, inv = (a.reshape(-1) for a in (*ins[1:], *outs[1:]))
    blocks, n, epsilon, channels = layout.blocks, layout.rows, attrs["epsilon"], layout.channels
    ones, sample = np.ones(layout.step, x.dtype), x.reshape(n, channels)[:1024]
    sums = np.empty((2, blocks, channels), x.dtype)  # a row for each block: the same order for any threads
    centre, flat_centre = layout.tile(x.dtype)
    scale, flat_scale = layout.tile(x.dtype)
    offset, flat_offset = layout.tile(x.dtype)

    def first_pass(lo: int, hi: int) -> None:
        matrix, flat = layout.tile(x.dtype)
        for block in range(lo, hi):
            span, rows = layout.span(block)
            d = flat[: rows * channels]
            np.subtract(x[span], flat_centre[: d.size], d)
            np.dot(ones[:rows], matrix[:rows], sums[0, block])
            np.multiply(d, d, d)
            np.dot(ones[:rows], matrix[:rows], sums[1, block])

    def second_pass(lo: int, hi: int) -> None:
        for block in range(lo, hi):
            span, _ = layout.span(block)
            out = y[span]
            np.subtract(x[span], flat_centre[: out.size], out)
            np.multiply(out, flat_scale[: out.size], out)
            np.add(out, flat_offset[: out.size], out)

    def run() -> None:
        centre[...] = shift = sample.mean(axis=0)
        parallel_for(first_pass, blocks, layout.min_blocks)
        first, second = sums.sum(1) / n
        np.subtract(second, first * first, var)
        np.maximum(var, 0, out=var)
        np.add(shift, first, mean)
        np.add(var, epsilon, inv)
        np.sqrt(inv, inv)
        np.reciprocal(inv, inv)
        centre[...] = mean
        scale[...] = inv * gamma
        offset[...] = beta
        parallel_for(second_pass, blocks, layout.min_blocks)

    return run


@numpy_kernel("batch_norm_grad")
def batch_norm_grad(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    layout = _Rows(ins[0].shape, attrs["axes"])
    if not layout.suits(*ins):
        return get_op("batch_norm_grad").bind(ctx, outs, ins, attrs)
    x, g, gx = (a.reshape(-1) for a in (ins[0], ins[4], outs[0]))
    gamma, mean, inv, g_gamma, g_beta = (a.reshape(-1) for a in (*ins[1:4], *outs[1:]))
    blocks, n, channels = layout.blocks, layout.rows, layout.channels
    ones, rows_of_g = np.ones(layout.step, x.dtype), g.reshape(n, channels)
    sums = np.empty((2, blocks, channels), x.dtype)
    centre, flat_centre = layout.tile(x.dtype)
    along, flat_along = layout.tile(x.dtype)
    scale, flat_scale = layout.tile(x.dtype)
    offset, flat_offset = layout.tile(x.dtype)

    def first_pass(lo: int, hi: int) -> None:
        matrix, flat = layout.tile(x.dtype)
        for block in range(lo, hi):
            span, rows = layout.span(block)
            d = flat[: rows * channels]
            np.subtract(x[span], flat_centre[: d.size], d)
            np.multiply(d, g[span], d)
            np.dot(ones[:rows], matrix[:rows], sums[0, block])
            start = block * layout.step
            np.dot(ones[:rows], rows_of_g[start : start + rows], sums[1, block])

    def second_pass(lo: int, hi: int) -> None:
        _, flat = layout.tile(x.dtype)
        for block in range(lo, hi):
            span, _ = layout.span(block)
            out = gx[span]
            part = flat[: out.size]
            np.subtract(x[span], flat_centre[: out.size], part)
            np.multiply(part, flat_along[: out.size], part)
            np.multiply(g[span], flat_scale[: out.size], out)
            np.add(out, part, out)
            np.subtract(out, flat_offset[: out.size], out)

    def run() -> None:
        # With xhat = (x - mean) inv: gx = gamma inv (g - mean(g) - xhat mean(g xhat)).
        centre[...] = mean
        parallel_for(first_pass, blocks, layout.min_blocks)
        products, total = sums.sum(1)
        np.multiply(products, inv, g_gamma)
        g_beta[...] = total
        factor = gamma * inv
        scale[...] = factor
        offset[...] = factor * (total / n)
        along[...] = -factor * inv * (g_gamma / n)
        parallel_for(second_pass, blocks, layout.min_blocks)

    return run
