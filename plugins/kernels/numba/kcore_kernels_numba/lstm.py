"""The LSTM, forward and backward.

Gates lie in the order of the weights, i, f, g (the candidate), o. The reserve has, for each step and sample, the four
gates, the cell state before the step and the activation of the cell state after it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numba import njit

from kcore_kernels_numba.activations import activate, slope
from kcore_kernels_numba.products import PANEL, ROWS, add_product_of_rows, copy, product, row_length
from kcore_kernels_numba.sequence import CHUNK, TILE, WEIGHTS, SequenceCall, as_rows, wanted_gradients

Array = Any

_BLOCKS = 6


@njit(nogil=True, cache=True, fastmath={"contract"})
def _step(z: Array, c: Array, y: Array, h: Array, kept: Array, inner: int, outer: int) -> None:
    """One sample's step: from pre-activations ``z`` to the new ``c`` and ``h``; ``kept`` is its reserve, if any."""
    units = len(c)
    i, f, g, o = z[:units], z[units : 2 * units], z[2 * units : 3 * units], z[3 * units : 4 * units]
    activate(inner, z[: 2 * units])
    activate(outer, g)
    activate(inner, o)
    if len(kept):
        copy(z[: 4 * units], kept[: 4 * units])
        copy(c, kept[4 * units : 5 * units])
    for u in range(units):
        c[u] = f[u] * c[u] + i[u] * g[u]
    copy(c, y)
    activate(outer, y)
    for u in range(units):
        h[u] = o[u] * y[u]
    if len(kept):
        copy(y, kept[5 * units :])


@njit(nogil=True, cache=True)
def _forward(
    x: Array, weights: Array, h0: Array, c0: Array, mask: Array, outputs: Array, last_h: Array, last_c: Array,
    reserve: Array, units: int, inner: int, outer: int, reverse: bool, lo: int, hi: int,
) -> None:  # fmt: skip
    steps, features = x.shape[1:]
    no_reserve = np.empty(0, np.float32)
    for first in range(lo, hi, TILE):
        count = min(TILE, hi - first)
        rows = (count + ROWS - 1) // ROWS * ROWS
        operand = np.zeros((rows, features + units + 1), np.float32)
        z = np.empty((rows, weights.shape[0] * PANEL), np.float32)
        c = np.zeros((count, units), np.float32)
        y = np.empty(units, np.float32)
        for r in range(count):
            operand[r, features + units] = 1
            if h0.size:
                copy(h0[first + r], operand[r, features : features + units])
            if c0.size:
                copy(c0[first + r], c[r])
        for t in range(steps):
            source = steps - 1 - t if reverse else t
            for r in range(count):
                copy(x[first + r, source], operand[r, :features])
            product(operand, weights, z, False)
            for r in range(count):
                row = first + r
                h = operand[r, features : features + units]
                kept = reserve[t, row] if reserve.size else no_reserve
                if mask.size and not mask[row, source]:
                    kept[:] = 0
                else:
                    _step(z[r], c[r], y, h, kept, inner, outer)
                if outputs.size:
                    copy(h, outputs[row, t])
        for r in range(count):
            if last_h.size:
                copy(operand[r, features : features + units], last_h[first + r])
            if last_c.size:
                copy(c[r], last_c[first + r])


def lstm_sequence(ctx: Any, outs: Any, ins: Sequence[Array], attrs: dict[str, Any]) -> Callable[[], Any]:
    """Hidden states, last states and reserve of an LSTM."""
    call = SequenceCall(ctx, ins, attrs)
    kernel, recurrent, bias = call.named["kernel"], call.named["recurrent"], as_rows(call.named.get("bias"))
    rows = call.features + call.units
    arrays = (
        call.operand("x", 3),
        call.packed(rows + 1, (0, kernel), (call.features, recurrent), (rows, bias)),
        call.operand("h0", 2),
        call.operand("c0", 2),
        call.mask,
        call.result(outs[0], 3),
        call.result(outs[1], 2),
        call.result(outs[2], 2),
        call.reserve(outs[3], _BLOCKS),
    )
    settings = (call.units, call.inner, call.outer, call.reverse)
    return call.bind(lambda _part, lo, hi: _forward(*arrays, *settings, lo, hi))


