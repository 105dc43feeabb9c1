"""Batch normalization in training: a block for each channel takes the sums, in double precision; one kernel writes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from kcore_backends_cupy.kernels.moving import dense
from kcore_backends_cupy.launch import Launch, Launches, compile_kernel
from kcore_backends_cupy.layout import collapse, element_strides
from kcore_backends_cupy.prelude import C_TYPES

THREADS = 128

# Where channel c and position r of it lie: channels and positions are up to three joined axes each.
_PLACE = """
__device__ inline i64 k_place(i64 i, i64 d1, i64 d2, i64 s0, i64 s1, i64 s2) {
  return i / d2 / d1 * s0 + i / d2 % d1 * s1 + i % d2 * s2;
}
"""
_SUM = """
__device__ inline double k_sum(double v, double* shared) {
  __syncthreads();
  shared[threadIdx.x] = v;
  for (int half = blockDim.x / 2; half; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) shared[threadIdx.x] += shared[threadIdx.x + half];
  }
  __syncthreads();
  return shared[0];
}
"""
_AXES = "i64 cd1, i64 cd2, i64 cs0, i64 cs1, i64 cs2, i64 n, i64 rd1, i64 rd2, i64 rs0, i64 rs1, i64 rs2"
_EACH = "for (i64 r = threadIdx.x; r < n; r += blockDim.x)"
_AT = "base + k_place(r, rd1, rd2, rs0, rs1, rs2)"
_BASE = "i64 c = blockIdx.x, base = k_place(c, cd1, cd2, cs0, cs1, cs2);"


def _three(shape: list[int], strides: list[int]) -> list[int] | None:
    """The two inner lengths and three strides of up to three axes; None if there are more."""
    if len(shape) > 3:
        return None
    shape, strides = [1] * (3 - len(shape)) + shape, [0] * (3 - len(strides)) + strides
    return [shape[1], shape[2], *strides]


def _axes(x: Any, axes: tuple[int, ...]) -> tuple[int, list[Any]] | None:
    """The number of channels, and the arguments for `_AXES`."""
    full = element_strides(x, x.shape)
    kept = [i for i in range(x.ndim) if i not in axes]
    parts = []
    for chosen in (kept, list(axes)):
        dims, (steps,) = collapse([x.shape[i] for i in chosen], [tuple(full[i] for i in chosen)])
        three = _three(dims, steps)
        if three is None:
            return None
        parts.append(three)
    count = math.prod(x.shape[i] for i in axes)
    return math.prod(x.shape[i] for i in kept), [np.int64(v) for v in (*parts[0], count, *parts[1])]


def batch_norm(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    found = _axes(ins[0], attrs["axes"]) if ins[0].size else None
    if found is None or not outs[0].flags.c_contiguous:
        return _portable("batch_norm", ctx, outs, ins, attrs)
    channels, places = found
    (x, calls), (gamma, more), (beta, most) = (dense(ctx, a) for a in ins)
    y, mean, var, inv = outs
    memory = C_TYPES[str(x.dtype)][0]
    source = f"""{_PLACE}{_SUM}
extern "C" __global__ void batch_norm(const {memory}* x, const {memory}* gamma, const {memory}* beta, {memory}* y, {memory}* mean, {memory}* var, {memory}* inv, double epsilon, {_AXES}) {{
  __shared__ double shared[{THREADS}];
  {_BASE}
  double sum = 0, squares = 0;
  {_EACH} sum += k_load(x, {_AT});
  double m = k_sum(sum, shared) / n;
  {_EACH} {{ double d = k_load(x, {_AT}) - m; squares += d * d; }}
  double v = k_sum(squares, shared) / n, s = 1.0 / sqrt(v + epsilon);
  double scale = s * k_load(gamma, c), offset = k_load(beta, c);
  {_EACH} {{ i64 at = {_AT}; k_store(y, at, (k_load(x, at) - m) * scale + offset); }}
  if (threadIdx.x == 0) {{ k_store(mean, c, m); k_store(var, c, v); k_store(inv, c, s); }}
}}
"""  # noqa: E501 - parameters of a kernel stand in one line
    args = [x, gamma, beta, y, mean, var, inv, np.float64(attrs["epsilon"]), *places]
    launch = Launch(compile_kernel(ctx.xp, source, "batch_norm"), (channels,), (THREADS,), args)
    return Launches([*calls, *more, *most, launch])


def batch_norm_grad(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    found = _axes(ins[0], attrs["axes"]) if ins[0].size else None
    if found is None or not outs[0].flags.c_contiguous:
        return _portable("batch_norm_grad", ctx, outs, ins, attrs)
    channels, places = found
    whole = [dense(ctx, a) for a in ins]
    x, gamma, mean, inv, g = (a for a, _ in whole)
    gx, g_gamma, g_beta = outs
    memory = C_TYPES[str(x.dtype)][0]
    source = f"""{_PLACE}{_SUM}
extern "C" __global__ void batch_norm_grad(const {memory}* x, const {memory}* gamma, const {memory}* mean, const {memory}* inv, const {memory}* g, {memory}* gx, {memory}* g_gamma, {memory}* g_beta, {_AXES}) {{
  __shared__ double shared[{THREADS}];
  {_BASE}
  double m = k_load(mean, c), s = k_load(inv, c), along = 0, total = 0;
  {_EACH} {{ i64 at = {_AT}; double d = k_load(g, at); along += d * (k_load(x, at) - m) * s; total += d; }}
  along = k_sum(along, shared);
  total = k_sum(total, shared);
  double scale = s * k_load(gamma, c);
  {_EACH} {{
    i64 at = {_AT};
    k_store(gx, at, scale * (k_load(g, at) - total / n - (k_load(x, at) - m) * s * along / n));
  }}
  if (threadIdx.x == 0) {{ k_store(g_gamma, c, along); k_store(g_beta, c, total); }}
}}
"""  # noqa: E501
    args = [x, gamma, mean, inv, g, gx, g_gamma, g_beta, *places]
    launch = Launch(compile_kernel(ctx.xp, source, "batch_norm_grad"), (channels,), (THREADS,), args)
    return Launches([*(call for _, calls in whole for call in calls), launch])


def _portable(name: str, ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    from kcore.graph import get_op

    return get_op(name).bind(ctx, outs, ins, attrs)


KERNELS: dict[str, Callable[..., Any]] = {"batch_norm": batch_norm, "batch_norm_grad": batch_norm_grad}
