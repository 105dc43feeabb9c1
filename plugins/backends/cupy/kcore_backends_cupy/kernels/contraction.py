"""The tiled product, behind matrix products and convolutions.

    c[i, j] = sum over t of a[i, t] * b[t, j]

A block of 16 x 16 threads computes a square tile of `c`, 2, 4 or 8 elements a side for each thread, from strips of 16
columns of `a` and rows of `b` in shared memory; the next strips are on their way while the present ones are used.
Long sums to few elements are cut into parts, so that all of a GPU works; a second launch adds the parts in order.
No library is called, so a CUDA graph can hold all of this, and two runs are equal to the bit.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kcore_backends_cupy.kernels.moving import fill_launch
from kcore_backends_cupy.kernels.operands import Matrix, Operand, Result, flat_axis, names
from kcore_backends_cupy.launch import Launch, Launches, compile_kernel, each, grid_stride
from kcore_backends_cupy.prelude import C_TYPES

SIDE = 16  # threads along each side of a block, and the depth of a strip
ENOUGH = 132  # blocks that keep a large GPU busy
SHORTEST = 128  # summed elements that are worth a part of their own
LONGEST = 1 << 30  # indices are ints


def contract(ctx: Any, out: Result, a: Operand, b: Matrix, sizes: tuple[int, int, int], batch: tuple[int, int]) -> Any:
    """The launches that compute a product.

    Args:
        ctx: bind context, for scratch memory.
        out, a, b: result and operands.
        sizes: rows, columns, and summed elements.
        batch: lengths of the two batch dimensions.
    """
    m, n, k = sizes
    count = math.prod(batch)
    if not m * n * count:
        return Launches([])
    if not k:
        return fill_launch(ctx.xp, out.array, 0)
    dtype = str(out.array.dtype)
    micro, parts = _division(m, n, k, count)
    if parts == 1:
        return _launch(ctx, out, a, b, sizes, batch, micro, 1)
    acc = {"float16": "float32", "bool": "int32"}.get(dtype, dtype)
    partial = ctx.private_scratch("parts of products", (parts, count, m, n), acc)
    rows = Result(partial, flat_axis(m, n), flat_axis(n, 1), (batch[1] * m * n, m * n))
    first = _launch(ctx, rows, a, b, sizes, batch, micro, parts)
    return Launches([first, _sum_parts(ctx, out, partial, sizes, batch)])


def fits(*sizes: int) -> bool:
    """Whether a product of these sizes can be computed here; larger ones than any GPU's memory cannot."""
    return all(size < LONGEST for size in sizes)


