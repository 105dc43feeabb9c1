"""The GRU, forward and backward, with the reset gate before or after the recurrent product.

Gates lie in the order of the weights: z, r, g (the candidate). The reserve has, for each step and sample, z, r, g, the
state before the step, and with `after` (the reset gate after the product) ``u = h U + b``. The operand of a step is
``[x | 1 | h | 1]``, each half padded by itself, so that each is a left operand of its own: x and h do not meet the same
gates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numba import njit

from kcore_kernels_numba.activations import activate, slope
from kcore_kernels_numba.products import PANEL, ROWS, add_product_of_rows, copy, padded, product, row_length
from kcore_kernels_numba.sequence import CHUNK, TILE, WEIGHTS, SequenceCall, as_rows, wanted_gradients

Array = Any


@njit(nogil=True, cache=True, fastmath={"contract"})
def _step(zr: Array, g: Array, u: Array, h: Array, kept: Array, outer: int, after: bool) -> None:
    """One sample's step: from z, r and the candidate's pre-activation to the new ``h``; ``kept`` is its reserve."""
    units = len(h)
    z, r = zr[:units], zr[units : 2 * units]
    if after:
        for i in range(units):
            g[i] += r[i] * u[i]
    activate(outer, g)
    if len(kept):
        copy(zr[: 2 * units], kept[: 2 * units])
        copy(g, kept[2 * units : 3 * units])
        copy(h, kept[3 * units : 4 * units])
        if after:
            copy(u, kept[4 * units :])
    for i in range(units):
        h[i] = g[i] + z[i] * (h[i] - g[i])


@njit(nogil=True, cache=True)
def _forward(
    x: Array, to_zr: Array, x_to_g: Array, h_to_g: Array, h0: Array, mask: Array, outputs: Array, last_h: Array,
    reserve: Array, units: int, at: int, inner: int, outer: int, after: bool, reverse: bool, lo: int, hi: int,
) -> None:  # fmt: skip
    steps, features = x.shape[1:]
    no_reserve = np.empty(0, np.float32)
    for first in range(lo, hi, TILE):
        count = min(TILE, hi - first)
        rows = (count + ROWS - 1) // ROWS * ROWS
        operand = np.zeros((rows, at + units + 1), np.float32)
        reset = np.zeros((rows, units), np.float32)
        zr = np.empty((rows, to_zr.shape[0] * PANEL), np.float32)
        g = np.empty((rows, x_to_g.shape[0] * PANEL), np.float32)
        u = np.empty((rows, x_to_g.shape[0] * PANEL), np.float32)
        for r in range(count):
            operand[r, features] = 1
            operand[r, at + units] = 1
            if h0.size:
                copy(h0[first + r], operand[r, at : at + units])
        for t in range(steps):
            source = steps - 1 - t if reverse else t
            for r in range(count):
                copy(x[first + r, source], operand[r, :features])
            product(operand, to_zr, zr, False)
            product(operand[:, : features + 1], x_to_g, g, False)
            for r in range(count):
                activate(inner, zr[r, : 2 * units])
                if not after:
                    for i in range(units):
                        reset[r, i] = zr[r, units + i] * operand[r, at + i]
            if after:
                product(operand[:, at : at + units + 1], h_to_g, u, False)
            else:
                product(reset, h_to_g, g, True)
            for r in range(count):
                row = first + r
                h = operand[r, at : at + units]
                kept = reserve[t, row] if reserve.size else no_reserve
                if mask.size and not mask[row, source]:
                    kept[:] = 0
                else:
                    _step(zr[r], g[r, :units], u[r, :units], h, kept, outer, after)
                if outputs.size:
                    copy(h, outputs[row, t])
        for r in range(count):
            if last_h.size:
                copy(operand[r, at : at + units], last_h[first + r])


def _sizes(call: SequenceCall, attrs: dict[str, Any]) -> tuple[bool, int, int]:
    """Whether the reset comes after the product, the blocks of the reserve, and where h begins in the operand."""
    after = attrs["reset_after"]
    return after, 5 if after else 4, padded(call.features + 1, ROWS)


def gru_sequence(ctx: Any, outs: Any, ins: Sequence[Array], attrs: dict[str, Any]) -> Callable[[], Any]:
    """Hidden states, last state and reserve of a GRU."""
    call = SequenceCall(ctx, ins, attrs)
    after, blocks, at = _sizes(call, attrs)
    features, units = call.features, call.units
    kernel, recurrent, bias = call.named["kernel"], call.named["recurrent"], as_rows(call.named.get("bias"))
    zr, g = slice(0, 2 * units), slice(2 * units, 3 * units)
    of_x = None if bias is None else bias[:1]
    of_h = None if bias is None or len(bias) == 1 else bias[1:]

    def part(array: Array | None, columns: slice) -> Array | None:
        return None if array is None else array[:, columns]

    arrays = (
        call.operand("x", 3),
        call.packed(
            at + units + 1,
            (0, kernel[:, zr]),
            (features, part(of_x, zr)),
            (at, recurrent[:, zr]),
            (at + units, part(of_h, zr)),
        ),
        call.packed(features + 1, (0, kernel[:, g]), (features, part(of_x, g))),
        call.packed(units + 1, (0, recurrent[:, g]), (units, part(of_h, g))),
        call.operand("h0", 2),
        call.mask,
        call.result(outs[0], 3),
        call.result(outs[1], 2),
        call.reserve(outs[2], blocks),
    )
    settings = (units, at, call.inner, call.outer, after, call.reverse)
    return call.bind(lambda _part, lo, hi: _forward(*arrays, *settings, lo, hi))


@njit(nogil=True, cache=True, fastmath={"contract"})
def _to_candidate(kept: Array, dh: Array, dz: Array, inner: int, outer: int, after: bool) -> None:
    """One sample's step backwards, first half: the gradients of z and g, with `after` those of r and u, ``dh *= z``."""
    units = len(dh)
    z, r, g = kept[:units], kept[units : 2 * units], kept[2 * units : 3 * units]
    h = kept[3 * units : 4 * units]
    to_z, to_r, to_g = dz[:units], dz[units : 2 * units], dz[2 * units : 3 * units]
    slope(inner, kept[: 2 * units], dz[: 2 * units])
    slope(outer, g, to_g)
    for i in range(units):
        to_g[i] *= dh[i] * (np.float32(1) - z[i])
    for i in range(units):
        to_z[i] *= dh[i] * (h[i] - g[i])
    if after:
        u, to_u = kept[4 * units :], dz[3 * units :]
        for i in range(units):
            to_u[i] = to_g[i] * r[i]
        for i in range(units):
            to_r[i] *= to_g[i] * u[i]
    for i in range(units):
        dh[i] *= z[i]


