"""Activations of recurrent gates, as lists of bound NumPy calls.

A sequence kernel is a flat list of calls on arrays that are known when the plan is bound, so that a step costs
little more than its arithmetic. Two things keep the number of calls small:

- an activation ``f(scale*z + shift)`` has its scale and shift folded into the weights and the bias, once a run;
- derivatives are computed from the *output* of the activation (which is kept anyway), for many steps at once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

Array = Any
Call = Callable[[], object]


def run_all(calls: list[Call]) -> None:
    """Execute a list of bound calls."""
    for call in calls:
        call()


class Gate:
    """The activation ``y = f(z)`` of a gate. The default is the linear one.

    Attributes:
        scale, shift: `apply` is given ``scale*z + shift`` instead of ``z``; the caller scales the weights.
        slope: `derivative` gives ``f'(z) / slope``; the caller scales the weights of the backward pass.
    """

    scale = 1.0
    shift = 0.0
    slope = 1.0

    def apply(self, x: Array, y: Array, spare: Array) -> list[Call]:
        """Calls that compute ``y`` from ``x``, which may be the same array; `spare` has its shape."""
        return [] if x is y else [partial(np.copyto, y, x)]

    def derivative(self, y: Array, out: Array) -> list[Call]:
        """Calls that compute the derivative, given the output ``y`` of the activation."""
        return [partial(out.fill, 1)]


class Tanh(Gate):
    def apply(self, x: Array, y: Array, spare: Array) -> list[Call]:
        return [partial(np.tanh, x, y)]

    def derivative(self, y: Array, out: Array) -> list[Call]:
        return [partial(np.multiply, y, y, out), partial(np.subtract, _scalar(1, y), out, out)]


class Sigmoid(Gate):
    """``1/(1+exp(-z)) = (1 + tanh(z/2))/2``: one call to tanh and no overflow."""

    scale = 0.5

    def apply(self, x: Array, y: Array, spare: Array) -> list[Call]:
        return [partial(np.tanh, x, y), *self.finish(y)]

    def finish(self, y: Array) -> list[Call]:
        """What follows the tanh, for callers that share one call to tanh with other gates."""
        half = _scalar(0.5, y)
        return [partial(np.multiply, y, half, y), partial(np.add, y, half, y)]

    def derivative(self, y: Array, out: Array) -> list[Call]:
        return [partial(np.multiply, y, y, out), partial(np.subtract, y, out, out)]


class HardSigmoid(Gate):
    """``min(1, max(0, z/5 + 1/2))``."""

    scale = 0.2
    shift = 0.5
    slope = 0.2

    def apply(self, x: Array, y: Array, spare: Array) -> list[Call]:
        return [partial(x.clip, _scalar(0, x), _scalar(1, x), out=y)]

    def derivative(self, y: Array, out: Array) -> list[Call]:
        # 0 < y < 1 as a number: y*(1-y) is at most 1/4 and exactly 0 at both ends. Comparing would go through
        # booleans, which takes three times as long.
        return [
            partial(np.multiply, y, y, out),
            partial(np.subtract, y, out, out),
            partial(np.ceil, out, out),
        ]


class Relu(Gate):
    def apply(self, x: Array, y: Array, spare: Array) -> list[Call]:
        return [partial(np.maximum, x, _scalar(0, x), out=y)]

    def derivative(self, y: Array, out: Array) -> list[Call]:
        return [partial(np.sign, y, out)]


class Softsign(Gate):
    """``z / (1 + |z|)``, whose derivative is ``(1 - |y|)**2``."""

    def apply(self, x: Array, y: Array, spare: Array) -> list[Call]:
        return [
            partial(np.absolute, x, spare),
            partial(np.add, spare, _scalar(1, x), spare),
            partial(np.divide, x, spare, y),
        ]

    def derivative(self, y: Array, out: Array) -> list[Call]:
        return [
            partial(np.absolute, y, out),
            partial(np.subtract, _scalar(1, y), out, out),
            partial(np.multiply, out, out, out),
        ]


class Softplus(Gate):
    """``log(1 + exp(z))``, whose derivative is ``1 - exp(-y)``."""

    def apply(self, x: Array, y: Array, spare: Array) -> list[Call]:
        return [partial(np.logaddexp, x, _scalar(0, x), y)]

    def derivative(self, y: Array, out: Array) -> list[Call]:
        return [
            partial(np.negative, y, out),
            partial(np.expm1, out, out),
            partial(np.negative, out, out),
        ]


class Elu(Gate):
    """``max(z, 0) + exp(min(z, 0)) - 1``, whose derivative is ``min(y, 0) + 1``."""

    def apply(self, x: Array, y: Array, spare: Array) -> list[Call]:
        zero = _scalar(0, x)
        return [
            partial(np.minimum, x, zero, out=spare),
            partial(np.expm1, spare, spare),
            partial(np.maximum, x, zero, out=y),
            partial(np.add, y, spare, y),
        ]

    def derivative(self, y: Array, out: Array) -> list[Call]:
        return [partial(np.minimum, y, _scalar(0, y), out=out), partial(np.add, out, _scalar(1, y), out)]


GATES: dict[str, Gate] = {
    "linear": Gate(),
    "tanh": Tanh(),
    "sigmoid": Sigmoid(),
    "hard_sigmoid": HardSigmoid(),
    "relu": Relu(),
    "softsign": Softsign(),
    "softplus": Softplus(),
    "elu": Elu(),
}


def _scalar(value: float, like: Array) -> Array:
    """A constant as an array of no dimensions: NumPy's fastest form of a scalar operand."""
    return np.array(value, dtype=like.dtype)
