"""Max and average pooling on NumPy.

Pooling is done in two steps, first over the window's rows (and planes) with whole rows of the image as operands, so
that NumPy's inner loops are long, then over its columns on what is left. Where the winners are wanted too, it is
columns first; with a stride, the columns under one tap are no neighbours, and an operation on them is a short loop for
each: so they are copied apart before, each phase of the stride in one piece.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from kcore.ops.pool import first_real_tap
from kcore.runtime import parallel
from kcore.runtime.numpy_kernels.table import numpy_kernel
from kcore.runtime.numpy_kernels.windows import Block, WindowReader, cut
from kcore.runtime.windows import Window, attrs_window, expand
from kcore.shapes import explicit_padding

Run = Callable[[], None]

BLOCK_BYTES = 1 << 20  # of a block's output
APART_BELOW = 512  # channels from which a loop over them is long enough


@numpy_kernel("max_pool")
def max_pool(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Run:
    """The largest element under each position of the window; padding never wins."""
    (x,), (y, winner) = ins, outs
    window = attrs_window(attrs, x.shape[1:-1], attrs["pool"])
    if y is None:
        y = ctx.scratch(winner.shape, x.dtype)
    if winner is None:
        return _pool(ctx, expand(x), expand(y), window, np.maximum, -np.inf, None)
    first = first_real_tap(np, x.shape[1:-1], y.shape[1:-1], attrs).astype(winner.dtype)
    return _pool_winners(ctx, expand(x), expand(y), expand(winner), window, expand(first))


@numpy_kernel("avg_pool")
def avg_pool(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Run:
    """The mean of the real elements (not the padding) under each position of the window."""
    (x,), (y,) = ins, outs
    window = attrs_window(attrs, x.shape[1:-1], attrs["pool"])
    scale = average_scale(attrs, x.shape[1:-1], y.dtype)
    return _pool(ctx, expand(x), expand(y), window, np.add, 0, scale)


def _pool(
    ctx: Any, x: np.ndarray, y: np.ndarray, window: Window, merge: np.ufunc, fill: float, scale: np.ndarray | None
) -> Run:
    """``y`` = ``merge`` of the elements under the window, times ``scale`` at each position."""
    blocks = pool_blocks(y.shape, y.itemsize)
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


class _Columns:
    """The columns of a grid that lie under each tap along columns of a window.

    Args:
        grid: ``(images, depth, rows, columns, channels)``.
        window: the window, `count` its positions along columns.
        spare: flat memory into which the columns are copied, those of a phase of the stride side by side; None: they
            stay where they are.

    Attributes:
        taps: views of the columns, good after `fetch`.
    """

    def __init__(self, grid: np.ndarray, window: Window, count: int, spare: np.ndarray | None) -> None:
        size, stride = window.size[2], window.stride[2]
        self._copies: list[tuple[np.ndarray, np.ndarray]] = []
        if spare is None:
            self.taps = [grid[:, :, :, tap : tap + (count - 1) * stride + 1 : stride] for tap in range(size)]
            return
        for phase, columns in enumerate(_phases(window, count)):
            source = grid[:, :, :, phase : phase + (columns - 1) * stride + 1 : stride]
            self._copies.append((_part(spare, source.shape), source))
            spare = spare[source.size :]
        self.taps = [
            self._copies[tap % stride][0][:, :, :, tap // stride : tap // stride + count] for tap in range(size)
        ]

    def fetch(self) -> None:
        """Bring the columns up to date."""
        for target, source in self._copies:
            np.copyto(target, source)


def _phases(window: Window, count: int) -> list[int]:
    """How many columns of each phase of the stride lie under the window."""
    size, stride = window.size[2], window.stride[2]
    return [count + (size - 1 - phase) // stride for phase in range(min(size, stride))]


def _pool_winners(ctx: Any, x: np.ndarray, y: np.ndarray, winner: np.ndarray, window: Window, first: np.ndarray) -> Run:
    """``y`` = the largest element under the window, ``winner`` = the number of the first tap that has it.

    Columns are merged before rows, and these before planes, so that of equal elements the first one in memory order
    wins. ``first`` has the numbers of the first taps that lie on no padding.
    """
    blocks = pool_blocks(y.shape, y.itemsize)
    reader = WindowReader(ctx, x, window, y.shape[:4], blocks, -np.inf)
    workers, padded = parallel.thread_count(), bool(first.any())
    lines = max((b.shape[0] * window.reach(0, b.shape[1]) * window.reach(1, b.shape[2]) for b in blocks), default=0)
    most = lines * y.shape[3] * y.shape[4]
    memory = (
        ctx.scratch((workers, 2, most), y.dtype),
        ctx.scratch((workers, 2, most), winner.dtype),
        ctx.scratch((workers, most), winner.dtype),
        ctx.scratch((workers, most), "uint8"),
    )
    apart = window.size[2] > 1 and window.stride[2] > 1 and y.shape[4] < APART_BELOW
    spares = ctx.scratch((workers, lines * sum(_phases(window, y.shape[3])) * y.shape[4] if apart else 0), y.dtype)
    merges = [
        [
            _merges(v, window, block.of(y), block.of(winner), mine, spare if apart else None)
            for v, block in zip(views, blocks, strict=True)
        ]
        for views, spare, *mine in zip(reader.views, spares, *memory, strict=True)
    ]

    def body(worker: int, index: int) -> None:
        reader.fetch(worker, index)
        columns, steps = merges[worker][index]
        columns.fetch()
        for merge in steps:
            _merge_winners(*merge)
        if padded:  # where all is -inf the padding seems to be first
            block = blocks[index]
            target = block.of(winner)
            np.maximum(target, first[:, block.d0 : block.d1, block.h0 : block.h1], out=target)

    def run() -> None:
        reader.begin()
        parallel.parallel_blocks(body, len(blocks), workers)

    return run


def _merges(
    windows: np.ndarray, window: Window, y: np.ndarray, winner: np.ndarray, memory: Any, spare_columns: Any
) -> tuple[_Columns, list[Any]]:
    """The columns under the window, and arguments of `_merge_winners` for each axis in which it is longer than 1.

    Args:
        windows: the windows of a block, as `WindowReader` gives them.
        y, winner: of the block.
        memory: flat arrays of a worker: two for values, two for numbers, a spare one for numbers, one for comparisons.
        spare_columns: where columns are copied, or None (see `_Columns`).
    """
    values, numbers, spare, hit = memory
    axes = [axis for axis in (2, 1, 0) if window.size[axis] > 1] or [2]
    lengths, steps = list(windows.shape[1:4]), list(windows.strides[1:4])
    for axis in axes:
        lengths[axis], steps[axis] = window.reach(axis, lengths[axis]), windows.strides[axis + 4]
    shape, strides = (len(windows), *lengths, windows.shape[7]), (windows.strides[0], *steps, windows.strides[7])
    value, unit = as_strided(windows, shape, strides), 1
    columns = _Columns(value, window, windows.shape[3], spare_columns)
    number: np.ndarray | None = None
    merges: list[Any] = []
    for turn, axis in enumerate(axes):
        size, stride, count = window.size[axis], window.stride[axis], windows.shape[axis + 1]
        spans = [slice(tap, tap + (count - 1) * stride + 1, stride) for tap in range(size)]
        taps = [(slice(None),) * (axis + 1) + (span,) for span in spans]
        given = columns.taps if axis == 2 else [value[tap] for tap in taps]
        given_numbers = None if number is None else [number[tap] for tap in taps]
        shape, last = given[0].shape, axis == axes[-1]
        value = y if last else _part(values[turn % 2], shape)
        number = winner if last else _part(numbers[turn % 2], shape)
        merges.append((given, given_numbers, unit, value, number, _part(hit, shape), _part(spare, shape)))
        unit *= size
    return columns, merges


def _part(buffer: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return buffer[: prod(shape)].reshape(shape)


def _merge_winners(
    values: list[np.ndarray],
    numbers: list[np.ndarray] | None,
    unit: int,
    y: np.ndarray,
    winner: np.ndarray,
    hit: np.ndarray,
    spare: np.ndarray,
) -> None:
    """``y`` = the largest of ``values``, ``winner`` = the number of the first that has it.

    The number of ``values[i]`` is ``i * unit`` more than ``numbers[i]``, which is less than ``unit``: so a later number
    is larger than any before it, and no choice by condition is needed. ``hit`` and ``spare`` are scratch.
    """
    largest = values[0]
    if len(values) == 1:
        np.copyto(y, largest)
        winner.fill(0)
    elif numbers is not None:
        np.copyto(winner, numbers[0])
    for i, value in enumerate(values[1:], 1):
        np.greater(value, largest, out=hit.view(bool))
        np.maximum(largest, value, out=y)
        largest = y
        if numbers is None:
            np.multiply(hit, i, out=spare if i > 1 else winner)
        else:
            np.add(numbers[i], i * unit, out=spare)
            np.multiply(spare, hit, out=spare)
        if numbers is not None or i > 1:
            np.maximum(winner, spare, out=winner)


def _merge(merge: np.ufunc, parts: list[np.ndarray], out: np.ndarray) -> None:
    if len(parts) == 1:
        np.copyto(out, parts[0])
        return
    merge(parts[0], parts[1], out=out)
    for part in parts[2:]:
        merge(out, part, out=out)


def pool_blocks(shape: tuple[int, ...], itemsize: int) -> list[Block]:
    share = -(-prod(shape[:4]) // (2 * parallel.thread_count()))
    return cut(shape, max(min(BLOCK_BYTES // max(shape[-1] * itemsize, 1), share), 1))


def _most(blocks: list[Block], shape: tuple[int, ...]) -> int:
    """Elements of the largest block."""
    return max((prod(block.shape) for block in blocks), default=0) * shape[3] * shape[4]


def average_scale(attrs: Any, spatial: Any, dtype: Any) -> np.ndarray:
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
