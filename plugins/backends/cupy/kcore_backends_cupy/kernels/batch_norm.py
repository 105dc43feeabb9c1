"""Batch normalization in training: a block for each channel takes the sums, in double precision; one kernel writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kcore_backends_cupy.kernels.moving import dense
from kcore_backends_cupy.kernels.reduce import AXES, PLACE, kept_and_reduced
from kcore_backends_cupy.launch import Launch, Launches, compile_kernel
from kcore_backends_cupy.prelude import C_TYPES

THREADS = 128

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
_EACH = "for (i64 r = threadIdx.x; r < n; r += blockDim.x)"
_AT = "base + k_place(r, rd1, rd2, rs0, rs1, rs2)"
_BASE = "i64 c = blockIdx.x, base = k_place(c, kd1, kd2, ks0, ks1, ks2);"


def _axes(x: Any, axes: tuple[int, ...]) -> tuple[int, list[Any]] | None:
    """The number of channels, and the arguments for `AXES`."""
    found = kept_and_reduced(x, axes)
    return None if found is None else (found[0], found[2])


def batch_norm(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    found = _axes(ins[0], attrs["axes"]) if ins[0].size else None
    if found is None or not outs[0].flags.c_contiguous:
        return _portable("batch_norm", ctx, outs, ins, attrs)
    channels, places = found
    (x, calls), (gamma, more), (beta, most) = (dense(ctx, a) for a in ins)
    y, mean, var, inv = outs
    memory = C_TYPES[str(x.dtype)][0]
    source = f"""{PLACE}{_SUM}
extern "C" __global__ void batch_norm(const {memory}* x, const {memory}* gamma, const {memory}* beta, {memory}* y, {memory}* mean, {memory}* var, {memory}* inv, double epsilon, {AXES}) {{
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
    source = f"""{PLACE}{_SUM}
extern "C" __global__ void batch_norm_grad(const {memory}* x, const {memory}* gamma, const {memory}* mean, const {memory}* inv, const {memory}* g, {memory}* gx, {memory}* g_gamma, {memory}* g_beta, {AXES}) {{
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
