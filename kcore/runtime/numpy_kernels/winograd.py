"""3x3 convolution of stride 1 in the transformed domain (Lavin and Gray 2015, arXiv:1509.09308), F(2x2, 3x3).

A tile of 2x2 outputs sees 4x4 inputs. After the linear transforms ``U = G w G^T`` of the kernel and ``V = B^T d B`` of
the input tile the convolution is one product of channels for each of the 16 elements, ``M = V @ U``, and the outputs
are ``A^T M A``: 16 multiplications for 4 outputs instead of 36. The gradient for the input is such a convolution
itself. That for the kernel is the transpose: ``dU = V^T @ (A g A^T)`` and ``dw = G^T dU G``.

The transforms could be done with additions alone. Here they are products with small constant matrices (16x16, 4x16,
16x9): that is more arithmetic, but a few long calls a block, where 25 short ones make two threads wait for the GIL
until nothing is left of the gain.

Rounding errors were measured to be those of the direct way (root mean square 2e-7 to 5e-7 of the result in single
precision, direct 2e-7 to 3e-7). An infinite input makes NaN of its whole tile.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from kcore.runtime import parallel
from kcore.runtime.numpy_kernels.windows import Window, WindowReader, cut

Run = Callable[[], None]

TILES = 400  # most of a block: enough for long products
BLOCK_BYTES = 6 << 20  # of a block's transformed input or output: two of each stay in the third-level cache
MIN_CHANNELS, MAX_CHANNELS = 64, 128  # least channels of the narrower and of the wider side: below, no gain

_G = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
_B = np.array([[1, 0, 0, 0], [0, 1, -1, 1], [-1, 1, 1, 0], [0, 0, 0, -1]])
_A = np.array([[1, 0], [1, 1], [1, -1], [0, -1]])
# Of both dimensions at once: a tile is a column of 9, 16 or 4 elements.
_KERNEL = np.kron(_G, _G)  # (16, 9)
_INPUT = np.kron(_B.T, _B.T)  # (16, 16)
_OUTPUT = np.kron(_A.T, _A.T)  # (4, 16)


def applies(window: Window, x: np.ndarray, y: np.ndarray) -> bool:
    """Whether a convolution of ``x`` to ``y`` is better done here."""
    shape_fits = window.size == (1, 3, 3) and window.stride == (1, 1, 1) and window.dilation == (1, 1, 1)
    narrow, wide = sorted((x.shape[-1], y.shape[-1]))
    pays = narrow >= MIN_CHANNELS and wide >= MAX_CHANNELS
    return shape_fits and pays and x.dtype.char in "fd" and min(y.shape[2:4]) >= 4 and y.size > 0


class _Tiles:
    """The tiles of outputs ``y`` (batch, depth, rows, columns, ...), in blocks; ``channels`` of the wider side."""

    def __init__(self, y: np.ndarray, channels: int) -> None:
        self.shape = (y.shape[0], y.shape[1], -(-y.shape[2] // 2), -(-y.shape[3] // 2))
        most = min(TILES, BLOCK_BYTES // (16 * channels * y.itemsize))
        share = -(-prod(self.shape) // (2 * parallel.thread_count()))
        self.blocks = cut(self.shape, max(min(most, share), 1))
        self.counts = [prod(block.shape) * self.shape[3] for block in self.blocks]
        self.most = max(self.counts)


class _Transformed:
    """The tiles of an array, gathered with their elements in front and multiplied by a constant matrix.

    Args:
        ctx: bind context.
        x: ``(batch, depth, rows, columns, channels)``.
        window: a tile as a window of stride 2.
        matrix: ``(16, elements of a tile)``.
        tiles: the positions of the window.
    """

    def __init__(self, ctx: Any, x: np.ndarray, window: Window, matrix: np.ndarray, tiles: _Tiles) -> None:
        self.matrix = matrix.astype(x.dtype)
        self.reader = WindowReader(ctx, x, window, tiles.shape, tiles.blocks)
        self.begin = self.reader.begin
        workers, channels = self.reader.workers, x.shape[-1]
        gathered = ctx.scratch((workers, window.taps * tiles.most * channels), x.dtype)
        results = ctx.scratch((workers, 16 * tiles.most * channels), x.dtype)
        self.copies = [
            [_copy(view.transpose(4, 5, 6, 0, 1, 2, 3, 7), buffer) for view in views]
            for views, buffer in zip(self.reader.views, gathered, strict=True)
        ]
        self.columns = [[target.reshape(window.taps, -1) for target, _ in copies] for copies in self.copies]
        self.results = [[_part(buffer, (16, count * channels)) for count in tiles.counts] for buffer in results]
        self.values = [[r.reshape(16, -1, channels) for r in results] for results in self.results]

    def compute(self, worker: int, index: int) -> np.ndarray:
        """``(16, tiles, channels)`` of a block, in the worker's memory."""
        self.reader.fetch(worker, index)
        np.copyto(*self.copies[worker][index])
        np.dot(self.matrix, self.columns[worker][index], out=self.results[worker][index])
        return self.values[worker][index]


