"""Convolution and its two gradients on NumPy: blocked patches, one matrix product a block, over threads.

What was measured (benchmarks/conv.md has a table) and made the rules here:

- A product of a block of about 1 MB of patches with the kernel runs at the processor's peak when two Python threads
  each run their own product with single-threaded BLAS; copying the patches costs a fifth of it. The same holds for
  the kernel's gradient, patches^T @ g. Shifted products without patches are slower: their inner length is the number
  of channels only, and NumPy cannot accumulate into the result.
- The gradient for the input is again a convolution: of g with the flipped kernel. With strides, the input falls into
  strides**n phases, each of which meets its own part of the kernel: one small convolution each, nothing scattered.
- With few input channels (a stem on RGB images) that product would be a few columns wide, far below peak. There the
  product goes the other way, kernel @ g^T, and its rows are added into planes of the input.
- A 1x1 kernel needs no patches at all.
- 3x3 kernels are convolved in a transformed domain where that takes less time: `winograd.py`, which has the costs.
- Partial sums of the kernel's gradient belong to fixed ranges of blocks, so that equal runs are equal to the bit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from kcore.runtime import parallel
from kcore.runtime.numpy_kernels import winograd
from kcore.runtime.numpy_kernels.products import bind_product
from kcore.runtime.numpy_kernels.table import numpy_kernel
from kcore.runtime.numpy_kernels.windows import Block, WindowReader, cut, finishing
from kcore.runtime.windows import Phase, Window, attrs_window, expand, expand_kernel, input_phases

Run = Callable[[], None]

PATCH_BYTES = 1 << 20  # of a block of patches
MIN_POSITIONS, MAX_POSITIONS = 256, 2048  # rows of a block's product
TAPS_FIRST_BELOW = 16  # contiguous elements of a patch under which the patches are laid out transposed
FEW_CHANNELS = 16  # up to here the input's gradient is added into planes


# --- the three ops ------------------------------------------------------------------------------


@numpy_kernel("conv")
def conv(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Run:
    """``y[n, p] = sum_t x[n, p * stride + t * dilation - before] @ w[t]``."""
    x, w = ins
    window = attrs_window(attrs, x.shape[1:-1], w.shape[:-2])
    prepare, matrix = _contiguous(ctx, w)
    return _gather(ctx, expand(x), matrix.reshape(-1, w.shape[-1]), expand(outs[0]), window, prepare, head=True)


@numpy_kernel("conv_input_grad")
def conv_input_grad(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Run:
    """The gradient of ``conv`` for ``x``, which is transposed convolution."""
    g, w = ins[:2]
    window = attrs_window(attrs, attrs["spatial"], w.shape[:-2])
    g5, w5, dx = expand(g), expand_kernel(w), expand(outs[0])
    if w.shape[-2] <= FEW_CHANNELS and window.taps > 1 and min(window.before) >= 0:
        return _scatter(ctx, g5, w5, dx, window)
    phases = input_phases(window, dx.shape[1:4])
    runs = [_phase(ctx, g5, w5, dx, phase) for phase in phases]

    def run() -> None:
        if len(phases) < prod(window.stride):  # some inputs have no window
            dx.fill(0)
        for phase_run in runs:
            phase_run()

    return run


@numpy_kernel("conv_kernel_grad")
def conv_kernel_grad(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Run:
    """The gradient of ``conv`` for ``w``: patches^T @ g, summed over blocks."""
    x, g = ins
    window = attrs_window(attrs, x.shape[1:-1], attrs["kernel_size"])
    dw = outs[0].reshape(-1, g.shape[-1])
    x5, g5 = expand(x), expand(g)
    if winograd.applies(window, x5, g5, for_kernel=True):
        return winograd.reduce(ctx, x5, g5, dw, window)
    blocks = cut(g5.shape, _positions(window.taps * x.shape[-1] * x.itemsize, g5))
    patches = _patches(ctx, x5, window, g5.shape[:4], blocks)
    rows = _Rows(ctx, g5, blocks)
    parts = max(min(parallel.thread_count(), len(blocks)), 1)
    bounds = [len(blocks) * part // parts for part in range(parts + 1)]
    sums = [dw, *ctx.scratch((parts - 1, *dw.shape), dw.dtype)]
    products = ctx.scratch((parts, *dw.shape), dw.dtype)

    def part(worker: int, index: int) -> None:
        total, product = sums[index], products[index]
        for block in range(bounds[index], bounds[index + 1]):
            a, b = patches.matrix(worker, block), rows.matrix(worker, block)
            if block == bounds[index]:
                np.dot(a.T, b, out=total)
            else:
                np.dot(a.T, b, out=product)
                np.add(total, product, out=total)

    def run() -> None:
        if not blocks:
            dw.fill(0)
            return
        patches.begin()
        parallel.parallel_blocks(part, parts, parts)
        for other in sums[1:]:
            np.add(dw, other, out=dw)

    return run


def _positions(row_bytes: int, positions: np.ndarray) -> int:
    """How many positions a block has: PATCH_BYTES of patches, and enough blocks for all threads."""
    target = min(max(PATCH_BYTES // max(row_bytes, 1), MIN_POSITIONS), MAX_POSITIONS)
    total = positions.size // max(positions.shape[-1], 1)
    share = -(-total // (2 * parallel.thread_count()))
    return max(min(target, share), min(MIN_POSITIONS, target))


def _most(blocks: list[Block], shape: Any) -> int:
    """Positions of the largest block."""
    return max((prod(block.shape) for block in blocks), default=0) * shape[3]


def _nothing() -> None:
    pass


def _contiguous(ctx: Any, array: np.ndarray) -> tuple[Run, np.ndarray]:
    """A C-contiguous twin of ``array`` and the call that brings it up to date."""
    if array.flags.c_contiguous:
        return _nothing, array
    twin = ctx.scratch(array.shape, array.dtype)
    return (lambda: np.copyto(twin, array)), twin


# --- patches ------------------------------------------------------------------------------------


class _PointPatches:
    """A 1x1 window without strides on a contiguous input: the patches are the input."""

    def __init__(self, x: np.ndarray, blocks: list[Block]) -> None:
        self.matrices = [block.of(x).reshape(-1, x.shape[-1]) for block in blocks]

    def begin(self) -> None:
        pass

    def matrix(self, worker: int, index: int) -> np.ndarray:
        return self.matrices[index]


class _Patches:
    """The patches of a block as a matrix ``(positions, taps * channels)`` in the worker's buffer.

    Copying goes run by run along columns of the window and channels. Where such a run is short the buffer is laid
    out the other way, ``(taps * channels, positions)``, with runs along the columns of the image.
    """

    def __init__(self, ctx: Any, x: np.ndarray, window: Window, shape: Any, blocks: list[Block]) -> None:
        self.reader = WindowReader(ctx, x, window, shape, blocks)
        length = window.taps * x.shape[-1]
        turned = window.size[2] * x.shape[-1] < TAPS_FIRST_BELOW
        buffers = ctx.scratch((self.reader.workers, _most(blocks, shape) * length), x.dtype)
        self.copies = [
            [_copy(view.transpose(4, 5, 6, 7, 0, 1, 2, 3) if turned else view, buffer) for view in views]
            for views, buffer in zip(self.reader.views, buffers, strict=True)
        ]
        self.matrices = [
            [target.reshape(length, -1).T if turned else target.reshape(-1, length) for target, _ in copies]
            for copies in self.copies
        ]
        self.begin = self.reader.begin

    def matrix(self, worker: int, index: int) -> np.ndarray:
        self.reader.fetch(worker, index)
        np.copyto(*self.copies[worker][index])
        return self.matrices[worker][index]


def _copy(source: np.ndarray, buffer: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Arguments of ``copyto``: the beginning of a buffer in the shape of ``source``, and ``source``."""
    return buffer[: source.size].reshape(source.shape), source


