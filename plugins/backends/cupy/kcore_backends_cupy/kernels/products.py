"""Matrix products. Small ones are a kernel of this plugin, which a graph can hold; large ones are cuBLAS's, through
CuPy, which cannot be captured and is many times faster there."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from kcore.graph import get_op
from kcore_backends_cupy.launch import Launch, compile_kernel
from kcore_backends_cupy.layout import collapse, element_strides
from kcore_backends_cupy.prelude import C_TYPES

LARGEST = 1 << 25  # floating-point operations of a product that is computed here
TILE = 16


def _source(dtypes: list[str], acc: str) -> str:
    a, b, out = (C_TYPES[d][0] for d in dtypes)
    strides = ", ".join(f"i64 {m}{s}" for m in "abc" for s in ("0", "1", "r", "c"))
    return f"""
extern "C" __global__ void product(const {a}* a, const {b}* b, {out}* c, int m, int n, int k, i64 inner, {strides}) {{
  __shared__ {acc} left[{TILE}][{TILE} + 1], right[{TILE}][{TILE} + 1];
  int tx = threadIdx.x, ty = threadIdx.y, row = blockIdx.y * {TILE} + ty, column = blockIdx.x * {TILE} + tx;
  i64 outer = blockIdx.z / inner, within = blockIdx.z % inner;
  a += outer * a0 + within * a1;
  b += outer * b0 + within * b1;
  c += outer * c0 + within * c1;
  {acc} sum = 0;
  for (int t = 0; t < k; t += {TILE}) {{
    left[ty][tx] = row < m && t + tx < k ? ({acc})k_load(a, row * ar + (t + tx) * ac) : 0;
    right[ty][tx] = t + ty < k && column < n ? ({acc})k_load(b, (t + ty) * br + column * bc) : 0;
    __syncthreads();
    for (int i = 0; i < {TILE}; ++i) sum += left[ty][i] * right[i][tx];
    __syncthreads();
  }}
  if (row < m && column < n) k_store(c, row * cr + column * cc, sum);
}}
"""


def matmul(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    (out,), (a, b) = outs, ins
    m, n, k = a.shape[-2], b.shape[-1], a.shape[-1]
    batch = out.shape[:-2]
    count = math.prod(batch)
    lead = [element_strides(x, (*batch, *x.shape[-2:])) for x in (a, b, out)]
    dims, steps = collapse(batch, [s[:-2] for s in lead])
    small = 2 * out.size * k <= LARGEST and len(dims) <= 2 and count < 65536 and m <= 65535 * TILE
    if not small or not out.size or not k:
        return get_op("matmul").bind(ctx, outs, ins, attrs)
    dims, steps = [1] * (2 - len(dims)) + dims, [[0] * (2 - len(s)) + s for s in steps]
    acc = {"float16": "float", "bool": "int"}.get(str(out.dtype), C_TYPES[str(out.dtype)][1])
    source = _source([str(x.dtype) for x in (a, b, out)], acc)
    strides = [np.int64(v) for outer, full in zip(steps, lead) for v in (*outer, *full[-2:])]
    args = [a, b, out, np.int32(m), np.int32(n), np.int32(k), np.int64(dims[1]), *strides]
    grid = (-(-n // TILE), -(-m // TILE), count)
    return Launch(compile_kernel(ctx.xp, source, "product"), grid, (TILE, TILE), args)


KERNELS: dict[str, Callable[..., Any]] = {"matmul": matmul}
