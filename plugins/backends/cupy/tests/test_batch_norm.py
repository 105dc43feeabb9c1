"""Batch normalization and its gradient beside the NumPy device: layouts, long channels, means far from zero."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kcore import backend as K
from kcore.graph import apply, placeholder
from kcore.runtime import devices
from kcore.runtime.function import Function
from kcore.runtime.numpy_device import NumpyDevice
from kcore_backends_cupy.capture import Segment

RTOL = {"float16": 1e-2, "float32": 1e-4, "float64": 1e-9}


def compare(device, x, axes):
    """Results of both operations on this device and on NumPy's; the calls."""
    channels = tuple(n for i, n in enumerate(x.shape) if i not in axes)
    r = np.random.RandomState(0)
    gamma, beta = (r.uniform(0.5, 1.5, channels).astype(x.dtype) for _ in range(2))
    values = [x, gamma, beta, r.standard_normal(x.shape).astype(x.dtype)]
    inputs = [placeholder(v.shape, v.dtype.name, "v") for v in values]
    y, mean, var, inv = apply("batch_norm", *inputs[:3], axes=axes, epsilon=1e-3)
    gradients = apply("batch_norm_grad", inputs[0], inputs[1], mean, inv, inputs[3], axes=axes)
    f = Function(inputs, [y, mean, var, inv, *gradients])
    first, *others = [f(values) for _ in range(3)]
    for other in others:
        for a, b in zip(first, other, strict=True):
            np.testing.assert_array_equal(a, b)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(devices, "_current", NumpyDevice())
        wanted = Function(inputs, [y, mean, var, inv, *gradients])(values)
    rtol = RTOL[x.dtype.name]
    for a, b in zip(first, wanted, strict=True):
        scale = np.abs(b.astype("float64")).max()
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * scale)
    return f.bound_plan([v.shape for v in values])._idle[0].calls


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shape=st.lists(st.integers(1, 6), min_size=2, max_size=4).map(tuple), data=st.data())
def test_channels_anywhere(emulated, shape, data):
    channel = data.draw(st.integers(0, len(shape) - 1))
    x = np.random.RandomState(1).standard_normal(shape)
    calls = compare(emulated, x, tuple(i for i in range(len(shape)) if i != channel))
    assert [type(call) for call in calls] == [Segment]


@pytest.mark.parametrize("dtype", RTOL)
@pytest.mark.parametrize(("shape", "axes"), [((700, 40), (0,)), ((2, 3, 30, 20), (0, 2, 3)), ((5, 9, 3), (0, 1))])
def test_long_channels(emulated, check_sources, dtype, shape, axes):
    compare(emulated, np.random.RandomState(2).standard_normal(shape).astype(dtype), axes)
    check_sources()


@pytest.mark.parametrize(("shape", "axes"), [((4, 3, 5), (1,)), ((2, 3, 4, 5), (1, 3)), ((2, 3, 4, 5), (0, 2))])
def test_other_axes_between_those_of_the_channels(emulated, shape, axes):
    calls = compare(emulated, np.random.RandomState(2).standard_normal(shape), axes)
    assert [type(call) for call in calls] == [Segment]


def test_a_mean_far_from_zero(emulated):
    """The variance keeps its digits: float32 holds 1000 with 4 digits behind the point."""
    value = (np.random.RandomState(3).standard_normal((900, 4)) + 1000).astype("float32")
    x, ones = placeholder((900, 4), "float32", "x"), np.ones(4, "float32")
    y, mean, var, _ = Function([x], apply("batch_norm", x, ones, ones, axes=(0,), epsilon=0.0))([value])
    exact = value.astype("float64")
    np.testing.assert_allclose(mean, exact.mean(0), rtol=1e-7)
    np.testing.assert_allclose(var, exact.var(0), rtol=1e-6)
    np.testing.assert_allclose(y, (exact - exact.mean(0)) / exact.std(0) + 1, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("axes", [(0, 1), (0, 2)])
def test_a_view_is_read_as_it_lies(axes, emulated, monkeypatch):
    """Transposed input, as a model with the other data format has it, and its gradient."""
    channels = (3, 5, 4)[({0, 1, 2} - set(axes)).pop()]
    x, ones = placeholder((3, 4, 5), "float32", "x"), placeholder((channels,), "float32", "ones")
    y, *rest = apply("batch_norm", K.permute_dimensions(x, (0, 2, 1)), ones, ones, axes=axes, epsilon=1e-3)
    made = [y, *rest, *K.gradients(K.sum(y * y * y), [x, ones])]
    arrays = [np.random.RandomState(0).rand(3, 4, 5).astype("float32"), np.ones(channels, "float32")]
    ours = Function([x, ones], made)(arrays)
    monkeypatch.setattr(devices, "_current", NumpyDevice())
    for a, b in zip(ours, Function([x, ones], made)(arrays), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)
