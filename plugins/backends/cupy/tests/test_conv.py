"""Convolution and its gradients beside the NumPy device's, over drawn windows."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import kcore.backend.conv  # noqa: F401  (registers the operations)
from kcore import backend as K
from kcore.runtime.function import Function
from kcore_backends_cupy.capture import Segment
from kcore_backends_cupy.kernels import contraction

RTOL = {"float16": 5e-3, "float32": 2e-5, "float64": 1e-12}
LOOSE = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def windows(draw, most=6):
    """A window over one to three dimensions: attributes, spatial shape, kernel size and positions."""
    axes = [draw(axis(most)) for _ in range(draw(st.integers(1, 3)))]
    size, strides, dilation, padding, spatial, positions = zip(*axes, strict=True)
    attrs = {"strides": strides, "dilation": dilation, "padding": padding}
    return attrs, spatial, size, positions, draw(st.integers(0, 99))


@st.composite
def axis(draw, most):
    k, s, d = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 2))
    before, after = draw(st.integers(0, 2)), draw(st.integers(0, 2))
    extent = (k - 1) * d + 1
    length = draw(st.integers(max(1, extent - before - after), max(most, extent)))
    return k, s, d, (before, after), length, (length + before + after - extent) // s + 1


def _close(ours, theirs, dtype):
    scale = float(np.abs(theirs).max(initial=1))
    np.testing.assert_allclose(ours, theirs, rtol=RTOL[dtype], atol=RTOL[dtype] * scale)


@LOOSE
@given(windows(), st.sampled_from([1, 3, 18]), st.sampled_from([1, 2, 33]), st.sampled_from(list(RTOL)))
def test_values(both, window, channels, filters, dtype):
    attrs, spatial, size, positions, seed = window
    r = np.random.RandomState(seed)
    x, w, g = (
        r.uniform(-1, 1, shape).astype(dtype)
        for shape in ((2, *spatial, channels), (*size, channels, filters), (2, *positions, filters))
    )
    _close(*both("conv", x, w, **attrs), dtype)
    _close(*both("conv_input_grad", g, w, spatial=spatial, **attrs), dtype)
    _close(*both("conv_kernel_grad", x, g, kernel_size=size, **attrs), dtype)


@pytest.mark.parametrize("strides", [(1, 1), (2, 3)])
def test_windows_of_one_element_are_products_of_matrices(strides, both, sources):
    """Inputs between the strides have no gradient; the last ones may have no window."""
    r = np.random.RandomState(0)
    attrs = {"strides": strides, "dilation": (1, 1), "padding": "valid"}
    x, w = r.rand(2, 6, 5, 3), r.rand(1, 1, 3, 4)
    y, theirs = both("conv", x, w, **attrs)
    _close(y, theirs, "float64")
    _close(*both("conv_input_grad", y, w, spatial=(6, 5), **attrs), "float64")
    _close(*both("conv_kernel_grad", x, y, kernel_size=(1, 1), **attrs), "float64")
    assert "product" in sources.values()
    assert not any("int apw" in source for source in sources)  # no patches


@LOOSE
@given(windows(), st.sampled_from([1, 3, 40]), st.integers(1, 3), st.sampled_from(list(RTOL)))
def test_depthwise_values(both, window, channels, multiplier, dtype):
    attrs, spatial, size, positions, seed = window
    r = np.random.RandomState(seed)
    x, w, g = (
        r.uniform(-1, 1, shape).astype(dtype)
        for shape in ((2, *spatial, channels), (*size, channels, multiplier), (2, *positions, channels * multiplier))
    )
    _close(*both("depthwise_conv", x, w, **attrs), dtype)
    _close(*both("depthwise_conv_input_grad", g, w, spatial=spatial, **attrs), dtype)
    _close(*both("depthwise_conv_kernel_grad", x, g, kernel_size=size, **attrs), dtype)


@pytest.mark.parametrize("dtype", list(RTOL))
def test_depthwise_source(dtype, both, sources, check_sources):
    """The gradient of a kernel in one chunk and in several."""
    r = np.random.RandomState(0)
    for spatial in ((6, 5), (40, 30)):
        attrs = {"strides": (1, 1), "dilation": (1, 1), "padding": "same"}
        x, w, g = (r.rand(*s).astype(dtype) for s in ((1, *spatial, 3), (3, 3, 3, 2), (1, *spatial, 6)))
        _close(*both("depthwise_conv", x, w, **attrs), dtype)
        _close(*both("depthwise_conv_input_grad", g, w, spatial=spatial, **attrs), dtype)
        _close(*both("depthwise_conv_kernel_grad", x, g, kernel_size=(3, 3), **attrs), dtype)
    check_sources()


@pytest.mark.parametrize("dtype", list(RTOL))
def test_source(dtype, both, sources, check_sources):
    """All that convolutions compile: images of which the gradient sums in parts, strides, one to three dimensions."""
    r = np.random.RandomState(0)
    for spatial in ((50,), (20, 18), (9, 8, 7)):
        rank = len(spatial)
        attrs = {"strides": (2,) * rank, "dilation": (1,) * rank, "padding": "same"}
        x, w = r.rand(3, *spatial, 5).astype(dtype), r.rand(*(3,) * rank, 5, 7).astype(dtype)
        y, theirs = both("conv", x, w, **attrs)
        _close(y, theirs, dtype)
        _close(*both("conv_input_grad", y, w, spatial=spatial, **attrs), dtype)
        _close(*both("conv_kernel_grad", x, y, kernel_size=(3,) * rank, **attrs), dtype)
    assert set(sources.values()) == {"product", "sum_parts"}
    check_sources()


def test_more_elements_than_an_int_counts(both, monkeypatch, sources):
    """The portable kernels compute what the tiled product cannot number."""
    monkeypatch.setattr(contraction, "LONGEST", 1)
    r = np.random.RandomState(0)
    attrs = {"strides": (1, 2), "dilation": (1, 1), "padding": "same"}
    x, w = r.rand(2, 6, 5, 3), r.rand(3, 3, 3, 4)
    y, theirs = both("conv", x, w, **attrs)
    _close(y, theirs, "float64")
    _close(*both("conv_input_grad", y, w, spatial=(6, 5), **attrs), "float64")
    _close(*both("conv_kernel_grad", x, y, kernel_size=(3, 3), **attrs), "float64")
    _close(*both("matmul", r.rand(3, 4), r.rand(4, 5)), "float64")
    assert "product" not in sources.values()


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_a_step_with_convolutions_is_one_graph(data_format, emulated):
    """Forward, gradients and update of a kernel, of both data formats; a local convolution beside it."""
    r = np.random.RandomState(0)
    shape = (2, 8, 8, 3) if data_format == "channels_last" else (2, 3, 8, 8)
    x = K.placeholder(shape)
    w, local = K.variable(r.rand(3, 3, 3, 4)), K.variable(r.rand(9, 16, 2))
    y = K.relu(K.conv2d(x, w, strides=(2, 2), padding="same", data_format=data_format))
    z = K.local_conv2d(y, local, (2, 2), (1, 1), (3, 3), data_format)
    loss = K.mean(K.square(z))
    gradients = K.gradients(loss, [w, local])
    step = Function([x], [loss], [(v, v - 0.001 * g) for v, g in zip([w, local], gradients, strict=True)])
    data = r.rand(*shape).astype("float32")
    losses = [step([data])[0].item() for _ in range(5)]
    assert losses == sorted(losses, reverse=True)
    (call,) = (call for _, call in step.bound_plan([shape])._idle[0]._calls)
    assert isinstance(call, Segment)
