"""Rows and elements by index. An index out of range reads row 0: a GPU cannot stop for it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from kcore_backends_cupy.kernels.moving import dense
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
    "pick": pick,
}
