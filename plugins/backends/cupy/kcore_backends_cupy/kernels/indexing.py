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
    shape = ins[0].shape
    body = """
    i64 row = (i64)index[i / width];
    if (row < 0) row += rows;
    out[i] = x[(row < 0 || row >= rows ? 0 : row) * width + i % width];"""
    return _by_index(ctx, outs, ins, "gather", body, {"rows": shape[0], "width": math.prod(shape[1:])})


def pick(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    body = """
    i64 k = (i64)index[i];
    out[i] = x[i * classes + (k < 0 || k >= classes ? 0 : k)];"""
    return _by_index(ctx, outs, ins, "pick", body, {"classes": ins[0].shape[-1]})


def _by_index(ctx: Any, outs: Any, ins: Any, name: str, body: str, sizes: dict[str, int]) -> Launches:
    """The launch that writes each element `i` of the output from `x` and `index`, knowing `sizes`."""
    (out,), (x, index) = outs, ins
    if not out.size:
        return Launches([])
    x, calls = dense(ctx, x)
    index, more = dense(ctx, index)
    memory, ctype = C_TYPES[str(out.dtype)][0], C_TYPES[str(index.dtype)][0]
    parameters = "".join(f", i64 {size}" for size in sizes)
    source = grid_stride(name, f"const {memory}* x, const {ctype}* index, {memory}* out{parameters}", body)
    args = [x, index, out, *map(np.int64, sizes.values())]
    return Launches([*calls, *more, each(ctx.xp, source, name, out.size, args)])


KERNELS: dict[str, Callable[..., Any]] = {
    "gather": gather,
    "pick": pick,
}