def _part(buffer: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The beginning of a buffer, in a shape."""
    return buffer[: prod(shape)].reshape(shape)


def _copy(source: np.ndarray, buffer: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Arguments of ``copyto``: the beginning of a buffer in the shape of ``source``, and ``source``."""
    return _part(buffer, source.shape), source


def _input_tiles(before: tuple[int, int, int]) -> Window:
    return Window((1, 4, 4), (1, 2, 2), before, (1, 1, 1))


_OUTPUT_TILES = Window((1, 2, 2), (1, 2, 2), (0, 0, 0), (1, 1, 1))


def gather(ctx: Any, x: np.ndarray, taps: np.ndarray, y: np.ndarray, window: Window, prepare: Run) -> Run:
    """``y`` = convolution of ``x`` with the kernel ``taps`` (9, channels, filters), which ``prepare`` writes."""
    tiles = _Tiles(y, max(x.shape[-1], y.shape[-1]))
    inputs = _Transformed(ctx, x, _input_tiles(window.before), _INPUT, tiles)
    channels, filters = taps.shape[1:]
    workers = parallel.thread_count()
    transform, back = _KERNEL.astype(y.dtype), _OUTPUT.astype(y.dtype)
    kernel = ctx.scratch((16, channels, filters), y.dtype)
    buffers = ctx.scratch((workers, 16 * tiles.most * filters), y.dtype)
    output_buffers = ctx.scratch((workers, 4 * tiles.most * filters), y.dtype)
    products = [[_part(buffer, (16, count, filters)) for count in tiles.counts] for buffer in buffers]
    outputs = [[_part(buffer, (4, count * filters)) for count in tiles.counts] for buffer in output_buffers]

    def body(worker: int, index: int) -> None:
        product, output = products[worker][index], outputs[worker][index]
        np.matmul(inputs.compute(worker, index), kernel, out=product)
        np.dot(back, product.reshape(16, -1), out=output)
        block = tiles.blocks[index]
        images, depth, rows = block.shape
        part = y[block.n0 : block.n1, block.d0 : block.d1, 2 * block.h0 : 2 * block.h1]
        for element, plane in enumerate(output.reshape(4, images, depth, rows, tiles.shape[3], filters)):
            target = part[:, :, element // 2 :: 2, element % 2 :: 2]
            np.copyto(target, plane[:, :, : target.shape[2], : target.shape[3]])  # less than a tile at odd ends

    def run() -> None:
        prepare()
        np.dot(transform, taps.reshape(9, -1), out=kernel.reshape(16, -1))
        inputs.begin()
        parallel.parallel_blocks(body, len(tiles.blocks), workers)

    return run


def reduce(ctx: Any, x: np.ndarray, g: np.ndarray, dw: np.ndarray, window: Window) -> Run:
    """``dw`` (9 * channels, filters) = gradient of the convolution's kernel."""
    channels, filters = x.shape[-1], g.shape[-1]
    tiles = _Tiles(g, max(channels, filters))
    inputs = _Transformed(ctx, x, _input_tiles(window.before), _INPUT, tiles)
    grads = _Transformed(ctx, g, _OUTPUT_TILES, _OUTPUT.T, tiles)
    parts = max(min(parallel.thread_count(), len(tiles.blocks)), 1)
    bounds = [len(tiles.blocks) * part // parts for part in range(parts + 1)]
    sums, products = ctx.scratch((2, parts, 16, channels, filters), g.dtype)
    transform = np.ascontiguousarray(_KERNEL.T.astype(g.dtype))

    def part(worker: int, index: int) -> None:
        total, product = sums[index], products[index]
        for block in range(bounds[index], bounds[index + 1]):
            first = block == bounds[index]
            a, b = inputs.compute(worker, block), grads.compute(worker, block)
            np.matmul(a.transpose(0, 2, 1), b, out=total if first else product)
            if not first:
                np.add(total, product, out=total)

    def run() -> None:
        inputs.begin()
        grads.begin()
        parallel.parallel_blocks(part, parts, parts)
        for other in sums[1:]:
            np.add(sums[0], other, out=sums[0])
        np.dot(transform, sums[0].reshape(16, -1), out=dw.reshape(9, -1))

    return run
