"""Groups that begin with a convolution: what follows it is computed block by block, with the same results."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kcore import backend as K
from kcore.runtime import parallel
from kcore.runtime.numpy_device import NumpyDevice

RNG = np.random.default_rng(0)


def variable(*shape: int) -> Any:
    return K.variable(RNG.normal(size=shape) / np.sqrt(np.prod(shape[:-1])), dtype="float32")


def conv(x: Any, size: int = 3, filters: int = 32, strides: int = 1) -> Any:
    return K.conv2d(x, variable(size, size, x.shape[-1], filters), (strides, strides), "same")


def depthwise(x: Any, multiplier: int = 1, strides: int = 1) -> Any:
    return K.depthwise_conv2d(x, variable(3, 3, x.shape[-1], multiplier), (strides, strides), "same")


def biased(y: Any) -> Any:
    return K.clip(y + variable(y.shape[-1]), 0, 6)


# Each takes images with 32 channels.
CASES = {
    "winograd": lambda x: [biased(conv(x))],
    "patches": lambda x: [biased(conv(x, 5))],
    "points": lambda x: [biased(conv(x, 1, 48))],
    "strided": lambda x: [biased(conv(x, 3, 48, 2))],
    "depthwise": lambda x: [biased(depthwise(x))],
    "strided depthwise": lambda x: [biased(depthwise(x, 1, 2))],
    "depthwise with two kernels": lambda x: [biased(depthwise(x, 2))],
    "residual": lambda x: [K.relu(conv(K.tanh(x)) + K.tanh(x))],
    "its own operand": lambda x: [K.relu(conv(x * 2) + x * 2)],
    "two": lambda x: [K.relu(conv(x) + conv(x, 1))],
    "three": lambda x: [conv(x) * K.sigmoid(conv(x, 1)) + depthwise(x)],
    "read otherwise": lambda x: [y := conv(x, 1), K.relu(y) + 1, K.sum(y, axis=-1)],
    "read twice": lambda x: [(y := conv(x, 1)) * K.sigmoid(y)],
    "another dtype": lambda x: [K.cast(K.greater(conv(x, 1), 0), "float64")],
    "a vector of rows": lambda x: [conv(x, 1) + variable(40, 1), conv(x, 1) * variable(1, 30, 1, 1)],
    "a scalar": lambda x: [conv(x, 1) * variable(1)],
    "an elementwise operation before it": lambda x: [K.exp(-K.square(x)) + conv(x, 1)],
    "a chain": lambda x: [biased(conv(biased(depthwise(biased(conv(x)))), 1))],
}


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("case", CASES)
def test_results_are_those_without_heads(case: str, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x = K.placeholder((6, 30, 40, 32))
    outputs = CASES[case](x)
    data = RNG.normal(size=x.shape).astype("float32")
    with parallel.limit_threads(threads):
        found = K.function([x], outputs)
        results = [found([data]) for _ in range(2)]
        monkeypatch.setattr(NumpyDevice, "heads", frozenset())
        plain = K.function([x], outputs)
        wanted = plain([data])
    assert "conv+" in found.show() and "conv+" not in plain.show()
    for result in results:
        for a, b in zip(result, wanted, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("case", ["winograd", "patches", "depthwise", "residual", "two", "read twice"])
def test_gradients_are_those_without_heads(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x = K.placeholder((4, 30, 40, 32))
    (y,) = CASES[case](x)
    outputs = [y, *K.gradients(K.sum(K.square(y)), [x])]
    data = RNG.normal(size=x.shape).astype("float32")
    found = K.function([x], outputs)([data])
    monkeypatch.setattr(NumpyDevice, "heads", frozenset())
    for a, b in zip(found, K.function([x], outputs)([data]), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_bias_that_changes_between_runs() -> None:
    x, bias = K.placeholder((6, 30, 40, 32)), variable(32)
    y = conv(x, 1)
    f, plain = K.function([x], [K.relu(y + bias)]), K.function([x], [y])
    data = RNG.normal(size=x.shape).astype("float32")
    for _ in range(3):
        K.set_value(bias, RNG.normal(size=32))
        expected = np.maximum(plain([data])[0] + K.get_value(bias), 0)
        np.testing.assert_allclose(f([data])[0], expected, rtol=1e-5, atol=1e-6)


def test_an_update_of_a_variable_that_is_the_residual() -> None:
    x, state = K.placeholder((6, 30, 40, 32)), variable(6, 30, 40, 32)
    y = conv(x, 1)
    data, before = RNG.normal(size=x.shape).astype("float32"), K.get_value(state)
    expected = np.maximum(K.function([x], [y])([data])[0] + before, 0)
    K.function([x], [], [(state, K.relu(y + state))])([data])
    np.testing.assert_allclose(K.get_value(state), expected, rtol=1e-5, atol=1e-6)


def test_small_images_have_no_head() -> None:
    x = K.placeholder((1, 8, 8, 32))
    f = K.function([x], [K.relu(conv(x))])
    f([np.ones(x.shape)])
    assert "conv+" not in f.show()