def _patches(ctx: Any, x: np.ndarray, window: Window, shape: Any, blocks: list[Block]) -> Any:
    pointwise = window.taps == 1 and window.stride == (1, 1, 1) and window.before == (0, 0, 0)
    if pointwise and x.flags.c_contiguous and x.shape[:4] == tuple(shape):
        return _PointPatches(x, blocks)
    return _Patches(ctx, x, window, shape, blocks)


class _Rows:
    """The blocks' parts of an array over positions as matrices ``(positions, channels)``."""

    def __init__(self, ctx: Any, array: np.ndarray, blocks: list[Block]) -> None:
        self.direct = array.flags.c_contiguous
        parts = [block.of(array) for block in blocks]
        if self.direct:
            self.matrices = [[part.reshape(-1, part.shape[-1]) for part in parts]] * parallel.thread_count()
            return
        most = max((part.size for part in parts), default=0)
        buffers = ctx.scratch((parallel.thread_count(), most), array.dtype)
        self.copies = [[_copy(part, buffer) for part in parts] for buffer in buffers]
        self.matrices = [[target.reshape(-1, target.shape[-1]) for target, _ in copies] for copies in self.copies]

    def matrix(self, worker: int, index: int) -> np.ndarray:
        """The matrix, up to date: to be read."""
        if not self.direct:
            np.copyto(*self.copies[worker][index])
        return self.matrices[worker][index]

    def store(self, worker: int, index: int) -> None:
        """Bring the array up to date after writing to the matrix."""
        if not self.direct:
            source, target = self.copies[worker][index]
            np.copyto(target, source)


