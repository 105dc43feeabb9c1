"""Walks over what lies under a window: max and average pooling, depthwise convolution, and their input gradients.

All of them give each target a combination of the sources that it meets (`kcore_kernels_numba.geometry`): the largest
one, their sum, the sum of those whose window it won, or of each times the weight of its tap. Nothing is scattered, so
each target is written once, and targets can be shared out over threads in any way.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Any

import llvmlite.ir as ir
import numpy as np
from numba import njit, types
from numba.extending import intrinsic

from kcore.runtime import parallel
from kcore_kernels_numba.geometry import Axis, cut
from kcore_kernels_numba.vectors import BYTE, NUMBER, WIDTHS, WORD, Values, Vectors, over_channels, steps

Array = Any
Code = Any

PART_BYTES = 1 << 19  # of a part of the result that is finished at once

LARGEST, LARGEST_AND_TAP, SUM, SUM_OF_WON, SUM_OF_PRODUCTS = range(5)


class _Walk:
    """Makes the code of a walk from one target, for some channels; a subclass combines.

    Attributes:
        target, taps: addresses of the results, taps only with `LARGEST_AND_TAP`.
        source: address of the first source.
        other: address of what belongs to the source or to its tap.
        scale: what the result is multiplied by.
        tap: the first tap.
        channels: how many there are.
        counts, moves, tap_moves: along three axes how many sources, elements from one to the next, the same for taps.
        leading: planes and rows of the window that lie on padding before the first source.
    """

    widths: tuple[int, ...] = WIDTHS

    def __init__(self, builder: ir.IRBuilder, args: Any) -> None:
        self.builder = builder
        self.target, self.taps, self.source, self.other, self.scale, self.tap, self.channels, *rest = args
        self.counts, self.moves, self.tap_moves, self.leading = rest[:3], rest[3:6], rest[6:9], rest[9:]

    def code(self, vectors: Vectors, _done: Any) -> None:
        self.vectors = vectors
        builder, zero = self.builder, ir.Constant(WORD, 0)
        self.begin()
        moves = list(zip(self.moves, self.tap_moves, strict=True))
        with steps(builder, self.counts[0], (zero, moves[0][0]), (self.tap, moves[0][1])) as (plane, (at, tap)):
            with steps(builder, self.counts[1], (at, moves[1][0]), (tap, moves[1][1])) as (row, (at, tap)):
                self.begin_row(tap)
                with steps(builder, self.counts[2], (at, moves[2][0]), (tap, moves[2][1])) as (_, (at, tap)):
                    self.visit(at, tap)
                self.end_row(builder.add(row, self.leading[1]))
            self.end_plane(builder.add(plane, self.leading[0]))
        self.end()

    def begin(self) -> None:
        self.total = self.vectors.variables(self.vectors.single)
        self.vectors.fill(self.total, 0)

    def begin_row(self, tap: Any) -> None:
        """Before the first source of a row, which lies under `tap`."""

    def end_row(self, number: Any) -> None:
        """After a row of the window."""

    def end_plane(self, number: Any) -> None:
        """After a plane of the window."""

    def visit(self, at: Any, tap: Any) -> None:
        """Combine the source `at` elements after the first, which lies under `tap`."""
        raise NotImplementedError

    def end(self) -> None:
        self.vectors.store(self.vectors.get(self.total), self.target)

    def add(self, terms: Values, flags: tuple[str, ...] = ()) -> None:
        sums = self.vectors.get(self.total)
        self.vectors.set(self.total, [self.builder.fadd(a, b, flags=flags) for a, b in zip(sums, terms, strict=True)])

    def values(self, at: Any) -> Values:
        item = ir.Constant(WORD, self.vectors.item)
        return self.vectors.load(self.builder.add(self.source, self.builder.mul(at, item)))


class _Sum(_Walk):
    def visit(self, at: Any, tap: Any) -> None:
        self.add(self.values(at))

    def end(self) -> None:
        scale = self.vectors.spread(self.scale)
        sums = self.vectors.get(self.total)
        self.vectors.store([self.builder.fmul(value, scale) for value in sums], self.target)


class _SumOfWon(_Walk):
    """`other` has, for each source, the tap that won; the sources of others count as 0, even infinite ones."""

    def visit(self, at: Any, tap: Any) -> None:
        vectors, builder = self.vectors, self.builder
        wanted = vectors.spread(builder.trunc(tap, BYTE))
        winners = vectors.load(builder.add(self.other, at), BYTE)
        zero = ir.Constant(vectors.type(vectors.single), [0] * vectors.lanes)
        self.add(
            [
                builder.select(builder.icmp_unsigned("==", winner, wanted), value, zero)
                for winner, value in zip(winners, self.values(at), strict=True)
            ]
        )


class _SumOfProducts(_Walk):
    """`other` has a row of weights for each tap."""

    def visit(self, at: Any, tap: Any) -> None:
        vectors, builder = self.vectors, self.builder
        row = builder.mul(builder.mul(tap, self.channels), ir.Constant(WORD, vectors.item))
        weights = vectors.load(builder.add(self.other, row))
        products = zip(self.values(at), weights, strict=True)
        self.add([builder.fmul(value, weight, flags=("contract",)) for value, weight in products], ("contract",))


class _Largest(_Walk):
    """As NumPy's maximum: NaN where there is one."""

    def begin(self) -> None:
        super().begin()
        self.vectors.fill(self.total, float("-inf"))

    def visit(self, at: Any, tap: Any) -> None:
        larger = [
            self.builder.select(_is_larger(self.builder, value, best, nan=True), value, best)
            for value, best in zip(self.values(at), self.vectors.get(self.total), strict=True)
        ]
        self.vectors.set(self.total, larger)


