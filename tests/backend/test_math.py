"""Each arithmetic function against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from kcore import backend as K
from kcore.testing.gradients import check_gradient

X = np.array([[0.5, -1.0, 2.0], [1.5, -0.25, 3.0]], "float32")
Y = np.array([[0.5, 1.0, -2.0], [2.5, -0.25, 1.0]], "float32")
B = np.array([[True, False, True], [True, True, True]])


@pytest.mark.parametrize(
    ("mine", "reference"),
    [
        (K.square(X), X**2),
        (K.abs(X), abs(X)),
        (K.sqrt(X), np.sqrt(np.maximum(X, 0))),
        (K.exp(X), np.exp(X)),
        (K.log(abs(Y)), np.log(abs(Y))),
        (K.round(X), np.round(X)),
        (K.sign(X), np.sign(X)),
        (K.sin(X), np.sin(X)),
        (K.cos(X), np.cos(X)),
        (K.pow(X, 3), X**3),
        (K.clip(X, 0, 1), np.clip(X, 0, 1)),
        (K.clip(X, 1, 0), np.ones_like(X)),
        (K.clip(X, None, 1), np.minimum(X, 1)),
        (K.clip(X, 0, None), np.maximum(X, 0)),
        (K.clip(X, K.constant(0.0), 1), np.clip(X, 0, 1)),
        (K.maximum(X, Y), np.maximum(X, Y)),
        (K.minimum(X, Y), np.minimum(X, Y)),
        (K.equal(X, Y), X == Y),
        (K.not_equal(X, Y), X != Y),
        (K.greater(X, Y), X > Y),
        (K.greater_equal(X, Y), X >= Y),
        (K.less(X, Y), X < Y),
        (K.less_equal(X, Y), X <= Y),
        (K.sum(X, axis=1), X.sum(1)),
        (K.mean(X, axis=[0, 1]), X.mean()),
        (K.mean(B, axis=1), B.mean(1).astype("float32")),
        (K.prod(X, axis=0, keepdims=True), X.prod(0, keepdims=True)),
        (K.max(X), X.max()),
        (K.min(X, axis=-1), X.min(-1)),
        (K.var(X, axis=1), X.var(1)),
        (K.std(X), X.std()),
        (K.any(B, axis=0), B.any(0)),
        (K.all(B, axis=1, keepdims=True), B.all(1, keepdims=True)),
        (K.any(X - 0.5), np.True_),
        (K.logsumexp(X, axis=1), np.log(np.exp(X).sum(1))),
        (K.argmax(X), X.argmax(-1)),
        (K.argmin(X, axis=0), X.argmin(0)),
        (K.cumsum(X, axis=1), X.cumsum(1)),
        (K.cumprod(X), X.cumprod(0)),
        (K.dot(X, Y.T), X @ Y.T),
        (K.batch_dot(X, Y, axes=1), (X * Y).sum(1, keepdims=True)),
        (K.batch_dot([[1, 2], [3, 4]], [[5, 6], [7, 8]], axes=1), np.array([[17], [53]])),
    ],
    ids=range(42),
)
def test_value(mine: Any, reference: Any) -> None:
    value = K.eval(mine)
    assert_allclose(value, reference, rtol=2e-6, atol=1e-6)
    assert value.shape == np.shape(reference)
    if np.asarray(reference).dtype != "int64":
        assert value.dtype == np.asarray(reference).dtype


def test_dot_shapes_of_the_manual() -> None:
    assert K.int_shape(K.dot(K.placeholder((2, 3)), K.placeholder((3, 4)))) == (2, 4)
    assert K.int_shape(K.dot(K.placeholder((32, 28, 3)), K.placeholder((3, 4)))) == (32, 28, 4)
    x = K.random_uniform_variable(shape=(2, 3), low=0, high=1)
    assert K.int_shape(K.dot(x, K.ones((4, 3, 5)))) == (2, 4, 5)
    assert K.int_shape(K.dot(K.placeholder((None, None, 3)), K.placeholder((3, 4)))) == (None, None, 4)


def test_batch_dot_shapes_of_the_manual() -> None:
    x, y = K.ones((32, 20, 1)), K.ones((32, 30, 20))
    assert K.int_shape(K.batch_dot(x, y, axes=[1, 2])) == (32, 1, 30)
    assert K.int_shape(K.batch_dot(K.ones((100, 20)), K.ones((100, 30, 20)), axes=(1, 2))) == (100, 30)
    x, y = K.placeholder((None, 20)), K.placeholder((None, 30, 20))
    assert K.int_shape(K.batch_dot(x, y, axes=(1, 2))) == (None, 30)
    assert K.int_shape(K.batch_dot(K.placeholder((None, 2, 3)), K.placeholder((None, 3, 4)))) == (None, 2, 4)


def test_operators_are_the_same_nodes() -> None:
    x, y = K.placeholder((2, 3)), K.placeholder((2, 3))
    assert (x > y).key == K.greater(x, y).key
    assert abs(x).key == K.abs(x).key


def test_argmax_dtype() -> None:
    assert K.dtype(K.argmax(X)) == "int64"


def test_manual_example_of_tensor_operations() -> None:
    b = K.random_uniform_variable(shape=(3, 4), low=0, high=1)
    c = K.random_normal_variable(shape=(3, 4), mean=0, scale=1)
    d = K.random_normal_variable(shape=(3, 4), mean=0, scale=1)
    a = b + c * K.abs(d)
    bv, cv, dv = K.batch_get_value([b, c, d])
    assert_allclose(K.eval(a), bv + cv * abs(dv), rtol=1e-6)
    assert_allclose(K.eval(K.dot(a, K.transpose(b))), (bv + cv * abs(dv)) @ bv.T, rtol=1e-5, atol=1e-6)
    assert_array_equal(K.eval(K.concatenate([b, c], axis=-1)), np.concatenate([bv, cv], -1))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int32", "int64", "uint8"])
@pytest.mark.parametrize("known", [True, False])
def test_reductions_of_nothing(dtype: str, known: bool) -> None:
    """As the original's: the value that changes nothing; the mean is not a number, and 0 among integers."""
    x = K.placeholder((2, 0, 3) if known else (None, None, 3), dtype=dtype)
    names = ["max", "min", "sum", "prod", "mean"]
    values = K.function([x], [getattr(K, name)(x, axis=1) for name in names])([np.zeros((2, 0, 3), dtype)])
    floating = dtype.startswith("float")
    info = None if floating else np.iinfo(dtype)
    expected = [-np.inf, np.inf, 0, 1, np.nan] if info is None else [info.min, info.max, 0, 1, 0]
    for value, one in zip(values, expected, strict=True):
        assert value.shape == (2, 3) and value.dtype == dtype
        np.testing.assert_array_equal(value, np.full((2, 3), one, dtype))


