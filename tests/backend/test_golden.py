"""Values and gradients against tf-keras (golden/make_backend_golden.py)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from kcore import backend as K

GOLDEN = np.load(Path(__file__).with_name("golden") / "backend.npz")


def arrays(case: str, what: str) -> list[np.ndarray]:
    found = []
    while f"{case}:{what}{len(found)}" in GOLDEN:
        found.append(GOLDEN[f"{case}:{what}{len(found)}"])
    assert found
    return found


TARGET = np.eye(4, dtype="float32")[[0, 3, 1]]
CLASSES = np.array([0, 3, 1], "float32")

WITH_GRADIENT: dict[str, Any] = {
    "categorical": lambda p: K.categorical_crossentropy(K.constant(TARGET), p),
    "categorical_logits": lambda x: K.categorical_crossentropy(K.constant(TARGET), x, from_logits=True),
    "sparse": lambda p: K.sparse_categorical_crossentropy(K.constant(CLASSES), p),
    "sparse_logits": lambda x: K.sparse_categorical_crossentropy(K.constant(CLASSES), x, from_logits=True),
    "sigmoid": K.sigmoid,
    "hard_sigmoid": K.hard_sigmoid,
    "tanh": K.tanh,
    "softplus": K.softplus,
    "softsign": K.softsign,
    "elu": K.elu,
    "relu": K.relu,
    "softmax": K.softmax,
    "elu_alpha": lambda x: K.elu(x, 0.3),
    "relu_max": lambda x: K.relu(x, max_value=1.5),
    "relu_alpha": lambda x: K.relu(x, alpha=0.2),
    "l2_normalize": lambda x: K.l2_normalize(x, 1),
    "logsumexp": lambda x: K.logsumexp(x, 1),
    "std": lambda x: K.std(x, 0),
    "var": lambda x: K.var(x, 1, keepdims=True),
    "prod": lambda x: K.prod(x, 1),
    "cumprod": lambda x: K.cumprod(x, 1),
}


@pytest.mark.parametrize("case", WITH_GRADIENT)
@pytest.mark.parametrize("unknown", [False, True], ids=["known", "unknown"])
def test_value_and_gradient(case: str, unknown: bool) -> None:
    (array,) = arrays(case, "in")
    value, gradient = arrays(case, "out")
    x = K.placeholder(ndim=array.ndim) if unknown else K.placeholder(array.shape)
    y = WITH_GRADIENT[case](x)
    got = K.function([x], [y, *K.gradients(y, [x])])([array])
    assert_allclose(got[0], value, rtol=2e-5, atol=1e-6)
    assert_allclose(got[1], gradient, rtol=2e-5, atol=1e-5)


@pytest.mark.parametrize("case", ["binary", "binary_logits"])
def test_binary_crossentropy(case: str) -> None:
    (array,) = arrays(case, "in")
    value, gradient = arrays(case, "out")
    # The targets are not stored: they follow from the sign of the gradient, which is output - target.
    target = (gradient < 0).astype("float32")
    x = K.placeholder(array.shape)
    y = K.binary_crossentropy(K.constant(target), x, from_logits=case == "binary_logits")
    got = K.function([x], [y, *K.gradients(y, [x])])([array])
    assert_allclose(got[0], value, rtol=1e-4, atol=2e-6)
    assert_allclose(got[1], gradient, rtol=1e-4, atol=1e-5)


def test_batch_normalization() -> None:
    x, gamma, beta = map(K.constant, arrays("batch_norm_training", "in"))
    got = [K.eval(t) for t in K.normalize_batch_in_training(x, gamma, beta, [0, 1, 2])]
    wanted = arrays("batch_norm_training", "out")
    # TensorFlow's fused kernel, unlike the function for other ranks, returns the unbiased variance of 36 elements.
    wanted[2] = wanted[2] * 35 / 36
    for mine, theirs in zip(got, wanted, strict=True):
        assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)
    x, mean, var, beta, gamma = map(K.constant, arrays("batch_normalization", "in"))
    (wanted,) = arrays("batch_normalization", "out")
    assert_allclose(K.eval(K.batch_normalization(x, mean, var, beta, gamma)), wanted, rtol=1e-5, atol=1e-6)


def test_resize_images() -> None:
    (images,), (wanted,) = arrays("resize_images", "in"), arrays("resize_images", "out")
    assert_array_equal(K.eval(K.resize_images(K.constant(images), 2, 3, "channels_last")), wanted)
    first = K.constant(images.transpose(0, 3, 1, 2))
    assert_array_equal(K.eval(K.resize_images(first, 2, 3, "channels_first")), wanted.transpose(0, 3, 1, 2))


def test_in_top_k() -> None:
    predictions, targets = arrays("in_top_k", "in")
    for k, wanted in enumerate(arrays("in_top_k", "out"), start=1):
        got = K.in_top_k(K.constant(predictions), K.constant(targets, dtype="int32"), k)
        assert_array_equal(K.eval(got), wanted)


def test_mean_of_integers() -> None:
    (x,), (wanted,) = arrays("int_mean", "in"), arrays("int_mean", "out")
    got = K.eval(K.mean(K.constant(x, dtype="int32"), 1))
    assert_array_equal(got, wanted)
    assert got.dtype == "int32"


@pytest.mark.parametrize("unroll", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_rnn(masked: bool, backwards: bool, unroll: bool) -> None:
    case = f"rnn_{int(masked)}{int(backwards)}"
    steps, w, u, mask = arrays(case, "in")
    x, m = K.placeholder((None, 5, 3)), K.placeholder((None, 5), dtype="bool")

    def step(inputs: Any, states: Any) -> Any:
        h = K.tanh(K.dot(inputs, K.constant(w)) + K.dot(states[0], K.constant(u)))
        return h, [h]

    zeros = K.tile(K.expand_dims(K.sum(K.zeros_like(x), axis=(1, 2))), (1, 4))
    last, outputs, states = K.rnn(step, x, [zeros], go_backwards=backwards, mask=m if masked else None, unroll=unroll)
    assert K.int_shape(outputs) == (None, 5, 4)
    got = K.function([x, m], [last, outputs, *states])([steps, mask])
    for value, wanted in zip(got, arrays(case, "out"), strict=True):
        assert_allclose(value, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("axes", [(1, 1), (1, 2), (2, 1), (2, 2)])
def test_batch_dot(axes: tuple[int, int]) -> None:
    case = f"batch_dot_{axes[0]}{axes[1]}"
    a, b = map(K.constant, arrays(case, "in"))
    (wanted,) = arrays(case, "out")
    got = K.batch_dot(a, b, axes=axes)
    assert K.int_shape(got) == wanted.shape
    assert_allclose(K.eval(got), wanted, rtol=1e-5, atol=1e-6)


def test_dot() -> None:
    a, b = map(K.constant, arrays("dot", "in"))
    (wanted,) = arrays("dot", "out")
    assert_allclose(K.eval(K.dot(a, b)), wanted, rtol=1e-5, atol=1e-6)
