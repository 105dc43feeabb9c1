"""Rows and elements by index. An index out of range reads row 0 or is left out: a GPU cannot stop for it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from kcore_backends_cupy.kernels.moving import copy_launch, dense, fill_launch
from kcore_backends_cupy.launch import Launches, each, grid_stride
from kcore_backends_cupy.prelude import C_TYPES


def gather(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    (out,), (x, index) = outs, ins
    if not out.size:
        return Launches([])
    x, calls = dense(ctx, x)
    index, more = dense(ctx, index)
    memory, ctype = C_TYPES[str(out.dtype)][0], C_TYPES[str(index.dtype)][0]
    source = grid_stride(
        "gather",
        f"const {memory}* x, const {ctype}* index, {memory}* out, i64 rows, i64 width",
        """
    i64 row = (i64)index[i / width];
    if (row < 0) row += rows;
    out[i] = x[(row < 0 || row >= rows ? 0 : row) * width + i % width];""",
    )
    args = [x, index, out, np.int64(x.shape[0]), np.int64(math.prod(x.shape[1:]))]
    return Launches([*calls, *more, each(ctx.xp, source, "gather", out.size, args)])


def gather_grad(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    """Zeros, to which rows are added."""
    return _add_rows(ctx, outs[0], ins[0], ins[1], fill_launch(ctx.xp, outs[0], 0))


def scatter_add(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    """`x`, to which rows are added; often in its own memory."""
    (out,), (x, g, index) = outs, ins
    same = out.data.ptr == x.data.ptr and out.strides == x.strides
    return _add_rows(ctx, out, g, index, Launches([]) if same else copy_launch(ctx.xp, out, x))


def _add_rows(ctx: Any, out: Any, g: Any, index: Any, first: Any) -> Callable[[], Any]:
    """Each row of the result adds up its rows of `g` in order, so that two runs are equal: no atomic operations."""
    calls = [first]
    if not g.size or not out.size:
        return Launches(calls)
    g, more = dense(ctx, g)
    index, most = dense(ctx, index)
    dtype = str(out.dtype)
    memory, register = C_TYPES[dtype]
    ctype = C_TYPES[str(index.dtype)][0]
    source = grid_stride(
        "gather_grad",
        f"const {memory}* g, const {ctype}* index, {memory}* out, i64 rows, i64 width, i64 count",
        f"""
    i64 k = i / width, column = i % width, row = (i64)index[k];
    if (row < 0) row += rows;
    if (row < 0 || row >= rows) continue;
    bool first = true;  // otherwise an earlier thread has this row
    for (i64 j = 0; j < k && first; ++j) {{ i64 other = (i64)index[j]; first = other != row && other + rows != row; }}
    if (!first) continue;
    {register} sum = k_load(out, row * width + column);
    for (i64 j = k; j < count; ++j) {{
      i64 other = (i64)index[j];
      if (other == row || other + rows == row) sum += k_load(g, j * width + column);
    }}
    k_store(out, row * width + column, sum);""",
    )
    if index.size > _QUADRATIC:
        return _sorted_gather_grad(ctx, out, g, index, calls + more + most)
    args = [g, index, out, np.int64(out.shape[0]), np.int64(math.prod(out.shape[1:])), np.int64(index.size)]
    return Launches([*calls, *more, *most, each(ctx.xp, source, "gather_grad", g.size, args)])


_QUADRATIC = 256  # indices up to which each is compared with each


def _sorted_gather_grad(ctx: Any, out: Any, g: Any, index: Any, calls: list[Any]) -> Callable[[], Any]:
    """Indices are sorted first, so that the rows of one index are neighbours."""
    memory, register = C_TYPES[str(out.dtype)]
    source = grid_stride(
        "sorted_gather_grad",
        f"const {memory}* g, const i64* order, const i64* sorted, {memory}* out, i64 width, i64 count",
        f"""
    i64 k = i / width, column = i % width, row = sorted[k];
    if (k > 0 && sorted[k - 1] == row) continue;
    {register} sum = k_load(out, row * width + column);
    for (i64 j = k; j < count && sorted[j] == row; ++j) sum += k_load(g, order[j] * width + column);
    k_store(out, row * width + column, sum);""",
    )
    order = ctx.device.empty((index.size,), "int64")
    ordered = ctx.device.empty((index.size,), "int64")
    rows = out.shape[0]

    def sort() -> None:
        wrapped = index.reshape(-1).astype("int64") % rows
        order[...] = ctx.xp.argsort(wrapped, kind="stable")
        ordered[...] = wrapped[order]

    args = [g, order, ordered, out, np.int64(math.prod(out.shape[1:])), np.int64(index.size)]
    return Launches([*calls, sort, each(ctx.xp, source, "sorted_gather_grad", g.size, args)])


def pick(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    (out,), (x, index) = outs, ins
    if not out.size:
        return Launches([])
    x, calls = dense(ctx, x)
    index, more = dense(ctx, index)
    memory, ctype = C_TYPES[str(out.dtype)][0], C_TYPES[str(index.dtype)][0]
    source = grid_stride(
        "pick",
        f"const {memory}* x, const {ctype}* index, {memory}* out, i64 classes",
        """
    i64 k = (i64)index[i];
    out[i] = x[i * classes + (k < 0 || k >= classes ? 0 : k)];""",
    )
    launch = each(ctx.xp, source, "pick", out.size, [x, index, out, np.int64(x.shape[-1])])
    return Launches([*calls, *more, launch])


KERNELS: dict[str, Callable[..., Any]] = {
    "gather": gather,
    "gather_grad": gather_grad,
    "scatter_add": scatter_add,
    "pick": pick,
}
