"""What the fused recurrent kernels share: layout, packed weights, state operands, weight gradients.

Layout. Inside a kernel values are *feature-major*: a state is ``(units, batch)``, the pre-activations of all gates
of a step are one contiguous array ``(gates*units, batch)``. So one product ``W.T @ s`` makes all gates, each gate is
contiguous memory, and neighbouring gates can share one call. Arrays of the graph are ``(batch, steps, features)``;
they are rearranged once, on the way in and out, where BLAS cannot read them transposed.

Operand of a step. ``s = [h; 1]`` stacked along the features, so that one product gives the recurrent part and the bias;
the input product of many steps is made at once, beside the steps (`recurrent_overlap`), and added. In a small problem,
where that wins less than the additions cost, ``s = [h; 1; x]`` and the step's product has the input product in it.

Weight gradients are one product of the operands ``[h; 1; x]`` of many steps with their pre-activation gradients: it
gives the gradients of the recurrent weights, the bias and the kernel together. It too is made beside the steps.
"""

from __future__ import annotations

from collections.abc import Sequence as Seq
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from kcore.ops.recurrent import named_operands
from kcore.runtime.numpy_kernels.recurrent_gates import GATES, Call
from kcore.runtime.numpy_kernels.recurrent_overlap import WORTH_A_THREAD, Side

Array = Any

SMALL_BATCH = 16
"""Below this batch size the input products of many steps are one product; else one per step in one call, which leaves
the pre-activations of each step contiguous."""

LARGE_STEP = 1 << 25
"""Floating-point operations of a step's product from which on BLAS splits it over threads, with nothing beside it."""

PIECES = 8
"""Into how many pieces the work beside the steps is cut."""

CHUNK_ELEMENTS = 1 << 14
"""Work that is done for several steps at once takes so many steps that one gate has about this many elements: enough
to make the calls cheap, few enough to stay in the cache."""


@dataclass(frozen=True)
class Block:
    """The pre-activation of one gate: which columns of the weights make it.

    Attributes:
        kernel, recurrent: the gate's number in the columns of the kernel and of the recurrent kernel; None where
            it takes nothing from there.
        bias: ``(row, gate)`` of each part of the bias that it takes; the usual bias has one row.
        scale, shift: what the activation wants folded into the weights (`Gate`).
        slope: the factor of the activation's derivative that is folded into the weights of the backward pass.
    """

    kernel: int | None
    recurrent: int | None
    bias: tuple[tuple[int, int], ...]
    scale: float = 1.0
    shift: float = 0.0
    slope: float = 1.0

    @classmethod
    def standard(cls, gate: int, activation: str) -> Block:
        """The block of a gate that has its own columns everywhere."""
        f = GATES[activation]
        return cls(gate, gate, ((0, gate),), f.scale, f.shift, f.slope)

    def next_gate(self) -> Block | None:
        """The block of the next gate of the same kind, if this one has its own columns everywhere."""
        if self.kernel is None or self.recurrent is None:
            return None
        bias = tuple((row, gate + 1) for row, gate in self.bias)
        return replace(self, kernel=self.kernel + 1, recurrent=self.recurrent + 1, bias=bias)

    @property
    def mask(self) -> int:
        """The number of the gate's drop-out masks."""
        gate = self.kernel if self.kernel is not None else self.recurrent
        assert gate is not None
        return gate