@njit(nogil=True, cache=True, fastmath={"contract"})
def _step_back(kept: Array, dh: Array, dc: Array, dz: Array, inner: int, outer: int) -> None:
    """One sample's step backwards: from the gradients of h and c after it to those of ``z`` and of c before it."""
    units = len(dc)
    i, f, g = kept[:units], kept[units : 2 * units], kept[2 * units : 3 * units]
    o, c, y = kept[3 * units : 4 * units], kept[4 * units : 5 * units], kept[5 * units :]
    di, df, dg = dz[:units], dz[units : 2 * units], dz[2 * units : 3 * units]
    do = dz[3 * units : 4 * units]
    slope(outer, y, do)
    for u in range(units):
        dc[u] += dh[u] * o[u] * do[u]
    slope(inner, o, do)
    for u in range(units):
        do[u] *= dh[u] * y[u]
    slope(inner, kept[: 2 * units], dz[: 2 * units])
    slope(outer, g, dg)
    for u in range(units):
        di[u] *= dc[u] * g[u]
    for u in range(units):
        df[u] *= dc[u] * c[u]
    for u in range(units):
        dg[u] *= dc[u] * i[u]
    for u in range(units):
        dc[u] *= f[u]


@njit(nogil=True, cache=True)
def _backward(
    x: Array, weights: Array, h0: Array, mask: Array, outputs: Array, reserve: Array, g_outputs: Array, g_h: Array,
    g_c: Array, dx: Array, dh0: Array, dc0: Array, sums: Array, units: int, inner: int, outer: int,
    reverse: bool, lo: int, hi: int,
) -> None:  # fmt: skip
    steps, features = x.shape[1:]
    state = features if dx.size else 0  # where the gradient of h begins in a product
    sums[:] = 0
    for first in range(lo, hi, TILE):
        count = min(TILE, hi - first)
        rows = (count + ROWS - 1) // ROWS * ROWS
        dh = np.zeros((count, units), np.float32)
        dc = np.zeros((count, units), np.float32)
        result = np.empty((rows, weights.shape[0] * PANEL), np.float32)
        capacity = max(1, CHUNK // rows) * rows if sums.size else rows
        operands = np.zeros((capacity, len(sums)), np.float32)
        gradients = np.zeros((capacity, row_length(4 * units)), np.float32)
        used = 0
        for r in range(count):
            if g_h.size:
                copy(g_h[first + r], dh[r])
            if g_c.size:
                copy(g_c[first + r], dc[r])
        for t in range(steps - 1, -1, -1):
            source = steps - 1 - t if reverse else t
            dz = gradients[used : used + rows, : 4 * units]
            for r in range(count):
                row = first + r
                if g_outputs.size:
                    for u in range(units):
                        dh[r, u] += g_outputs[row, t, u]
                if mask.size and not mask[row, source]:
                    gradients[used + r, : 4 * units] = 0
                else:
                    _step_back(reserve[t, row], dh[r], dc[r], gradients[used + r, : 4 * units], inner, outer)
                if sums.size:
                    operand = operands[used + r]
                    copy(x[row, source], operand[:features])
                    operand[features + units] = 1
                    if t or h0.size:
                        copy(outputs[row, t - 1] if t else h0[row], operand[features : features + units])
                    else:
                        operand[features : features + units] = 0
            product(dz, weights, result, False)
            for r in range(count):
                if dx.size:
                    copy(result[r, :features], dx[first + r, source])
                if not (mask.size and not mask[first + r, source]):
                    copy(result[r, state : state + units], dh[r])
            used += rows
            if used == capacity or t == 0:
                if sums.size:
                    add_product_of_rows(operands[:used].T, gradients[:used], sums)
                used = 0
        for r in range(count):
            if dh0.size:
                copy(dh[r], dh0[first + r])
            if dc0.size:
                copy(dc[r], dc0[first + r])


def lstm_sequence_grad(ctx: Any, outs: Any, ins: Sequence[Array], attrs: dict[str, Any]) -> Callable[[], Any]:
    """Gradients of an LSTM, from its reserve."""
    call, wanted = SequenceCall(ctx, ins, attrs), wanted_gradients(outs, attrs)
    kernel, recurrent = call.named["kernel"], call.named["recurrent"]
    features, units = call.features, call.units
    sums = call.sums(features + units + 1, 4 * units, any(name in wanted for name in WEIGHTS))
    arrays = (
        call.operand("x", 3),
        call.packed_transposed(*([kernel, recurrent] if "x" in wanted else [recurrent])),
        call.operand("h0", 2),
        call.mask,
        call.operand("outputs", 3),
        call.reserve(call.operand("reserve", 4), _BLOCKS),
        call.operand("g_outputs", 3),
        call.operand("g_h", 2),
        call.operand("g_c", 2),
        call.result(wanted.get("x"), 3),
        call.result(wanted.get("h0"), 2),
        call.result(wanted.get("c0"), 2),
    )
    call.hand_out(wanted.get("kernel"), sums[0])
    call.hand_out(wanted.get("recurrent"), sums[0, features:])
    call.hand_out(as_rows(wanted.get("bias")), sums[0, features + units :])
    settings = (units, call.inner, call.outer, call.reverse)
    return call.bind(lambda part, lo, hi: _backward(*arrays, sums[part], *settings, lo, hi))
