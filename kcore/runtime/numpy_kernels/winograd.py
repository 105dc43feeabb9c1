"""3x3 convolution of stride 1 in the transformed domain (Lavin and Gray 2015, arXiv:1509.09308), F(4x4, 3x3).

A tile of 4x4 outputs sees 6x6 inputs. After the linear transforms ``U = G w G^T`` of the kernel and ``V = B^T d B`` of
the input tile the convolution is one product of channels for each of the 36 elements, ``M = V @ U``, and the outputs
are ``A^T M A``: 36 multiplications for 16 outputs instead of 144. The gradient for the input is such a convolution
itself. That for the kernel is the transpose: ``dU = V^T @ (A g A^T)`` and ``dw = G^T dU G``.

Where the matrices come from (Toom and Cook): a kernel and 4 outputs are polynomials of degrees 2 and 3; their product
has degree 5 and is known from its values at five points and infinity. ``G`` and ``A`` evaluate the factors (rows
``1, p, p^2, ...``), ``B`` interpolates; the filtering is the transpose of that product. ``_toom_cook`` writes them.

Rounding depends on the points. Root mean square of the error relative to the result, float32, 64 channels, normal
data (kernel gradient over 4800 positions in brackets)::

    direct                    3.1e-7  (3.8e-7)
    F(2x2): 0, +-1            2.6e-7  (5.3e-7)
    F(4x4): 0, +-1, +-2       1.7e-6  (3.4e-6)      the usual ones, for transforms by additions
    F(4x4): 0, +-5/8, +-3/2   7.6e-7  (1.5e-6)      those used here: transforms are products, any points cost the same

An infinite input makes NaN of its whole tile.

A transform is two batched products with a 6x6 (4x6, 6x3) matrix, one along each side of the tile: few long calls a
block, so that two threads do not wait for the GIL. The memory of a block stays in the caches.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from kcore.runtime import parallel
from kcore.runtime.numpy_kernels.windows import Block, WindowReader, cut, finishing
from kcore.runtime.windows import Window

Run = Callable[[], None]

POINTS = (0.0, 0.625, -0.625, 1.5, -1.5)
SIDE, OUT = 6, 4  # of a tile: inputs, outputs
ELEMENTS = SIDE * SIDE

BLOCK_CHANNELS = 4096  # tiles times channels of a block: the transforms of a tile's side stay in the second-level cache
MIN_TILES = 48  # of a block: below, reading the kernel again for each block costs too much
SUM_CHANNELS, MIN_SUM_TILES = 12288, 128  # the same for the kernel's gradient, which adds 36 matrices a block

# Nanoseconds on one core (Zen 4): what the choice between the two ways is made by.
_DIRECT = (0.63, 0.0, 0.18)  # a position: for a channel (patches), a filter, and both (the product)
_TILE = (21.0, 9.5, 0.66)  # a tile: for a channel (gathering, B), a filter (A, writing), and both (the product)
_KERNEL, _KERNEL_GRAD = 20.0, 60.0  # a channel and filter: G; G^T and the sums of the threads


def _toom_cook() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``A (6, 4)``, ``G (6, 3)`` and ``B^T (6, 6)``; the last row of each belongs to the point at infinity."""
    a, g, b = np.zeros((SIDE, OUT)), np.zeros((SIDE, 3)), np.zeros((SIDE, SIDE))
    for row, point in enumerate(POINTS):
        others = [p for p in POINTS if p != point]
        a[row] = point ** np.arange(OUT)
        g[row] = point ** np.arange(3) / prod(point - p for p in others)
        b[row, :-1] = np.poly(others)[::-1]  # coefficients of the product of (x - p), lowest first
    a[-1, -1] = g[-1, -1] = 1
    b[-1] = np.poly(POINTS)[::-1]
    return a, g, b


_A, _G, _BT = _toom_cook()


def applies(window: Window, x: np.ndarray, y: np.ndarray, for_kernel: bool = False) -> bool:
    """Whether a convolution of ``x`` to ``y``, or the gradient for its kernel, is better done here."""
    if window.size != (1, 3, 3) or window.stride != (1, 1, 1) or window.dilation != (1, 1, 1):
        return False
    return x.dtype.char in "fd" and y.size > 0 and pays(y.shape, x.shape[-1], for_kernel)


def pays(shape: tuple[int, ...], channels: int, for_kernel: bool) -> bool:
    """Whether it takes less time than patches, by the measured costs above."""

    def cost(terms: tuple[float, float, float]) -> float:
        return terms[0] * channels + terms[1] * filters + terms[2] * channels * filters

    filters = shape[-1]
    kernel = (_KERNEL_GRAD if for_kernel else _KERNEL) * channels * filters
    return prod(_tile_grid(shape)) * cost(_TILE) + kernel < prod(shape[:4]) * cost(_DIRECT)


