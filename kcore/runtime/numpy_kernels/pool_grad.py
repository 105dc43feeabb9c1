"""The gradients of max and average pooling on NumPy.

Nothing is scattered: the inputs ``residue + stride * j`` of a window's stride lie under the same taps. They are a
*phase*; each tap adds to all of them at once, in memory that stays in the cache, and each input is written once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import numpy as np

from kcore.runtime import parallel
from kcore.runtime.numpy_kernels.pool import average_scale, pool_blocks
from kcore.runtime.numpy_kernels.table import numpy_kernel
from kcore.runtime.numpy_kernels.windows import Block
from kcore.runtime.windows import Window, attrs_window, expand

Run = Callable[[], None]


@numpy_kernel("max_pool_grad")
def max_pool_grad(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Run:
    """``g`` goes to the winner of each window."""
    winner, g = (expand(array) for array in ins)
    return _spread(ctx, g, winner, expand(outs[0]), attrs_window(attrs, attrs["spatial"], attrs["pool"]))


@numpy_kernel("avg_pool_grad")
def avg_pool_grad(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Run:
    """Every real element under a window gets an equal share of its ``g``."""
    g = expand(ins[0])
    scale, shares = average_scale(attrs, attrs["spatial"], g.dtype), ctx.scratch(g.shape, g.dtype)
    spread = _spread(ctx, shares, None, expand(outs[0]), attrs_window(attrs, attrs["spatial"], attrs["pool"]))

    def run() -> None:
        parallel.parallel_for(lambda lo, hi: np.multiply(g[lo:hi], scale, out=shares[lo:hi]), len(g))
        spread()

    return run


def _spread(ctx: Any, g: np.ndarray, winner: np.ndarray | None, dx: np.ndarray, window: Window) -> Run:
    """``dx`` = the sum of ``g`` over the windows that an input lies under and, where ``winner`` is given, wins."""
    grid = (len(dx), *(-(-n // s) for n, s in zip(dx.shape[1:4], window.stride, strict=True)))
    blocks = pool_blocks((*grid, dx.shape[4]), dx.itemsize)
    most = max((prod(block.shape) for block in blocks), default=0) * max(grid[3], g.shape[3]) * dx.shape[4]
    workers = parallel.thread_count()
    sums, shares = ctx.scratch((2, workers, most), g.dtype)
    hits = ctx.scratch((workers, most), "bool")
    work = [
        [_phases(window, block, g, winner, dx, _Memory(*mine)) for block in blocks]
        for mine in zip(sums, shares, hits, strict=True)
    ]

    def body(worker: int, index: int) -> None:
        for phase in work[worker][index]:
            phase.run()

    return lambda: parallel.parallel_blocks(body, len(blocks), workers)


@dataclass
class _Memory:
    """Flat arrays of a worker."""

    total: np.ndarray
    share: np.ndarray
    hit: np.ndarray


@dataclass
class _Phase:
    """The inputs of one phase in a block.

    Attributes:
        inputs: they, as a view of ``dx``.
        total: where their sum is made: this view itself, or memory from which it is copied.
        terms: what the taps add.
    """

    inputs: np.ndarray
    total: np.ndarray
    terms: list[_Term]

    def run(self) -> None:
        begun = bool(self.terms) and self.terms[0].target.size == self.total.size
        if begun:
            self.terms[0].begin()
        else:
            self.total.fill(0)
        for term in self.terms[begun:]:
            term.add()
        if self.total is not self.inputs:
            np.copyto(self.inputs, self.total)


@dataclass
class _Term:
    """What one tap adds to the inputs of a phase.

    Attributes:
        number: of the tap.
        target: the part of the sum whose inputs lie under this tap of some window.
        grad: the gradients of these windows.
        winner: the winners of these windows in all columns, or None where all inputs are to have the gradient.
        hits, hit: where the tap wins, in all columns and in those of `grad`.
        share: memory for what is to be added.
    """

    number: int
    target: np.ndarray
    grad: np.ndarray
    winner: np.ndarray | None
    hits: np.ndarray
    hit: np.ndarray
    share: np.ndarray

    def begin(self) -> None:
        """The sum begins with this term."""
        if self.winner is None:
            np.copyto(self.target, self.grad)
        else:
            np.equal(self.winner, self.number, out=self.hits)
            np.multiply(self.grad, self.hit, out=self.target)

    def add(self) -> None:
        """Add the term to the sum."""
        share = self.grad
        if self.winner is not None:
            np.equal(self.winner, self.number, out=self.hits)
            share = np.multiply(self.grad, self.hit, out=self.share)
        np.add(self.target, share, out=self.target)


def _phases(
    window: Window, block: Block, g: np.ndarray, winner: np.ndarray | None, dx: np.ndarray, memory: _Memory
) -> list[_Phase]:
    """All phases in a block: its positions are the ``j`` above."""
    images = slice(block.n0, block.n1)
    starts, stops = (block.d0, block.h0, 0), (block.d1, block.h1, dx.shape[3])
    phases = []
    for residue in np.ndindex(window.stride):
        spans = [
            slice(r + s * start, min(r + s * stop, n), s)
            for r, s, start, stop, n in zip(residue, window.stride, starts, stops, dx.shape[1:4], strict=True)
        ]
        inputs = dx[(images, *spans)]
        if not inputs.size:
            continue
        along = zip(residue, starts, inputs.shape[1:4], g.shape[1:4], strict=True)
        meetings = list(product(*(_meetings(window, axis, *given) for axis, given in enumerate(along))))
        in_place = len(meetings) <= 1 or window.stride[2] == 1  # else the strided inputs are visited again and again
        total = inputs if in_place else _part(memory.total, inputs.shape)
        terms = [_term(window, meeting, total, images, g, winner, memory) for meeting in meetings]
        terms.sort(key=lambda term: term.target.size < total.size)  # a whole one first, which begins the sum
        phases.append(_Phase(inputs, total, terms))
    return phases


@dataclass
class _Meeting:
    """Along one axis: a tap, and the windows that meet some inputs of a phase with it."""

    tap: int
    windows: slice
    inputs: slice


def _meetings(window: Window, axis: int, residue: int, start: int, count: int, positions: int) -> list[_Meeting]:
    """The meetings of the inputs ``j = start, ..., start + count - 1`` of a phase with all windows.

    Input ``residue + stride * j`` lies under tap ``t`` of window ``p`` when it is ``p * stride + t - before``: hence
    ``p = j + (residue + before - t) / stride``.
    """
    found = []
    for tap in range(window.size[axis]):
        shift, rest = divmod(residue + window.before[axis] - tap, window.stride[axis])
        first, last = max(start + shift, 0), min(start + count + shift, positions)
        if not rest and first < last:
            found.append(_Meeting(tap, slice(first, last), slice(first - shift - start, last - shift - start)))
    return found


def _term(
    window: Window,
    meeting: tuple[_Meeting, ...],
    total: np.ndarray,
    images: slice,
    g: np.ndarray,
    winner: np.ndarray | None,
    memory: _Memory,
) -> _Term:
    number = int(np.ravel_multi_index([m.tap for m in meeting], window.size))
    planes, rows, columns = (m.windows for m in meeting)
    grad = g[images, planes, rows]
    hits = _part(memory.hit, grad.shape)
    target = total[(slice(None), *(m.inputs for m in meeting))]
    winners = None if winner is None else winner[images, planes, rows]
    share = _part(memory.share, target.shape)
    return _Term(number, target, grad[:, :, :, columns], winners, hits, hits[:, :, :, columns], share)


def _part(buffer: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The beginning of a flat buffer, in a shape."""
    return buffer[: prod(shape)].reshape(shape)
