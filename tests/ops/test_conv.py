"""The convolution family: values against sums over positions, gradients, wrong input."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

import kcore.backend.conv  # noqa: F401  (registers the operations)
from kcore import backend as K
from kcore.errors import DTypeError, ShapeError
from kcore.graph import apply, get_op
from kcore.testing.gradients import check_gradient

from . import conv_reference as reference

SPATIAL = {1: ("conv1d", (12,)), 2: ("conv2d", (9, 9)), 3: ("conv3d", (5, 5, 5))}


@st.composite
def windows(draw: Any, ranks: tuple[int, ...] = (1, 2, 3)) -> dict[str, Any]:
    """An input, a kernel size and a window that fits."""
    rank = draw(st.sampled_from(ranks))
    most = SPATIAL[rank][1]

    def ints(least: int, greatest: int) -> tuple[int, ...]:
        return tuple(draw(st.integers(least, greatest)) for _ in range(rank))

    size, strides, dilation = ints(1, 4), ints(1, 3), ints(1, 3)
    extents = [(k - 1) * d + 1 for k, d in zip(size, dilation)]
    padding = tuple((draw(st.integers(0, 3)), draw(st.integers(0, 3))) for _ in range(rank))
    spatial = tuple(draw(st.integers(max(e - lo - hi, 1), max(n, e))) for e, (lo, hi), n in zip(extents, padding, most))
    return {
        "spatial": spatial,
        "size": size,
        "attrs": {"strides": strides, "padding": padding, "dilation": dilation},
        "batch": draw(st.integers(1, 3)),
        "channels": draw(st.sampled_from([1, 2, 3, 20])),
        "filters": draw(st.sampled_from([1, 2, 5])),
        "seed": draw(st.integers(0, 2**16)),
    }


def _evaluate(op: str, arrays: list[np.ndarray], **attrs: Any) -> np.ndarray:
    inputs = [K.placeholder(a.shape, dtype="float64") for a in arrays]
    return K.function(inputs, [apply(op, *inputs, **attrs)])(arrays)[0]


def _portable(op: str, arrays: list[np.ndarray], shape: tuple[int, ...], **attrs: Any) -> np.ndarray:
    out = np.full(shape, np.nan)
    get_op(op).kernel(np, out, *arrays, **attrs)
    return out


def _linear(forward: Any, x: np.ndarray, w: np.ndarray, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The two gradients of ``sum(forward(x, w) * g)``, element by element: `forward` is linear in each operand."""
    grads = []
    for operand, other in ((x, lambda e: forward(e, w)), (w, lambda e: forward(x, e))):
        grad = np.zeros(operand.shape)
        for at in np.ndindex(operand.shape):
            unit = np.zeros(operand.shape)
            unit[at] = 1
            grad[at] = (other(unit) * g).sum()
        grads.append(grad)
    return grads[0], grads[1]


OPS = {
    "conv": ("conv", "conv_input_grad", "conv_kernel_grad"),
    "depthwise": ("depthwise_conv", "depthwise_conv_input_grad", "depthwise_conv_kernel_grad"),
}


@pytest.mark.parametrize("family", OPS)
@settings(max_examples=60, deadline=None)
@given(window=windows())
def test_ops_against_sums_over_positions(family: str, window: dict[str, Any]) -> None:
    """Values of the three operations, by the NumPy kernels and by the portable ones."""
    attrs, rng = window["attrs"], np.random.default_rng(window["seed"])
    forward = getattr(reference, family)
    op, input_grad, kernel_grad = OPS[family]
    x = rng.normal(size=(window["batch"], *window["spatial"], window["channels"]))
    w = rng.normal(size=(*window["size"], window["channels"], window["filters"]))
    args = (attrs["strides"], attrs["padding"], attrs["dilation"])
    y = forward(x, w, *args)
    np.testing.assert_allclose(_evaluate(op, [x, w], **attrs), y, atol=1e-10)
    np.testing.assert_allclose(_portable(op, [x, w], y.shape, **attrs), y, atol=1e-10)

    g, u, v = rng.normal(size=y.shape), rng.normal(size=x.shape), rng.normal(size=w.shape)
    inputs = {"spatial": window["spatial"], **attrs}
    kernels = {"kernel_size": window["size"], **attrs}
    dx = _evaluate(input_grad, [g, w], **inputs)
    dw = _evaluate(kernel_grad, [x, g], **kernels)
    # <g, conv(u, w)> = <conv_input_grad(g, w), u>, and the same for the kernel
    np.testing.assert_allclose((dx * u).sum(), (g * forward(u, w, *args)).sum(), atol=1e-8)
    np.testing.assert_allclose((dw * v).sum(), (g * forward(x, v, *args)).sum(), atol=1e-8)
    np.testing.assert_allclose(_portable(input_grad, [g, w], x.shape, **inputs), dx, atol=1e-10)
    np.testing.assert_allclose(_portable(kernel_grad, [x, g], w.shape, **kernels), dw, atol=1e-10)


