"""The backward pass of the fused recurrent kernels, as far as it is the same for every cell."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from kcore.ops.recurrent import gradient_names
from kcore.runtime.numpy_kernels.recurrent_gates import Call
from kcore.runtime.numpy_kernels.recurrent_overlap import Side
from kcore.runtime.numpy_kernels.recurrent_sequence import (
    Group,
    Sequence,
    gate_columns,
    masked_copy,
    runs_of,
    seq_out,
    set_state,
)

Array = Any


def named_gradients(outs: Any, attrs: dict[str, Any]) -> dict[str, Array]:
    """The outputs of a gradient kernel that are wanted, by the name of the operand they belong to."""
    return {name: out for name, out in zip(gradient_names(attrs), outs, strict=True) if out is not None}


class Backward:
    """Gradients of pre-activations, collected step by step, and the products that follow from them.

    Attributes:
        dh: ``(units, batch)``: the gradient of the state, carried from step to step.
        prepare: calls at the start of every run.
    """

    def __init__(self, seq: Sequence, outs: dict[str, Array]):
        self.seq = seq
        self.outs = outs
        self.dh = seq.scratch((seq.units, seq.batch))
        self.prepare: list[Call] = seq.pack_weights()
        self.prepare += set_state(self.dh, seq.operands.get("g_h"))
        g_outputs = seq.operands.get("g_outputs")
        self.g_outputs = None if g_outputs is None else seq_out(g_outputs)
        self.operands = [seq.scratch((seq.steps, seq.batch, seq.units + 1 + seq.features)) for _ in seq.groups]
        self._pieces = seq.pieces()
        # By piece, ``(blocks * units, steps of the piece, batch)``: gradients of the pre-activations.
        self._dz = [seq.scratch((seq.blocks * seq.units, hi - lo, seq.batch)) for lo, hi in self._pieces]
        self._spare = seq.scratch((seq.units, seq.batch))
        self.spare_chunk = seq.scratch((seq.chunk, seq.units, seq.batch))

    def output_gradients(self, lo: int, hi: int) -> tuple[list[Call], Array | None]:
        """Calls that bring the gradients of the outputs of steps lo..hi into a feature-major array, and the array."""
        if self.g_outputs is None:
            return [], None
        target = self.spare_chunk[: hi - lo]
        return [partial(np.copyto, target, self.g_outputs[lo:hi].transpose(0, 2, 1))], target

    def collect(self, lo: int, hi: int, dz: Array) -> list[Call]:
        """Calls that keep the gradients ``dz (hi - lo, blocks, units, batch)`` of a chunk of steps."""
        number = next(i for i, (_, end) in enumerate(self._pieces) if hi <= end)
        start = self._pieces[number][0]
        target = self._dz[number][:, lo - start : hi - start]
        calls: list[Call] = [partial(np.copyto, target, dz.reshape(hi - lo, -1, self.seq.batch).swapaxes(0, 1))]
        return calls if lo > start else [*calls, self._offer]

    def to_state(self, index: int, dz: Array, out: Array) -> list[Call]:
        """Calls that give the gradient of the operand's state, from ``dz`` of group index in one step."""
        group = self.seq.groups[index]
        flat = dz.reshape(-1, self.seq.batch)
        calls: list[Call] = [partial(np.dot, group.weights[: self.seq.units], flat, out)]
        if group.recurrent_mask is not None:
            calls.append(partial(np.multiply, out, group.recurrent_mask.T, out))
        return calls

    def to_previous_state(self, dz: Array) -> list[Call]:
        """Calls that set ``dh`` from the gradients ``dz (blocks, units, batch)`` of all groups that read the state."""
        calls: list[Call] = []
        for index, group in enumerate(self.seq.groups):
            if not group.reads_state:
                continue
            part = dz[group.first : group.first + len(group.blocks)]
            if not calls:
                calls = self.to_state(index, part, self.dh)
            else:
                calls += [*self.to_state(index, part, self._spare), partial(np.add, self.dh, self._spare, self.dh)]
        return calls

    def section(self, steps: list[Call]) -> list[Call]:
        """Calls for the calls of all steps, the large products beside them, and what is made of both at the end."""
        seq, outs = self.seq, self.outs
        wants_weights = any(outs.get(name) is not None for name in ("kernel", "recurrent", "bias"))
        wants_x = outs.get("x") is not None
        partial_sums: list[list[Array]] = [[] for _ in seq.groups]
        pieces: list[list[Call]] = []
        for number in reversed(range(len(self._pieces))):  # as the steps are gone through
            if wants_x:
                pieces.append(self._input_gradient(number))
            if wants_weights:
                pieces.append(self._weight_products(number, partial_sums))
        self._per_offer = wants_x + wants_weights
        self._side = Side(pieces, 0, seq.beside, seq.blas_threads)
        calls: list[Call] = [partial(self._side.run, steps)]
        if wants_weights:
            for group, sums in zip(seq.groups, partial_sums, strict=True):
                calls += [partial(np.add, sums[0], other, sums[0]) for other in sums[1:]]
                calls += self._unpack(group, sums[0])
        if outs.get("h0") is not None:
            calls.append(partial(np.copyto, outs["h0"], self.dh.T))
        return calls

    def _offer(self) -> None:
        self._side.offer(self._per_offer)

    def _columns(self, number: int, group: Group) -> Array:
        dz = self._dz[number]
        return dz.reshape(len(dz), -1)[group.columns]

    def _fill_operand(self, index: int, lo: int, hi: int) -> list[Call]:
        """Calls that write ``[h | 1 | x]`` of some steps as rows; h only where the group reads the state."""
        seq, rows = self.seq, self.operands[index][lo:hi]
        group, units = seq.groups[index], seq.units
        calls: list[Call] = [
            partial(rows[:, :, units].fill, 1),
            masked_copy(seq.x[lo:hi], group.input_mask, rows[:, :, units + 1 :]),
        ]
        if not group.reads_state:
            return calls
        before = seq_out(seq.operands["outputs"])
        if lo == 0:
            first, h0 = rows[0, :, :units], seq.operands.get("h0")
            calls.append(partial(first.fill, 0) if h0 is None else masked_copy(h0, group.recurrent_mask, first))
            rows, lo = rows[1:], 1
        calls.append(masked_copy(before[lo - 1 : hi - 1], group.recurrent_mask, rows[:, :, :units]))
        return calls

    def _weight_products(self, number: int, partial_sums: list[list[Array]]) -> list[Call]:
        """Calls for the part of the weight gradients that some steps give; enters where it will be."""
        lo, hi = self._pieces[number]
        calls: list[Call] = []
        for index, (group, sums) in enumerate(zip(self.seq.groups, partial_sums, strict=True)):
            rows = self.operands[index][lo:hi]
            flat = rows.reshape(-1, rows.shape[-1])
            columns = self._columns(number, group)
            sums.append(self.seq.scratch((len(columns), flat.shape[1])))
            calls += self._fill_operand(index, lo, hi)
            calls.append(partial(np.dot, columns, flat, sums[-1]))
        return calls

    def _unpack(self, group: Group, total: Array) -> list[Call]:
        """Calls that hand ``total (columns, rows of [h; 1; x])`` of a group out to the gradients of the operands."""
        units, outs = self.seq.units, self.outs
        calls: list[Call] = []
        for first, run in runs_of(group.blocks):
            block, count = run[0], len(run)
            part = total[first * units : (first + count) * units].T
            slope = np.array(block.slope, self.seq.dtype)
            for name, gate, rows in (
                ("recurrent", block.recurrent, part[:units]),
                ("kernel", block.kernel, part[units + 1 :]),
            ):
                if outs.get(name) is not None and gate is not None:
                    calls.append(partial(np.multiply, rows, slope, gate_columns(outs[name], gate, units, count)))
            if outs.get("bias") is not None:
                bias = outs["bias"].reshape(-1, outs["bias"].shape[-1])
                for row, gate in block.bias:
                    calls.append(partial(np.multiply, part[units], slope, gate_columns(bias[row], gate, units, count)))
        return calls

    def _input_gradient(self, number: int) -> list[Call]:
        """Calls that give the gradient of the input in some steps."""
        seq, (lo, hi) = self.seq, self._pieces[number]
        target = seq.in_time(self.outs["x"])[lo:hi]
        rows = seq.scratch((hi - lo, seq.batch, seq.features))
        calls: list[Call] = []
        for index, group in enumerate(seq.groups):
            product = rows.reshape(-1, seq.features)
            calls.append(partial(np.dot, self._columns(number, group).T, group.kernel_weights.T, product))
            if group.input_mask is not None:
                calls.append(partial(np.multiply, rows, group.input_mask, rows))
            calls.append(partial(np.copyto, target, rows) if index == 0 else partial(np.add, target, rows, target))
        return calls