# --- forward, and the input's gradient by the same road -----------------------------------------


def _gather(
    ctx: Any, x: np.ndarray, matrix: np.ndarray, y: np.ndarray, window: Window, prepare: Run, head: bool = False
) -> Run:
    """``y = patches(x) @ matrix`` block by block; ``y`` may have any strides. `head`: this is the whole of an op, and
    may be the head of a group."""
    if winograd.applies(window, x, y):
        return winograd.gather(ctx, x, matrix.reshape(window.taps, x.shape[-1], -1), y, window, prepare, head)
    blocks = cut(y.shape, _positions(window.taps * x.shape[-1] * x.itemsize, y))
    patches = _patches(ctx, x, window, y.shape[:4], blocks)
    rows = _Rows(ctx, y, blocks)
    if len(blocks) == 1:  # a small image: the threads share the product of one block
        product = bind_product(patches.matrix(0, 0), matrix, rows.matrices[0][0])

        def run_block() -> None:
            prepare()
            patches.begin()
            patches.matrix(0, 0)
            product()
            rows.store(0, 0)

        return run_block

    workers = parallel.thread_count()
    after = finishing(ctx, y, blocks, workers) if head else None

    def body(worker: int, index: int) -> None:
        np.dot(patches.matrix(worker, index), matrix, out=rows.matrices[worker][index])
        rows.store(worker, index)
        if after is not None:
            for call in after[worker][index]:
                call()

    def run() -> None:
        prepare()
        patches.begin()
        parallel.parallel_blocks(body, len(blocks), workers)

    return run


def _phase(ctx: Any, g: np.ndarray, w: np.ndarray, dx: np.ndarray, phase: Phase) -> Run:
    """The inputs of one phase: a convolution of ``g`` with the phase's taps of the kernel, last tap first."""
    part = dx[phase.inputs]
    flipped = w[phase.taps][::-1, ::-1, ::-1].swapaxes(3, 4)  # (taps reversed, filters, channels)
    kernel = ctx.scratch(flipped.shape, w.dtype)
    planes = kernel.reshape(-1, *kernel.shape[3:])
    sources = list(np.ndindex(kernel.shape[:3]))

    def prepare() -> None:
        parallel.parallel_for(lambda lo, hi: _copy_planes(planes, flipped, sources, lo, hi), len(sources), 2)

    return _gather(ctx, g, kernel.reshape(-1, kernel.shape[-1]), part, phase.window, prepare)


