"""Sliding windows over channels-last arrays, read block by block through small padded buffers.

Convolution, depthwise convolution and pooling share this. One, two and three spatial dimensions are all treated as
three, ``(depth, rows, columns)``: arrays here are ``(batch, depth, rows, columns, channels)``. The positions of the
window are cut into blocks, a block being consecutive in memory of the output: some images, or some planes of one
image, or some rows of one plane. A thread copies what a block needs of the input into its *slab*, a padded buffer
that stays in its cache, and looks at the slab through a strided view in which every window is an index away.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from kcore.runtime import parallel
from kcore.runtime.windows import Triple, Window


@dataclass(frozen=True)
class Block:
    """Window positions ``[n0:n1, d0:d1, h0:h1]`` (batch, depth, rows), all columns."""

    n0: int
    n1: int
    d0: int
    d1: int
    h0: int
    h1: int

    def of(self, array: np.ndarray) -> np.ndarray:
        """The block's part of an array over window positions."""
        return array[self.n0 : self.n1, self.d0 : self.d1, self.h0 : self.h1]

    @property
    def shape(self) -> Triple:
        return self.n1 - self.n0, self.d1 - self.d0, self.h1 - self.h0


def _chunk(total: int, wanted: int) -> int:
    """The size near ``wanted`` that cuts ``total`` into nearly equal parts."""
    parts = -(-total // max(wanted, 1))
    return -(-total // parts)


def cut(shape: tuple[int, ...], target: int) -> list[Block]:
    """Cut positions ``(batch, depth, rows, columns, ...)`` into blocks of about ``target`` positions."""
    n, d, h, w = shape[:4]
    if 0 in (n, d, h, w):
        return []
    images, planes, rows = 1, d, h
    if d * h * w <= target:
        images = _chunk(n, target // (d * h * w))
    elif h * w <= target:
        planes = _chunk(d, target // (h * w))
    else:
        planes, rows = 1, _chunk(h, target // w)
    return [
        Block(i, min(i + images, n), j, min(j + planes, d), k, min(k + rows, h))
        for i in range(0, n, images)
        for j in range(0, d, planes)
        for k in range(0, h, rows)
    ]


Calls = Sequence[Callable[[], Any]]


def finishing(ctx: Any, y: np.ndarray, blocks: list[Block], workers: int) -> list[list[Calls]] | None:
    """What a worker has to call when it has computed a block of ``y``, as ``calls[worker][index]``; None if nothing.

    That is what follows in a group whose head is bound (see `BindContext.take_finish`). Where there is one block only
    it is left to the group, which has threads.
    """
    finish = ctx.take_finish() if len(blocks) > 1 and y.flags.c_contiguous else None
    if finish is None:
        return None
    return [[finish(worker, *_span(y, block)) for block in blocks] for worker in range(workers)]


def _span(y: np.ndarray, block: Block) -> tuple[int, int]:
    """The positions of a block of ``y``, which is contiguous: the first, and the first after it."""
    _, depth, rows, columns = y.shape[:4]
    first = ((block.n0 * depth + block.d0) * rows + block.h0) * columns
    return first, first + prod(block.shape) * columns


class WindowReader:
    """Reads the windows of ``x`` block by block.

    ``read(worker, index)`` gives a view ``(images, depth, rows, columns, *window size, channels)`` of the windows of
    block number ``index``: of ``x`` itself where nothing is padded, else of the worker's slab, which it fills first.
    The view is good until the worker's next call. All views are made here, once: threads that slice arrays again and
    again wait for each other, because slicing holds the GIL.

    Args:
        ctx: bind context, for scratch memory.
        x: input ``(batch, depth, rows, columns, channels)``, any strides.
        window: the window.
        shape: positions of the window ``(batch, depth, rows, columns)``.
        blocks: the blocks that will be asked for.
        fill: value of the padding.

    Attributes:
        views: the views, ``views[worker][index]``.
    """

    def __init__(
        self, ctx: Any, x: np.ndarray, window: Window, shape: tuple[int, ...], blocks: list[Block], fill: float = 0
    ) -> None:
        self.window, self.fill = window, fill
        self.workers = parallel.thread_count()
        ends = (window.reach(a, shape[a + 1]) - window.before[a] for a in range(3))
        inside = all(end <= length for end, length in zip(ends, x.shape[1:4], strict=True))
        neighbours = x.strides[4] == x.itemsize and x.strides[3] == x.itemsize * x.shape[4]
        self.direct = inside and not any(window.before) and neighbours
        if self.direct:
            windows = _windows(x, window, shape)
            self.views = [[block.of(windows) for block in blocks]] * self.workers
            return
        most = [max((block.shape[a] for block in blocks), default=0) for a in range(3)]
        reach = [window.reach(a, count) for a, count in enumerate((most[1], most[2], shape[3]))]
        slabs = ctx.scratch((self.workers, most[0], *reach, x.shape[-1]), x.dtype)
        _, (lo, hi) = _overlap(-window.before[2], reach[2], x.shape[3])
        self._margins = [part for part in (slabs[:, :, :, :, :lo], slabs[:, :, :, :, hi:]) if part.size]
        windows_of = [_windows(slab, window, (*most, shape[3])) for slab in slabs]
        self.views = [[w[tuple(map(slice, block.shape))] for block in blocks] for w in windows_of]
        self._moves = [[self._move(x, slab, block) for block in blocks] for slab in slabs]

    def begin(self) -> None:
        """Call before the blocks of a run: the margins at the ends of columns are filled once for all."""
        if not self.direct:
            for margin in self._margins:
                margin.fill(self.fill)

    def read(self, worker: int, index: int) -> np.ndarray:
        """The view of a block's windows, up to date."""
        self.fetch(worker, index)
        return self.views[worker][index]

    def fetch(self, worker: int, index: int) -> None:
        """Bring ``views[worker][index]`` up to date."""
        if self.direct:
            return
        borders, target, source = self._moves[worker][index]
        for border in borders:
            border.fill(self.fill)
        np.copyto(target, source)

    def lines(self) -> list[list[np.ndarray]]:
        """As ``views``, of whole rows of the input: ``(images, depth, rows, size 0, size 1, reach * channels)``."""
        return [[self._line(view) for view in views] for views in self.views]

    def _line(self, view: np.ndarray) -> np.ndarray:
        length = self.window.reach(2, view.shape[3]) * view.shape[7]
        strides = view.strides
        shape = (*view.shape[:3], *view.shape[4:6], length)
        return as_strided(view, shape, (*strides[:3], *strides[4:6], strides[7]))

    def _move(self, x: np.ndarray, slab: np.ndarray, block: Block) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
        """What fills the slab for a block: its borders in depth and rows; the part to be copied, and its source."""
        window, (images, depth, rows) = self.window, block.shape
        slab = slab[:images, : window.reach(0, depth), : window.reach(1, rows)]
        first_d = block.d0 * window.stride[0] - window.before[0]
        first_h = block.h0 * window.stride[1] - window.before[1]
        (d0, d1), (sd0, sd1) = _overlap(first_d, slab.shape[1], x.shape[1])
        (h0, h1), (sh0, sh1) = _overlap(first_h, slab.shape[2], x.shape[2])
        (w0, w1), (sw0, sw1) = _overlap(-window.before[2], slab.shape[3], x.shape[3])
        middle = slab[:, sd0:sd1]
        borders = [slab[:, :sd0], slab[:, sd1:], middle[:, :, :sh0], middle[:, :, sh1:]]
        target = middle[:, :, sh0:sh1, sw0:sw1]
        return [b for b in borders if b.size], target, x[block.n0 : block.n1, d0:d1, h0:h1, w0:w1]


def _overlap(first: int, count: int, length: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Of ``count`` elements from ``first`` on, those inside ``[0, length)``: there, and counted from ``first``."""
    lo = min(max(first, 0), length)
    hi = max(min(first + count, length), lo)
    return (lo, hi), (min(max(lo - first, 0), count), min(max(hi - first, 0), count))


def _windows(x: np.ndarray, window: Window, shape: tuple[int, ...]) -> np.ndarray:
    """View ``(batch, depth, rows, columns, *size, channels)`` of the windows of an array that holds them all."""
    steps = x.strides[1:4]
    moves = tuple(step * stride for step, stride in zip(steps, window.stride, strict=True))
    taps = tuple(step * dilation for step, dilation in zip(steps, window.dilation, strict=True))
    return as_strided(
        x,
        (shape[0], *shape[1:4], *window.size, x.shape[-1]),
        (x.strides[0], *moves, *taps, x.strides[-1]),
    )
