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
from kcore.runtime.numpy_kernels.recurrent_overlap import WORTH_A_THREAD

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
        weights: ``(units + 1, columns)``, what a step's product takes: the rows belong to the operand ``[h; 1]``; or
            ``(units + 1 + features, columns)`` for the operand ``[h; 1; x]``.
        kernel_weights: ``(features, columns)``, the rows of ``x``.
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
        columns = len(blocks) * units

        def memory(rows: int) -> Array:
            # As each direction's product wants it: BLAS is up to a quarter faster where it need not transpose, and
            # a fifth where it finds the numbers side by side.
            return seq.scratch((rows, columns)) if seq.backward else seq.scratch((columns, rows)).T

        self.weights = memory(units + 1 + (seq.features if seq.fused else 0))
        self.kernel_weights = self.weights[units + 1 :] if seq.fused else memory(seq.features)


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
        # Products of a step that are large themselves are best left to the threads of BLAS.
        self.blas_threads = 2 * self.operands["recurrent"].size * self.batch >= LARGE_STEP
        rows = self.features + (self.units if self.backward else 0)
        flops = 2 * self.steps * self.batch * rows * self.operands["kernel"].shape[1]
        self.beside = flops >= WORTH_A_THREAD and not self.blas_threads
        self.fused = not self.backward and self.batch >= SMALL_BATCH and not self.beside and not self.blas_threads
        self.groups: list[Group] = []
        first = 0
        for members, reads_state in zip(blocks, reads, strict=True):
            for part in self._parts(members):
                self.groups.append(Group(self, first, part, reads_state, part[0].mask))
                first += len(part)
        self.blocks = first
        self.chunk = max(1, min(self.steps, CHUNK_ELEMENTS // max(1, self.units * self.batch)))

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
        count = min(PIECES, self.steps * self.batch // rows) if self.beside else 1
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
        for first, run in runs_of(group.blocks):
            columns, block = slice(first * units, (first + len(run)) * units), run[0]
            scale = np.array(block.slope if self.backward else block.scale, self.dtype)
            sources = (
                (block.recurrent, "recurrent", group.weights[:units, columns]),
                (block.kernel, "kernel", group.kernel_weights[:, columns]),
            )
            for gate, name, part in sources:
                if gate is None:
                    calls.append(partial(part.fill, 0))
                else:
                    calls.append(
                        partial(np.multiply, gate_columns(self.operands[name], gate, units, len(run)), scale, part)
                    )
            if not self.backward:
                calls += _pack_bias(run, bias, units, scale, group.weights[units, columns])
        return calls

    def _bias(self) -> Array | None:
        bias = self.operands.get("bias")
        return None if bias is None else bias.reshape(-1, bias.shape[-1])

    # -- step masks ------------------------------------------------------------------------------------------
    def step_mask(self) -> Array | None:
        """The mask as seen in processing order, ``(steps, batch)``, or None."""
        mask = self.operands.get("mask")
        return None if mask is None else self.in_time(mask)


def gate_columns(weights: Array, gate: int, units: int, count: int = 1) -> Array:
    """The columns of `count` gates."""
    return weights[..., gate * units : (gate + count) * units]


def runs_of(blocks: Seq[Block]) -> list[tuple[int, list[Block]]]:
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
    parts = [gate_columns(bias[r], gate, units, len(run)) for r, gate in block.bias]
    calls: list[Call] = [partial(np.multiply, parts[0], scale, row)]
    if len(parts) > 1:
        calls = [partial(np.add, parts[0], parts[1], row), partial(np.multiply, row, scale, row)]
    if block.shift:
        calls.append(partial(np.add, row, shift, row))
    return calls


def seq_out(outputs: Array) -> Array:
    """``(batch, steps, units)`` as ``(steps, batch, units)``: outputs are in the order of processing."""
    return outputs.swapaxes(0, 1)


def set_state(target: Array, initial: Array | None) -> list[Call]:
    """Calls that set a feature-major state to an initial value, or to zeros."""
    return [partial(target.fill, 0) if initial is None else partial(np.copyto, target, initial.T)]


def masked_copy(x: Array, mask: Array | None, out: Array) -> Call:
    """``out = x * mask``; `mask` is ``(batch, features)`` or None."""
    return partial(np.copyto, out, x) if mask is None else partial(np.multiply, x, mask, out)
