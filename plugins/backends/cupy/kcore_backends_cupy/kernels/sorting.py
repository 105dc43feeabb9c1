"""Indices put in order by launches alone, equal ones in their own order: few by counting, many by their digits."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcore_backends_cupy.kernels.cumulative import running
from kcore_backends_cupy.kernels.moving import copy_launch, fill_launch
from kcore_backends_cupy.launch import BLOCK, Launch, compile_kernel, each, flat, grid_stride
from kcore_backends_cupy.prelude import C_TYPES

MANY = 1 << 16  # indices from which digits are quicker than counting, which takes the square of their number
BITS = 4  # of a digit
SHARE = 64  # neighbouring indices of one thread
LINE = 512  # counts that are added up side by side

ROW = """
__device__ inline i64 k_row(i64 row, i64 rows) {
  if (row < 0) row += rows;
  return row < 0 || row >= rows ? rows : row;
}
"""


def sort_rows(ctx: Any, order: Any, ordered: Any, index: Any, rows: int) -> list[Any]:
    """The launches that put the positions of indices in `order`, those of one index in their own, and the indices
    themselves in `ordered`: negative ones counted from the end, those out of range as `rows`."""
    if index.size <= MANY:
        return [_counted(ctx, order, ordered, index, rows)]
    return _by_digits(ctx, order, ordered, index, rows)


def _counted(ctx: Any, order: Any, ordered: Any, index: Any, rows: int) -> Launch:
    """Each index counts those that go before it."""
    count = index.size
    source = f"""{ROW}
extern "C" __global__ void put_in_order(const {C_TYPES[str(index.dtype)][0]}* index, i64* order, i64* ordered, i64 rows, i64 count) {{
  __shared__ i64 tile[{BLOCK}];
  i64 k = blockIdx.x * (i64)blockDim.x + threadIdx.x, mine = k_row((i64)index[k < count ? k : 0], rows), before = 0;
  for (i64 start = 0; start < count; start += blockDim.x) {{
    i64 at = start + threadIdx.x;
    tile[threadIdx.x] = at < count ? k_row((i64)index[at], rows) : rows + 1;
    __syncthreads();
    for (int j = 0; j < blockDim.x; ++j) before += tile[j] < mine || (tile[j] == mine && start + j < k);
    __syncthreads();
  }}
  if (k < count) {{ order[before] = k; ordered[before] = mine; }}
}}
"""  # noqa: E501 - parameters of a kernel stand in one line
    kernel = compile_kernel(ctx.xp, source, "put_in_order")
    return Launch(kernel, (-(-count // BLOCK),), (BLOCK,), [index, order, ordered, np.int64(rows), np.int64(count)])


def _by_digits(ctx: Any, order: Any, ordered: Any, index: Any, rows: int) -> list[Any]:
    """A radix sort, the lowest digit first. In each round a thread counts the digits of its share; sums of the counts,
    the digit first and the thread second, tell where the thread puts its first index of each digit."""
    count, cupy = index.size, ctx.xp
    shares = -(-count // SHARE)
    lines = -(-(shares << BITS) // LINE)
    counts, sums = (ctx.scratch((lines, LINE), "int64") for _ in range(2))
    totals, starts = (ctx.scratch((lines,), "int64") for _ in range(2))
    spare = ctx.scratch((count,), "int64"), ctx.scratch((count,), "int64")
    first = ROW + grid_stride(
        "numbered",
        f"const {C_TYPES[str(index.dtype)][0]}* index, i64* order, i64* ordered, i64 rows",
        "    order[i] = i; ordered[i] = k_row((i64)index[i], rows);",
    )
    calls: list[Any] = [each(cupy, first, "numbered", count, [index, order, ordered, np.int64(rows)])]
    calls.append(fill_launch(cupy, counts, 0))  # the last line is longer than needed
    digit = f"for (i64 k = i * {SHARE}; k < count && k < (i + 1) * {SHARE}; ++k)"
    counting = grid_stride(
        "count_digits",
        "const i64* keys, i64* counts, i64 count, i64 shares, i64 shift",
        f"""
    i64 mine[{1 << BITS}] = {{}};
    {digit} {{
      int digit = keys[k] >> shift & {(1 << BITS) - 1};
      for (int d = 0; d < {1 << BITS}; ++d) mine[d] += d == digit;
    }}
    for (int d = 0; d < {1 << BITS}; ++d) counts[d * shares + i] = mine[d];""",
    )
    placing = grid_stride(
        "place_digits",
        "const i64* keys, const i64* from, const i64* counts, const i64* sums, const i64* starts, i64* placed, "
        "i64* origin, i64 count, i64 shares, i64 shift",
        f"""
    i64 next[{1 << BITS}];
    for (int d = 0; d < {1 << BITS}; ++d) {{
      i64 at = d * shares + i;
      next[d] = starts[at / {LINE}] + sums[at] - counts[at];
    }}
    {digit} {{
      int digit = keys[k] >> shift & {(1 << BITS) - 1};
      i64 to = 0;
      for (int d = 0; d < {1 << BITS}; ++d) if (d == digit) to = next[d]++;
      placed[to] = keys[k];
      origin[to] = from[k];
    }}""",
    )
    along = {"axis": 1, "reverse": False, "exclusive": False}
    keys, positions, other_keys, other_positions = ordered, order, *spare
    for shift in range(0, rows.bit_length(), BITS):
        numbers = [np.int64(v) for v in (count, shares, shift)]
        calls.append(each(cupy, counting, "count_digits", shares, [keys, counts, *numbers]))
        calls.append(running(ctx, [sums], [counts], along, "+", 0))
        calls.append(copy_launch(cupy, totals, sums[:, LINE - 1]))
        calls.append(running(ctx, [starts], [totals], {"axis": 0, "reverse": False, "exclusive": True}, "+", 0))
        args = [keys, positions, counts, sums, starts, other_keys, other_positions, *numbers]
        calls.append(each(cupy, placing, "place_digits", shares, args))
        keys, positions, other_keys, other_positions = other_keys, other_positions, keys, positions
    if keys is not ordered:
        calls += [copy_launch(cupy, ordered, keys), copy_launch(cupy, order, positions)]
    return flat(calls)