def test_gradients_element_by_element() -> None:
    rng = np.random.default_rng(3)
    x, w = rng.normal(size=(1, 5, 4, 2)), rng.normal(size=(2, 3, 2, 3))
    attrs = {"strides": (2, 1), "padding": ((1, 0), (1, 1)), "dilation": (2, 1)}
    args = (attrs["strides"], attrs["padding"], attrs["dilation"])
    g = rng.normal(size=reference.conv(x, w, *args).shape)
    dx, dw = _linear(lambda a, b: reference.conv(a, b, *args), x, w, g)
    np.testing.assert_allclose(_evaluate("conv_input_grad", [g, w], spatial=(5, 4), **attrs), dx, atol=1e-10)
    np.testing.assert_allclose(_evaluate("conv_kernel_grad", [x, g], kernel_size=(2, 3), **attrs), dw, atol=1e-10)


@settings(max_examples=60, deadline=None)
@given(
    window=windows(),
    padding=st.sampled_from(["valid", "same"]),
    data_format=st.sampled_from(["channels_last", "channels_first"]),
    unknown=st.booleans(),
    strided=st.booleans(),
)
def test_functions_in_both_formats(
    window: dict[str, Any], padding: str, data_format: str, unknown: bool, strided: bool
) -> None:
    rank, attrs = len(window["size"]), window["attrs"]
    name = SPATIAL[rank][0]
    ones = (1,) * rank
    strides, dilation = (attrs["strides"], ones) if strided else (ones, attrs["dilation"])
    spatial = tuple(
        max(n, (k - 1) * d + 1) for n, k, d in zip(window["spatial"], window["size"], dilation, strict=True)
    )
    rng = np.random.default_rng(window["seed"])
    x = rng.normal(size=(window["batch"], *spatial, window["channels"]))
    w = rng.normal(size=(*window["size"], window["channels"], window["filters"]))
    pairs = reference.same(spatial, window["size"], strides, dilation) if padding == "same" else ((0, 0),) * rank
    expected = reference.conv(x, w, strides, pairs, dilation)
    if data_format == "channels_first":
        x, expected = np.moveaxis(x, -1, 1), np.moveaxis(expected, -1, 1)
    shape = [None if unknown and n > 1 else n for n in x.shape]
    shape[1 if data_format == "channels_first" else -1] = window["channels"]
    given_x = K.placeholder(tuple(shape), dtype="float64")
    y = getattr(K, name)(
        given_x,
        w,
        strides=strides[0] if rank == 1 else strides,
        padding=padding,
        data_format=data_format,
        dilation_rate=dilation[0] if rank == 1 else dilation,
    )
    assert all(a is None or a == b for a, b in zip(y.shape, expected.shape, strict=True))
    total = K.sum(K.square(y))
    value, grad = K.function([given_x], [y, *K.gradients(total, [given_x])])([x])
    np.testing.assert_allclose(value, expected, atol=1e-10)
    assert grad.shape == x.shape


def test_causal_sees_no_later_step() -> None:
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(1, 8, 2)), rng.normal(size=(3, 2, 2))
    inputs = K.placeholder((None, None, 2), dtype="float64")
    f = K.function([inputs], [K.conv1d(inputs, w, padding="causal", dilation_rate=2)])
    (before,) = f([x])
    assert before.shape == (1, 8, 2)
    x[:, 5:] = 0
    (after,) = f([x])
    np.testing.assert_array_equal(before[:, :5], after[:, :5])
    assert not np.allclose(before[:, 5:], after[:, 5:])


def test_transposed_convolution_undoes_the_shape_and_takes_a_symbolic_shape() -> None:
    x = K.placeholder((None, None, None, 3), dtype="float64")
    small = K.conv2d(x, np.ones((3, 3, 3, 4)), strides=2, padding="same")
    shape = K.shape(x)
    back = K.conv2d_transpose(small, np.ones((3, 3, 3, 4)), shape, strides=2, padding="same")
    parts = K.conv2d_transpose(
        small, np.ones((3, 3, 3, 4)), (shape[0], shape[1], shape[2], 3), strides=2, padding="same"
    )
    for size in ((2, 7, 8, 3), (1, 6, 5, 3)):
        values = K.function([x], [back, parts])([np.ones(size)])
        assert values[0].shape == size
        np.testing.assert_array_equal(values[0], values[1])


