"""Max and average pooling and their gradients on NumPy.

Pooling is done in two steps, first over the window's rows (and planes) with whole rows of the image as operands, so
that NumPy's inner loops are long, then over its columns on what is left. The gradients visit the taps of the window
in order; a thread works on whole images, because neighbouring windows may share inputs.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from kcore.runtime import parallel
from kcore.runtime.numpy_kernels.table import numpy_kernel
from kcore.runtime.numpy_kernels.windows import (
    Block,
    Window,
    WindowReader,
    attrs_window,
    cut,
    expand,
)
from kcore.shapes import explicit_padding

Run = Callable[[], None]

BLOCK_BYTES = 1 << 19  # of a block's output


@numpy_kernel("max_pool")
def max_pool(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Run:
    """The largest element under each position of the window; padding never wins."""
    (x,), (y,) = ins, outs
    lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    window = attrs_window(attrs, x.shape[1:-1], attrs["pool"])
    return _pool(ctx, expand(x), expand(y), window, np.maximum, lowest, None)


@numpy_kernel("avg_pool")
def avg_pool(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Run:
    """The mean of the real elements (not the padding) under each position of the window."""
    (x,), (y,) = ins, outs
    window = attrs_window(attrs, x.shape[1:-1], attrs["pool"])
    scale = _scale(attrs, x.shape[1:-1], y.dtype)
    return _pool(ctx, expand(x), expand(y), window, np.add, 0, scale)


@numpy_kernel("max_pool_grad")
def max_pool_grad(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Run:
    """``g`` goes to the first maximum of each window, in the window's memory order."""
    x, y, g = (expand(array) for array in ins)
    dx = expand(outs[0])
    window = attrs_window(attrs, ins[0].shape[1:-1], attrs["pool"])
    blocks, taps, disjoint = _blocks((1, *g.shape[1:]), g.itemsize), window.offsets(), _disjoint(window)
    meetings = [[_meeting(block, tap, window, g.shape[3], dx.shape) for tap in taps] for block in blocks]
    workers, most = parallel.thread_count(), _most(blocks, g.shape)
    rests, shares = ctx.scratch((2, workers, most), g.dtype)
    hits = ctx.scratch((workers, most), "bool")

    def image(worker: int, n: int) -> None:
        dx[n].fill(0)
        for block, meeting in zip(blocks, meetings, strict=True):
            largest, grad = block.of(y[n : n + 1])[0], block.of(g[n : n + 1])[0]
            rest, share, hit = (a[worker, : grad.size].reshape(grad.shape) for a in (rests, shares, hits))
            np.copyto(rest, grad)  # what no earlier tap has taken
            for positions, inputs in meeting:
                source, left, into = x[n][inputs], rest[positions], dx[n][inputs]
                taken = into if disjoint else share[positions]
                np.equal(source, largest[positions], out=hit[positions])
                np.multiply(left, hit[positions], out=taken)
                np.subtract(left, taken, out=left)
                if not disjoint:
                    np.add(into, taken, out=into)

    return lambda: parallel.parallel_blocks(image, len(x), workers)


