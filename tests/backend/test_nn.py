"""Activations, losses, normalization, drop-out, bias (further values: test_golden.py, tests/ops)."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from kcore import backend as K

X = np.array([[-3.0, -0.5, 0.0, 0.5, 3.0]], "float32")


def test_relu_forms() -> None:
    assert_array_equal(K.eval(K.relu(X)), np.maximum(X, 0))
    assert_array_equal(K.eval(K.relu(X, max_value=1)), np.clip(X, 0, 1))
    assert_allclose(K.eval(K.relu(X, alpha=0.5, max_value=1)), [[-1.5, -0.25, 0, 0.5, 1]])


def test_softmax_axis() -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
    assert_allclose(K.eval(K.softmax(x)).sum(-1), np.ones((2, 3)), rtol=1e-6)
    assert_allclose(K.eval(K.softmax(x, axis=1)).sum(1), np.ones((2, 4)), rtol=1e-6)


def test_sparse_crossentropy_of_sequences() -> None:
    x = np.random.default_rng(0).uniform(0.1, 1, size=(2, 3, 4)).astype("float32")
    classes = np.array([[0, 1, 2], [3, 0, 1]])
    wanted = -np.log(np.take_along_axis(x / x.sum(-1, keepdims=True), classes[..., None], -1))[..., 0]
    for target in (classes, classes[..., None], classes.astype("float32")):
        got = K.sparse_categorical_crossentropy(K.constant(target, dtype=str(target.dtype)), K.constant(x))
        assert K.int_shape(got) == (2, 3)
        assert_allclose(K.eval(got), wanted, rtol=1e-5)


def test_crossentropies_keep_unknown_batches() -> None:
    t, y = K.placeholder((None, 4)), K.placeholder((None, 4))
    assert K.int_shape(K.categorical_crossentropy(t, y)) == (None,)
    assert K.int_shape(K.binary_crossentropy(t, y)) == (None, 4)
    assert K.int_shape(K.sparse_categorical_crossentropy(K.placeholder((None, 1)), y)) == (None,)


def test_epsilon_is_read_when_the_loss_is_built() -> None:
    K.set_epsilon(1e-2)
    got = K.eval(K.categorical_crossentropy(np.array([[0.0, 1.0]], "float32"), np.array([[1.0, 0.0]], "float32")))
    assert_allclose(got, [-np.log(1e-2)], rtol=1e-5)


def test_normalize_batch_over_other_axes() -> None:
    x = np.random.default_rng(0).normal(size=(4, 3, 2)).astype("float32")
    gamma = np.array([1, 2, 3], "float32")
    y, mean, var = K.normalize_batch_in_training(x, gamma, None, [0, 2], epsilon=0.5)
    got = [K.eval(t) for t in (y, mean, var)]
    wanted = (x - x.mean((0, 2), keepdims=True)) / np.sqrt(x.var((0, 2), keepdims=True) + 0.5) * gamma[:, None]
    assert_allclose(got[0], wanted, rtol=1e-5, atol=1e-6)
    assert_allclose(got[1], x.mean((0, 2)), rtol=1e-5, atol=1e-6)
    assert_allclose(got[2], x.var((0, 2)), rtol=1e-5)


def test_batch_normalization_without_scale_or_shift() -> None:
    x = np.array([[1.0, 2.0]], "float32")
    mean, var = np.array([1.0, 1.0], "float32"), np.array([4.0, 4.0], "float32")
    assert_allclose(K.eval(K.batch_normalization(x, mean, var, None, None, epsilon=0)), [[0, 0.5]])


def test_batch_norm_is_accurate_far_from_zero() -> None:
    x = (np.random.default_rng(0).normal(size=(1000, 3)) + 1e4).astype("float32")
    y, _, var = K.normalize_batch_in_training(x, None, None, [0])
    assert_allclose(K.eval(var), x.astype("float64").var(0), rtol=1e-3)
    assert_allclose(K.eval(y).std(0), 1, rtol=1e-2)


def test_dropout() -> None:
    x = K.ones((200, 50))
    y = K.eval(K.dropout(x, 0.25, seed=5))
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs((y == 0).mean() - 0.25) < 0.02
    assert_array_equal(K.eval(K.dropout(x, 0.0)), np.ones((200, 50)))
    rows = K.eval(K.dropout(x, 0.5, noise_shape=(200, 1), seed=5))
    assert ((rows == rows[:, :1]).all(1)).all()
    for level in (-0.1, 1.0):
        with pytest.raises(ValueError, match="level"):
            K.dropout(x, level)


def test_dropout_of_unknown_batches_and_its_gradient() -> None:
    x = K.placeholder((None, 50))
    y = K.dropout(x, 0.5, noise_shape=(None, 50), seed=1)
    (g,) = K.gradients(y, [x])
    values = K.function([x], [y, g])([np.ones((20, 50))])
    assert_array_equal(values[0], values[1])
    again = K.function([x], [y])([np.ones((20, 50))])[0]
    assert (again != values[0]).any()


def test_dropout_is_repeatable_through_numpy() -> None:
    def draw() -> np.ndarray:
        np.random.seed(3)
        return K.eval(K.dropout(K.ones((100,)), 0.5))

    assert_array_equal(draw(), draw())


def test_bias_add() -> None:
    x = np.zeros((2, 3, 4, 5), "float32")
    last, first = np.arange(5, dtype="float32"), np.arange(3, dtype="float32")
    assert_array_equal(K.eval(K.bias_add(x, last))[0, 0, 0], last)
    assert_array_equal(K.eval(K.bias_add(x, first, "channels_first"))[0, :, 0, 0], first)
    full = np.arange(60, dtype="float32").reshape(3, 4, 5)
    assert_array_equal(K.eval(K.bias_add(x, full))[1], full)
    assert_array_equal(K.eval(K.bias_add(x, full.reshape(4, 5, 3), "channels_first"))[1], full)
    assert_array_equal(K.eval(K.bias_add(x[0, 0], last, "channels_first"))[0], last)
    with pytest.raises(ValueError, match="Unexpected bias dimensions 2"):
        K.bias_add(x, np.zeros((4, 5), "float32"))
    with pytest.raises(ValueError, match="4 channels does not fit"):
        K.bias_add(x, np.zeros(4, "float32"))
    with pytest.raises(ValueError, match="channels_first"):
        K.bias_add(x, last, "rows_first")


def test_l2_normalize_of_zero() -> None:
    x = np.array([[3.0, 4.0], [0.0, 0.0]], "float32")
    assert_allclose(K.eval(K.l2_normalize(x, axis=1)), [[0.6, 0.8], [0, 0]], rtol=1e-6)
    assert_allclose(K.eval(K.l2_normalize(x)), [[0.6, 0.8], [0, 0]], rtol=1e-6)


def test_in_top_k_counts_ties_as_inside() -> None:
    p = np.array([[0.4, 0.4, 0.2], [0.1, 0.2, 0.7]], "float32")
    assert_array_equal(K.eval(K.in_top_k(p, np.array([1, 0], "int32"), 1)), [True, False])


def test_small_functions() -> None:
    x = np.array([-1.0, 0.0, 1.0], "float32")
    assert_allclose(K.eval(K.sigmoid(x)), 1 / (1 + np.exp(-x)), rtol=1e-6)
    assert_allclose(K.eval(K.hard_sigmoid(x)), [0.3, 0.5, 0.7], rtol=1e-6)
    assert_allclose(K.eval(K.tanh(x)), np.tanh(x), rtol=1e-6)
    assert_allclose(K.eval(K.softplus(x)), np.log1p(np.exp(x)), rtol=1e-6)
    assert_allclose(K.eval(K.softsign(x)), x / (1 + abs(x)), rtol=1e-6)
    assert_allclose(K.eval(K.elu(x, 0.5)), np.where(x > 0, x, 0.5 * np.expm1(x)), rtol=1e-6)
