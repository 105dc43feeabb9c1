"""Compiled pooling and depthwise convolution beside the core's NumPy kernels; their operations, threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcore import backend as K
from kcore.runtime import parallel
from kcore.runtime.context import BindContext
from kcore.runtime.numpy_device import NumpyDevice
from kcore.runtime.windows import Window
from kcore.shapes import explicit_padding
from kcore_kernels_numba import depthwise, geometry, pooling, supported

POOLING = ("max_pool", "max_pool_grad", "avg_pool", "avg_pool_grad")
DEPTHWISE = ("depthwise_conv", "depthwise_conv_input_grad", "depthwise_conv_kernel_grad")
COMPILED = {op: getattr(module, op) for module, ops in ((pooling, POOLING), (depthwise, DEPTHWISE)) for op in ops}
TOLERANCE = {"float32": 2e-4, "float64": 1e-12}


def run(kernels: Any, op: str, shapes: Any, ins: list[Any], attrs: dict[str, Any], dtypes: Any) -> list[np.ndarray]:
    """The results of a kernel bound to memory that is full of NaN."""
    outs = [
        None if shape is None else np.full(shape, 99 if dtype == "uint8" else np.nan, dtype)
        for shape, dtype in zip(shapes, dtypes)
    ]
    kernels(op)(BindContext(NumpyDevice()), outs, ins, attrs)()
    return [out for out in outs if out is not None]


def assert_as_numpy(op: str, shapes: Any, ins: list[Any], attrs: dict[str, Any], dtypes: Any) -> list[np.ndarray]:
    found = run(COMPILED.get, op, shapes, ins, attrs, dtypes)
    wanted = run(supported.numpy_kernel_of, op, shapes, ins, attrs, dtypes)
    for a, b in zip(found, wanted, strict=True):
        if a.dtype == "uint8":
            np.testing.assert_array_equal(a, b)
        else:
            scale = max(1, np.abs(b[np.isfinite(b)]).max(initial=0))  # a sum of large terms is as exact as they are
            np.testing.assert_allclose(a, b, rtol=TOLERANCE[str(a.dtype)], atol=scale * TOLERANCE[str(a.dtype)])
    return found


@st.composite
def windows(draw: Any, dilated: bool) -> tuple[tuple[int, ...], tuple[int, ...], dict[str, Any], tuple[int, ...]]:
    """Spatial sizes, the window's size, its attributes, and the positions: one at least."""
    rank = draw(st.integers(1, 3))

    def ints(least: int, most: int) -> tuple[int, ...]:
        return draw(st.tuples(*[st.integers(least, most)] * rank))

    size, strides = ints(1, 3), ints(1, 4)
    dilation = ints(1, 3) if dilated else (1,) * rank
    spatial = tuple((k - 1) * d + 1 + more for k, d, more in zip(size, dilation, ints(0, 5)))
    padding: Any = draw(st.sampled_from(("same", "valid", "given")))
    if padding == "given":
        most = [st.tuples(st.integers(0, 2), st.integers(0, 2))] * rank
        padding = draw(st.tuples(*most)) if dilated else tuple((min(k - 1, 1), k // 2) for k in size)
    pairs = explicit_padding(padding, spatial, size, strides, dilation)
    positions = tuple(
        (n + before + after - (k - 1) * d - 1) // s + 1
        for n, k, s, d, (before, after) in zip(spatial, size, strides, dilation, pairs)
    )
    attrs = {"strides": strides, "padding": pairs} | ({"dilation": dilation} if dilated else {"pool": size})
    return spatial, size, attrs, positions


CHANNELS = st.sampled_from((16, 17, 31, 32, 40, 64, 79, 96, 150))


@settings(max_examples=60, deadline=None)
@given(windows(dilated=False), st.integers(1, 3), CHANNELS, st.sampled_from(("float32", "float64")), st.booleans())
def test_pooling_gives_what_the_numpy_kernels_give(window, batch, channels, dtype, strange):
    spatial, _, attrs, positions = window
    rng = np.random.default_rng(batch + channels)
    x = rng.integers(-2, 3, (batch, *spatial, channels)).astype(dtype)  # many are equal
    if strange:
        for value in (np.nan, -np.inf, np.inf):
            x[rng.random(x.shape) < 0.08] = value
    shape = (batch, *positions, channels)
    _, winner = assert_as_numpy("max_pool", [shape, shape], [x], attrs, [dtype, "uint8"])
    assert_as_numpy("max_pool", [shape, None], [x], attrs, [dtype, "uint8"])
    assert_as_numpy("max_pool", [None, shape], [x], attrs, [dtype, "uint8"])
    g, x = (rng.standard_normal(s).astype(dtype) for s in (shape, x.shape))
    back = attrs | {"spatial": spatial}
    assert_as_numpy("max_pool_grad", [x.shape], [winner, g], back, [dtype])
    assert_as_numpy("avg_pool", [shape], [x], attrs, [dtype])
    assert_as_numpy("avg_pool_grad", [x.shape], [g], back, [dtype])


@settings(max_examples=60, deadline=None)
@given(windows(dilated=True), st.integers(1, 3), CHANNELS, st.sampled_from(("float32", "float64")))
def test_depthwise_convolution_gives_what_the_numpy_kernels_give(window, batch, channels, dtype):
    spatial, size, attrs, positions = window
    rng = np.random.default_rng(batch + channels)
    shapes = [(batch, *spatial, channels), (*size, channels, 1), (batch, *positions, channels)]
    x, w, g = (rng.standard_normal(shape).astype(dtype) for shape in shapes)
    assert_as_numpy("depthwise_conv", [g.shape], [x, w], attrs, [dtype])
    assert_as_numpy("depthwise_conv_input_grad", [x.shape], [g, w], attrs | {"spatial": spatial}, [dtype])
    assert_as_numpy("depthwise_conv_kernel_grad", [w.shape], [x, g], attrs | {"kernel_size": size}, [dtype])


def test_of_equal_elements_the_first_has_the_gradient():
    x = np.zeros((1, 4, 4, 16), "float32")
    attrs = {"pool": (2, 2), "strides": (2, 2), "padding": ((0, 0), (0, 0))}
    _, winner = run(COMPILED.get, "max_pool", [(1, 2, 2, 16)] * 2, [x], attrs, ["float32", "uint8"])
    assert not winner.any()
    g = np.ones((1, 2, 2, 16), "float32")
    (dx,) = run(COMPILED.get, "max_pool_grad", [x.shape], [winner, g], attrs | {"spatial": (4, 4)}, ["float32"])
    assert dx.sum() == g.sum() and (dx[:, ::2, ::2] == 1).all()


def test_an_infinite_gradient_stays_with_the_winner():
    x = np.arange(64, dtype="float32").reshape(1, 2, 2, 16)
    attrs = {"pool": (2, 2), "strides": (2, 2), "padding": ((0, 0), (0, 0))}
    _, winner = run(COMPILED.get, "max_pool", [(1, 1, 1, 16)] * 2, [x], attrs, ["float32", "uint8"])
    g = np.full((1, 1, 1, 16), np.inf, "float32")
    (dx,) = run(COMPILED.get, "max_pool_grad", [x.shape], [winner, g], attrs | {"spatial": (2, 2)}, ["float32"])
    assert np.isinf(dx[0, 1, 1]).all() and np.count_nonzero(dx) == 16


def test_a_window_on_nothing_but_padding():
    x = np.ones((1, 1, 1, 16), "float32")
    attrs = {"pool": (1, 1), "strides": (1, 1), "padding": ((1, 1), (0, 0))}
    y, _ = run(COMPILED.get, "max_pool", [(1, 3, 1, 16)] * 2, [x], attrs, ["float32", "uint8"])
    np.testing.assert_array_equal(y[0, :, 0, 0], [-np.inf, 1, -np.inf])
    assert_as_numpy("avg_pool", [(1, 3, 1, 16)], [x], attrs, ["float32"])


def test_walks_forward_and_backward_meet_the_same_pairs():
    window = Window((1, 2, 3), (1, 3, 2), (0, 1, 2), (1, 2, 3))
    inputs, positions = (1, 7, 9), (1, 3, 3)

    def pairs(axis: Any) -> set[tuple[int, int, int]]:
        return {
            (target, first + j * axis.step, tap + j * axis.tap_step)
            for target, (first, tap, count) in enumerate(axis.table.tolist())
            for j in range(count)
        }

    for there, back, taps in zip(
        geometry.forward(window, inputs, positions),
        geometry.backward(window, inputs, positions),
        geometry.by_tap(window, inputs, positions),
    ):
        met = pairs(there)
        assert met == {(source, target, tap) for target, source, tap in pairs(back)}
        counts = [sum(tap == number for _, _, tap in met) for number in range(len(taps))]
        assert counts == taps[:, 2].tolist()


# -- through the operations -------------------------------------------------------------------------------------


@pytest.fixture
def bound(monkeypatch):
    """Names of the operations whose compiled kernel is bound."""
    names: list[str] = []
    for module, ops in ((pooling, POOLING), (depthwise, DEPTHWISE)):
        for op in ops:

            def bind(*args: Any, op: str = op) -> Any:
                names.append(op)
                return COMPILED[op](*args)

            monkeypatch.setattr(module, op, bind)
    return names


def graph(kind: str, shape: tuple[int, ...] = (4, 40, 40, 48), dtype: str = "float32", multiplier: int = 1) -> Any:
    """A function of a result and its gradients, and arrays for it: large enough for the compiled kernels."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape).astype(dtype)]
    if kind == "depthwise":
        arrays.append(rng.standard_normal((3, 3, shape[-1], multiplier)).astype(dtype))
    tensors = [K.placeholder(a.shape, dtype=dtype) for a in arrays]
    if kind == "depthwise":
        y = K.depthwise_conv2d(*tensors, strides=(2, 2), padding="same")
    else:
        y = K.pool2d(tensors[0], (3, 3), (2, 2), "same", pool_mode=kind)
    return K.function(tensors, [y, *K.gradients(K.sum(K.square(y)), tensors)]), arrays


OPS_OF = {"max": POOLING[:2], "avg": POOLING[2:], "depthwise": DEPTHWISE}


@pytest.mark.parametrize("kind", OPS_OF)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_functions_use_the_compiled_kernels(kind, dtype, bound):
    function, arrays = graph(kind, dtype=dtype)
    function(arrays)
    assert sorted(bound) == sorted(OPS_OF[kind])


@pytest.mark.parametrize("kind", OPS_OF)
def test_threads_change_nothing_but_the_order_of_the_sums_of_weights(kind):
    results = []
    for threads in (1, 2, 3, 3):
        with parallel.limit_threads(threads):
            function, arrays = graph(kind)
            results.append([a.copy() for a in function(arrays)])
    for others in results[1:]:
        for a, b in zip(others[:2], results[0][:2]):
            np.testing.assert_array_equal(a, b)
        for a, b in zip(others[2:], results[0][2:]):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-3)
    for a, b in zip(*results[2:]):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "kind, change",
    [
        ("max", {"shape": (2, 10, 10, 48)}),
        ("avg", {"shape": (40, 40, 40, 8)}),
        ("depthwise", {"multiplier": 2}),
        ("max", {"dtype": "float16"}),
    ],
)
def test_what_the_compiled_kernels_do_not_take(kind, change, bound):
    function, arrays = graph(kind, **change)
    function(arrays)
    assert not bound


def test_windows_of_more_than_256_taps_are_left_to_numpy(bound):
    x = K.placeholder((2, 34, 34, 32))
    y = K.pool2d(x, (17, 17), (17, 17))
    K.function([x], K.gradients(K.sum(y), [x]))([np.random.default_rng(0).random(x.shape)])
    assert not bound


def test_images_with_channels_first():
    x = np.random.default_rng(0).random((4, 48, 40, 40), "float32")
    given_ = K.placeholder(x.shape)
    y = K.pool2d(given_, (2, 2), (2, 2), data_format="channels_first")
    np.testing.assert_array_equal(K.function([given_], [y])([x])[0], x.reshape(4, 48, 20, 2, 20, 2).max((3, 5)))