@numpy_kernel("avg_pool_grad")
def avg_pool_grad(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Run:
    """Every real element under a window gets an equal share of its ``g``."""
    g, dx = expand(ins[0]), expand(outs[0])
    window = attrs_window(attrs, attrs["spatial"], attrs["pool"])
    scale = _scale(attrs, attrs["spatial"], g.dtype)
    blocks, taps, disjoint = _blocks((1, *g.shape[1:]), g.itemsize), window.offsets(), _disjoint(window)
    meetings = [[_meeting(block, tap, window, g.shape[3], dx.shape) for tap in taps] for block in blocks]
    workers = parallel.thread_count()
    shares = ctx.scratch((workers, _most(blocks, g.shape)), g.dtype)

    def image(worker: int, n: int) -> None:
        dx[n].fill(0)
        for block, meeting in zip(blocks, meetings, strict=True):
            grad = block.of(g[n : n + 1])
            share = shares[worker, : grad.size].reshape(grad.shape)
            np.multiply(grad, scale[:, block.d0 : block.d1, block.h0 : block.h1], out=share)
            for positions, inputs in meeting:
                into = dx[n][inputs]
                if disjoint:
                    np.copyto(into, share[0][positions])
                else:
                    np.add(into, share[0][positions], out=into)

    return lambda: parallel.parallel_blocks(image, len(g), workers)


def _pool(
    ctx: Any, x: np.ndarray, y: np.ndarray, window: Window, merge: np.ufunc, fill: float, scale: np.ndarray | None
) -> Run:
    """``y`` = ``merge`` of the elements under the window, times ``scale`` at each position."""
    blocks = _blocks(y.shape, y.itemsize)
    reader = WindowReader(ctx, x, window, y.shape[:4], blocks, fill)
    reach = window.reach(2, y.shape[3])
    workers = parallel.thread_count()
    merged = ctx.scratch((workers, _most(blocks, (*y.shape[:3], reach, y.shape[4]))), y.dtype)
    columns = [
        slice(first, first + (y.shape[3] - 1) * window.stride[2] + 1, window.stride[2])
        for first in range(0, window.size[2] * window.dilation[2], window.dilation[2])
    ]

    rows_of = [[[v[:, :, :, a, b] for a, b in np.ndindex(v.shape[3:5])] for v in views] for views in reader.lines()]

    def body(worker: int, index: int) -> None:
        block = blocks[index]
        reader.fetch(worker, index)
        rows = rows_of[worker][index]
        target = block.of(y)
        if len(rows) > 1:
            whole = merged[worker, : rows[0].size].reshape(rows[0].shape)
            _merge(merge, rows, whole)
        else:
            whole = rows[0]
        grid = whole.reshape(*whole.shape[:3], reach, -1)
        _merge(merge, [grid[:, :, :, column] for column in columns], target)
        if scale is not None:
            np.multiply(target, scale[:, block.d0 : block.d1, block.h0 : block.h1], out=target)

    def run() -> None:
        reader.begin()
        parallel.parallel_blocks(body, len(blocks), workers)

    return run


def _merge(merge: np.ufunc, parts: list[np.ndarray], out: np.ndarray) -> None:
    if len(parts) == 1:
        np.copyto(out, parts[0])
        return
    merge(parts[0], parts[1], out=out)
    for part in parts[2:]:
        merge(out, part, out=out)


def _blocks(shape: tuple[int, ...], itemsize: int) -> list[Block]:
    return cut(shape, max(BLOCK_BYTES // max(shape[-1] * itemsize, 1), 1))


def _most(blocks: list[Block], shape: tuple[int, ...]) -> int:
    """Elements of the largest block."""
    return max((prod(block.shape) for block in blocks), default=0) * shape[3] * shape[4]


def _disjoint(window: Window) -> bool:
    """Whether no input lies under two positions of the window."""
    return all((size - 1) * d < s for size, d, s in zip(window.size, window.dilation, window.stride, strict=True))


def _meeting(
    block: Block, tap: tuple[int, ...], window: Window, columns: int, shape: tuple[int, ...]
) -> tuple[Any, Any]:
    """Slices (depth, rows, columns) of the block's positions whose tap lies on a real input, and of those inputs."""
    positions, inputs = [], []
    ranges = ((block.d0, block.d1), (block.h0, block.h1), (0, columns))
    for axis, (start, stop) in enumerate(ranges):
        stride, length = window.stride[axis], shape[axis + 1]
        shift = tap[axis] * window.dilation[axis] - window.before[axis]
        first = max(start, -(shift // stride))  # the least p with p * stride + shift >= 0
        last = max(min(stop - 1, (length - 1 - shift) // stride), first - 1)
        positions.append(slice(first - start, last + 1 - start))
        begin = first * stride + shift
        inputs.append(slice(begin, max(last * stride + shift + 1, begin), stride))
    return tuple(positions), tuple(inputs)


def _scale(attrs: Any, spatial: Any, dtype: Any) -> np.ndarray:
    """One over the number of real elements under each position: ``(1, depth, rows, columns, 1)``."""
    size = tuple(attrs["pool"])
    strides = attrs["strides"]
    pairs = explicit_padding(attrs["padding"], tuple(spatial), size, strides, (1,) * len(size))
    counts = np.ones((1,) * 5)
    for axis, (length, k, s, (before, after)) in enumerate(zip(spatial, size, strides, pairs, strict=True)):
        starts = np.arange((length + before + after - k) // s + 1) * s - before
        count = np.minimum(starts + k, length) - np.maximum(starts, 0)
        shape = [1] * 5
        shape[axis + (1 if len(size) == 3 else 2)] = len(starts)
        counts = counts * np.maximum(count, 1).reshape(shape)
    return (1 / counts).astype(dtype)
