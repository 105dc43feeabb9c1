"""Batch normalization in parts: which operations they join, and values beside the NumPy device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from kcore import backend as K
from kcore.compile import Plan
from kcore.graph import Tensor, apply, placeholder
from kcore.runtime import devices
from kcore.runtime.function import Function
from kcore.runtime.numpy_device import NumpyDevice

AXES = {"last": (0, 1, 2), "first": (0, 2, 3)}
SHAPES = {"last": (3, 4, 5, 6), "first": (3, 6, 4, 5)}
RTOL = {"float16": 2e-2, "float32": 2e-4, "float64": 1e-9}

Build = Callable[[Tensor, Callable[[Tensor], Tensor]], Tensor]


def _residual(x: Tensor, norm: Callable[[Tensor], Tensor]) -> Tensor:
    short = K.relu(x)
    return K.relu(norm(K.relu(norm(short)) * 0.5) + short) * short


def _rectifier_that_others_read(x: Tensor, norm: Callable[[Tensor], Tensor]) -> Tensor:
    """The gradient of the rectifier is no part of the normalization's: its input is read in another place."""
    y = norm(x)
    return K.relu(y) * K.tanh(y)


CASES: dict[str, Build] = {
    "alone": lambda x, norm: norm(x * x),
    "rectified": lambda x, norm: K.relu(norm(K.tanh(x))),
    "twice": lambda x, norm: norm(K.relu(norm(x))),
    "added": _residual,
    "another use": _rectifier_that_others_read,
    "another activation": lambda x, norm: K.sigmoid(norm(x)),
    "two of one": lambda x, norm: K.relu(norm(x)) + K.relu(norm(x)),
}


def run(case: Build, layout: str, dtype: str) -> tuple[list[np.ndarray], Plan]:
    """Values, statistics and gradients, computed three times, and the plan."""
    shape, axes, r = SHAPES[layout], AXES[layout], np.random.RandomState(0)
    x, weight = placeholder(shape, dtype, "x"), placeholder(shape, dtype, "weight")
    values, weights, statistics = [r.standard_normal(shape).astype(dtype) for _ in range(2)], [], []

    def norm(t: Tensor) -> Tensor:
        pair = [placeholder((6,), dtype, "weight") for _ in range(2)]
        values.extend(r.uniform(0.5, 1.5, 6).astype(dtype) for _ in range(2))
        y, *more = apply("batch_norm", t, *pair, axes=axes, epsilon=1e-3)
        weights.extend(pair)
        statistics.extend(more[:2])
        return y

    out = case(x, norm)
    inputs = [x, weight, *weights]
    f = Function(inputs, [out, *statistics, *K.gradients(K.sum(out * weight), [x, *weights])])
    first, *others = [f(values) for _ in range(3)]
    for other in others:
        for a, b in zip(first, other, strict=True):
            np.testing.assert_array_equal(a, b)
    bound = f.bound_plan([v.shape for v in values])
    assert bound is not None
    return first, bound.plan


@pytest.mark.parametrize(
    ("case", "layout", "dtype"),
    [(case, "last", "float32") for case in CASES]
    + [("added", layout, dtype) for layout in AXES for dtype in RTOL if (layout, dtype) != ("last", "float32")],
)
def test_values(case: str, layout: str, dtype: str, emulated: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, _ = run(CASES[case], layout, dtype)
    monkeypatch.setattr(devices, "_current", NumpyDevice())
    wanted, _ = run(CASES[case], layout, "float64" if dtype == "float64" else "float32")
    for a, b in zip(ours, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=RTOL[dtype], atol=RTOL[dtype] * max(1, float(np.abs(b).max())))


def names(case: str) -> list[str]:
    return [i.name for i in run(CASES[case], "last", "float32")[1].instructions]


def test_a_rectifier_joins_and_its_gradient_is_computed_again(emulated: Any) -> None:
    found = names("rectified")
    assert any("batch_normalize+relu" in name for name in found)
    assert not any("relu_grad" in name for name in found)
    assert found.count("batch_moments") == 1


def test_a_branch_joins_both_ways(emulated: Any) -> None:
    found = names("added")
    assert any("batch_normalize+add+relu" in name for name in found)
    assert any(name.endswith("relu_grad+batch_norm_sums") for name in found)


def test_what_others_read_is_computed_once(emulated: Any) -> None:
    assert any("relu_grad" in name for name in names("another use"))


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_sources(dtype: str, emulated: Any, check_sources: Any) -> None:
    for case in ("added", "rectified"):
        for layout in AXES:
            run(CASES[case], layout, dtype)
    check_sources()


def test_a_large_mean_keeps_its_digits(emulated: Any) -> None:
    """In both directions, through a rectifier."""
    value = (np.random.RandomState(3).standard_normal((900, 4)) + 1000).astype("float32")
    x, ones, zeros = placeholder((900, 4), "float32", "x"), np.ones(4, "float32"), np.zeros(4, "float32")
    y = K.relu(apply("batch_norm", x, ones, zeros, axes=(0,), epsilon=0.0)[0])
    grad = Function([x], K.gradients(K.sum(y * y), [x]))([value])[0]
    exact = value.astype("float64")
    hat = (exact - exact.mean(0)) / exact.std(0)
    g = 2 * np.maximum(hat, 0)
    wanted = (g - g.mean(0) - hat * (g * hat).mean(0)) / exact.std(0)
    np.testing.assert_allclose(grad, wanted, rtol=1e-4, atol=1e-4)
