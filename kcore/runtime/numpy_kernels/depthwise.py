"""Depthwise convolution and its gradients on NumPy: one ``einsum`` over the windows of a block.

There is no matrix product in it, so everything is memory traffic and calls. ``einsum`` multiplies and adds in one
pass, over all taps in one call. One call a tap and operation would be no slower on one thread, but two threads that
both ask for the GIL every 20 microseconds lose more than they win. Where neighbouring windows are neighbours in
memory (a stride of 1 along columns) the kernel is repeated along columns, so that the inner loops run over thousands
of elements instead of over the channels: twice as fast. So with few channels a convolution with a stride along columns
is the sum of one without for each phase of the stride, of every other column with every other tap: up to 6 times as
fast with 8 channels, and no faster from 96 on, or for the gradient of the kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from kcore.runtime import parallel
from kcore.runtime.numpy_kernels.table import numpy_kernel
from kcore.runtime.numpy_kernels.windows import Block, WindowReader, cut, finishing
from kcore.runtime.windows import Window, attrs_window, expand, expand_kernel, input_phases

Run = Callable[[], None]

BLOCK_BYTES = 1 << 20  # of a block's output
FEW_CHANNELS = 64  # up to here the phases of a stride are convolved one by one
KERNEL_BYTES = 1 << 18  # of the kernel repeated along columns


@numpy_kernel("depthwise_conv")
def depthwise_conv(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Run:
    """``y[n, p, c * M + m] = sum_t x[n, p * stride + t * dilation - before, c] * w[t, c, m]``."""
    x, w = ins
    window = attrs_window(attrs, x.shape[1:-1], w.shape[:-2])
    x5, w5, y5 = expand(x), expand_kernel(w), expand(outs[0])
    multiplier = w.shape[-1]
    single = multiplier == 1
    return _in_turn(
        [_gather(ctx, _phases(x5, w5[..., m], window), y5[..., m::multiplier], single) for m in range(multiplier)]
    )


@numpy_kernel("depthwise_conv_input_grad")
def depthwise_conv_input_grad(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Run:
    """The gradient of ``depthwise_conv`` for ``x``: a depthwise convolution of ``g`` for each phase of the stride."""
    g, w = ins[:2]
    window = attrs_window(attrs, attrs["spatial"], w.shape[:-2])
    g5, w5, dx = expand(g), expand_kernel(w), expand(outs[0])
    multiplier = w.shape[-1]
    runs = []
    phases = input_phases(window, dx.shape[1:4])
    if len(phases) < prod(window.stride):
        runs.append(lambda: dx.fill(0))
    for phase in phases:
        flipped = w5[phase.taps][::-1, ::-1, ::-1]
        terms = [(g5[..., m::multiplier], flipped[..., m], phase.window) for m in range(multiplier)]
        runs.append(_gather(ctx, terms, dx[phase.inputs]))
    return _in_turn(runs)


@numpy_kernel("depthwise_conv_kernel_grad")
def depthwise_conv_kernel_grad(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Run:
    """The gradient of ``depthwise_conv`` for ``w``: for each tap the sum of x times g over all positions."""
    x, g = ins
    window = attrs_window(attrs, x.shape[1:-1], attrs["kernel_size"])
    x5, g5, dw = expand(x), expand(g), expand_kernel(outs[0])
    multiplier = dw.shape[-1]
    return _in_turn([_reduce(ctx, x5, g5[..., m::multiplier], dw[..., m], window) for m in range(multiplier)])


def _phases(x: np.ndarray, w: np.ndarray, window: Window) -> list[tuple[np.ndarray, np.ndarray, Window]]:
    """Inputs, kernels and windows of stride 1 along columns, whose convolutions add up to that of ``x`` with ``w``.

    Tap ``t = r + m * stride`` of position p meets column ``p * stride + t - before``. With ``r - before = q * stride +
    first`` that is column ``p + m + q`` of those from ``first`` on in steps of the stride.
    """
    stride, size = window.stride[2], window.size[2]
    if stride == 1 or window.dilation[2] > 1 or x.shape[4] > FEW_CHANNELS:
        return [(x, w, window)]
    found = []
    for r in range(min(stride, size)):
        q, first = divmod(r - window.before[2], stride)
        part = Window(
            (*window.size[:2], len(range(r, size, stride))),
            (*window.stride[:2], 1),
            (*window.before[:2], -q),
            window.dilation,
        )
        found.append((x[:, :, :, first::stride], w[:, :, r::stride], part))
    return found


def _in_turn(runs: list[Run]) -> Run:
    if len(runs) == 1:
        return runs[0]

    def run() -> None:
        for part in runs:
            part()

    return run


class _Lines:
    """How the columns and channels of a block are seen by NumPy's inner loops.

    A *line* is ``repeat`` neighbouring columns with their channels: a block ``(n, d, h, columns, channels)`` is seen
    as ``(n, d, h, columns / repeat, repeat * channels)``.
    """

    def __init__(self, window: Window, columns: int, channels: int, itemsize: int) -> None:
        self.columns, self.channels = columns, channels
        self.repeat = 1
        if window.stride[2] == 1:
            most = KERNEL_BYTES // max(channels * itemsize * window.taps, 1)
            self.repeat = max(r for r in range(1, columns + 1) if columns % r == 0 and (r == 1 or r <= most))
        self.length = self.repeat * channels

    def of(self, array: np.ndarray) -> np.ndarray:
        """View of a contiguous block array."""
        return array.reshape(*array.shape[:3], self.columns // self.repeat, self.length)

    def of_windows(self, windows: np.ndarray) -> np.ndarray:
        """View of the windows ``(n, d, h, columns, *size, channels)``."""
        if self.repeat == 1:
            return windows
        shape, strides = list(windows.shape), list(windows.strides)
        shape[3], shape[7] = self.columns // self.repeat, self.length
        strides[3] *= self.repeat
        return as_strided(windows, shape, strides)


def _blocks(shape: tuple[int, ...], itemsize: int) -> list[Block]:
    return cut(shape, max(BLOCK_BYTES // max(shape[-1] * itemsize, 1), 1))


def _most(blocks: list[Block], shape: tuple[int, ...]) -> int:
    return max((prod(block.shape) for block in blocks), default=0) * shape[3] * shape[4]


def _gather(ctx: Any, terms: list[tuple[np.ndarray, np.ndarray, Window]], y: np.ndarray, head: bool = False) -> Run:
    """``y[p] = sum of x[window(p) at t] * w[t]`` over the taps and over the terms ``(x, w, window)``. `head`: this is
    the whole of an op, and may be the head of a group."""
    blocks = _blocks(y.shape, y.itemsize)
    lines = [_Lines(window, y.shape[3], y.shape[4], y.itemsize) for *_, window in terms]
    readers = [WindowReader(ctx, x, window, y.shape[:4], blocks) for x, _, window in terms]
    windows = [
        [[line.of_windows(view) for view in views] for views in reader.views]
        for line, reader in zip(lines, readers, strict=True)
    ]
    kernels = [
        ctx.scratch((*window.size, line.repeat, y.shape[4]), y.dtype)
        for line, (*_, window) in zip(lines, terms, strict=True)
    ]
    kernel_lines = [kernel.reshape(*kernel.shape[:3], -1) for kernel in kernels]
    workers = parallel.thread_count()
    most = _most(blocks, y.shape)
    direct = y.flags.c_contiguous
    sums = ctx.scratch((workers, 0 if direct else most), y.dtype)
    products = ctx.scratch((workers, most if len(terms) > 1 else 0), y.dtype)
    after = finishing(ctx, y, blocks, workers) if head else None

    def body(worker: int, index: int) -> None:
        block = blocks[index]
        target = block.of(y)
        total = target if direct else sums[worker, : target.size].reshape(target.shape)
        for term, reader in enumerate(readers):
            reader.fetch(worker, index)
            out = total if term == 0 else products[worker, : target.size].reshape(target.shape)
            view = windows[term][worker][index]
            np.einsum("ndhwabcl,abcl->ndhwl", view, kernel_lines[term], out=lines[term].of(out))
            if term:
                np.add(total, out, out=total)
        if not direct:
            np.copyto(target, total)
        if after is not None:
            for call in after[worker][index]:
                call()

    def run() -> None:
        for term, (_, w, _) in enumerate(terms):
            kernels[term][...] = w[..., None, :]
            readers[term].begin()
        parallel.parallel_blocks(body, len(blocks), workers)

    return run


def _reduce(ctx: Any, x: np.ndarray, g: np.ndarray, dw: np.ndarray, window: Window) -> Run:
    """``dw[t] = sum of x[window(p) at t] * g[p]`` over positions; each part of the blocks has a sum of its own."""
    blocks = _blocks(g.shape, g.itemsize)
    lines = _Lines(window, g.shape[3], g.shape[4], g.itemsize)
    reader = WindowReader(ctx, x, window, g.shape[:4], blocks)
    windows = [[lines.of_windows(view) for view in views] for views in reader.views]
    parts = max(min(parallel.thread_count(), len(blocks)), 1)
    bounds = [len(blocks) * part // parts for part in range(parts + 1)]
    sums, block_sums = ctx.scratch((2, parts, *window.size, lines.length), g.dtype)
    direct = g.flags.c_contiguous
    copies = ctx.scratch((parts, 0 if direct else _most(blocks, g.shape)), g.dtype)

    def part(worker: int, index: int) -> None:
        total, block_sum = sums[index], block_sums[index]
        total.fill(0)
        for number in range(bounds[index], bounds[index + 1]):
            seen = blocks[number].of(g)
            if not direct:
                copy = copies[index, : seen.size].reshape(seen.shape)
                np.copyto(copy, seen)
                seen = copy
            reader.fetch(worker, number)
            np.einsum("ndhwabcl,ndhwl->abcl", windows[worker][number], lines.of(seen), out=block_sum)
            np.add(total, block_sum, out=total)

    def run() -> None:
        reader.begin()
        parallel.parallel_blocks(part, parts, parts)
        np.copyto(dw, sums.reshape(parts, *window.size, lines.repeat, -1).sum((0, 4)))

    return run