class Group:
    """Neighbouring blocks whose pre-activations are made by one product per step.

    Attributes:
        blocks: the gates.
        first: position of its first block among all blocks.
        weights: ``(rows, len(blocks)*units)``, rows as in the operand ``[h; 1; x]``.
        reads_state: whether ``h`` in its operand is the previous state (else the cell fills it in).
        input_mask, recurrent_mask: ``(batch, features)`` drop-out masks of its operand, or None.
    """

    def __init__(self, seq: Sequence, first: int, blocks: Seq[Block], reads_state: bool, mask: int):
        self.blocks = list(blocks)
        self.first = first
        self.reads_state = reads_state
        self.input_mask = _mask_of(seq.operands.get("input_dropout"), mask)
        self.recurrent_mask = _mask_of(seq.operands.get("recurrent_dropout"), mask)
        units = seq.units
        self.columns = slice(first * units, (first + len(blocks)) * units)
        rows, columns = units + 1 + seq.features, len(blocks) * units
        # As each direction's product wants it: BLAS is up to a quarter faster where it need not transpose.
        self.weights = seq.scratch((rows, columns)) if seq.backward else seq.scratch((columns, rows)).T
        self.recurrent_weights = self.weights[:units]
        self.kernel_weights = self.weights[units + 1 :]


def _mask_of(masks: Array | None, gate: int) -> Array | None:
    if masks is None:
        return None
    return masks[gate if masks.shape[0] > 1 else 0]