def _division(m: int, n: int, k: int, count: int) -> tuple[int, int]:
    """Elements of a tile's side for each thread, and parts of the sum."""
    for micro in (8, 4):
        if _tiles(m, micro) * _tiles(n, micro) * count >= ENOUGH:
            return micro, 1
    micro = 4 if min(m, n) > 2 * SIDE else 2
    tiles = _tiles(m, micro) * _tiles(n, micro) * count
    return micro, max(1, min(2 * ENOUGH // tiles, k // SHORTEST))


def _tiles(length: int, micro: int) -> int:
    return -(-length // (SIDE * micro))


def _accumulator(dtype: str) -> str:
    return {"float16": "float", "bool": "int"}.get(dtype, C_TYPES[dtype][1])


def _launch(
    ctx: Any, out: Result, a: Operand, b: Matrix, sizes: tuple[int, int, int], batch: tuple[int, int], micro: int,
    parts: int,
) -> Launch:  # fmt: skip
    m, n, k = sizes
    share = -(-k // (parts * SIDE)) * SIDE
    tiles = _tiles(m, micro), _tiles(n, micro)
    step = math.prod(batch) * m * n  # between the results of two parts
    extra = [*a.arguments("a"), *b.arguments("b"), *out.arguments("c")]
    args = [a.array, b.array, out.array, *map(np.int32, (m, n, k, share, parts, *tiles)), np.int64(batch[1])]
    args += [np.int32(a.along), np.int32(b.along), *map(np.int64, (*a.batch, *b.batch, *out.batch, step))]
    source = _source(out, a, b, names(extra), micro)
    grid = (tiles[0] * tiles[1] * parts * math.prod(batch),)
    return Launch(compile_kernel(ctx.xp, source, "product"), grid, (SIDE, SIDE), [*args, *(v for _, v in extra)])


def _source(out: Result, a: Operand, b: Matrix, extra: str, micro: int) -> str:
    left, right, target = (C_TYPES[str(x.array.dtype)][0] for x in (a, b, out))
    acc, tile = _accumulator(str(out.array.dtype)), SIDE * micro
    (a_kept, a_summed, a_element), (b_kept, b_summed, b_element) = a.source("a"), b.source("b")
    each_e = f"for (int e = 0; e < {micro}; ++e)"
    return f"""
extern "C" __global__ void __launch_bounds__(256) product(const {left}* a, const {right}* b, {target}* c, int m, int n, int k, int share, int parts, int tiles_m, int tiles_n, i64 inner, int a_along, int b_along, i64 a0, i64 a1, i64 b0, i64 b1, i64 c0, i64 c1, i64 step{extra}) {{
  __shared__ {acc} left[{SIDE}][{tile + 1}], right[{SIDE}][{tile + 1}];
  struct a_spot {{ {a.spot} }};
  struct b_spot {{ {b.spot} }};
  int tx = threadIdx.x, ty = threadIdx.y;
  int tile_n = blockIdx.x % tiles_n, tile_m = blockIdx.x / tiles_n % tiles_m, rest = blockIdx.x / tiles_n / tiles_m;
  i64 outer = rest / parts / inner, within = rest / parts % inner;
  a += outer * a0 + within * a1;
  b += outer * b0 + within * b1;
  c += outer * c0 + within * c1 + rest % parts * step;
  int from = rest % parts * share, to = k - from < share ? k : from + share;
  // Neighbouring threads read what is neighbour in memory: each has one place in the sum, and every 16th row.
  int a_in = a_along ? ty : tx, a_at = a_along ? tx : ty, a_row = tile_m * {tile} + a_in;
  int b_in = b_along ? ty : tx, b_at = b_along ? tx : ty, b_row = tile_n * {tile} + b_in;
  a_spot a_rows[{micro}];
  b_spot b_rows[{micro}];
  {each_e} {{ int i = a_row + {SIDE} * e; a_spot s; {a_kept} a_rows[e] = s; }}
  {each_e} {{ int i = b_row + {SIDE} * e; b_spot s; {b_kept} b_rows[e] = s; }}
  {acc} sum[{micro}][{micro}] = {{}}, a_next[{micro}], b_next[{micro}];
  for (int t = from; t < to + {SIDE}; t += {SIDE}) {{
    if (t < to) {{
      {{ int i = t + a_at; a_spot s; {a_summed}
        {each_e} {{
          const a_spot& o = a_rows[e];
          a_next[e] = t + a_at < to && a_row + {SIDE} * e < m ? ({acc}){a_element} : 0;
        }} }}
      {{ int i = t + b_at; b_spot s; {b_summed}
        {each_e} {{
          const b_spot& o = b_rows[e];
          b_next[e] = t + b_at < to && b_row + {SIDE} * e < n ? ({acc}){b_element} : 0;
        }} }}
    }}
    if (t > from) for (int d = 0; d < {SIDE}; ++d) {{
      {acc} x[{micro}], y[{micro}];
      {each_e} {{ x[e] = left[d][ty + {SIDE} * e]; y[e] = right[d][tx + {SIDE} * e]; }}
      {each_e} for (int f = 0; f < {micro}; ++f) sum[e][f] = k_fma(x[e], y[f], sum[e][f]);
    }}
    __syncthreads();
    if (t < to) {each_e} {{ left[a_at][a_in + {SIDE} * e] = a_next[e]; right[b_at][b_in + {SIDE} * e] = b_next[e]; }}
    __syncthreads();
  }}
  i64 columns[{micro}];
  {each_e} {{ int i = tile_n * {tile} + tx + {SIDE} * e; {out.columns.place("cc")} columns[e] = at; }}
  {each_e} {{
    int i = tile_m * {tile} + ty + {SIDE} * e; {out.rows.place("cr")}
    for (int f = 0; f < {micro}; ++f)
      if (i < m && tile_n * {tile} + tx + {SIDE} * f < n) k_store(c, at + columns[f], sum[e][f]);
  }}
}}
"""  # noqa: E501 - parameters of a kernel stand in one line


def _sum_parts(ctx: Any, out: Result, partial: Any, sizes: tuple[int, int, int], batch: tuple[int, int]) -> Launch:
    """Adds the parts of each element, in order."""
    acc, target = C_TYPES[str(partial.dtype)][0], C_TYPES[str(out.array.dtype)][0]
    extra = out.arguments("c")
    source = grid_stride(
        "sum_parts",
        f"const {acc}* in, {target}* out, int parts, int height, int width, i64 inner, i64 c0, i64 c1{names(extra)}",
        f"""
    i64 matrix = i / width / height, to = matrix / inner * c0 + matrix % inner * c1;
    {acc} sum = 0;
    for (int part = 0; part < parts; ++part) sum += in[part * n + i];
    int row = i / width % height, column = i % width;
    {{ int i = row; {out.rows.place("cr")} to += at; }}
    {{ int i = column; {out.columns.place("cc")} to += at; }}
    k_store(out, to, sum);""",
    )
    sizes_of = map(np.int32, (partial.shape[0], *sizes[:2]))
    args = [partial, out.array, *sizes_of, *map(np.int64, (batch[1], *out.batch)), *(v for _, v in extra)]
    return each(ctx.xp, source, "sum_parts", math.prod(batch) * sizes[0] * sizes[1], args)
