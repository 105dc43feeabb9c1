"""Gradients through identity, print, select and stop_gradient (values: tests/backend)."""

from __future__ import annotations

import numpy as np
import pytest

from kcore import ops as O
from kcore.grad import gradients
from kcore.graph import apply, constant, placeholder
from kcore.testing.gradients import check_gradient

X = np.array([[0.5, -1.0], [2.0, 0.3]])


def test_identity() -> None:
    check_gradient(lambda x: apply("identity", x) ** 2, X)


def test_print(capsys: pytest.CaptureFixture[str]) -> None:
    check_gradient(lambda x: apply("print", x, message="x = ") ** 2, X[:1, :1])
    assert "x = [[0.5" in capsys.readouterr().err


@pytest.mark.parametrize("unknown", [False, True])
@pytest.mark.parametrize("choice", [True, False])
def test_select(choice: bool, unknown: bool) -> None:
    def fn(x, y):
        return O.control.select(O.reduce_sum(x) > (-100 if choice else 100), x * y, y**2)

    check_gradient(fn, X, X + 3, unknown=unknown)


def test_select_of_a_constant_condition() -> None:
    check_gradient(lambda x, y: O.control.select(constant(True), x * y, y**2), X, X + 3)


def test_stop_gradient() -> None:
    x = placeholder((2,), "float32", "x")
    assert gradients(O.reduce_sum(apply("stop_gradient", x) * 2), [x]) == [None]
