"""Rows added up by index: the gradient of an embedding. No atomic operations: two runs are equal to the bit.

A few indices are compared with each other. More are put in order first, so that the rows of one index are neighbours
(`sorting`). The rows of one index (that of the padding is half of a batch of text) are then added in chunks, and the
chunks in order.
An index out of range is left out: a GPU cannot stop for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from kcore_backends_cupy.kernels.moving import copy_launch, dense, fill_launch
from kcore_backends_cupy.kernels.sorting import ROW, sort_rows
from kcore_backends_cupy.launch import Launches, each, grid_stride
from kcore_backends_cupy.prelude import C_TYPES

FEW = 256  # indices up to which every element of a row looks for the others of its index by itself
CHUNK = 64  # rows that are added by one thread


def gather_grad(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    """Zeros, to which rows are added."""
    return _add_rows(ctx, outs[0], ins[0], ins[1], fill_launch(ctx.xp, outs[0], 0))


def scatter_add(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    """`x`, to which rows are added; often in its own memory."""
    (out,), (x, g, index) = outs, ins
    same = out.data.ptr == x.data.ptr and out.strides == x.strides
    return _add_rows(ctx, out, g, index, Launches([]) if same else copy_launch(ctx.xp, out, x))


def _add_rows(ctx: Any, out: Any, g: Any, index: Any, first: Any) -> Callable[[], Any]:
    if not g.size or not out.size:
        return Launches([first])
    g, more = dense(ctx, g)
    index, most = dense(ctx, index)
    add = _compared if index.size <= FEW else _ordered
    return Launches([first, *more, *most, *add(ctx, out, g, index)])


def _compared(ctx: Any, out: Any, g: Any, index: Any) -> list[Any]:
    memory, register = C_TYPES[str(out.dtype)]
    source = ROW + grid_stride(
        "gather_grad",
        f"const {memory}* g, const {C_TYPES[str(index.dtype)][0]}* index, {memory}* out, i64 rows, i64 width, "
        "i64 count",
        f"""
    i64 k = i / width, column = i % width, row = k_row((i64)index[k], rows);
    if (row == rows) continue;
    bool first = true;  // otherwise an earlier thread has this row
    for (i64 j = 0; j < k && first; ++j) first = k_row((i64)index[j], rows) != row;
    if (!first) continue;
    {register} sum = k_load(out, row * width + column);
    for (i64 j = k; j < count; ++j)
      if (k_row((i64)index[j], rows) == row) sum += k_load(g, j * width + column);
    k_store(out, row * width + column, sum);""",
    )
    args = [g, index, out, np.int64(out.shape[0]), np.int64(math.prod(out.shape[1:])), np.int64(index.size)]
    return [each(ctx.xp, source, "gather_grad", g.size, args)]


def _ordered(ctx: Any, out: Any, g: Any, index: Any) -> list[Any]:
    memory, register = C_TYPES[str(out.dtype)]
    acc = "float64" if str(out.dtype) == "float64" else "float32" if str(out.dtype).startswith("float") else "int64"
    count, rows, width = index.size, out.shape[0], math.prod(out.shape[1:])
    order, ordered = (ctx.scratch((count,), "int64") for _ in range(2))
    chunks = -(-count // CHUNK)
    totals = ctx.scratch((chunks, width), acc)
    total = C_TYPES[acc][0]
    chunk_source = grid_stride(
        "add_chunks",
        f"const {memory}* g, const i64* order, const i64* ordered, {total}* totals, i64 width, i64 count",
        f"""
    i64 k = i / width * {CHUNK}, column = i % width, end = k + {CHUNK} < count ? k + {CHUNK} : count;
    if (k == 0 || ordered[k - 1] != ordered[k]) continue;  // whoever begins there adds it
    {total} sum = 0;
    for (i64 j = k; j < end && ordered[j] == ordered[k]; ++j) sum += k_load(g, order[j] * width + column);
    totals[i] = sum;""",
    )
    source = grid_stride(
        "add_rows",
        f"const {memory}* g, const i64* order, const i64* ordered, const {total}* totals, {memory}* out, i64 rows, "
        "i64 width, i64 count",
        f"""
    i64 k = i / width, column = i % width, row = ordered[k], end = (k / {CHUNK} + 1) * {CHUNK};
    if (row == rows || (k > 0 && ordered[k - 1] == row)) continue;
    {register} sum = k_load(out, row * width + column);
    for (i64 j = k; j < count && j < end && ordered[j] == row; ++j) sum += k_load(g, order[j] * width + column);
    for (i64 j = end; j < count && ordered[j] == row; j += {CHUNK}) sum += totals[j / {CHUNK} * width + column];
    k_store(out, row * width + column, sum);""",
    )
    sizes = [np.int64(width), np.int64(count)]
    return [
        *sort_rows(ctx, order, ordered, index, rows),
        each(ctx.xp, chunk_source, "add_chunks", chunks * width, [g, order, ordered, totals, *sizes]),
        each(ctx.xp, source, "add_rows", g.size, [g, order, ordered, totals, out, np.int64(rows), *sizes]),
    ]


KERNELS: dict[str, Callable[..., Any]] = {"gather_grad": gather_grad, "scatter_add": scatter_add}
