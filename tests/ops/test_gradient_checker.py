"""The gradient checker itself: it must find wrong derivatives of both orders."""

from __future__ import annotations

import numpy as np
import pytest

from kcore import ops as O
from kcore.graph import Op, apply, register
from kcore.testing.gradients import check_gradient

X = np.array([[0.5, -1.0], [2.0, 0.3]])


def test_accepts_right_gradients() -> None:
    check_gradient(lambda x, y: [x * x * y, O.exp(y)], X, X + 1)


def test_finds_a_wrong_first_derivative() -> None:
    with pytest.raises(AssertionError, match="order 1, input 0"):
        check_gradient(lambda x: x * apply("stop_gradient", x), X)


def test_finds_a_missing_gradient() -> None:
    with pytest.raises(AssertionError, match="order 1, input 1"):
        check_gradient(lambda x, y: x + apply("stop_gradient", y), X, X)


@register
class _HalfRightSquare(Op):
    """``x ** 2`` whose gradient has the right value and hides from differentiation that it depends on x."""

    name = "test_half_right_square"

    def infer(self, x):
        return x

    def vjp(self, node, g):
        return [g * 2 * apply("stop_gradient", node.inputs[0])]

    def kernel(self, xp, out, x):
        xp.square(x, out=out)


def test_finds_a_wrong_second_derivative() -> None:
    def fn(x):
        return apply("test_half_right_square", x)

    check_gradient(fn, X, order=1)
    with pytest.raises(AssertionError, match="order 2, input 0"):
        check_gradient(fn, X)


def test_integer_inputs_are_left_alone() -> None:
    check_gradient(lambda x, i: O.gather(x, i), X, np.array([1, 0, 1], "int32"))


def test_unknown_dimensions() -> None:
    check_gradient(lambda x, y: O.reduce_mean(x * y, 0), X, X[:1], unknown=True)
