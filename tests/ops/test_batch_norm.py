"""The NumPy kernel of batch normalization against the formulas, on tensors of many blocks."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from kcore import ops as O
from kcore.grad import gradients
from kcore.graph import placeholder
from kcore.runtime.function import Function
from kcore.runtime.parallel import limit_threads

SHAPES = {
    "channels last": ((9, 31, 17, 24), (0, 1, 2)),
    "channels first": ((9, 24, 31, 17), (0, 2, 3)),
    "dense": ((5000, 30), (0,)),
    "one channel": ((400, 300, 1), (0, 1)),
    "a single row": ((1, 7), (0,)),
    "two kept axes": ((200, 31, 17), (0,)),
    "kept axes apart": ((20, 31, 17), (1,)),
    "everything": ((200, 300), (0, 1)),
}


def reference(x, gamma, beta, g, axes):
    """Outputs and gradients in float64."""
    x, gamma, beta, g = (a.astype("float64") for a in (x, gamma, beta, g))
    up = tuple(slice(None) if i not in axes else None for i in range(x.ndim))
    mean, var = x.mean(axes), x.var(axes)
    inv = 1 / np.sqrt(var + 1e-3)
    xhat = (x - mean[up]) * inv[up]
    n = x.size / mean.size
    g_gamma, g_beta = (g * xhat).sum(axes), g.sum(axes)
    gx = (gamma * inv)[up] * (g - g_beta[up] / n - xhat * g_gamma[up] / n)
    return [xhat * gamma[up] + beta[up], mean, var, gx, g_gamma, g_beta]


def build(shape, axes, dtype):
    kept = tuple(d for i, d in enumerate(shape) if i not in axes)
    inputs = [placeholder(s, dtype, "x") for s in (shape, kept, kept, shape)]
    x, gamma, beta, g = inputs
    y, mean, var = O.normalize_batch(x, gamma, beta, axes, 1e-3)
    return Function(inputs, [y, mean, var, *gradients(O.reduce_sum(y * g), [x, gamma, beta])]), kept


def values(shape, kept, dtype, offset):
    rng = np.random.default_rng(0)
    arrays = rng.normal(size=shape) + offset, rng.normal(size=kept), rng.normal(size=kept), rng.normal(size=shape)
    return [a.astype(dtype) for a in arrays]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", SHAPES)
def test_values_and_gradients(case: str, dtype: str) -> None:
    shape, axes = SHAPES[case]
    f, kept = build(shape, axes, dtype)
    arrays = values(shape, kept, dtype, 0.5)
    tolerance = 1e-3 if dtype == "float32" else 1e-9
    for mine, wanted in zip(f(arrays), reference(*arrays, axes), strict=True):
        assert_allclose(mine, wanted, rtol=tolerance, atol=tolerance * max(1, np.abs(wanted).max()))


def test_accurate_where_the_mean_is_large() -> None:
    shape, axes = SHAPES["channels last"]
    f, kept = build(shape, axes, "float32")
    arrays = values(shape, kept, "float32", 1e4)
    _, mean, var = f(arrays)[:3]
    wanted = reference(*arrays, axes)
    assert_allclose(mean, wanted[1], rtol=1e-6)
    assert_allclose(var, wanted[2], rtol=1e-4)


def test_same_to_the_bit_on_any_number_of_threads() -> None:
    shape, axes = (64, 33, 17, 24), (0, 1, 2)
    results = []
    for threads in (1, 2, 3):
        with limit_threads(threads):
            f, kept = build(shape, axes, "float32")
            results.append(f(values(shape, kept, "float32", 0.0)))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            assert_array_equal(a, b)