@njit(nogil=True, cache=True, fastmath={"contract"})
def _through_reset(kept: Array, d_reset: Array, dh: Array, dz: Array, reset: Array) -> None:
    """Second half, with the reset before the product: from the gradient of ``r * h`` to those of r and h."""
    units = len(dh)
    r, h, to_r = kept[units : 2 * units], kept[3 * units : 4 * units], dz[units : 2 * units]
    for i in range(units):
        to_r[i] *= d_reset[i] * h[i]
    for i in range(units):
        dh[i] += d_reset[i] * r[i]
    for i in range(units):
        reset[i] = r[i] * h[i]


@njit(nogil=True, cache=True)
def _backward(
    x: Array, to_x: Array, zr_to_h: Array, g_to_h: Array, mask: Array, reserve: Array, g_outputs: Array,
    g_h: Array, dx: Array, dh0: Array, sums_x: Array, sums_zr: Array, sums_g: Array, units: int, at: int, inner: int,
    outer: int, after: bool, reverse: bool, lo: int, hi: int,
) -> None:  # fmt: skip
    steps, features = x.shape[1:]
    columns = 4 * units if after else 3 * units
    sums_x[:], sums_zr[:], sums_g[:] = 0, 0, 0
    for first in range(lo, hi, TILE):
        count = min(TILE, hi - first)
        rows = (count + ROWS - 1) // ROWS * ROWS
        dh = np.zeros((count, units), np.float32)
        from_x = np.empty((rows, to_x.shape[0] * PANEL), np.float32)
        from_h = np.empty((rows, g_to_h.shape[0] * PANEL), np.float32)
        capacity = max(1, CHUNK // rows) * rows if sums_x.size else rows
        operands = np.zeros((capacity, at + len(sums_zr)), np.float32)
        resets = np.zeros((capacity, len(sums_g)), np.float32)
        gradients = np.zeros((capacity, row_length(columns)), np.float32)
        spare = np.empty(units, np.float32)
        used = 0
        for r in range(count):
            if g_h.size:
                copy(g_h[first + r], dh[r])
        for t in range(steps - 1, -1, -1):
            source = steps - 1 - t if reverse else t
            dz = gradients[used : used + rows, :columns]
            for r in range(count):
                row = first + r
                if g_outputs.size:
                    for i in range(units):
                        dh[r, i] += g_outputs[row, t, i]
                if mask.size and not mask[row, source]:
                    gradients[used + r, :columns] = 0
                else:
                    _to_candidate(reserve[t, row], dh[r], gradients[used + r, :columns], inner, outer, after)
            if not after:
                product(dz[:, 2 * units : 3 * units], g_to_h, from_h, False)
            for r in range(count):
                row = first + r
                kept = reserve[t, row]
                if not after and not (mask.size and not mask[row, source]):
                    _through_reset(
                        kept,
                        from_h[r],
                        dh[r],
                        gradients[used + r, :columns],
                        resets[used + r, :units] if sums_g.size else spare,
                    )
                if sums_x.size:
                    operand = operands[used + r]
                    copy(x[row, source], operand[:features])
                    operand[features] = 1
                    copy(kept[3 * units : 4 * units], operand[at : at + units])
                    operand[at + units] = 1
            product(dz[:, : 2 * units], zr_to_h, from_h, False)
            if after:
                product(dz[:, 3 * units :], g_to_h, from_h, True)
            for r in range(count):
                if not (mask.size and not mask[first + r, source]):
                    for i in range(units):
                        dh[r, i] += from_h[r, i]
            if dx.size:
                product(dz[:, : 3 * units], to_x, from_x, False)
                for r in range(count):
                    copy(from_x[r, :features], dx[first + r, source])
            used += rows
            if used == capacity or t == 0:
                if sums_x.size:
                    of_h = operands[:used, at:].T
                    add_product_of_rows(operands[:used, :at].T, gradients[:used], sums_x)
                    add_product_of_rows(of_h, gradients[:used], sums_zr)
                    add_product_of_rows(of_h if after else resets[:used].T, gradients[:used, columns - units :], sums_g)
                used = 0
        for r in range(count):
            if dh0.size:
                copy(dh[r], dh0[first + r])


def gru_sequence_grad(ctx: Any, outs: Any, ins: Sequence[Array], attrs: dict[str, Any]) -> Callable[[], Any]:
    """Gradients of a GRU, from its reserve."""
    call, wanted = SequenceCall(ctx, ins, attrs), wanted_gradients(outs, attrs)
    after, blocks, at = _sizes(call, attrs)
    features, units = call.features, call.units
    kernel, recurrent = call.named["kernel"], call.named["recurrent"]
    zr, g = slice(0, 2 * units), slice(2 * units, 3 * units)
    wants_weights = any(name in wanted for name in WEIGHTS)
    sums_x = call.sums(features + 1, 3 * units, wants_weights)
    sums_zr = call.sums(units + 1, 2 * units, wants_weights)
    sums_g = call.sums(units + 1, units, wants_weights)
    arrays = (
        call.operand("x", 3),
        call.packed_transposed(kernel),
        call.packed_transposed(recurrent[:, zr]),
        call.packed_transposed(recurrent[:, g]),
        call.mask,
        call.reserve(call.operand("reserve", 4), blocks),
        call.operand("g_outputs", 3),
        call.operand("g_h", 2),
        call.result(wanted.get("x"), 3),
        call.result(wanted.get("h0"), 2),
    )
    call.hand_out(wanted.get("kernel"), sums_x[0])
    if "recurrent" in wanted:
        call.hand_out(wanted["recurrent"][:, zr], sums_zr[0])
        call.hand_out(wanted["recurrent"][:, g], sums_g[0])
    if "bias" in wanted:
        bias = as_rows(wanted["bias"])
        call.hand_out(bias[:1], sums_x[0, features:])
        call.hand_out(bias[1:, zr], sums_zr[0, units:])
        call.hand_out(bias[1:, g], sums_g[0, units:])
    settings = (units, at, call.inner, call.outer, after, call.reverse)
    return call.bind(
        lambda part, lo, hi: _backward(*arrays, sums_x[part], sums_zr[part], sums_g[part], *settings, lo, hi)
    )