@pytest.mark.parametrize("known", [True, False])
def test_empty_tensors(known: bool) -> None:
    x = K.placeholder((2, 0) if known else (None, None))
    outputs = [K.softmax(x), K.softmax(x, axis=0), K.log(K.softmax(x)), K.logsumexp(x, axis=1), K.max(x), K.relu(x)]
    outputs += K.gradients(K.sum(K.max(x, axis=1) + K.logsumexp(x, axis=1)), [x])
    values = K.function([x], outputs)([np.zeros((2, 0))])
    assert [v.shape for v in values] == [(2, 0)] * 3 + [(2,), (), (2, 0), (2, 0)]
    assert (values[3] == -np.inf).all() and values[4] == -np.inf
    assert K.eval(K.max(K.constant(np.zeros((0, 3))), axis=0)).tolist() == [-np.inf] * 3


def test_gradients_do_not_pass_where_a_bound_holds() -> None:
    """Not even infinite ones: zero times infinity would be no number."""
    x = K.placeholder((4,))
    gradient = K.function([x], K.gradients(K.sum(K.sqrt(x)), [x]))
    np.testing.assert_array_equal(gradient([[-1.0, -1e-30, 0.0, 4.0]])[0], [0, 0, np.inf, 0.25])
    bounded = K.sum(K.sqrt(K.maximum(x, 0.0))) + K.sum(K.sqrt(2.0 - K.minimum(x, 2.0)))
    gradient = K.function([x], K.gradients(bounded, [x]))
    np.testing.assert_allclose(gradient([[-2.0, 1.0, 3.0, 4.0]])[0], [-0.25, 0, 0.5 / 3**0.5, 0.25], rtol=1e-5)


def test_max_value_of_relu_bounds_the_positive_part() -> None:
    x = K.constant([-2.0, -1.0, 0.0, 1.0, 5.0])
    np.testing.assert_allclose(K.eval(K.relu(x, alpha=-0.5, max_value=0.75)), [1, 0.5, 0, 0.75, 0.75])
    np.testing.assert_allclose(K.eval(K.relu(x, alpha=0.5, max_value=0.75)), [-1, -0.5, 0, 0.75, 0.75])
    check_gradient(lambda t: K.relu(t, alpha=-0.5, max_value=0.75), np.array([-2.0, -1.0, 0.3, 2.0]))