class _LargestAndTap(_Walk):
    """The winner too: within a row, then of rows, then of planes, the first that no later one exceeds.

    Comparisons with NaN are false, so that NaN is the result and wins only where it is first: the order of the core's
    NumPy kernel, which gives the same winner then. There padding takes part, as -inf.
    """

    widths = (2,)  # there are six values for each vector

    def begin(self) -> None:
        vectors = self.vectors
        self.levels = [(vectors.variables(vectors.single), vectors.variables(NUMBER)) for _ in range(3)]
        for values, taps in self.levels:
            vectors.fill(values, float("-inf"))
            vectors.set(taps, self._spread_tap(self.tap))

    def begin_row(self, tap: Any) -> None:
        values, taps = self.levels[2]
        self.vectors.fill(values, float("-inf"))
        self.vectors.set(taps, self._spread_tap(tap))

    def visit(self, at: Any, tap: Any) -> None:
        self._merge(2, self.values(at), self._spread_tap(tap), None)

    def end_row(self, number: Any) -> None:
        self._rise(2, number)

    def end_plane(self, number: Any) -> None:
        self._rise(1, number)

    def end(self) -> None:
        vectors = self.vectors
        values, taps = map(vectors.get, self.levels[0])
        vectors.store(values, self.target)
        vectors.store([self.builder.trunc(tap, vectors.type(BYTE)) for tap in taps], self.taps, BYTE)

    def _rise(self, level: int, number: Any) -> None:
        """Merge a level into the one above it."""
        values, taps = self.levels[level]
        self._merge(level - 1, self.vectors.get(values), self.vectors.get(taps), number)

    def _spread_tap(self, tap: Any) -> Values:
        return [self.vectors.spread(self.builder.trunc(tap, NUMBER))] * self.vectors.count

    def _merge(self, level: int, values: Values, taps: Values, number: Any) -> None:
        """Take what is larger into a level; row or plane number 0 is taken as it is."""
        builder, vectors = self.builder, self.vectors
        best, best_taps = self.levels[level]
        first = None
        if number is not None:
            first = vectors.spread(builder.icmp_unsigned("==", number, ir.Constant(WORD, 0)))
        larger, winners = [], []
        for value, tap, old, old_tap in zip(values, taps, vectors.get(best), vectors.get(best_taps), strict=True):
            wins = _is_larger(builder, value, old, nan=False)
            taken = _is_larger(builder, value, old, nan=True)
            if first is not None:
                wins, taken = builder.or_(wins, first), builder.or_(taken, first)
            larger.append(builder.select(taken, value, old))
            winners.append(builder.select(wins, tap, old_tap))
        vectors.set(best, larger)
        vectors.set(best_taps, winners)


def _is_larger(builder: ir.IRBuilder, value: Any, best: Any, nan: bool) -> Any:
    """Whether ``value > best``; with `nan` also where it is NaN."""
    larger = builder.fcmp_ordered(">", value, best)
    return builder.or_(larger, builder.fcmp_unordered("uno", value, value)) if nan else larger


_WALKS: dict[int, type[_Walk]] = {
    LARGEST: _Largest,
    LARGEST_AND_TAP: _LargestAndTap,
    SUM: _Sum,
    SUM_OF_WON: _SumOfWon,
    SUM_OF_PRODUCTS: _SumOfProducts,
}


@intrinsic
def _from_target(
    typingctx: Any, mode: Any, target: Any, taps: Any, source: Any, other: Any, scale: Any, tap: Any, channels: Any,
    count_0: Any, count_1: Any, count_2: Any, move_0: Any, move_1: Any, move_2: Any,
    tap_move_0: Any, tap_move_1: Any, tap_move_2: Any, leading_planes: Any, leading_rows: Any,
) -> Any:  # fmt: skip
    """The walk of one target, over all channels; the arguments are those of `_Walk`, in bytes where they are addresses,
    and the type of `scale` is that of the numbers."""
    word = types.intp
    return types.void(word, word, word, word, word, scale, *[word] * 13), _from_target_code