class StepMask:
    """Masked steps in a backward pass: the gradient of the state passes them unchanged.

    Factors of the step are multiplied by the mask, so that nothing flows into gates and weights; what the state
    receives by itself is added after the step's product.
    """

    def __init__(self, seq: Sequence):
        self.mask = seq.step_mask()
        self.prepare: list[Call] = []
        if self.mask is None:
            return
        self.kept = seq.scratch((seq.steps, seq.batch))
        self.passed = seq.scratch((seq.steps, seq.batch))
        self._held = seq.scratch((seq.units, seq.batch))
        flags = seq.scratch((seq.steps, seq.batch), "bool")
        self.prepare = [
            partial(np.equal, self.mask, 0, flags),
            partial(np.copyto, self.passed, flags),
            partial(np.subtract, np.array(1, seq.dtype), self.passed, self.kept),
        ]

    def mask_factors(self, lo: int, hi: int, factors: Array, state: Array | None = None) -> list[Call]:
        """Calls that zero ``factors (steps, blocks, units, batch)`` where masked; `state` becomes 1 there."""
        if self.mask is None:
            return []
        kept, passed = self.kept[lo:hi, None, None], self.passed[lo:hi, None]
        calls: list[Call] = [partial(np.multiply, factors, kept, factors)]
        if state is not None:
            calls += [partial(np.multiply, state, kept[:, 0], state), partial(np.add, state, passed, state)]
        return calls

    def save(self, t: int, dh: Array) -> list[Call]:
        """The call that remembers the part of ``dh`` that passes step t."""
        return [] if self.mask is None else [partial(np.multiply, dh, self.passed[t], self._held)]

    def restore(self, dh: Array) -> list[Call]:
        """The call that adds the remembered part."""
        return [] if self.mask is None else [partial(np.add, dh, self._held, dh)]