def test_transposed_convolution_channels_first() -> None:
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(2, 4, 5, 3)), rng.normal(size=(3, 3, 6, 3))
    last = K.eval(K.conv2d_transpose(K.constant(x), K.constant(w), (2, 8, 10, 6), (2, 2), "same"))
    first = K.conv2d_transpose(
        K.constant(np.moveaxis(x, -1, 1)), K.constant(w), (2, 6, 8, 10), (2, 2), "same", "channels_first"
    )
    np.testing.assert_allclose(np.moveaxis(K.eval(first), 1, -1), last, rtol=1e-6)


def test_separable_is_depthwise_then_pointwise() -> None:
    rng = np.random.default_rng(0)
    x, d, p = rng.normal(size=(2, 6, 6, 3)), rng.normal(size=(3, 3, 3, 2)), rng.normal(size=(1, 1, 6, 4))
    middle = reference.depthwise(x, d, (1, 1), ((1, 1), (1, 1)), (1, 1))
    inputs = K.placeholder(x.shape, dtype="float64")
    (y,) = K.function([inputs], [K.separable_conv2d(inputs, d, p, padding="same")])([x])
    np.testing.assert_allclose(y, middle @ p[0, 0], atol=1e-10)


GRADIENTS = {
    "conv1d": (lambda x, w: K.conv1d(x, w, 2, "causal"), (2, 5, 2), (3, 2, 2)),
    "conv2d": (lambda x, w: K.conv2d(x, w, (2, 1), "same"), (1, 4, 3, 2), (3, 2, 2, 2)),
    "conv2d_dilated": (lambda x, w: K.conv2d(x, w, 1, "same", None, (2, 2)), (1, 4, 4, 1), (2, 3, 1, 2)),
    "conv2d_first": (lambda x, w: K.conv2d(x, w, 1, "valid", "channels_first"), (1, 2, 4, 3), (3, 2, 2, 2)),
    "conv3d": (lambda x, w: K.conv3d(x, w, 2, "same"), (1, 3, 2, 3, 1), (2, 2, 2, 1, 2)),
    "conv2d_transpose": (lambda x, w: K.conv2d_transpose(x, w, (1, 5, 5, 2), 2, "valid"), (1, 2, 2, 1), (3, 3, 2, 1)),
    "depthwise_conv2d": (lambda x, w: K.depthwise_conv2d(x, w, 2, "same"), (1, 4, 3, 2), (3, 2, 2, 2)),
    "local_conv1d": (lambda x, w: K.local_conv1d(x, w, 2, 2), (2, 5, 2), (2, 4, 3)),
    "local_conv2d": (lambda x, w: K.local_conv2d(x, w, 2, 1, (2, 1)), (2, 3, 2, 2), (2, 8, 2)),
}


@pytest.mark.parametrize("unknown", [False, True], ids=["known", "unknown"])
@pytest.mark.parametrize("name", [n for n in GRADIENTS if "local" not in n and "transpose" not in n])
def test_gradients_of_first_and_second_order(name: str, unknown: bool) -> None:
    fn, x, w = GRADIENTS[name]
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=w)
    # squared, so that the second derivative by one operand alone is not zero
    check_gradient(lambda a: K.square(fn(a, kernel)), rng.normal(size=x), unknown=unknown and "first" not in name)
    check_gradient(lambda a, b: K.square(fn(a, b)), rng.normal(size=x), kernel)


@pytest.mark.parametrize("name", [n for n in GRADIENTS if "local" in n or "transpose" in n])
def test_gradients_of_functions_with_a_fixed_shape(name: str) -> None:
    fn, x, w = GRADIENTS[name]
    rng = np.random.default_rng(0)
    check_gradient(lambda a, b: K.square(fn(a, b)), rng.normal(size=x), rng.normal(size=w))


def test_separable_gradient() -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=s) for s in ((1, 5, 2), (2, 2, 2), (1, 4, 2))]
    check_gradient(lambda x, d, p: K.square(K.separable_conv1d(x, d, p, 2, "same")), *arrays)


