"""Matrix products of float32 for the compiled loops: the right operand packed once, used at every step.

A product of one step is small, and a general BLAS packs its operands and chooses a kernel at every call. Here the
weights are *packed* once a run: cut into panels of `PANEL` columns, each panel contiguous, padded with zeros. The inner
kernel keeps a tile of ``ROWS`` rows and `PANEL` columns of the result in vector registers while it goes through the
depth: each step of the depth is two vector loads, ``ROWS`` broadcasts and ``2 * ROWS`` fused multiply-adds, which is
what keeps the units of a core busy. It is written in LLVM's vector types, since numba has none in Python; LLVM
translates them to whatever vectors the processor has.

Rows of the left operand and of the result come in multiples of `ROWS`, columns of the result in multiples of `PANEL`:
who allocates them rounds up (`padded`), and keeps the padding of left operands finite.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
import llvmlite.ir as ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 16 if llvm.get_host_cpu_features().get("avx512f") else 8
"""float32 numbers of a vector."""

VECTORS = 2
ROWS = 4
"""Rows of a tile: 2 * 4 sums are enough to hide the latency of two multiply-adds a cycle, on all vector widths."""

PANEL = VECTORS * LANES
"""Columns of a tile and of a panel."""

_ITEM = 4  # bytes of a float32
_BLOCK = 128  # rows of a panel that stay in the cache while their columns are written one after the other


def padded(count: int, multiple: int) -> int:
    """`count` rounded up to a multiple."""
    return -(-count // multiple) * multiple


@intrinsic
def _tile(
    typingctx: Any,
    a: Any,
    row_stride: Any,
    depth_stride: Any,
    b: Any,
    b_stride: Any,
    c: Any,
    c_stride: Any,
    depth: Any,
    add: Any,
) -> Any:
    """A tile of ``c = a @ b``, or of ``c += a @ b``.

    Args:
        a: address of the left operand's first element; ``a[row, k]`` is ``row * row_stride + k * depth_stride``
            elements after it.
        b: address of the panel; its rows are ``b_stride`` elements apart.
        c: address of the result; its rows are ``c_stride`` elements apart.
        depth: number of products in each sum.
        add: whether the result is added to what is there.
    """
    word = types.intp
    signature = types.void(word, word, word, word, word, word, word, word, types.boolean)
    return signature, _tile_code


def _tile_code(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
    a, row_stride, depth_stride, b, b_stride, c, c_stride, depth, add = args
    single, word = ir.FloatType(), ir.IntType(64)
    vector = ir.VectorType(single, LANES)
    undefined = ir.Constant(vector, ir.Undefined)
    first_lane = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)

    def address(base: Any, stride: Any, count: int) -> Any:
        return builder.add(base, builder.mul(stride, ir.Constant(word, count * _ITEM)))

    def place(base: Any, number: int) -> Any:
        return builder.inttoptr(builder.add(base, ir.Constant(word, number * LANES * _ITEM)), vector.as_pointer())

    def load(base: Any, number: int) -> Any:
        value = builder.load(place(base, number))
        value.align = _ITEM
        return value

    def broadcast(base: Any) -> Any:
        value = builder.load(builder.inttoptr(base, single.as_pointer()))
        value = builder.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
        return builder.shuffle_vector(value, undefined, first_lane)

    # LLVM moves these out of memory, into registers.
    sums = [[cgutils.alloca_once(builder, vector) for _ in range(VECTORS)] for _ in range(ROWS)]
    tile = [(m, v) for m in range(ROWS) for v in range(VECTORS)]
    rows_a = [address(a, row_stride, m) for m in range(ROWS)]
    rows_c = [address(c, c_stride, m) for m in range(ROWS)]
    with builder.if_else(add) as (then, otherwise):
        with then:
            for m, v in tile:
                builder.store(load(rows_c[m], v), sums[m][v])
        with otherwise:
            for m, v in tile:
                builder.store(ir.Constant(vector, [0.0] * LANES), sums[m][v])
    step_a, step_b = (builder.mul(stride, ir.Constant(word, _ITEM)) for stride in (depth_stride, b_stride))
    with cgutils.for_range(builder, depth) as loop:
        row_b = builder.add(b, builder.mul(loop.index, step_b))
        right = [load(row_b, v) for v in range(VECTORS)]
        offset = builder.mul(loop.index, step_a)
        for m in range(ROWS):
            left = broadcast(builder.add(rows_a[m], offset))
            for v in range(VECTORS):
                product = builder.fmul(left, right[v], flags=("contract",))
                total = builder.fadd(product, builder.load(sums[m][v]), flags=("contract",))
                builder.store(total, sums[m][v])
    for m, v in tile:
        builder.store(builder.load(sums[m][v]), place(rows_c[m], v)).align = _ITEM
    return context.get_dummy_value()


@njit(nogil=True, cache=True)
def _panels(a: Any, b: int, panel_bytes: int, row_bytes: int, c: Any, add: bool) -> None:
    """All tiles of ``c``; the right operand has its panels and their rows that many bytes apart."""
    rows, depth = a.shape
    row_stride, depth_stride = a.strides[0] // _ITEM, a.strides[1] // _ITEM
    b_stride, c_stride = row_bytes // _ITEM, c.strides[0] // _ITEM
    for panel in range(c.shape[1] // PANEL):
        for row in range(0, rows, ROWS):
            left = a.ctypes.data + row * a.strides[0]
            right = b + panel * panel_bytes
            target = c.ctypes.data + row * c.strides[0] + panel * PANEL * _ITEM
            _tile(left, row_stride, depth_stride, right, b_stride, target, c_stride, depth, add)  # type: ignore[call-arg]


@njit(nogil=True, cache=True)
def product(a: Any, packed: Any, c: Any, add: bool) -> None:
    """``c = a @ b``, or ``c += a @ b``.

    Args:
        a: ``(rows, depth)``, `rows` a multiple of `ROWS`, with any strides.
        packed: ``(panels, depth, PANEL)``: b, as `pack` leaves it; more depth than `a` has is not read.
        c: ``(rows, panels * PANEL)``, with rows in one piece.
        add: whether to add to what `c` has.
    """
    _panels(a, packed.ctypes.data, packed.strides[0], packed.strides[1], c, add)


@njit(nogil=True, cache=True)
def add_product_of_rows(a: Any, b: Any, c: Any) -> None:
    """``c += a @ b`` for ``b (depth, columns)`` as it lies in memory.

    Each row of `b` is read up to the columns that `c` has: whoever allocates it leaves room after its end
    (`row_length`), and columns of `c` beyond those of `b` get what lies there.
    """
    _panels(a, b.ctypes.data, PANEL * _ITEM, b.strides[0], c, True)


@njit(inline="always")
def row_length(columns: int) -> int:
    """How long rows of a right operand that is not packed are to be: with room for a panel, and an odd number of pairs
    of cache lines, so that the rows of a panel do not compete for the same places in the cache (which costs 30 %)."""
    length = (columns + PANEL - 1) // PANEL * PANEL + PANEL
    return ((length + 31) // 32 | 1) * 32


@njit(nogil=True, cache=True)
def copy(source: Any, target: Any) -> None:
    """``target[:] = source`` of rows; numba's assignment of slices takes several times as long."""
    for i in range(len(source)):
        target[i] = source[i]


@njit(nogil=True, cache=True)
def pack(source: Any, depth: int, packed: Any) -> None:
    """Make ``source (rows, columns)`` the rows from `depth` on of the right operand that is packed."""
    rows, columns = source.shape
    for k in range(rows):
        for panel in range(packed.shape[0]):
            copy(source[k, panel * PANEL : min(columns, (panel + 1) * PANEL)], packed[panel, depth + k])


@njit(nogil=True, cache=True)
def pack_transposed(source: Any, column: int, packed: Any) -> None:
    """Make the rows of ``source (columns, depth)`` the columns from `column` on of the right operand that is packed."""
    columns, depth = source.shape
    for first in range(0, depth, _BLOCK):
        for n in range(columns):
            panel, lane = divmod(column + n, PANEL)
            for k in range(first, min(depth, first + _BLOCK)):
                packed[panel, k, lane] = source[n, k]