def _tile_grid(shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    images, depth, rows, columns = shape[:4]
    return images, depth, -(-rows // OUT), -(-columns // OUT)


class _Tiles:
    """The tiles of outputs ``y`` (batch, depth, rows, columns, ...), in blocks of about ``target``."""

    def __init__(self, y: np.ndarray, target: int) -> None:
        self.shape = _tile_grid(y.shape)
        share = -(-prod(self.shape) // (2 * parallel.thread_count()))
        self.blocks = cut(self.shape, max(min(target, share), 1))
        self.counts = [prod(block.shape) * self.shape[3] for block in self.blocks]
        self.most = max(self.counts)


class _Matrix:
    """A small matrix applied to both sides of tiles."""

    def __init__(self, matrix: np.ndarray, dtype: Any) -> None:
        self.matrix = np.ascontiguousarray(matrix, dtype)
        self.rows, self.columns = matrix.shape

    def apply(self, source: np.ndarray, spare: np.ndarray, target: np.ndarray) -> None:
        """``target (rows, rows, n)`` from ``source (columns, columns, n)`` by way of ``spare (rows, columns, n)``."""
        np.matmul(self.matrix, source.swapaxes(0, 1), out=spare.swapaxes(0, 1))
        np.matmul(self.matrix, spare, out=target)

    def over_threads(self, source: np.ndarray, spare: np.ndarray, target: np.ndarray) -> None:
        """The same, of many columns."""
        parallel.parallel_for(
            lambda lo, hi: self.apply(source[..., lo:hi], spare[..., lo:hi], target[..., lo:hi]),
            source.shape[-1],
            1 << 13,
        )


class _Transformed:
    """The tiles of an array, gathered with their elements in front and transformed.

    Args:
        ctx: bind context.
        x: ``(batch, depth, rows, columns, channels)``.
        window: a tile as a window.
        matrix: ``(6, side of a tile)``.
        tiles: the positions of the window.
        memory, spares: for each worker, flat, of 36 elements for each tile and channel.
    """

    def __init__(
        self, ctx: Any, x: np.ndarray, window: Window, matrix: np.ndarray, tiles: _Tiles, memory: Any, spares: Any
    ) -> None:
        self.matrix = _Matrix(matrix, x.dtype)
        self.reader = WindowReader(ctx, x, window, tiles.shape, tiles.blocks)
        self.begin = self.reader.begin
        channels, side = x.shape[-1], self.matrix.columns
        lengths = [count * channels for count in tiles.counts]
        where = memory if side == SIDE else spares  # the gathered tiles: B is square, its result takes their place
        self.copies = [
            [_copy(view.transpose(4, 5, 6, 0, 1, 2, 3, 7), buffer) for view in views]
            for views, buffer in zip(self.reader.views, where, strict=True)
        ]
        self.gathered = [[target.reshape(side, side, -1) for target, _ in copies] for copies in self.copies]
        offset = 0 if side == SIDE else side * side * tiles.most * channels
        self.spares = [[_part(b[offset:], (SIDE, side, n)) for n in lengths] for b in spares]
        self.results = [[_part(b, (SIDE, SIDE, n)) for n in lengths] for b in memory]
        self.values = [[r.reshape(ELEMENTS, -1, channels) for r in results] for results in self.results]

    def compute(self, worker: int, index: int) -> np.ndarray:
        """``(36, tiles, channels)`` of a block, in the worker's memory."""
        self.reader.fetch(worker, index)
        np.copyto(*self.copies[worker][index])
        self.matrix.apply(self.gathered[worker][index], self.spares[worker][index], self.results[worker][index])
        return self.values[worker][index]


def _part(buffer: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The beginning of a buffer, in a shape."""
    return buffer[: prod(shape)].reshape(shape)


def _copy(source: np.ndarray, buffer: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Arguments of ``copyto``: the beginning of a buffer in the shape of ``source``, and ``source``."""
    return _part(buffer, source.shape), source


def _input_tiles(before: tuple[int, int, int]) -> Window:
    return Window((1, SIDE, SIDE), (1, OUT, OUT), before, (1, 1, 1))


_OUTPUT_TILES = Window((1, OUT, OUT), (1, OUT, OUT), (0, 0, 0), (1, 1, 1))


def gather(ctx: Any, x: np.ndarray, taps: np.ndarray, y: np.ndarray, window: Window, prepare: Run, head: bool) -> Run:
    """``y`` = convolution of ``x`` with the kernel ``taps`` (9, channels, filters), which ``prepare`` writes; `head`:
    the result may be finished block by block."""
    channels, filters = taps.shape[1:]
    wide = max(channels, filters)
    tiles = _Tiles(y, max(BLOCK_CHANNELS // wide, MIN_TILES))
    workers = parallel.thread_count()
    size = ELEMENTS * tiles.most * wide
    first, second = ctx.scratch((2, workers, size), y.dtype)  # input, product and outputs take turns in them
    inputs = _Transformed(ctx, x, _input_tiles(window.before), _BT, tiles, first, second)
    forth, back = _Matrix(_G, y.dtype), _Matrix(_A.T, y.dtype)
    kernel = ctx.scratch((ELEMENTS, channels, filters), y.dtype)
    kernel_spare = ctx.scratch((SIDE, 3, channels * filters), y.dtype)
    products = [[_part(b, (ELEMENTS, count, filters)) for count in tiles.counts] for b in second]
    spares = [[_part(b, (OUT, SIDE, count * filters)) for count in tiles.counts] for b in first]
    outputs = [[_part(b, (OUT, OUT, count * filters)) for count in tiles.counts] for b in second]
    stores = [[_store(y, block, out) for block, out in zip(tiles.blocks, mine, strict=True)] for mine in outputs]

    after = finishing(ctx, y, [_positions(y, block) for block in tiles.blocks], workers) if head else None

    def body(worker: int, index: int) -> None:
        product, output = products[worker][index], outputs[worker][index]
        np.matmul(inputs.compute(worker, index), kernel, out=product)
        back.apply(product.reshape(SIDE, SIDE, -1), spares[worker][index], output)
        for target, source in stores[worker][index]:
            np.copyto(target, source)
        if after is not None:
            for call in after[worker][index]:
                call()

    def run() -> None:
        prepare()
        forth.over_threads(taps.reshape(3, 3, -1), kernel_spare, kernel.reshape(SIDE, SIDE, -1))
        inputs.begin()
        parallel.parallel_blocks(body, len(tiles.blocks), workers)

    return run


def _positions(y: np.ndarray, block: Block) -> Block:
    """The block of positions that a block of tiles covers."""
    return replace(block, h0=OUT * block.h0, h1=min(OUT * block.h1, y.shape[2]))


def _store(y: np.ndarray, block: Block, output: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """``(target, source)`` of the copies that write a block's tiles ``(4, 4, n)`` into ``y``.

    One copy for the whole tiles, and others for those of which only a part lies inside, at the ends of the rows and
    columns.
    """
    images, depth, rows = block.shape
    columns = _tile_grid(y.shape)[3]
    tiles = output.reshape(OUT, OUT, images, depth, rows, columns, -1)
    part = y[block.n0 : block.n1, block.d0 : block.d1, OUT * block.h0 : OUT * block.h1]
    return [
        (_as_tiles(part, (r, rows_in), (c, columns_in)), tiles[:rows_in, :columns_in, :, :, r, c])
        for r, rows_in in _whole_and_rest(part.shape[2])
        for c, columns_in in _whole_and_rest(part.shape[3])
    ]


def _whole_and_rest(length: int) -> list[tuple[slice, int]]:
    """The tiles along an axis that are inside, and how many elements of each: whole ones, and the last."""
    whole, rest = divmod(length, OUT)
    found = [(slice(0, whole), OUT), (slice(whole, whole + 1), rest)]
    return [(tiles, inside) for tiles, inside in found if tiles.stop > tiles.start and inside]


def _as_tiles(part: np.ndarray, rows: tuple[slice, int], columns: tuple[slice, int]) -> np.ndarray:
    """Of ``(images, depth, rows, columns, filters)`` the view ``(row, column in tile, images, depth, tiles...)``."""
    (r, height), (c, width) = rows, columns
    view = part[:, :, OUT * r.start :, OUT * c.start :][
        :, :, : height * (r.stop - r.start), : width * (c.stop - c.start)
    ]
    shape = (*view.shape[:2], r.stop - r.start, height, c.stop - c.start, width, view.shape[4])
    return view.reshape(shape).transpose(3, 5, 0, 1, 2, 4, 6)


def reduce(ctx: Any, x: np.ndarray, g: np.ndarray, dw: np.ndarray, window: Window) -> Run:
    """``dw`` (9 * channels, filters) = gradient of the convolution's kernel."""
    channels, filters = x.shape[-1], g.shape[-1]
    wide = max(channels, filters)
    tiles = _Tiles(g, max(SUM_CHANNELS // wide, MIN_SUM_TILES))
    workers = parallel.thread_count()
    size = ELEMENTS * tiles.most
    of_x, of_g = (ctx.scratch((workers, size * n), g.dtype) for n in (channels, filters))
    gathered_g = (OUT * OUT + SIDE * OUT) * tiles.most * filters  # and its way through the transform
    spares = ctx.scratch((workers, max(size * channels, gathered_g)), g.dtype)
    inputs = _Transformed(ctx, x, _input_tiles(window.before), _BT, tiles, of_x, spares)
    grads = _Transformed(ctx, g, _OUTPUT_TILES, _A, tiles, of_g, spares)
    parts = max(min(workers, len(tiles.blocks)), 1)
    bounds = [len(tiles.blocks) * part // parts for part in range(parts + 1)]
    sums, products = ctx.scratch((2, parts, ELEMENTS, channels, filters), g.dtype)
    back, spare = _Matrix(_G.T, g.dtype), products.reshape(-1)[: 3 * SIDE * channels * filters]

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
        back.over_threads(sums[0].reshape(SIDE, SIDE, -1), spare.reshape(3, SIDE, -1), dw.reshape(3, 3, -1))

    return run
