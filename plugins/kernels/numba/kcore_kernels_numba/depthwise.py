"""Depthwise convolution with one kernel for each channel, and its two gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import llvmlite.ir as ir
import numpy as np
from numba import njit, types
from numba.extending import intrinsic

from kcore.runtime import parallel
from kcore.runtime.windows import attrs_window, expand, expand_kernel
from kcore_kernels_numba.geometry import backward, by_tap, cut, forward
from kcore_kernels_numba.vectors import WIDTHS, WORD, Vectors, over_channels, steps
from kcore_kernels_numba.walks import SUM_OF_PRODUCTS, Walks

Array = Any
Call = Callable[[], Any]


def depthwise_conv(ctx: Any, outs: Sequence[Array], ins: Sequence[Array], attrs: dict[str, Any]) -> Call:
    """``y[n, p, c] = sum_t x[n, p * stride + t * dilation - before, c] * w[t, c]``."""
    window = attrs_window(attrs, ins[0].shape[1:-1], ins[1].shape[:-2])
    x, y = expand(ins[0]), expand(outs[0])
    axes = forward(window, x.shape[1:4], y.shape[1:4])
    return Walks(SUM_OF_PRODUCTS, y, x, axes, window.size, other=ins[1], ctx=ctx).run


def depthwise_conv_input_grad(ctx: Any, outs: Sequence[Array], ins: Sequence[Array], attrs: dict[str, Any]) -> Call:
    """The gradient of `depthwise_conv` for ``x``."""
    window = attrs_window(attrs, attrs["spatial"], ins[1].shape[:-2])
    g, dx = expand(ins[0]), expand(outs[0])
    axes = backward(window, dx.shape[1:4], g.shape[1:4])
    return Walks(SUM_OF_PRODUCTS, dx, g, axes, window.size, other=ins[1]).run


@intrinsic
def _add_products(
    typingctx: Any, sums: Any, x: Any, g: Any, count: Any, x_step: Any, g_step: Any, channels: Any, like: Any
) -> Any:
    """``sums[c] += sum_j x[j, c] * g[j, c]``: addresses, the number of products, bytes from one to the next."""
    word = types.intp
    return types.void(word, word, word, word, word, word, word, like), _add_products_code


def _add_products_code(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
    sums, x, g, count, x_step, g_step, channels, _ = args
    single = context.get_value_type(signature.args[7])

    def code(vectors: Vectors, done: Any) -> None:
        totals = vectors.variables(single)
        vectors.fill(totals, 0)
        with steps(builder, count, (x, x_step), (g, g_step)) as (_, (x_at, g_at)):
            pairs = zip(vectors.load(x_at), vectors.load(g_at), vectors.get(totals), strict=True)
            products = [(builder.fmul(a, b, flags=("contract",)), total) for a, b, total in pairs]
            vectors.set(totals, [builder.fadd(total, p, flags=("contract",)) for p, total in products])
        lane = ir.Constant(vectors.type(WORD), list(range(vectors.lanes)))
        new = builder.icmp_unsigned(">=", lane, vectors.spread(done))
        pairs = zip(vectors.load(sums), vectors.get(totals), strict=True)
        vectors.store([builder.select(new, builder.fadd(old, t), old) for old, t in pairs], sums)

    over_channels(builder, single, channels, WIDTHS, code)
    return context.get_dummy_value()


@njit(nogil=True, cache=True)
def _reduce(
    x: int, g: int, sums: Array, planes: Array, rows: Array, columns: Array, x_strides: tuple[int, ...],
    g_strides: tuple[int, ...], stride: tuple[int, ...], positions: tuple[int, ...],
    lo: int, hi: int,
) -> None:  # fmt: skip
    """Add to ``sums (taps, channels)`` what the lines ``[lo, hi)`` of ``g`` give; a line is a row of an image.

    Args:
        x, g: addresses.
        planes, rows, columns: for each tap its first position over an input, that input, and how many there are.
        x_strides, g_strides: bytes from image to image, plane to plane, row to row, column to column.
        stride: of the window.
        positions: planes and rows of g.
    """
    channels = sums.shape[1]
    sums.fill(0)
    for line in range(lo, hi):
        image, place = divmod(line, positions[0] * positions[1])
        plane, row = divmod(place, positions[1])
        g_line = g + image * g_strides[0] + plane * g_strides[1] + row * g_strides[2]
        for i in range(len(planes)):
            from_plane = plane - planes[i, 0]
            if from_plane < 0 or from_plane >= planes[i, 2]:
                continue
            x_plane = x + image * x_strides[0] + (planes[i, 1] + from_plane * stride[0]) * x_strides[1]
            for j in range(len(rows)):
                from_row = row - rows[j, 0]
                if from_row < 0 or from_row >= rows[j, 2]:
                    continue
                x_line = x_plane + (rows[j, 1] + from_row * stride[1]) * x_strides[2]
                for k in range(len(columns)):
                    tap = (i * len(rows) + j) * len(columns) + k
                    _add_products(  # type: ignore[call-arg]
                        sums.ctypes.data + tap * channels * sums.itemsize,
                        x_line + columns[k, 1] * x_strides[3], g_line + columns[k, 0] * g_strides[3],
                        columns[k, 2], stride[2] * x_strides[3], g_strides[3], channels, sums[0, 0],
                    )  # fmt: skip


def depthwise_conv_kernel_grad(ctx: Any, outs: Sequence[Array], ins: Sequence[Array], attrs: dict[str, Any]) -> Call:
    """The gradient of `depthwise_conv` for ``w``: for each tap the sum of x times g over all positions.

    Each thread has a sum of its own; they are added in order.
    """
    window = attrs_window(attrs, ins[0].shape[1:-1], attrs["kernel_size"])
    x, g = expand(ins[0]), expand(ins[1])
    dw = expand_kernel(outs[0]).reshape(window.taps, -1)
    tables = by_tap(window, x.shape[1:4], g.shape[1:4])
    bounds = cut(g.shape[0] * g.shape[1] * g.shape[2], g.size * window.taps, 1)
    sums = ctx.scratch((len(bounds) - 1, *dw.shape), dw.dtype)
    settings = (x.strides[:4], g.strides[:4], window.stride, g.shape[1:3])

    def part(_worker: int, number: int) -> None:
        _reduce(  # type: ignore[call-arg]
            x.ctypes.data, g.ctypes.data, sums[number], *tables, *settings, bounds[number], bounds[number + 1]
        )

    def run() -> None:
        parallel.parallel_blocks(part, len(sums))
        np.copyto(dw, sums[0])
        for other in sums[1:]:
            np.add(dw, other, out=dw)

    return run