IMAGE = (2, 8, 8, 3)
WRONG: dict[str, tuple[Any, tuple[str, ...]]] = {
    "rank of x": (lambda: K.conv2d(K.zeros((8, 8, 3)), K.zeros((3, 3, 3, 4))), ("conv2d", "8, 8, 3")),
    "rank of the kernel": (lambda: K.conv2d(K.zeros(IMAGE), K.zeros((3, 3, 4))), ("kernel", "3, 3, 4")),
    "channels": (lambda: K.conv2d(K.zeros(IMAGE), K.zeros((3, 3, 4, 5))), ("2, 8, 8, 3", "3, 3, 4, 5")),
    "size": (lambda: K.conv2d(K.zeros(IMAGE), K.zeros((9, 3, 3, 5))), ("2, 8, 8, 3", "9, 3, 3, 5")),
    "1-D": (lambda: K.conv1d(K.zeros(IMAGE), K.zeros((3, 3, 5))), ("conv1d", "2, 8, 8, 3")),
    "3-D": (lambda: K.conv3d(K.zeros(IMAGE), K.zeros((3, 3, 3, 3, 5))), ("conv3d", "2, 8, 8, 3")),
    "depthwise": (lambda: K.depthwise_conv2d(K.zeros(IMAGE), K.zeros((3, 3, 4, 1))), ("2, 8, 8, 3", "3, 3, 4, 1")),
    "pointwise": (
        lambda: K.separable_conv2d(K.zeros(IMAGE), K.zeros((3, 3, 3, 1)), K.zeros((2, 1, 3, 4))),
        ("pointwise", "2, 1, 3, 4"),
    ),
    "pointwise 1-D": (
        lambda: K.separable_conv1d(K.zeros((2, 8, 3)), K.zeros((3, 3, 1)), K.zeros((1, 4, 4))),
        ("2, 6, 3", "1, 4, 4"),
    ),
    "transposed shape": (
        lambda: K.conv2d_transpose(K.zeros(IMAGE), K.zeros((3, 3, 4, 3)), (2, 20, 20, 4), 2),
        ("20, 20", "8, 8"),
    ),
    "transposed channels": (
        lambda: K.conv2d_transpose(K.zeros(IMAGE), K.zeros((3, 3, 4, 3)), (2, 17, 17, 5), 2),
        ("17, 17, 5", "3, 3, 4, 3"),
    ),
    "transposed 3-D": (
        lambda: K.conv3d_transpose(K.zeros((1, 2, 2, 2, 3)), K.zeros((2, 2, 2, 4, 5)), (1, 4, 4, 4, 4), 2),
        ("1, 2, 2, 2, 3", "2, 2, 2, 4, 5"),
    ),
    "local features": (lambda: K.local_conv1d(K.zeros((2, 8, 3)), K.zeros((4, 5, 6)), 2, 2), ("2, 8, 3", "4, 5, 6")),
    "local length": (lambda: K.local_conv1d(K.zeros((2, 8, 3)), K.zeros((5, 6, 6)), 2, 2), ("2, 8, 3", "5, 6, 6")),
    "local positions": (
        lambda: K.local_conv2d(K.zeros(IMAGE), K.zeros((9, 12, 6)), 2, 2, (4, 2)),
        ("9, 12, 6", "4, 2"),
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_shapes_are_refused_with_both_in_the_message(name: str) -> None:
    build, parts = WRONG[name]
    with pytest.raises(ShapeError) as caught:
        build()
    assert isinstance(caught.value, ValueError)
    for part in parts:
        assert part in str(caught.value)


def test_wrong_arguments_are_refused() -> None:
    x, w = K.zeros(IMAGE), K.zeros((3, 3, 3, 4))
    with pytest.raises(ValueError, match="data_format"):
        K.conv2d(x, w, data_format="channels_middle")
    with pytest.raises(ValueError, match="padding"):
        K.conv2d(x, w, padding="full")
    with pytest.raises(ValueError, match="causal"):
        K.conv2d(x, w, padding="causal")
    with pytest.raises(ValueError, match="strides"):
        K.conv2d(x, w, strides=(1, 2, 3))
    with pytest.raises(ShapeError, match="positive"):
        K.conv2d(x, w, strides=(0, 1))
    with pytest.raises(DTypeError, match="int32"):
        K.conv2d(K.zeros(IMAGE, "int32"), w)
    with pytest.raises(DTypeError, match=r"float64.*float32|float32.*float64"):
        K.conv2d(K.zeros(IMAGE, "float64"), w)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_dtype_is_kept(dtype: str) -> None:
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(2, 6, 6, 3)), rng.normal(size=(3, 3, 3, 4))
    expected = reference.conv(x, w, (1, 1), ((1, 1), (1, 1)), (1, 1))
    for function, kernel, wanted in (
        (K.conv2d, w, expected),
        (K.depthwise_conv2d, w[..., :1], reference.depthwise(x, w[..., :1], (1, 1), ((1, 1), (1, 1)), (1, 1))),
    ):
        y = function(K.constant(x, dtype), K.constant(kernel, dtype), padding="same")
        value = K.eval(y)
        assert y.dtype == value.dtype.name == dtype
        np.testing.assert_allclose(value, wanted, atol=0.05 if dtype == "float16" else 1e-5)