def _copy_planes(planes: np.ndarray, source: np.ndarray, indices: list[Any], lo: int, hi: int) -> None:
    for number in range(lo, hi):
        np.copyto(planes[number], source[indices[number]])


# --- the input's gradient with few channels -----------------------------------------------------


def _scatter(ctx: Any, g: np.ndarray, w: np.ndarray, dx: np.ndarray, window: Window) -> Run:
    """``kernel @ g^T`` gives for each tap and channel a plane over positions, to be added where its tap points.

    A thread works on one image: it adds into planes ``(channels, *stride, *reach / stride)``, one for each residue
    of the stride, so that all additions run along contiguous memory, and at the end interleaves the planes into
    ``dx``. Row blocks keep the product in cache.
    """
    images, positions = g.shape[0], g.shape[1:4]
    channels, filters = w.shape[3:]
    stride = window.stride
    padded = [max(window.reach(a, positions[a]), dx.shape[a + 1] + window.before[a]) for a in range(3)]
    lengths = [-(-padded[a] // stride[a]) for a in range(3)]
    workers = parallel.thread_count()
    planes = ctx.scratch((workers, channels, *stride, *lengths), dx.dtype)
    kernel = ctx.scratch((*w.shape[:4], filters), w.dtype)
    matrix = kernel.reshape(-1, filters)
    row_bytes = window.taps * channels * g.itemsize
    blocks = cut((1, *positions), min(max(PATCH_BYTES // row_bytes, MIN_POSITIONS), 2 * MAX_POSITIONS))
    most = _most(blocks, g.shape)
    products = ctx.scratch((workers, len(matrix) * most), g.dtype)
    rows = _Rows(ctx, g, [replace(block, n0=n, n1=n + 1) for n in range(images) for block in blocks])

    def image(worker: int, n: int) -> None:
        plane = planes[worker]
        plane.fill(0)
        for number, block in enumerate(blocks, start=n * len(blocks)):
            shape = (*window.size, channels, *block.shape[1:], positions[2])
            product = products[worker][: prod(shape)].reshape(shape)
            np.dot(matrix, rows.matrix(worker, number).T, out=product.reshape(len(matrix), -1))
            _add_taps(plane, product, block, window)
        _interleave(dx[n], plane, window)

    def run() -> None:
        np.copyto(kernel, w)
        parallel.parallel_blocks(image, images, workers)

    return run


def _add_taps(plane: np.ndarray, product: np.ndarray, block: Block, window: Window) -> None:
    """Add ``product`` (*size, channels, depth, rows, columns) into the planes (channels, *stride, ...)."""
    firsts = (block.d0, block.h0, 0)
    for tap in window.offsets():
        where: list[Any] = []
        spans: list[Any] = []
        for axis in range(3):
            quotient, residue = divmod(tap[axis] * window.dilation[axis], window.stride[axis])
            start = firsts[axis] + quotient
            where.append(residue)
            spans.append(slice(start, start + product.shape[4 + axis]))
        target = plane[(slice(None), *where, *spans)]
        np.add(target, product[tap], out=target)


def _interleave(dx: np.ndarray, plane: np.ndarray, window: Window) -> None:
    """Write the planes, one for each residue of the padded coordinate, into ``dx`` (depth, rows, columns, channels)."""
    for residue in np.ndindex(window.stride):
        target: list[Any] = []
        source: list[Any] = []
        for axis in range(3):
            stride, before = window.stride[axis], window.before[axis]
            first = (residue[axis] - before) % stride  # the first input with this residue when padded
            count = len(range(first, dx.shape[axis], stride))
            start = (first + before) // stride
            target.append(slice(first, None, stride))
            source.append(slice(start, start + count))
        dx[tuple(target)] = plane[(slice(None), *residue, *source)].transpose(1, 2, 3, 0)
