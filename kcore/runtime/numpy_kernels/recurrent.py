"""NumPy kernels of the fused recurrent ops: LSTM and SimpleRNN (the GRU is in `recurrent_gru`).

Each kernel is a flat list of bound calls; `recurrent_sequence` explains the layout. The blocks of the *reserve*, what
the forward pass keeps for the backward pass, are laid out so that neighbours share calls; see each cell.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from kcore.runtime.numpy_kernels.recurrent_backward import Backward, StepMask, named_gradients
from kcore.runtime.numpy_kernels.recurrent_forward import Forward
from kcore.runtime.numpy_kernels.recurrent_gates import GATES, Call, Sigmoid, Tanh, run_all
from kcore.runtime.numpy_kernels.recurrent_sequence import Block, Sequence, set_state
from kcore.runtime.numpy_kernels.table import numpy_kernel

Array = Any

# Blocks of the LSTM's reserve: gates o, i, f, candidate g, the cell state before the step, f(cell state after it).
# i, f lie beside each other and so do g, c: ``[i, f] * [g, c]`` is one call.
_O, _G, _C, _Y, _LSTM_BLOCKS = 0, 3, 4, 5, 6
_LSTM_ORDER = (3, 0, 1, 2)  # o, i, f, g as gates of the kernel, which has i, f, g, o


def _lstm_blocks(attrs: dict[str, Any]) -> list[Block]:
    inner, outer = attrs["recurrent_activation"], attrs["activation"]
    return [Block.standard(gate, outer if gate == 2 else inner) for gate in _LSTM_ORDER]


def _lstm_activations(attrs: dict[str, Any], kept: Array, spare: Array) -> list[Call]:
    """Calls that turn the pre-activations ``kept[:4]`` of one step into gates."""
    inner, outer = GATES[attrs["recurrent_activation"]], GATES[attrs["activation"]]
    if isinstance(inner, Sigmoid) and isinstance(outer, Tanh):
        gates = kept[:4]
        return [partial(np.tanh, gates, gates), *inner.finish(kept[:3])]
    gates, candidate = kept[:3], kept[_G]
    return inner.apply(gates, gates, spare[:3]) + outer.apply(candidate, candidate, spare[3])


@numpy_kernel("lstm_sequence")
def lstm_sequence(ctx: Any, outs: Any, ins: Any, attrs: dict[str, Any]) -> Callable[[], None]:
    """Hidden states, last states and reserve of an LSTM."""
    outputs, last_h, last_c, reserve = outs
    seq = Sequence(ctx, ins, attrs, [_lstm_blocks(attrs)], [True])
    forward = Forward(seq)
    shape = (seq.units, seq.batch)
    if reserve is None:  # inference: the reserve of a step is overwritten two steps later
        ring = seq.scratch((2, _LSTM_BLOCKS, *shape))
        kept = [ring[t % 2] for t in range(seq.steps + 1)]
    else:
        kept = [*reserve, seq.scratch((_LSTM_BLOCKS, *shape))]
    spare = seq.scratch((4, *shape))
    product = spare[:2]
    mask = seq.step_mask()
    masked = None if mask is None else seq.scratch((seq.steps, seq.batch), "bool")
    calls = forward.prepare + set_state(kept[0][_C], seq.operands.get("c0"))
    if mask is not None:
        calls.append(partial(np.equal, mask, 0, masked))
    due, end = forward.emit(outputs, last_h)
    outer = GATES[attrs["activation"]]
    steps: list[Call] = []
    for t in range(seq.steps):
        now, c, h = kept[t], kept[t + 1][_C], forward.h[t + 1]
        steps += forward.begin_step(t)
        for index, group in enumerate(seq.groups):
            steps += forward.product(t, index, now[group.first : group.first + len(group.blocks)])
        steps += _lstm_activations(attrs, now, spare)
        steps.append(partial(np.multiply, now[1:3], now[_G : _C + 1], product))
        steps.append(partial(np.add, product[0], product[1], c))
        steps += outer_of_state(outer, c, now[_Y], spare[3])
        steps.append(partial(np.multiply, now[_O], now[_Y], h))
        if masked is not None:
            steps += forward.hold(t, [(c, now[_C]), (h, forward.h[t])], masked)
        steps += due.get(t, [])
    calls += [forward.section(steps), *end]
    if last_c is not None:
        calls.append(partial(np.copyto, last_c, kept[seq.steps][_C].T))
    return partial(run_all, calls)


def outer_of_state(gate: Any, c: Array, y: Array, spare: Array) -> list[Call]:
    """Calls for ``y = f(c)`` where no weights come before the activation, so scale and shift are applied here."""
    if gate.scale == 1.0 and gate.shift == 0.0:
        return gate.apply(c, y, spare)
    scale, shift = (np.array(v, c.dtype) for v in (gate.scale, gate.shift))
    return [partial(np.multiply, c, scale, y), partial(np.add, y, shift, y), *gate.apply(y, y, spare)]


@numpy_kernel("lstm_sequence_grad")
def lstm_sequence_grad(ctx: Any, outs: Any, ins: Any, attrs: dict[str, Any]) -> Callable[[], None]:
    """Gradients of an LSTM, from its reserve.

    With ``A = o f'(c)`` the factors of a step are known before the gradients are: ``[A, do/dz] * dh`` is one call,
    ``dc += A*dh``, and ``[di/dz g, df/dz c, dg/dz i, f] * dc`` another, whose last part is the next ``dc``.
    """
    seq = Sequence(ctx, ins, attrs, [_lstm_blocks(attrs)], [True])
    backward = Backward(seq, named_gradients(outs, attrs))
    reserve = seq.operands["reserve"]
    shape = (seq.units, seq.batch)
    factors = seq.scratch((seq.chunk, 6, *shape))
    dc = seq.scratch(shape)
    keep = StepMask(seq)
    calls = backward.prepare + keep.prepare + set_state(dc, seq.operands.get("g_c"))
    carried = dc  # where the gradient of the cell state comes from
    steps: list[Call] = []
    for lo, hi in reversed(seq.chunks()):
        part = factors[: hi - lo]
        steps += _lstm_factors(attrs, reserve[lo:hi], part)
        steps += keep.mask_factors(lo, hi, part[:, :5], part[:, 5])
        copies, incoming = backward.output_gradients(lo, hi)
        steps += copies
        for t in reversed(range(lo, hi)):
            step = part[t - lo]
            if incoming is not None:
                steps.append(partial(np.add, backward.dh, incoming[t - lo], backward.dh))
            steps += keep.save(t, backward.dh)
            steps.append(partial(np.multiply, step[:2], backward.dh, step[:2]))
            steps.append(partial(np.add, carried, step[0], dc))
            steps.append(partial(np.multiply, step[2:], dc, step[2:]))
            carried = step[5]
            steps += backward.to_previous_state(step[1:5])
            steps += keep.restore(backward.dh)
        steps.append(partial(np.copyto, dc, carried))
        carried = dc
        steps += backward.collect(lo, hi, part[:, 1:5])
    calls += backward.section(steps)
    if backward.outs.get("c0") is not None:
        calls.append(partial(np.copyto, backward.outs["c0"], dc.T))
    return partial(run_all, calls)


def _lstm_factors(attrs: dict[str, Any], kept: Array, out: Array) -> list[Call]:
    """Calls that compute the factors ``[A, do, di, df, dg, f]`` of some steps from their reserve."""
    inner, outer = GATES[attrs["recurrent_activation"]], GATES[attrs["activation"]]
    y, direct = kept[:, _Y], out[:, 0]
    calls = inner.derivative(kept[:, :3], out[:, 1:4])
    calls.append(partial(np.multiply, out[:, 1], y, out[:, 1]))
    calls.append(partial(np.multiply, out[:, 2:4], kept[:, _G : _C + 1], out[:, 2:4]))
    calls += outer.derivative(kept[:, _G], out[:, 4])
    calls.append(partial(np.multiply, out[:, 4], kept[:, 1], out[:, 4]))
    calls += outer.derivative(y, direct)
    calls.append(partial(np.multiply, direct, kept[:, _O], direct))
    if outer.slope != 1.0:  # f(c) has no weights before it that could carry the slope
        calls.append(partial(np.multiply, direct, np.array(outer.slope, direct.dtype), direct))
    calls.append(partial(np.copyto, out[:, 5], kept[:, 2]))
    return calls


@numpy_kernel("rnn_sequence")
def rnn_sequence(ctx: Any, outs: Any, ins: Any, attrs: dict[str, Any]) -> Callable[[], None]:
    """Hidden states, last state and reserve (the outputs of the activation) of a SimpleRNN."""
    outputs, last_h, reserve = outs
    seq = Sequence(ctx, ins, attrs, [[Block.standard(0, attrs["activation"])]], [True])
    forward = Forward(seq)
    spare = seq.scratch((seq.units, seq.batch))
    gate = GATES[attrs["activation"]]
    mask = seq.step_mask()
    masked = None if mask is None else seq.scratch((seq.steps, seq.batch), "bool")
    calls = list(forward.prepare)
    if mask is not None:
        calls.append(partial(np.equal, mask, 0, masked))
    due, end = forward.emit(outputs, last_h)
    z = seq.scratch((seq.units, seq.batch))
    steps: list[Call] = []
    for t in range(seq.steps):
        h = forward.h[t + 1]
        y = z if reserve is None else reserve[t, 0]
        steps += forward.begin_step(t)
        steps += forward.product(t, 0, y)
        if reserve is None:
            steps += gate.apply(y, h, spare)
        else:
            steps += [*gate.apply(y, y, spare), partial(np.copyto, h, y)]
        if masked is not None:
            steps += forward.hold(t, [(h, forward.h[t])], masked)
        steps += due.get(t, [])
    return partial(run_all, [*calls, forward.section(steps), *end])


@numpy_kernel("rnn_sequence_grad")
def rnn_sequence_grad(ctx: Any, outs: Any, ins: Any, attrs: dict[str, Any]) -> Callable[[], None]:
    """Gradients of a SimpleRNN, from the outputs of its activation."""
    seq = Sequence(ctx, ins, attrs, [[Block.standard(0, attrs["activation"])]], [True])
    backward = Backward(seq, named_gradients(outs, attrs))
    reserve = seq.operands["reserve"]
    factors = seq.scratch((seq.chunk, 1, seq.units, seq.batch))
    keep = StepMask(seq)
    calls = backward.prepare + keep.prepare
    steps: list[Call] = []
    for lo, hi in reversed(seq.chunks()):
        part = factors[: hi - lo]
        steps += GATES[attrs["activation"]].derivative(reserve[lo:hi], part)
        steps += keep.mask_factors(lo, hi, part)
        copies, incoming = backward.output_gradients(lo, hi)
        steps += copies
        for t in reversed(range(lo, hi)):
            step = part[t - lo]
            if incoming is not None:
                steps.append(partial(np.add, backward.dh, incoming[t - lo], backward.dh))
            steps += keep.save(t, backward.dh)
            steps.append(partial(np.multiply, step[0], backward.dh, step[0]))
            steps += backward.to_previous_state(step)
            steps += keep.restore(backward.dh)
        steps += backward.collect(lo, hi, part)
    return partial(run_all, [*calls, *backward.section(steps)])
