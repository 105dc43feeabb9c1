"""NumPy kernels of the GRU, with the reset gate before or after the recurrent product.

Blocks of the reserve: candidate g, z, r, then with `reset_after` u (the recurrent part of the candidate, as its product
made it), then the state before the step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from kcore.runtime.numpy_kernels.recurrent_backward import Backward, StepMask, named_gradients
from kcore.runtime.numpy_kernels.recurrent_forward import Forward
from kcore.runtime.numpy_kernels.recurrent_gates import GATES, Call, run_all
from kcore.runtime.numpy_kernels.recurrent_sequence import Block
from kcore.runtime.numpy_kernels.recurrent_sequence import Sequence as SequenceKernel
from kcore.runtime.numpy_kernels.table import numpy_kernel

Array = Any

_CANDIDATE = 2


def _sequence(ctx: Any, ins: Sequence[Array], attrs: dict[str, Any]) -> SequenceKernel:
    """Groups: the candidate, whose operand holds ``r*h``, then z and r; all gates together with `reset_after`."""
    inner, outer = attrs["recurrent_activation"], attrs["activation"]
    names = attrs["operands"]
    two_rows = "bias" in names and ins[3 + names.index("bias")].ndim == 2
    if not attrs["reset_after"]:
        gates = [Block.standard(gate, inner) for gate in (0, 1)]
        return SequenceKernel(ctx, ins, attrs, [[Block.standard(_CANDIDATE, outer)], gates], [False, True])
    f, g = GATES[inner], GATES[outer]
    rows = (0, 1) if two_rows else (0,)
    blocks = [
        Block(_CANDIDATE, None, ((0, _CANDIDATE),), g.scale, g.shift, g.slope),
        *(Block(gate, gate, tuple((row, gate) for row in rows), f.scale, f.shift, f.slope) for gate in (0, 1)),
        Block(None, _CANDIDATE, ((1, _CANDIDATE),) if two_rows else (), g.scale, 0.0, g.slope),
    ]
    return SequenceKernel(ctx, ins, attrs, [blocks], [True])


@numpy_kernel("gru_sequence")
def gru_sequence(ctx: Any, outs: Any, ins: Any, attrs: dict[str, Any]) -> Callable[[], None]:
    """Hidden states, last state and reserve of a GRU."""
    outputs, last_h, reserve = outs
    seq = _sequence(ctx, ins, attrs)
    forward = Forward(seq)
    blocks = 5 if attrs["reset_after"] else 4
    shape = (seq.units, seq.batch)
    kept = seq.scratch((1, blocks, *shape)) if reserve is None else reserve
    spare = seq.scratch((2, *shape))
    mask = seq.step_mask()
    masked = None if mask is None else seq.scratch((seq.steps, seq.batch), "bool")
    calls = list(forward.prepare)
    if mask is not None:
        calls.append(partial(np.equal, mask, 0, masked))
    due, end = forward.emit(outputs, last_h)
    gates = _gates_reset_after if attrs["reset_after"] else _gates
    steps: list[Call] = []
    for t in range(seq.steps):
        now, h, new = kept[0 if reserve is None else t], forward.h[t], forward.h[t + 1]
        steps += forward.begin_step(t)
        steps += gates(forward, t, now, spare, attrs)
        if reserve is not None:
            steps.append(partial(np.copyto, now[-1], h))
        steps.append(partial(np.subtract, h, now[0], spare[0]))
        steps.append(partial(np.multiply, spare[0], now[1], spare[0]))
        steps.append(partial(np.add, now[0], spare[0], new))
        if masked is not None:
            steps += forward.hold(t, [(new, h)], masked)
        steps += due.get(t, [])
    return partial(run_all, [*calls, forward.section(steps), *end])


def _gates(forward: Forward, t: int, now: Array, spare: Array, attrs: dict[str, Any]) -> list[Call]:
    """Calls that compute candidate, z and r of step t into ``now``; the state is reset before its product."""
    inner, outer = GATES[attrs["recurrent_activation"]], GATES[attrs["activation"]]
    candidate, gates = now[0], now[1:3]
    calls: list[Call] = []
    for index, group in enumerate(forward.seq.groups[1:], start=1):
        calls += forward.product(t, index, now[group.first : group.first + len(group.blocks)])
    calls += inner.apply(gates, gates, spare)
    operand, mask = forward.states[0][t, : forward.seq.units], forward.seq.groups[0].recurrent_mask
    calls.append(partial(np.multiply, now[2], forward.h[t], operand))
    if mask is not None:
        calls.append(partial(np.multiply, operand, mask.T, operand))
    return calls + forward.product(t, 0, candidate) + outer.apply(candidate, candidate, spare[0])


def _gates_reset_after(forward: Forward, t: int, now: Array, spare: Array, attrs: dict[str, Any]) -> list[Call]:
    """The same where the product of the state is reset, not the state."""
    inner, outer = GATES[attrs["recurrent_activation"]], GATES[attrs["activation"]]
    candidate, gates = now[0], now[1:3]
    calls: list[Call] = []
    for index, group in enumerate(forward.seq.groups):
        calls += forward.product(t, index, now[group.first : group.first + len(group.blocks)])
    calls += inner.apply(gates, gates, spare)
    calls.append(partial(np.multiply, now[2], now[3], spare[0]))
    calls.append(partial(np.add, candidate, spare[0], candidate))
    return calls + outer.apply(candidate, candidate, spare[0])


@numpy_kernel("gru_sequence_grad")
def gru_sequence_grad(ctx: Any, outs: Any, ins: Any, attrs: dict[str, Any]) -> Callable[[], None]:
    """Gradients of a GRU, from its reserve.

    What multiplies ``dh`` is known beforehand: ``[z, (1-z) dg, (h-g) dz] * dh`` is one call; its first part goes to
    the previous state, the others are gradients of pre-activations, followed by that of r.
    """
    seq = _sequence(ctx, ins, attrs)
    backward = Backward(seq, named_gradients(outs, attrs))
    reserve, after = seq.operands["reserve"], attrs["reset_after"]
    factors = seq.scratch((seq.chunk, 5, seq.units, seq.batch))
    reset = seq.scratch((seq.units, seq.batch))
    keep = StepMask(seq)
    calls = backward.prepare + keep.prepare
    steps: list[Call] = []
    for lo, hi in reversed(seq.chunks()):
        part, kept = factors[: hi - lo], reserve[lo:hi]
        steps += _factors(attrs, kept, part)
        if not after:
            steps += _operand_of_candidate(backward, lo, hi, kept)
        steps += keep.mask_factors(lo, hi, part if after else part[:, :3])
        copies, incoming = backward.output_gradients(lo, hi)
        steps += copies
        for t in reversed(range(lo, hi)):
            step, dh = part[t - lo], backward.dh
            if incoming is not None:
                steps.append(partial(np.add, dh, incoming[t - lo], dh))
            steps += keep.save(t, dh)
            direct = step if after else step[:3]
            steps.append(partial(np.multiply, direct, dh, direct))
            if not after:
                steps += backward.to_state(0, step[1:2], reset)
                steps.append(partial(np.multiply, step[3:], reset, step[3:]))
            steps += backward.to_previous_state(step[1 : 1 + seq.blocks])
            steps.append(partial(np.add, dh, step[0], dh))
            if not after:
                steps.append(partial(np.add, dh, step[4], dh))
            steps += keep.restore(dh)
        steps += backward.collect(lo, hi, part[:, 1 : 1 + seq.blocks])
    return partial(run_all, [*calls, *backward.section(steps)])


def _factors(attrs: dict[str, Any], kept: Array, out: Array) -> list[Call]:
    """Calls that compute the factors of some steps: z, those of candidate, z and r, then r or that of u."""
    inner, outer = GATES[attrs["recurrent_activation"]], GATES[attrs["activation"]]
    g, z, r, h = kept[:, 0], kept[:, 1], kept[:, 2], kept[:, -1]
    direct, to_g, to_z, to_r, last = (out[:, block] for block in range(5))
    one = np.array(1, out.dtype)
    calls = inner.derivative(kept[:, 1:3], out[:, 2:4])
    calls += outer.derivative(g, last)
    calls += [
        partial(np.subtract, one, z, to_g),
        partial(np.multiply, to_g, last, to_g),
        partial(np.subtract, h, g, last),
        partial(np.multiply, to_z, last, to_z),
        partial(np.copyto, direct, z),
    ]
    if not attrs["reset_after"]:
        return [*calls, partial(np.multiply, to_r, h, to_r), partial(np.copyto, last, r)]
    calls += [
        partial(np.multiply, to_r, kept[:, 3], to_r),
        partial(np.multiply, to_r, to_g, to_r),
        partial(np.multiply, to_g, r, last),
    ]
    if outer.slope != outer.scale:  # u is kept scaled by the one, and its gradient wants the other
        calls.append(partial(np.multiply, to_r, np.array(outer.slope / outer.scale, out.dtype), to_r))
    return calls


def _operand_of_candidate(backward: Backward, lo: int, hi: int, kept: Array) -> list[Call]:
    """Calls that write ``r*h`` of some steps as rows, for the gradient of the candidate's weights."""
    if all(backward.outs.get(name) is None for name in ("kernel", "recurrent", "bias")):
        return []
    seq = backward.seq
    rows = backward.operands[0][lo:hi, :, : seq.units]
    product = backward.spare_chunk[: hi - lo]
    calls: list[Call] = [
        partial(np.multiply, kept[:, 2], kept[:, -1], product),
        partial(np.copyto, rows, product.transpose(0, 2, 1)),
    ]
    mask = seq.groups[0].recurrent_mask
    return calls if mask is None else [*calls, partial(np.multiply, rows, mask, rows)]
