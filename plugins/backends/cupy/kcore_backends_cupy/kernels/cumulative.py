"""Running sums and products: a block for each line along the axis, which it takes in tiles."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from kcore_backends_cupy.kernels.moving import dense
from kcore_backends_cupy.launch import Launch, Launches, compile_kernel
from kcore_backends_cupy.prelude import C_TYPES

BLOCK = 128


def _source(given: str, out: str, join: str, neutral: int, attrs: Any) -> str:
    """Each tile is scanned in shared memory (Hillis & Steele 1986), and begins with the total of those before it."""
    acc = C_TYPES[out][1]
    place = "length - 1 - k" if attrs["reverse"] else "k"
    mine = "threadIdx.x ? tile[threadIdx.x - 1] : neutral" if attrs["exclusive"] else "tile[threadIdx.x]"
    return f"""
typedef {acc} acc_t;
extern "C" __global__ void running(const {C_TYPES[given][0]}* x, {C_TYPES[out][0]}* out, i64 length, i64 inner) {{
  __shared__ acc_t tile[{BLOCK}];
  const acc_t neutral = {neutral};
  i64 base = blockIdx.x / inner * length * inner + blockIdx.x % inner;
  acc_t before = neutral;
  for (i64 start = 0; start < length; start += blockDim.x) {{
    i64 k = start + threadIdx.x, at = base + ({place}) * inner;
    tile[threadIdx.x] = k < length ? (acc_t)k_load(x, at) : neutral;
    __syncthreads();
    for (int step = 1; step < blockDim.x; step *= 2) {{
      acc_t a = threadIdx.x >= step ? tile[threadIdx.x - step] : neutral;
      __syncthreads();
      tile[threadIdx.x] = a {join} tile[threadIdx.x];
      __syncthreads();
    }}
    acc_t a = {mine};
    if (k < length) k_store(out, at, before {join} a);
    before = before {join} tile[blockDim.x - 1];
    __syncthreads();
  }}
}}
"""


def running(ctx: Any, outs: Any, ins: Any, attrs: Any, join: str, neutral: int) -> Callable[[], Any]:
    (out,), axis = outs, attrs["axis"]
    if not out.size:
        return Launches([])
    x, calls = dense(ctx, ins[0])
    source = _source(str(x.dtype), str(out.dtype), join, neutral, attrs)
    length = x.shape[axis]
    block = min(BLOCK, 1 << max(0, length - 1).bit_length())
    args = [x, out, np.int64(length), np.int64(math.prod(x.shape[axis + 1 :]))]
    launch = Launch(compile_kernel(ctx.xp, source, "running"), (out.size // length,), (block,), args)
    return Launches([*calls, launch])


KERNELS: dict[str, Callable[..., Any]] = {
    "cumsum": partial(running, join="+", neutral=0),
    "cumprod": partial(running, join="*", neutral=1),
}
