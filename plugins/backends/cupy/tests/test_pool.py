"""Pooling and its gradients beside the NumPy device's: equal maxima, not-a-numbers, windows that overlap or do not."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import kcore.backend.conv  # noqa: F401  (registers the operations)
from kcore import backend as K
from kcore.runtime import devices
from kcore.runtime.function import Function
from kcore.runtime.numpy_device import NumpyDevice
from kcore_backends_cupy.capture import Segment
from kcore_backends_cupy.kernels import windowed

RTOL = {"float16": 5e-3, "float32": 1e-5, "float64": 1e-12}
LOOSE = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def pools(draw):
    rank = draw(st.integers(1, 3))
    size, strides = (tuple(draw(st.integers(1, 3)) for _ in range(rank)) for _ in range(2))
    spatial = tuple(draw(st.integers(k, 7)) for k in size)
    same = draw(st.booleans())
    positions = tuple(-(-n // s) if same else (n - k) // s + 1 for n, k, s in zip(spatial, size, strides, strict=True))
    attrs = {"pool": size, "strides": strides, "padding": "same" if same else "valid"}
    return attrs, spatial, positions, draw(st.sampled_from([1, 5])), draw(st.integers(0, 99))


@LOOSE
@given(pools(), st.sampled_from(list(RTOL)), st.booleans())
def test_values(both, pool, dtype, odd):
    attrs, spatial, positions, channels, seed = pool
    r = np.random.RandomState(seed)
    x = r.randint(-3, 3, (2, *spatial, channels)).astype(dtype)  # many are equal
    if odd:
        x[0, (0,) * len(spatial)] = np.nan
    for got, wanted in zip(*both("max_pool", x, **attrs), strict=True):
        np.testing.assert_array_equal(got, wanted)
    winner = both("max_pool", x, **attrs)[1][1]
    g = r.randint(-4, 4, (2, *positions, channels)).astype(dtype)
    u = r.rand(*x.shape).astype(dtype)
    for got, wanted in (
        both("max_pool_grad", winner, g, spatial=spatial, **attrs),
        both("max_pool_gather", winner, u, **attrs),
    ):
        np.testing.assert_array_equal(got, wanted)
    for got, wanted in (both("avg_pool", x, **attrs), both("avg_pool_grad", g, spatial=spatial, **attrs)):
        np.testing.assert_allclose(got, wanted, rtol=RTOL[dtype], atol=10 * RTOL[dtype])


@pytest.mark.parametrize("dtype", list(RTOL))
def test_source(dtype, both, sources, check_sources):
    attrs = {"pool": (2, 3), "strides": (2, 1), "padding": "same"}
    x, g = np.random.rand(2, 5, 6, 3).astype(dtype), np.random.rand(2, 3, 6, 3).astype(dtype)
    (_, winner), _ = both("max_pool", x, **attrs)
    both("max_pool_grad", winner, g, spatial=(5, 6), **attrs)
    both("max_pool_gather", winner, x, **attrs)
    both("avg_pool", x, **attrs)
    both("avg_pool_grad", g, spatial=(5, 6), **attrs)
    assert set(sources.values()) == {
        "max_pool", "max_pool_grad", "max_pool_gather", "avg_pool", "avg_pool_grad",
    }  # fmt: skip
    check_sources()


def test_more_elements_than_32_bits_count(both, monkeypatch, check_sources):
    monkeypatch.setattr(windowed, "SMALL", 1)
    ours, theirs = both("avg_pool", np.random.rand(2, 9, 3), pool=(2,), strides=(2,), padding="valid")
    np.testing.assert_allclose(ours, theirs)
    check_sources()


def test_only_what_is_read_is_written(emulated, monkeypatch):
    """Maxima without winners, and a gradient, which needs winners without maxima."""
    x = K.placeholder((1, 4, 4, 2))
    y = K.pool2d(x, (2, 2), (1, 1))
    values, gradients = K.function([x], [y]), K.function([x], K.gradients(K.sum(y), [x]))
    data = np.random.rand(1, 4, 4, 2).astype("float32")
    ours = values([data])[0], gradients([data])[0]
    monkeypatch.setattr(devices, "_current", NumpyDevice())
    for got, function in zip(ours, (values, gradients), strict=True):
        np.testing.assert_array_equal(got, function([data])[0])


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_global_and_windowed_pooling_are_one_graph(data_format, emulated):
    """Both data formats are read where they are, and nothing leaves the graph."""
    x = K.placeholder((2, 6, 6, 6))
    pooled = K.pool2d(x, (2, 2), (2, 2), data_format=data_format)
    mean = K.pool2d(pooled, (3, 3), (1, 1), "same", data_format, "avg")
    spatial = (1, 2) if data_format == "channels_last" else (2, 3)
    top = K.max(mean, axis=spatial)
    (gradient,) = K.gradients(K.sum(top * top), [x])
    f = Function([x], [top, gradient])
    data = np.random.rand(2, 6, 6, 6).astype("float32")
    first = f([data])
    for _ in range(2):
        for a, b in zip(f([data]), first, strict=True):
            np.testing.assert_array_equal(a, b)
    assert all(isinstance(call, Segment) for _, call in f.bound_plan([data.shape])._idle[0]._calls)
