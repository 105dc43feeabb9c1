"""Pooling: values against sums over positions, gradients, equal maxima, wrong input."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

import kcore.backend.conv  # noqa: F401  (registers the operations)
from kcore import backend as K
from kcore.errors import DTypeError, ShapeError
from kcore.graph import get_op
from kcore.runtime.context import BindContext
from kcore.runtime.numpy_device import NumpyDevice
from kcore.testing.gradients import check_gradient

from . import conv_reference as reference

FUNCTIONS = {1: "pool1d", 2: "pool2d", 3: "pool3d"}


def distinct(*shape: int, seed: int = 0) -> np.ndarray:
    """Numbers at least 0.1 apart, so that finite differences meet no kink."""
    return (np.random.default_rng(seed).permutation(int(np.prod(shape))) * 0.1).reshape(shape)


@st.composite
def pools(draw: Any) -> dict[str, Any]:
    rank = draw(st.integers(1, 3))
    size = tuple(draw(st.integers(1, 4)) for _ in range(rank))
    return {
        "size": size,
        "strides": tuple(draw(st.integers(1, 4)) for _ in range(rank)),
        "spatial": tuple(draw(st.integers(k, 9 if rank < 3 else 5)) for k in size),
        "batch": draw(st.integers(1, 3)),
        "channels": draw(st.sampled_from([1, 2, 5])),
        "seed": draw(st.integers(0, 2**16)),
    }


@settings(max_examples=80, deadline=None)
@given(
    pool=pools(),
    mode=st.sampled_from(["max", "avg"]),
    padding=st.sampled_from(["valid", "same"]),
    data_format=st.sampled_from(["channels_last", "channels_first"]),
    unknown=st.booleans(),
)
def test_values_and_gradients(pool: dict[str, Any], mode: str, padding: str, data_format: str, unknown: bool) -> None:
    """Integers, with equal maxima; the gradient by the NumPy kernel and by the portable one."""
    rank, size, strides, spatial = len(pool["size"]), pool["size"], pool["strides"], pool["spatial"]
    rng = np.random.default_rng(pool["seed"])
    last = rng.integers(-3, 4, (pool["batch"], *spatial, pool["channels"])).astype("float64")
    ones = (1,) * rank
    pairs = reference.same(spatial, size, strides, ones) if padding == "same" else ((0, 0),) * rank
    expected = reference.pool(last, size, strides, pairs, mode)
    g = rng.normal(size=expected.shape)
    attrs = {"pool": size, "strides": strides, "padding": pairs}
    wanted = np.full(last.shape, np.nan)
    if mode == "max":
        winner = np.full(expected.shape, 99, "uint8")
        get_op("max_pool").kernel(np, (np.empty(expected.shape), winner), last, **attrs)
        get_op("max_pool_grad").kernel(np, wanted, winner, g, spatial=spatial, **attrs)
    else:
        get_op("avg_pool_grad").kernel(np, wanted, g, spatial=spatial, **attrs)
    out = np.full(expected.shape, np.nan)
    get_op(f"{mode}_pool").kernel(np, (out, None) if mode == "max" else out, last, **attrs)
    np.testing.assert_allclose(out, expected, atol=1e-12)

    def form(array: np.ndarray) -> np.ndarray:
        return array if data_format == "channels_last" else np.moveaxis(array, -1, 1)

    x = K.placeholder((None,) * (rank + 2) if unknown else form(last).shape, dtype="float64")
    y = getattr(K, FUNCTIONS[rank])(x, size, strides, padding, data_format, mode)
    weights = K.placeholder(form(g).shape, dtype="float64")
    f = K.function([x, weights], [y, *K.gradients(K.sum(y * weights), [x])])
    value, grad = f([form(last), form(g)])
    np.testing.assert_allclose(value, form(expected), atol=1e-12)
    np.testing.assert_allclose(grad, form(wanted), atol=1e-12)


def test_gradient_goes_to_the_first_of_equal_maxima() -> None:
    x = K.placeholder((1, 4, 4, 1))
    y = K.pool2d(x, (2, 2), (2, 2))
    (grad,) = K.function([x], K.gradients(K.sum(y), [x]))([np.ones((1, 4, 4, 1))])
    assert grad[0, :, :, 0].tolist() == [[1, 0, 1, 0], [0, 0, 0, 0]] * 2
    overlapping = K.pool2d(x, (3, 3), (1, 1), "same")
    (grad,) = K.function([x], K.gradients(K.sum(overlapping), [x]))([np.zeros((1, 4, 4, 1))])
    assert grad[0, :, :, 0].tolist() == [[4, 2, 2, 0], [2, 1, 1, 0], [2, 1, 1, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize("portable", [False, True])
@pytest.mark.parametrize("spatial", [(5, 5), (4,), (3, 4, 3)])
def test_padding_never_wins_where_all_is_minus_infinity(spatial: tuple[int, ...], portable: bool) -> None:
    """The gradient then goes to the first real element."""
    x, rank = np.full((1, *spatial, 2), -np.inf), len(spatial)
    pairs, strides = ((2, 2),) * rank, (2,) * rank
    attrs = {"pool": (3,) * rank, "strides": strides, "padding": pairs}
    shape = reference.pool(x, attrs["pool"], strides, pairs, "max").shape
    y, winner, dx = np.empty(shape), np.empty(shape, "uint8"), np.empty(x.shape)
    if portable:
        get_op("max_pool").kernel(np, (y, winner), x, **attrs)
        get_op("max_pool_grad").kernel(np, dx, winner, np.ones(shape), spatial=spatial, **attrs)
    else:
        ctx = BindContext(NumpyDevice())
        ctx.bind_op(get_op("max_pool"), (y, winner), (x,), attrs)()
        ctx.bind_op(get_op("max_pool_grad"), (dx,), (winner, np.ones(shape)), {"spatial": spatial, **attrs})()
    assert (y == -np.inf).all()
    assert dx.sum() == y.size
    assert dx[(0,) * (rank + 1)].tolist() == [2.0**rank] * 2  # the windows at -2 and 0


def test_windows_of_more_than_256_elements() -> None:
    """Their winners do not fit in a byte."""
    values = np.random.default_rng(0).permutation(2 * 40 * 40).reshape(2, 40, 40, 1).astype("float32")
    x = K.placeholder((2, 40, 40, 1))
    y = K.pool2d(x, (20, 20), (20, 20))
    (grad,) = K.function([x], K.gradients(K.sum(y), [x]))([values])
    largest = values.reshape(2, 2, 20, 2, 20).max(axis=(2, 4), keepdims=True)
    np.testing.assert_array_equal(grad, (values.reshape(2, 2, 20, 2, 20) == largest).reshape(values.shape))


def test_winners_are_computed_only_where_a_gradient_needs_them() -> None:
    x = K.placeholder((2, 8, 8, 3))
    y = K.pool2d(x, 2, 2)
    plain = K.function([x], [y])
    plain([np.zeros((2, 8, 8, 3))])
    assert "max_pool" in plain.show() and "uint8" not in plain.show()
    both = K.function([x], [y, *K.gradients(K.sum(y), [x])])
    both([np.zeros((2, 8, 8, 3))])
    assert "uint8(2, 4, 4, 3)" in both.show()


def test_padding_is_neither_maximum_nor_counted() -> None:
    x = K.constant(-np.ones((1, 3, 3, 1)))
    assert (K.eval(K.pool2d(x, (2, 2), (2, 2), "same")) == -1).all()
    assert (K.eval(K.pool2d(x, (2, 2), (2, 2), "same", pool_mode="avg")) == -1).all()


CASES = {
    "overlap": ((1, 4, 5, 2), (3, 2), (2, 1), "same"),
    "disjoint": ((2, 4, 4, 1), (2, 2), (2, 2), "valid"),
    "remainder": ((1, 5, 3, 1), (2, 2), (3, 2), "valid"),
    "1-D": ((2, 6, 2), (3,), (2,), "same"),
    "3-D": ((1, 3, 3, 2, 1), (2, 2, 2), (1, 2, 1), "same"),
}


@pytest.mark.parametrize("unknown", [False, True], ids=["known", "unknown"])
@pytest.mark.parametrize("mode", ["max", "avg"])
@pytest.mark.parametrize("case", CASES)
def test_gradients_of_first_and_second_order(case: str, mode: str, unknown: bool) -> None:
    shape, size, strides, padding = CASES[case]
    function = getattr(K, FUNCTIONS[len(size)])
    # squared: the second derivative of pooling itself is zero
    check_gradient(
        lambda x: K.square(function(x, size, strides, padding, pool_mode=mode)), distinct(*shape), unknown=unknown
    )


def test_third_order() -> None:
    """max_pool_grad and max_pool_gather are each other's transposes, so that derivatives never end."""
    x = K.placeholder((1, 4, 4, 1), dtype="float64")
    third = K.sum(K.pow(K.pool2d(x, 2, 2), 4))
    for _ in range(3):
        (grad,) = K.gradients(third, [x])
        third = K.sum(grad)
    point = distinct(1, 4, 4, 1)
    (value,) = K.function([x], [grad])([point])
    largest = reference.pool(point, (2, 2), (2, 2), ((0, 0), (0, 0)), "max")
    np.testing.assert_allclose(np.sort(value[value != 0]), np.sort((24 * largest).ravel()))


def test_wrong_input_is_refused() -> None:
    image = K.zeros((2, 8, 8, 3))
    with pytest.raises(ShapeError, match=r"pool2d.*8, 8, 3"):
        K.pool2d(K.zeros((8, 8, 3)), 2)
    with pytest.raises(ShapeError, match=r"pool3d.*2, 8, 8, 3"):
        K.pool3d(image, 2)
    with pytest.raises(ShapeError, match=r"\(9, 2\).*2, 8, 8, 3"):
        K.pool2d(image, (9, 2))
    with pytest.raises(ValueError, match="pool_mode"):
        K.pool2d(image, 2, pool_mode="median")
    with pytest.raises(ValueError, match="padding"):
        K.pool2d(image, 2, padding="causal")
    with pytest.raises(ValueError, match="data_format"):
        K.pool2d(image, 2, data_format="last")
    with pytest.raises(ValueError, match="pool_size"):
        K.pool2d(image, (2, 2, 2))
    with pytest.raises(DTypeError, match="int32"):
        K.pool2d(K.zeros((2, 8, 8, 3), "int32"), 2)
