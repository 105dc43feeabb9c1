"""Activations of gates over a row of float32 numbers, and their derivatives from their outputs.

Plain loops that LLVM turns into vector code. Comparisons are written so that NaN goes through: a training that
diverges has to show it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from kcore_kernels_numba.supported import ACTIVATIONS

LINEAR, TANH, SIGMOID, HARD_SIGMOID, RELU, SOFTSIGN = range(len(ACTIVATIONS))

_ZERO, _HALF, _ONE, _FIFTH = (np.float32(v) for v in (0, 0.5, 1, 0.2))

# tanh(x) = x P(x^2) / Q(x^2) for |x| <= 9, beyond which it rounds to 1. The coefficients minimize the largest relative
# error, 7e-9; evaluated in float32 the result is within 3 units in the last place.
_LIMIT = np.float32(9)
_P0, _P1, _P2, _P3, _P4, _P5, _P6 = (
    np.float32(v)
    for v in (
        0.9999999934567994,
        0.1308402519511951,
        0.003103972734594272,
        1.1154471860322083e-05,
        -2.0225835552607467e-08,
        5.278213977320152e-11,
        -8.489324963092936e-14,
    )
)
_Q0, _Q1, _Q2, _Q3 = (np.float32(v) for v in (1, 0.4641735231700408, 0.024495245113279968, 0.00025461687318815914))


@njit(inline="always")
def _tanh(x: Any) -> Any:
    v = _LIMIT if x > _LIMIT else x
    v = -_LIMIT if v < -_LIMIT else v
    s = v * v
    p = _P0 + s * (_P1 + s * (_P2 + s * (_P3 + s * (_P4 + s * (_P5 + s * _P6)))))
    y = v * p / (_Q0 + s * (_Q1 + s * (_Q2 + s * _Q3)))
    y = _ONE if y > _ONE or x > _LIMIT else y
    return -_ONE if y < -_ONE or x < -_LIMIT else y


@njit(nogil=True, cache=True, fastmath={"contract"}, error_model="numpy")
def activate(code: int, y: Any) -> None:
    """Replace ``y`` by ``f(y)``: in place, since one array is what LLVM turns into vector code without a check."""
    if code == TANH:
        for i in range(len(y)):
            y[i] = _tanh(y[i])
    elif code == SIGMOID:
        for i in range(len(y)):
            y[i] = _HALF + _HALF * _tanh(_HALF * y[i])
    elif code == HARD_SIGMOID:
        for i in range(len(y)):
            v = _HALF + _FIFTH * y[i]
            v = _ZERO if v < _ZERO else v
            y[i] = _ONE if v > _ONE else v
    elif code == RELU:
        for i in range(len(y)):
            y[i] = _ZERO if y[i] < _ZERO else y[i]
    elif code == SOFTSIGN:
        for i in range(len(y)):
            y[i] = y[i] / (_ONE + abs(y[i]))


@njit(nogil=True, cache=True, fastmath={"contract"}, error_model="numpy")
def slope(code: int, y: Any, out: Any) -> None:
    """``out = f'(z)``, given ``y = f(z)``."""
    if code == TANH:
        for i in range(len(y)):
            out[i] = _ONE - y[i] * y[i]
    elif code == SIGMOID:
        for i in range(len(y)):
            out[i] = y[i] - y[i] * y[i]
    elif code == HARD_SIGMOID:
        for i in range(len(y)):
            v = _FIFTH if y[i] > _ZERO else _ZERO
            out[i] = _ZERO if y[i] >= _ONE else v
    elif code == RELU:
        for i in range(len(y)):
            out[i] = _ONE if y[i] > _ZERO else _ZERO
    elif code == SOFTSIGN:
        for i in range(len(y)):
            v = _ONE - abs(y[i])
            out[i] = v * v
    else:
        for i in range(len(y)):
            out[i] = _ONE