def _from_target_code(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
    mode, *rest = args
    single = context.get_value_type(signature.args[5])
    end = builder.append_basic_block("walked")
    switch = builder.switch(mode, end)
    for number, walk in _WALKS.items():
        block = builder.append_basic_block(walk.__name__)
        switch.add_case(ir.Constant(WORD, number), block)
        with builder.goto_block(block):
            made = walk(builder, rest)
            over_channels(builder, single, made.channels, walk.widths, made.code)
            builder.branch(end)
    builder.position_at_end(end)
    return context.get_dummy_value()


@njit(nogil=True, cache=True)
def walk(
    mode: int, target: int, taps: int, source: int, other: int, scales: Array, planes: Array, rows: Array,
    columns: Array, channels: int, strides: tuple[int, ...], moves: tuple[int, ...],
    tap_moves: tuple[int, ...], tap_strides: tuple[int, ...], lo: int, hi: int,
) -> None:  # fmt: skip
    """The walks of all targets in the lines ``[lo, hi)``; a line is a row of a plane of an image.

    Args:
        target, taps, source, other: addresses, of contiguous arrays.
        scales: for each target of an image.
        planes, rows, columns: the tables of `geometry`.
        strides: elements of the source from image to image, plane to plane, row to row, column to column.
        moves, tap_moves: as in `_Walk`.
        tap_strides: what a step of a tap along an axis adds to its number.
    """
    depth, height, width = len(planes), len(rows), len(columns)
    item = scales.itemsize
    for line in range(lo, hi):
        image, place = divmod(line, depth * height)
        plane, row = divmod(place, height)
        start = image * strides[0] + planes[plane, 0] * strides[1] + rows[row, 0] * strides[2]
        first = planes[plane, 1] * tap_strides[0] + rows[row, 1] * tap_strides[1]
        for column in range(width):
            at = start + columns[column, 0] * strides[3]
            out = (line * width + column) * channels
            _from_target(  # type: ignore[call-arg]
                mode, target + out * item, taps + out, source + at * item, other + (at if mode == SUM_OF_WON else 0),
                scales[place * width + column], first + columns[column, 1] * tap_strides[2], channels,
                planes[plane, 2], rows[row, 2], columns[column, 2], moves[0], moves[1], moves[2],
                tap_moves[0], tap_moves[1], tap_moves[2], planes[plane, 1], rows[row, 1],
            )  # fmt: skip


class Walks:
    """The walks from all targets, bound to memory.

    Args:
        mode: what is combined.
        target: the result, ``(batch, depth, rows, columns, channels)``, contiguous as all arrays are here.
        source: what is walked over.
        axes: the tables of `geometry`, of three axes.
        size: of the window, along three axes.
        taps: the second result, or None.
        other: the array of `_Walk.other`, or None.
        scales: for each target of an image, or None for 1.
        ctx: the context in which the head of a group is bound: parts of the result are finished here.
    """

    def __init__(
        self, mode: int, target: Array, source: Array, axes: Sequence[Axis], size: tuple[int, ...],
        taps: Array | None = None, other: Array | None = None, scales: Array | None = None, ctx: Any = None,
    ) -> None:  # fmt: skip
        lines, channels = prod(target.shape[:3]), target.shape[4]
        if scales is None:
            scales = np.ones(target.shape[1:4], target.dtype)
        self.kept = (target, source, taps, other)  # compiled code has their addresses only
        strides = tuple(step // source.itemsize for step in source.strides[:4])
        tap_strides = (size[1] * size[2], size[2], 1)
        self.arguments = (
            mode, *(0 if array is None else array.ctypes.data for array in (target, taps, source, other)),
            np.ascontiguousarray(scales, target.dtype).reshape(-1), *(axis.table for axis in axes), channels, strides,
            tuple(axis.step * stride for axis, stride in zip(axes, strides[1:], strict=True)),
            tuple(axis.tap_step * stride for axis, stride in zip(axes, tap_strides, strict=True)), tap_strides,
        )  # fmt: skip
        met = [axis.table[:, 2].mean() for axis in axes]
        work = target.size * met[0] * met[1] * met[2]
        self.bounds = cut(lines, work)
        self.after = None if ctx is None else self._finishing(ctx, lines, target)

    def _finishing(self, ctx: Any, lines: int, target: Array) -> Any:
        """What a worker has to call after a part; parts become so small that they are still in the cache."""
        parts = min(lines, target.nbytes // PART_BYTES)
        finish = ctx.take_finish() if parts > 1 else None
        if finish is None:
            return None
        self.bounds = [lines * part // parts for part in range(parts + 1)]
        width, spans = target.shape[3], list(pairwise(self.bounds))
        workers = range(parallel.thread_count())
        return [[finish(worker, lo * width, hi * width) for lo, hi in spans] for worker in workers]

    def run(self) -> None:
        bounds, arguments, after = self.bounds, self.arguments, self.after

        def part(worker: int, number: int) -> None:
            walk(*arguments, bounds[number], bounds[number + 1])  # type: ignore[call-arg]
            if after is not None:
                for call in after[worker][number]:
                    call()

        parallel.parallel_blocks(part, len(bounds) - 1)
