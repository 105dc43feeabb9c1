"""Positions: extrema, one-hot vectors, membership in the top k, single elements of rows; sequences of numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from kcore_backends_cupy.expressions import literal
from kcore_backends_cupy.kernels.moving import dense
from kcore_backends_cupy.kernels.single import elementwise
from kcore_backends_cupy.launch import Launch, Launches, compile_kernel, each, grid_stride
from kcore_backends_cupy.prelude import C_TYPES

BLOCK = 128


def position(ctx: Any, outs: Any, ins: Any, attrs: Any, better: str) -> Callable[[], Any]:
    """The first of the largest or smallest elements along an axis: a block for each. Not a number wins, as in NumPy."""
    (out,), axis = outs, attrs["axis"]
    x, calls = dense(ctx, ins[0])
    if not out.size:
        return Launches([])
    memory, register = C_TYPES[str(x.dtype)]
    source = f"""
typedef {register} value_t;
__device__ inline bool better(value_t a, i64 at, value_t b, i64 other) {{
  if (a != a || b != b) return a != a && (b == b || at < other);
  return a {better} b || (a == b && at < other);
}}
extern "C" __global__ void position(const {memory}* x, i64* out, i64 length, i64 inner) {{
  __shared__ value_t values[{BLOCK}];
  __shared__ i64 places[{BLOCK}];
  i64 base = blockIdx.x / inner * length * inner + blockIdx.x % inner, at = threadIdx.x < length ? threadIdx.x : 0;
  value_t best = k_load(x, base + at * inner);
  for (i64 k = threadIdx.x; k < length; k += blockDim.x) {{
    value_t v = k_load(x, base + k * inner);
    if (better(v, k, best, at)) {{ best = v; at = k; }}
  }}
  values[threadIdx.x] = best;
  places[threadIdx.x] = at;
  for (int half = blockDim.x / 2; half; half /= 2) {{
    __syncthreads();
    int other = threadIdx.x + half;
    if (threadIdx.x < half && better(values[other], places[other], values[threadIdx.x], places[threadIdx.x])) {{
      values[threadIdx.x] = values[other];
      places[threadIdx.x] = places[other];
    }}
  }}
  if (threadIdx.x == 0) out[blockIdx.x] = places[0];
}}
"""
    length = x.shape[axis]
    block = min(BLOCK, 1 << max(0, length - 1).bit_length())
    args = [x, out, np.int64(length), np.int64(math.prod(x.shape[axis + 1 :]))]
    return Launches([*calls, Launch(compile_kernel(ctx.xp, source, "position"), (out.size,), (block,), args)])


def one_hot(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    (out,) = outs
    index, calls = dense(ctx, ins[0])
    source = grid_stride(
        "one_hot",
        f"const {C_TYPES[str(index.dtype)][0]}* index, {C_TYPES[str(out.dtype)][0]}* out, i64 classes",
        "    k_store(out, i, (i64)index[i / classes] == i % classes ? 1 : 0);",
    )
    return Launches([*calls, each(ctx.xp, source, "one_hot", out.size, [index, out, np.int64(attrs["classes"])])])


def pick_grad(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    (out,) = outs
    (g, calls), (index, more) = (dense(ctx, a) for a in ins[:2])
    source = grid_stride(
        "pick_grad",
        f"const {C_TYPES[str(g.dtype)][0]}* g, const {C_TYPES[str(index.dtype)][0]}* index, "
        f"{C_TYPES[str(out.dtype)][0]}* out, i64 classes",
        "    i64 row = i / classes;\n    k_store(out, i, (i64)index[row] == i % classes ? k_load(g, row) : 0);",
    )
    args = [g, index, out, np.int64(out.shape[-1])]
    return Launches([*calls, *more, each(ctx.xp, source, "pick_grad", out.size, args)])


def in_top_k(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    """A warp's worth of threads for each row count the larger predictions."""
    (out,) = outs
    (x, calls), (targets, more) = (dense(ctx, a) for a in ins)
    if not out.size:
        return Launches([])
    memory, register = C_TYPES[str(x.dtype)]
    source = f"""
extern "C" __global__ void in_top_k(const {memory}* x, const {C_TYPES[str(targets.dtype)][0]}* targets, bool* out, i64 classes, i64 k) {{
  __shared__ i64 counts[32];
  i64 row = blockIdx.x * classes, target = (i64)targets[blockIdx.x], larger = 0;
  bool inside = target >= 0 && target < classes;
  {register} chosen = classes ? k_load(x, row + (inside ? target : 0)) : 0;
  for (i64 c = threadIdx.x; c < classes; c += blockDim.x) larger += k_load(x, row + c) > chosen;
  counts[threadIdx.x] = larger;
  __syncthreads();
  if (threadIdx.x == 0) {{
    larger = 0;
    for (int t = 0; t < 32; ++t) larger += counts[t];
    out[blockIdx.x] = inside && larger < k && chosen - chosen == 0;
  }}
}}
"""  # noqa: E501 - parameters of a kernel stand in one line
    args = [x, targets, out, np.int64(x.shape[1]), np.int64(attrs["k"])]
    launch = Launch(compile_kernel(ctx.xp, source, "in_top_k"), (out.size,), (32,), args)
    return Launches([*calls, *more, launch])


def arange(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    (out,) = outs
    dtype = str(out.dtype)
    number = "float64" if any(isinstance(attrs[k], float) for k in ("start", "step")) else "int64"
    start, step = (literal(attrs[k], number) for k in ("start", "step"))
    source = grid_stride("arange", f"{C_TYPES[dtype][0]}* out", f"    k_store(out, i, i * {step} + {start});")
    return each(ctx.xp, source, "arange", out.size, [out])


def eye(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    (out,) = outs
    source = grid_stride(
        "eye",
        f"{C_TYPES[str(out.dtype)][0]}* out, i64 columns",
        "    k_store(out, i, i / columns == i % columns ? 1 : 0);",
    )
    return each(ctx.xp, source, "eye", out.size, [out, np.int64(attrs["columns"])])


def select(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    return elementwise(ctx, outs, ins, {}, name="where")


KERNELS: dict[str, Callable[..., Any]] = {
    "argmax": partial(position, better=">"),
    "argmin": partial(position, better="<"),
    "one_hot": one_hot,
    "pick_grad": pick_grad,
    "in_top_k": in_top_k,
    "arange": arange,
    "eye": eye,
    "select": select,
}
