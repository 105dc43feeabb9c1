"""What the bound kernels share: contiguous operands, the batch cut into parts, memory.

The samples of a batch do not depend on each other. So the batch is cut into one part for each thread, and each thread
goes through all steps of its part, with all products of the step, without meeting the other: compiled code does not
hold the GIL. Only the weight gradients of the parts are added at the end, in the order of the parts; how the batch is
cut follows from the number of threads and the shapes, so results are equal to the bit from run to run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from kcore.ops.recurrent import gradient_names, named_operands
from kcore.runtime import parallel
from kcore_kernels_numba.products import PANEL, ROWS, pack, pack_transposed, padded
from kcore_kernels_numba.supported import ACTIVATIONS

Array = Any
Call = Callable[[], Any]

WORTH_A_THREAD = 1 << 21
"""Multiplications from which on a second thread is woken: they take one core some 30 microseconds."""

TILE = 32
"""Samples that go through the steps together: few enough for a step's values to stay in the cache."""

CHUNK = 64
"""Rows of the operands that are collected for one product that gives weight gradients."""

WEIGHTS = ("kernel", "recurrent", "bias")


class SequenceCall:
    """The arrays of one sequence op as compiled code takes them: float32 or bool, contiguous, writable.

    What is absent is an array without elements, so that each kernel is compiled once.

    Attributes:
        named: the operands as the plan has them.
        batch, steps, features, units: sizes.
        parts: ranges of samples.
        before, after: calls around the compiled code.
    """

    def __init__(self, ctx: Any, ins: Sequence[Array], attrs: dict[str, Any]):
        self.ctx = ctx
        self.named = named_operands(ins, attrs)
        self.batch, self.steps, self.features = self.named["x"].shape
        self.units = self.named["recurrent"].shape[0]
        self.reverse = attrs["go_backwards"]
        self.outer = ACTIVATIONS.index(attrs["activation"])
        self.inner = ACTIVATIONS.index(attrs["recurrent_activation"])
        self.before: list[Call] = []
        self.after: list[Call] = []
        self.parts = self._parts()
        self.mask = self._mask()

    def _parts(self) -> list[tuple[int, int]]:
        work = self.batch * self.steps * (self.named["kernel"].size + self.named["recurrent"].size)
        tiles = -(-self.batch // ROWS)
        count = max(1, min(parallel.thread_count(), tiles, work // WORTH_A_THREAD))
        bounds = [min(self.batch, tiles * part // count * ROWS) for part in range(count + 1)]
        return list(pairwise(bounds))

    def _mask(self) -> Array:
        mask = self.named.get("mask")
        if mask is None:
            return np.empty((0, 0), "bool")
        used = self.scratch(mask.shape, "bool")
        self.before.append(partial(np.not_equal, mask, 0, used))
        return used

    def scratch(self, shape: tuple[int, ...], dtype: str = "float32") -> Array:
        """Memory whose content does not survive the call."""
        return self.ctx.scratch(shape, dtype)

    def operand(self, name: str, ndim: int) -> Array:
        """An operand by name."""
        array = self.named.get(name)
        if array is None:
            return np.empty((0,) * ndim, "float32")
        if array.flags.c_contiguous and array.flags.writeable:
            return array
        copy = self.scratch(array.shape)
        self.before.append(partial(np.copyto, copy, array))
        return copy

    def result(self, array: Array | None, ndim: int) -> Array:
        """Memory for a result; None where it is not wanted."""
        if array is None:
            return np.empty((0,) * ndim, "float32")
        if array.flags.c_contiguous:
            return array
        copy = self.scratch(array.shape)
        self.after.append(partial(np.copyto, array, copy))
        return copy

    def reserve(self, array: Array | None, blocks: int) -> Array:
        """The reserve as it is used here: ``(steps, batch, blocks * units)``."""
        if array is None:
            return np.empty((0, 0, 0), "float32")
        return array.reshape(self.steps, self.batch, blocks * self.units)

    def packed(self, depth: int, *pieces: tuple[int, Array | None]) -> Array:
        """A right operand, packed before each call.

        Args:
            depth: its number of rows.
            pieces: first row and rows ``(rows, columns)`` of what it consists of; None where there is nothing. What
                none of them fills is zero.
        """
        found = [(row, source) for row, source in pieces if source is not None]
        columns = found[0][1].shape[1]
        memory = self._packed_memory(depth, columns, sum(len(source) for _, source in found) == depth)
        self.before += [partial(pack, source, row, memory) for row, source in found]
        return memory

    def packed_transposed(self, *pieces: Array) -> Array:
        """Weights ``(rows, depth)``, one piece below the other, as the columns of a right operand."""
        columns = sum(len(source) for source in pieces)
        memory = self._packed_memory(pieces[0].shape[1], columns, True)
        first = 0
        for source in pieces:
            self.before.append(partial(pack_transposed, source, first, memory))
            first += len(source)
        return memory

    def _packed_memory(self, depth: int, columns: int, full: bool) -> Array:
        memory = self.scratch((-(-columns // PANEL), depth, PANEL))
        if columns % PANEL or not full:
            self.before.append(partial(memory.fill, 0))
        return memory

    def sums(self, rows: int, columns: int, wanted: bool) -> Array:
        """Memory for gradients of weights, ``(parts, rows, columns)`` or without elements, padded.

        They are added before anything else in `after`, so that ``sums[0]`` is the total.
        """
        if not wanted:
            return np.empty((len(self.parts), 0, 0), "float32")
        sums = self.scratch((len(self.parts), padded(rows, ROWS), padded(columns, PANEL)))
        self.after += [partial(np.add, sums[0], other, sums[0]) for other in sums[1:]]
        return sums

    def hand_out(self, target: Array | None, total: Array) -> None:
        """Copy a gradient, the beginning of `total`, to where it is wanted; None: nowhere."""
        if target is not None:
            self.after.append(partial(np.copyto, target, total[: len(target), : target.shape[1]]))

    def bind(self, body: Callable[[int, int, int], object]) -> Call:
        """The call to repeat; `body` is given a part's number and its range of samples."""
        before, after, parts = self.before, self.after, self.parts

        def work(_worker: int, part: int) -> None:
            body(part, *parts[part])

        def run() -> None:
            for call in before:
                call()
            parallel.parallel_blocks(work, len(parts))
            for call in after:
                call()

        return run


def as_rows(bias: Array | None) -> Any:
    """A bias as a matrix of its rows; None for None."""
    return None if bias is None else bias.reshape(-1, bias.shape[-1])


def wanted_gradients(outs: Sequence[Array | None], attrs: dict[str, Any]) -> dict[str, Array]:
    """The outputs of a gradient op that are wanted, by the name of the operand they belong to."""
    return {name: out for name, out in zip(gradient_names(attrs), outs, strict=True) if out is not None}
