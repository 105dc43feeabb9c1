"""The forward pass of the fused recurrent kernels, as far as it is the same for every cell."""

from __future__ import annotations

from collections.abc import Sequence as Seq
from functools import partial
from typing import Any

import numpy as np

from kcore.runtime.numpy_kernels.recurrent_gates import Call
from kcore.runtime.numpy_kernels.recurrent_overlap import Side
from kcore.runtime.numpy_kernels.recurrent_sequence import SMALL_BATCH, Sequence, masked_copy, seq_out, set_state

Array = Any


class Forward:
    """The operands ``[h; 1]`` (or ``[h; 1; x]``) of all steps, and the products that make the pre-activations.

    Attributes:
        h: ``steps + 1`` arrays ``(units, batch)``: ``h[t]`` is the state before step t. A cell writes ``h[t + 1]``.
        prepare: calls at the start of every run.
    """

    def __init__(self, seq: Sequence):
        self.seq = seq
        self.states = [seq.scratch((seq.steps + 1, len(group.weights), seq.batch)) for group in seq.groups]
        self.prepare: list[Call] = seq.pack_weights()
        self.prepare += [partial(states[:, seq.units].fill, 1) for states in self.states]
        self._from_input: list[list[Array]] = [[] for _ in seq.groups]  # by group and step
        ranges = [] if seq.fused else seq.pieces()
        if seq.fused:
            for group, states in zip(seq.groups, self.states, strict=True):
                inputs = states[:-1, seq.units + 1 :].swapaxes(1, 2)
                self.prepare.append(masked_copy(seq.x, group.input_mask, inputs))
        pieces = [self._input_products(lo, hi) for lo, hi in ranges]
        self._side = Side(pieces, len(pieces), seq.beside, seq.blas_threads)
        self._first_steps = {lo: number for number, (lo, _) in enumerate(ranges)}
        self._place_states()

    def section(self, steps: list[Call]) -> Call:
        """One call for the calls of all steps and the input products beside them."""
        return partial(self._side.run, steps)

    def _place_states(self) -> None:
        """Let the state live in the operand of the first group that reads it unmasked, or in memory of its own."""
        seq = self.seq
        home = None
        self._copies: list[tuple[Array, Array | None]] = []
        for group, states in zip(seq.groups, self.states, strict=True):
            if not group.reads_state:
                continue
            if home is None and group.recurrent_mask is None:
                home = states[:, : seq.units]
            else:
                self._copies.append((states, group.recurrent_mask))
        self.h_all = seq.scratch((seq.steps + 1, seq.units, seq.batch)) if home is None else home
        self.h = list(self.h_all)
        self.prepare += set_state(self.h[0], seq.operands.get("h0"))

    def _input_products(self, lo: int, hi: int) -> list[Call]:
        """Calls that make the input products of some steps; enters where each step finds its own."""
        seq, count = self.seq, hi - lo
        calls: list[Call] = []
        for group, found in zip(seq.groups, self._from_input, strict=True):
            rows = seq.scratch((count, seq.batch, seq.features))
            weights = group.kernel_weights.T
            calls.append(masked_copy(seq.x[lo:hi], group.input_mask, rows))
            if seq.batch < SMALL_BATCH:
                product = seq.scratch((len(weights), count * seq.batch))
                calls.append(partial(np.dot, weights, rows.reshape(-1, seq.features).T, product))
                found += list(product.reshape(-1, count, seq.batch).swapaxes(0, 1))
            else:
                stacked = seq.scratch((count, len(weights), seq.batch))
                calls.append(partial(np.matmul, weights, rows.swapaxes(1, 2), stacked))
                found += list(stacked)
        return calls

    def begin_step(self, t: int) -> list[Call]:
        """Wait for the input products, and bring the state before step t into the operands that hold a copy of it."""
        piece = self._first_steps.get(t)
        calls: list[Call] = [] if piece is None else [partial(self._side.need, piece)]
        return calls + [
            partial(np.copyto, states[t, : self.seq.units], self.h[t])
            if mask is None
            else partial(np.multiply, self.h[t], mask.T, states[t, : self.seq.units])
            for states, mask in self._copies
        ]

    def product(self, t: int, index: int, z: Array) -> list[Call]:
        """Calls that make the pre-activations ``z (blocks of group index, units, batch)`` of step t."""
        flat = z.reshape(-1, self.seq.batch)
        calls: list[Call] = [partial(np.dot, self.seq.groups[index].weights.T, self.states[index][t], flat)]
        return calls if self.seq.fused else [*calls, partial(np.add, flat, self._from_input[index][t], flat)]

    def hold(self, t: int, pairs: Seq[tuple[Array, Array]], masked: Array) -> list[Call]:
        """Where a sample is masked in step t, give each new value of `pairs` (new, old) its old one."""
        return [partial(np.copyto, new, old, where=masked[t]) for new, old in pairs]

    def emit(self, outputs: Array | None, last: Array | None) -> tuple[dict[int, list[Call]], list[Call]]:
        """Calls that write the outputs: a dict of those due after a step, and those at the end."""
        seq = self.seq
        due: dict[int, list[Call]] = {}
        if outputs is not None:
            target = seq_out(outputs)
            for lo, hi in seq.chunks():
                due[hi - 1] = [partial(np.copyto, target[lo:hi], self.h_all[lo + 1 : hi + 1].transpose(0, 2, 1))]
        return due, [] if last is None else [partial(np.copyto, last, self.h[-1].T)]