class Sequence:
    """The arrays and sizes of one sequence kernel, and the calls that every cell needs."""

    def __init__(self, ctx: Any, ins: Seq[Array], attrs: dict[str, Any], blocks: Seq[Seq[Block]], reads: Seq[bool]):
        """`blocks`: the groups of gates; `reads`: for each group, whether its operand is the previous state."""
        self.ctx = ctx
        self.backward = "cotangents" in attrs
        self.operands = named_operands(ins, attrs)
        self.reverse = attrs["go_backwards"]
        self.batch, self.steps, self.features = self.operands["x"].shape
        self.units = self.operands["recurrent"].shape[0]
        self.dtype = self.operands["x"].dtype
        self.x = self.in_time(self.operands["x"])
        self.groups: list[Group] = []
        first = 0
        for members, reads_state in zip(blocks, reads, strict=True):
            for part in self._parts(members):
                self.groups.append(Group(self, first, part, reads_state, part[0].mask))
                first += len(part)
        self.blocks = first
        per_step = max(1, self.units * self.batch)
        # Products of a step that are large themselves are best left to the threads of BLAS.
        self.blas_threads = 2 * self.operands["recurrent"].size * self.batch >= LARGE_STEP
        self.chunk = max(1, min(self.steps, CHUNK_ELEMENTS // per_step))

    def _parts(self, members: Seq[Block]) -> list[Seq[Block]]:
        """Gates with drop-out masks of their own cannot share a product."""
        masks = [self.operands.get(name) for name in ("input_dropout", "recurrent_dropout")]
        if any(m is not None and m.shape[0] > 1 for m in masks):
            return [[block] for block in members]
        return [members]

    def scratch(self, shape: tuple[int, ...], dtype: Any = None) -> Array:
        """Memory for this kernel; its content does not survive the call."""
        return self.ctx.scratch(shape, self.dtype if dtype is None else dtype)

    def in_time(self, array: Array) -> Array:
        """``(batch, steps, ...)`` seen as ``(steps, batch, ...)`` in the order of processing."""
        return array.swapaxes(0, 1)[::-1] if self.reverse else array.swapaxes(0, 1)

    def chunks(self) -> list[tuple[int, int]]:
        """Ranges of steps that are treated together."""
        return [(lo, min(lo + self.chunk, self.steps)) for lo in range(0, self.steps, self.chunk)]

    def pieces(self) -> list[tuple[int, int]]:
        """Ranges of steps, made of whole chunks, whose large products are made at once.

        Each has a weight gradient of its own: not so many that these need more memory than the operands.
        """
        chunks = self.chunks()
        rows = self.units + 1 + self.features
        count = 1 if self.blas_threads else min(PIECES, self.steps * self.batch // rows)
        per_piece = -(-len(chunks) // max(1, count))
        return [
            (part[0][0], part[-1][1]) for i in range(0, len(chunks), per_piece) if (part := chunks[i : i + per_piece])
        ]

    # -- weights -------------------------------------------------------------------------------------------
    def pack_weights(self) -> list[Call]:
        """Calls that gather the weights of each group, scaled as its activations want them."""
        return [call for group in self.groups for call in self._pack(group)]

    def _pack(self, group: Group) -> list[Call]:
        calls: list[Call] = []
        units, bias = self.units, self._bias()
        for first, run in _runs(group.blocks):
            target, block = group.weights[:, first * units : (first + len(run)) * units], run[0]
            scale = np.array(block.slope if self.backward else block.scale, self.dtype)
            sources = ((block.recurrent, "recurrent", target[:units]), (block.kernel, "kernel", target[units + 1 :]))
            for gate, name, part in sources:
                if gate is None:
                    calls.append(partial(part.fill, 0))
                else:
                    calls.append(partial(np.multiply, _gate(self.operands[name], gate, units, len(run)), scale, part))
            if not self.backward:
                calls += _pack_bias(run, bias, units, scale, target[units])
        return calls

    def _bias(self) -> Array | None:
        bias = self.operands.get("bias")
        return None if bias is None else bias.reshape(-1, bias.shape[-1])

    # -- step masks ------------------------------------------------------------------------------------------
    def step_mask(self) -> Array | None:
        """The mask as seen in processing order, ``(steps, batch)``, or None."""
        mask = self.operands.get("mask")
        return None if mask is None else self.in_time(mask)


def _gate(weights: Array, gate: int, units: int, count: int = 1) -> Array:
    """The columns of `count` gates."""
    return weights[..., gate * units : (gate + count) * units]


def _runs(blocks: Seq[Block]) -> list[tuple[int, list[Block]]]:
    """Neighbouring blocks that are neighbours in the weights too and scaled alike, with the position of the first."""
    runs: list[tuple[int, list[Block]]] = []
    for position, block in enumerate(blocks):
        last = runs[-1][1][-1] if runs else None
        if last is not None and block == last.next_gate():
            runs[-1][1].append(block)
        else:
            runs.append((position, [block]))
    return runs


def _pack_bias(run: Seq[Block], bias: Array | None, units: int, scale: Array, row: Array) -> list[Call]:
    block, shift = run[0], np.array(run[0].shift, row.dtype)
    if bias is None or not block.bias:
        return [partial(np.copyto, row, shift)]
    parts = [_gate(bias[r], gate, units, len(run)) for r, gate in block.bias]
    calls: list[Call] = [partial(np.multiply, parts[0], scale, row)]
    if len(parts) > 1:
        calls = [partial(np.add, parts[0], parts[1], row), partial(np.multiply, row, scale, row)]
    if block.shift:
        calls.append(partial(np.add, row, shift, row))
    return calls


class Forward:
    """The operands ``[h; 1]`` (or ``[h; 1; x]``) of all steps, and the products that make the pre-activations.

    Attributes:
        h: ``steps + 1`` arrays ``(units, batch)``: ``h[t]`` is the state before step t. A cell writes ``h[t + 1]``.
        prepare: calls at the start of every run.
    """

    def __init__(self, seq: Sequence):
        self.seq = seq
        columns = sum(group.weights.shape[1] for group in seq.groups)
        flops = 2 * seq.steps * seq.batch * seq.features * columns
        self._fused = seq.batch >= SMALL_BATCH and flops < WORTH_A_THREAD
        self._rows = seq.units + 1 + (seq.features if self._fused else 0)
        self.states = [seq.scratch((seq.steps + 1, self._rows, seq.batch)) for _ in seq.groups]
        self.prepare: list[Call] = seq.pack_weights()
        self.prepare += [partial(states[:, seq.units].fill, 1) for states in self.states]
        self._from_input: list[list[Array]] = [[] for _ in seq.groups]  # by group and step
        ranges = [] if self._fused else seq.pieces()
        if self._fused:
            for group, states in zip(seq.groups, self.states, strict=True):
                inputs = states[:-1, seq.units + 1 :].swapaxes(1, 2)
                self.prepare.append(_product_with_mask(seq.x, group.input_mask, inputs))
        pieces = [self._input_products(lo, hi) for lo, hi in ranges]
        self._side = Side(pieces, len(pieces), flops, seq.blas_threads)
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
            calls.append(_product_with_mask(seq.x[lo:hi], group.input_mask, rows))
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
        weights = self.seq.groups[index].weights[: self._rows]
        calls: list[Call] = [partial(np.dot, weights.T, self.states[index][t], flat)]
        return calls if self._fused else [*calls, partial(np.add, flat, self._from_input[index][t], flat)]

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


def seq_out(outputs: Array) -> Array:
    """``(batch, steps, units)`` as ``(steps, batch, units)``: outputs are in the order of processing."""
    return outputs.swapaxes(0, 1)


def set_state(target: Array, initial: Array | None) -> list[Call]:
    """Calls that set a feature-major state to an initial value, or to zeros."""
    return [partial(target.fill, 0) if initial is None else partial(np.copyto, target, initial.T)]


def _product_with_mask(x: Array, mask: Array | None, out: Array) -> Call:
    """``out = x * mask``; `mask` is ``(batch, features)`` or None."""
    return partial(np.copyto, out, x) if mask is None else partial(np.multiply, x, mask, out)


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
        calls: list[Call] = [partial(np.dot, group.recurrent_weights, flat, out)]
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
        flops = 2 * seq.steps * seq.batch * sum(group.weights.size for group in seq.groups)
        self._side = Side(pieces, 0, flops, seq.blas_threads)
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
            _product_with_mask(seq.x[lo:hi], group.input_mask, rows[:, :, units + 1 :]),
        ]
        if not group.reads_state:
            return calls
        before = seq_out(seq.operands["outputs"])
        if lo == 0:
            first, h0 = rows[0, :, :units], seq.operands.get("h0")
            calls.append(partial(first.fill, 0) if h0 is None else _product_with_mask(h0, group.recurrent_mask, first))
            rows, lo = rows[1:], 1
        calls.append(_product_with_mask(before[lo - 1 : hi - 1], group.recurrent_mask, rows[:, :, :units]))
        return calls

    def _weight_products(self, number: int, partial_sums: list[list[Array]]) -> list[Call]:
        """Calls for the part of the weight gradients that some steps give; enters where it will be."""
        lo, hi = self._pieces[number]
        calls: list[Call] = []
        for index, (group, sums) in enumerate(zip(self.seq.groups, partial_sums, strict=True)):
            rows = self.operands[index][lo:hi]
            flat = rows.reshape(-1, rows.shape[-1])
            sums.append(self.seq.scratch(group.weights.shape))
            calls += self._fill_operand(index, lo, hi)
            calls.append(partial(np.dot, flat.T, self._columns(number, group).T, sums[-1]))
        return calls

    def _unpack(self, group: Group, total: Array) -> list[Call]:
        """Calls that hand the gradient of a group's packed weights out to those of the operands."""
        units, outs = self.seq.units, self.outs
        calls: list[Call] = []
        for first, run in _runs(group.blocks):
            block, count = run[0], len(run)
            part = total[:, first * units : (first + count) * units]
            slope = np.array(block.slope, self.seq.dtype)
            for name, gate, rows in (
                ("recurrent", block.recurrent, part[:units]),
                ("kernel", block.kernel, part[units + 1 :]),
            ):
                if outs.get(name) is not None and gate is not None:
                    calls.append(partial(np.multiply, rows, slope, _gate(outs[name], gate, units, count)))
            if outs.get("bias") is not None:
                bias = outs["bias"].reshape(-1, outs["bias"].shape[-1])
                for row, gate in block.bias:
                    calls.append(partial(np.multiply, part[units], slope, _gate(bias[row], gate, units, count)))
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
