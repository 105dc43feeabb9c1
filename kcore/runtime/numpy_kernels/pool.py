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
from kcore.runtime.numpy_kernels.windows import Block, WindowReader, cut
from kcore.runtime.windows import Window, attrs_window, expand
from kcore.shapes import explicit_padding

Run = Callable[[], None]

BLOCK_BYTES = 1 << 20  # of a block's output


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
    units = _Units(window, g, dx.shape)
    disjoint, covered = _disjoint(window), units.covered
    workers = parallel.thread_count()
    shares = ctx.scratch((workers, 0 if disjoint else units.most), g.dtype)
    hits, frees = ctx.scratch((2, workers, units.most), "bool")

    def unit(worker: int, index: int) -> None:
        images, blocks = units.list[index]
        seen, target = x[images], dx[images]
        if not covered:
            target.fill(0)
        for block, meetings in blocks:
            largest, grad = block.of(y), block.of(g)
            hit, free = (a[worker, : grad.size].reshape(grad.shape) for a in (hits, frees))
            share = None if disjoint else shares[worker, : grad.size].reshape(grad.shape)
            free.fill(True)  # the windows of which no earlier tap was the maximum
            for positions, inputs in meetings:
                into, first, unclaimed = target[inputs], hit[positions], free[positions]
                np.equal(seen[inputs], largest[positions], out=first)
                np.logical_and(first, unclaimed, out=first)
                np.logical_xor(unclaimed, first, out=unclaimed)
                taken = into if share is None else share[positions]
                np.multiply(grad[positions], first, out=taken)
                if share is not None:
                    np.add(into, taken, out=into)

    return lambda: parallel.parallel_blocks(unit, len(units.list), workers)


@numpy_kernel("avg_pool_grad")
def avg_pool_grad(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Run:
    """Every real element under a window gets an equal share of its ``g``."""
    g, dx = expand(ins[0]), expand(outs[0])
    window = attrs_window(attrs, attrs["spatial"], attrs["pool"])
    scale = _scale(attrs, attrs["spatial"], g.dtype)
    units = _Units(window, g, dx.shape)
    add = np.copyto if _disjoint(window) else _add
    covered, workers = units.covered, parallel.thread_count()
    shares = ctx.scratch((workers, units.most), g.dtype)

    def unit(worker: int, index: int) -> None:
        images, blocks = units.list[index]
        target = dx[images]
        if not covered:
            target.fill(0)
        for block, meetings in blocks:
            grad = block.of(g)
            share = shares[worker, : grad.size].reshape(grad.shape)
            np.multiply(grad, scale[:, block.d0 : block.d1, block.h0 : block.h1], out=share)
            for positions, inputs in meetings:
                add(target[inputs], share[positions])

    return lambda: parallel.parallel_blocks(unit, len(units.list), workers)


def _add(target: np.ndarray, values: np.ndarray) -> None:
    np.add(target, values, out=target)


class _Units:
    """Work for one thread at a time on the gradient of pooling: the blocks of some whole images.

    Attributes:
        list: for each unit its images, and its blocks with what `_meeting` says of every tap.
        most: elements of the largest block.
        covered: whether the windows are disjoint and cover the input, so that every element is written once.
    """

    def __init__(self, window: Window, g: np.ndarray, shape: tuple[int, ...]) -> None:
        blocks = _blocks(g.shape, g.itemsize)
        taps = window.offsets()
        units: dict[tuple[int, int], list[Any]] = {}
        for block in blocks:
            meetings = [_meeting(block, tap, window, g.shape[3], shape) for tap in taps]
            units.setdefault((block.n0, block.n1), []).append((block, meetings))
        self.list = [(slice(*images), work) for images, work in units.items()]
        self.most = _most(blocks, g.shape)
        exact = all(n == count * s for n, count, s in zip(shape[1:4], g.shape[1:4], window.stride, strict=True))
        self.covered = exact and window.size == window.stride and _disjoint(window) and not any(window.before)


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
    share = -(-prod(shape[:4]) // (2 * parallel.thread_count()))
    return cut(shape, max(min(BLOCK_BYTES // max(shape[-1] * itemsize, 1), share), 1))


def _most(blocks: list[Block], shape: tuple[int, ...]) -> int:
    """Elements of the largest block."""
    return max((prod(block.shape) for block in blocks), default=0) * shape[3] * shape[4]


def _disjoint(window: Window) -> bool:
    """Whether no input lies under two positions of the window."""
    return all((size - 1) * d < s for size, d, s in zip(window.size, window.dilation, window.stride, strict=True))


def _meeting(
    block: Block, tap: tuple[int, ...], window: Window, columns: int, shape: tuple[int, ...]
) -> tuple[Any, Any]:
    """The block's positions whose tap lies on a real input, and those inputs, as slices of all four axes."""
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
    return (slice(None), *positions), (slice(None), *inputs)


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
