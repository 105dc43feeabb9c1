"""Softmax, its logarithm, and log-sum-exp: a block for each row, along any axis."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from kcore.graph import get_op
from kcore_backends_cupy.kernels.moving import dense
from kcore_backends_cupy.kernels.reduce import AXES, PLACE, kept_and_reduced
from kcore_backends_cupy.launch import Launch, Launches, compile_kernel
from kcore_backends_cupy.prelude import C_TYPES

BLOCK = 128

# What the threads of a block have, joined: the largest, or the sum.
_ACROSS = """
__device__ inline acc_t k_across(acc_t v, acc_t* shared, bool largest) {
  __syncthreads();
  shared[threadIdx.x] = v;
  for (int half = blockDim.x / 2; half; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) {
      acc_t a = shared[threadIdx.x], b = shared[threadIdx.x + half];
      shared[threadIdx.x] = largest ? k_max<acc_t>(a, b) : a + b;
    }
  }
  __syncthreads();
  return shared[0];
}
"""

#: What is stored of element k, whose distance from the largest is d.
_VALUES = {"softmax": "k_exp(d) / sum", "log_softmax": "d - k_log(sum)"}


def softmax_source(given: str, out: str, acc: str, name: str) -> str:
    """A kernel `softmax`; `inner` is how many elements lie between neighbours of a row."""
    return f"""
typedef {C_TYPES[acc][1]} acc_t;
{_ACROSS}
extern "C" __global__ void softmax(const {C_TYPES[given][0]}* x, {C_TYPES[out][0]}* out, i64 classes, i64 inner) {{
  __shared__ acc_t shared[{BLOCK}];
  i64 row = blockIdx.x / inner * classes * inner + blockIdx.x % inner;
  acc_t top = k_load(x, row), sum = 0;
  for (i64 k = threadIdx.x; k < classes; k += blockDim.x) top = k_max<acc_t>(top, k_load(x, row + k * inner));
  top = k_across(top, shared, true);
  for (i64 k = threadIdx.x; k < classes; k += blockDim.x) sum += k_exp((acc_t)k_load(x, row + k * inner) - top);
  sum = k_across(sum, shared, false);
  for (i64 k = threadIdx.x; k < classes; k += blockDim.x) {{
    acc_t d = (acc_t)k_load(x, row + k * inner) - top;
    k_store(out, row + k * inner, {_VALUES[name]});
  }}
}}
"""


def softmax_launch(cupy: Any, out: Any, x: Any, axis: int, acc: str, name: str) -> Launch:
    """`x` and `out` without gaps; sums in the dtype `acc`."""
    source = softmax_source(str(x.dtype), str(out.dtype), acc, name)
    classes = x.shape[axis]
    args = [x, out, np.int64(classes), np.int64(math.prod(x.shape[axis + 1 :]))]
    return Launch(compile_kernel(cupy, source, "softmax"), (x.size // classes,), (_threads(classes),), args)


def softmax(ctx: Any, outs: Any, ins: Any, attrs: Any, name: str) -> Callable[[], Any]:
    (out,) = outs
    if not out.size:
        return Launches([])
    x, calls = dense(ctx, ins[0])
    acc = "float32" if str(out.dtype) == "float16" else str(out.dtype)
    return Launches([*calls, softmax_launch(ctx.xp, out, x, attrs["axis"], acc, name)])


def logsumexp(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    """Infinities are left in place: the largest is taken out where it is finite."""
    (out,), (x,) = outs, ins
    found = kept_and_reduced(x, attrs["axes"]) if x.size else None
    if found is None:
        return get_op("logsumexp").bind(ctx, outs, ins, attrs)
    results, count, numbers = found[:3]
    memory, register = C_TYPES[str(x.dtype)]
    source = f"""
typedef {register} acc_t;
{PLACE}{_ACROSS}
extern "C" __global__ void logsumexp(const {memory}* x, {memory}* out, {AXES}) {{
  __shared__ acc_t shared[{BLOCK}];
  i64 base = k_place(blockIdx.x, kd1, kd2, ks0, ks1, ks2);
  acc_t top = k_load(x, base), sum = 0;
  for (i64 r = threadIdx.x; r < n; r += blockDim.x)
    top = k_max<acc_t>(top, k_load(x, base + k_place(r, rd1, rd2, rs0, rs1, rs2)));
  top = k_across(top, shared, true);
  if (top - top != 0) top = 0;
  for (i64 r = threadIdx.x; r < n; r += blockDim.x)
    sum += k_exp((acc_t)k_load(x, base + k_place(r, rd1, rd2, rs0, rs1, rs2)) - top);
  sum = k_across(sum, shared, false);
  if (threadIdx.x == 0) k_store(out, blockIdx.x, k_log(sum) + top);
}}
"""
    block = (_threads(count),)
    return Launch(compile_kernel(ctx.xp, source, "logsumexp"), (results,), block, [x, out, *numbers])


def _threads(count: int) -> int:
    return min(BLOCK, 1 << max(0, count - 1).bit_length())


KERNELS: dict[str, Callable[..., Any]] = {
    "softmax": partial(softmax, name="softmax"),
    "log_softmax": partial(softmax, name="log_softmax"),
    "logsumexp": logsumexp,
}
