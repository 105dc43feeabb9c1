"""Biases before batch normalization: left out of plans, with the same results but for rounding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from kcore import backend as K
from kcore.runtime import function as function_module

RNG = np.random.default_rng(0)


def both(monkeypatch: pytest.MonkeyPatch, inputs: Sequence[Any], outputs: Sequence[Any], data: Any) -> tuple[Any, str]:
    """The outputs, after a comparison with those of the plan that adds the bias, and the plan's text."""
    f = K.function(inputs, outputs)
    made = f(data)
    with monkeypatch.context() as patch:
        patch.setattr(function_module, "absorb_biases", lambda graph: graph)
        plain = K.function(inputs, outputs)
        for a, b in zip(made, plain(data), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)
    assert f.show() != plain.show()
    return made, f.show()


def variable(*shape: int) -> Any:
    return K.variable(RNG.normal(size=shape), dtype="float64")


def normalized(x: Any, axes: Sequence[int], size: int) -> tuple[Any, ...]:
    gamma, beta = variable(size), variable(size)
    return (*K.normalize_batch_in_training(x, gamma, beta, axes), gamma, beta)


LAYOUTS = {
    "channels last": ((4, 5, 5, 3), (3,), (0, 1, 2)),
    "channels first": ((4, 3, 5, 5), (1, 3, 1, 1), (0, 2, 3)),
    "rows": ((6, 3), (3,), (0,)),
    "one row of biases": ((6, 3), (1, 3), (0,)),
    "a bias for every position": ((6, 2, 3), (2, 3), (0,)),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_values_statistics_and_gradients(layout: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shape, bias_shape, axes = LAYOUTS[layout]
    x = K.placeholder(shape, dtype="float64")
    bias = variable(*bias_shape)
    if layout == "a bias for every position":
        gamma, beta = variable(2, 3), variable(2, 3)
        y, mean, var = K.normalize_batch_in_training(K.tanh(x) + bias, gamma, beta, axes)
    else:
        y, mean, var, gamma, beta = normalized(K.tanh(x) + bias, axes, 3)
    gradients = K.gradients(K.sum(K.square(y) * y), [x, bias, gamma, beta])
    made, _ = both(monkeypatch, [x], [y, mean, var, *gradients], [RNG.normal(size=shape)])
    assert not made[4].any() and made[3].any()  # not even rounding errors


def test_two_normalizations_of_one_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    x, bias = K.placeholder((6, 3), dtype="float64"), variable(3)
    biased = K.tanh(x) + bias
    outputs = [normalized(biased, (0,), 3)[0] for _ in range(2)]
    gradients = K.gradients(K.sum(outputs[0] * K.sin(outputs[1])), [x, bias])
    both(monkeypatch, [x], [*outputs, *gradients], [RNG.normal(size=(6, 3))])


def unchanged(inputs: Sequence[Any], outputs: Sequence[Any], data: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AssertionError, match="!="):
        both(monkeypatch, inputs, outputs, data)


def test_what_others_read_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    x, bias = K.placeholder((6, 3), dtype="float64"), variable(3)
    data, biased = [RNG.normal(size=(6, 3))], K.tanh(x) + bias
    y = normalized(biased, (0,), 3)[0]
    unchanged([x], [y, biased], data, monkeypatch)
    unchanged([x], [y, K.exp(biased)], data, monkeypatch)
    unchanged([x], [normalized(K.tanh(x) + variable(6, 1), (0,), 3)[0]], data, monkeypatch)
    unchanged([x], [normalized(K.tanh(x) + K.sin(x), (0,), 3)[0]], data, monkeypatch)


def test_gradients_of_second_order(monkeypatch: pytest.MonkeyPatch) -> None:
    x, bias = K.placeholder((6, 3), dtype="float64"), variable(3)
    y = normalized(K.tanh(x) + bias, (0,), 3)[0]
    (first,) = K.gradients(K.sum(K.square(y) * y), [x])
    seconds = K.gradients(K.sum(K.square(first)), [x, bias])
    f = K.function([x], seconds)
    data = [RNG.normal(size=(6, 3))]
    made = f(data)
    monkeypatch.setattr(function_module, "absorb_biases", lambda graph: graph)
    for a, b in zip(made, K.function([x], seconds)(data), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-9)
