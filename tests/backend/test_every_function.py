"""Every function of the backend: its values and gradients, or where else they are tested; what it refuses."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from kcore import backend as K
from kcore.errors import KcoreError
from kcore.testing.gradients import check_gradient

from .function_cases import CASES, Case

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = np.load(Path(__file__).with_name("golden") / "functions.npz")

# Functions whose values are tested in a file of their own: settings, variables, execution, randomness, CTC.
ELSEWHERE = {
    "tests/backend/test_state.py": (
        "backend cast_to_floatx clear_session epsilon floatx get_uid image_data_format learning_phase "
        "is_tensor manual_variable_initialization name_scope normalize_data_format reset_uids set_epsilon set_floatx "
        "set_image_data_format set_learning_phase"
    ),
    "tests/backend/test_variables.py": (
        "arange batch_get_value batch_set_value constant count_params dtype eval eye get_value identity int_shape "
        "is_keras_tensor is_placeholder is_variable moving_average_update ndim ones placeholder set_value update "
        "update_add update_sub variable zeros"
    ),
    "tests/backend/test_control.py": ("function get_session gradients is_sparse print_tensor stop_gradient to_dense"),
    "tests/backend/test_random.py": (
        "random_binomial random_normal random_normal_variable random_uniform random_uniform_variable truncated_normal"
    ),
    "tests/backend/test_nn.py": "dropout normalize_batch_in_training",
    "tests/ops/test_ctc.py": "ctc_batch_cost ctc_decode ctc_label_dense_to_sparse",
    "tests/ops/test_pool.py": "pool1d",
}


def public() -> set[str]:
    functions = {n: getattr(K, n) for n in dir(K) if not n.startswith("_")}
    return {n for n, f in functions.items() if inspect.isfunction(f) and f.__module__.startswith("kcore.")}


def test_no_function_is_forgotten() -> None:
    here = {name.split("/")[0] for name in CASES}
    elsewhere: set[str] = set()
    for file, names in ELSEWHERE.items():
        text = (ROOT / file).read_text(encoding="utf-8")
        unused = [n for n in names.split() if not any(form in text for form in (f"{n}(", f"K.{n}", f'"{n}"'))]
        assert not unused, f"{file} does not use {unused}"
        elsewhere |= set(names.split())
    assert not here & elsewhere
    assert public() == here | elsewhere


def _run(case: Case, unknown: bool) -> tuple[Any, list[Any], list[Any]]:
    call, arrays, order = case
    inputs = [K.placeholder(ndim=a.ndim, dtype=str(a.dtype)) if unknown else _given(a) for a in arrays]
    y = call(K, *inputs)
    fetched = [y]
    if order:
        (value,) = K.function(inputs, [y])(list(arrays))
        weights = np.arange(value.size).reshape(value.shape) % 7
        floats = [t for t in inputs if K.dtype(t).startswith("float")]
        grads = K.gradients(K.sum(y * K.constant(weights, dtype=K.dtype(y))), floats)
        fetched += [K.zeros_like(t) if g is None else g for t, g in zip(floats, grads, strict=True)]
    value, *grads = K.function(inputs, fetched)(list(arrays))
    return y, value, grads


def _given(array: np.ndarray) -> Any:
    return K.placeholder(array.shape, dtype=str(array.dtype))


@pytest.fixture
def _double() -> Any:
    K.set_floatx("float64")


# The original's formula is another: epsilon inside the logarithm (2.1: logits).
LOOSE = {"binary_crossentropy": 1e-5}


@pytest.mark.parametrize("name", list(CASES))
def test_value_and_gradient_are_the_originals(name: str, _double: Any) -> None:
    y, value, grads = _run(CASES[name], unknown=False)
    key = name.replace("/", " ")
    wanted = GOLDEN[f"{key}:value"]
    assert (K.dtype(y), K.int_shape(y)) == (value.dtype, value.shape)
    assert value.dtype == wanted.dtype
    tolerance = LOOSE.get(name, 1e-9)
    assert_allclose(value, wanted, rtol=tolerance, atol=1e-11)
    for i, g in enumerate(grads):
        assert_allclose(g, GOLDEN[f"{key}:gradient{i}"], rtol=10 * tolerance, atol=max(tolerance, 1e-9))


# These need to know the shape of a kernel, or of what they are given.
KNOWN = ["conv", "depthwise", "separable", "local", "reshape_", "batch_flatten_"]


@pytest.mark.parametrize("name", [n for n in CASES if not any(k in n for k in KNOWN)])
def test_unknown_dimensions_change_nothing(name: str, _double: Any) -> None:
    _, value, grads = _run(CASES[name], unknown=True)
    _, known, known_grads = _run(CASES[name], unknown=False)
    assert_allclose(value, known, rtol=1e-12)
    for g, wanted in zip(grads, known_grads, strict=True):
        assert_allclose(g, wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", [n for n, (_, _, order) in CASES.items() if order > 0])
def test_gradient_by_differences(name: str, _double: Any) -> None:
    call, arrays, order = CASES[name]
    small = sum(a.size for a in arrays) <= 60  # the second derivatives of the others: tests/ops
    check_gradient(lambda *t: call(K, *t), *arrays, order=order if small else 1)


def t(*shape: int | None, dtype: str = "float32") -> Any:
    return K.placeholder(shape, dtype=dtype)


# Wrong ranks, channels, axes and dtypes: a call for each, and what the message holds.
REFUSED: dict[str, list[tuple[Any, str]]] = {
    "conv1d": [
        (lambda: K.conv1d(t(2, 5, 5, 3), t(2, 3, 4)), r"float32\(2, 5, 5, 3\)"),
        (lambda: K.conv1d(t(2, 5, 3), t(2, 4, 4)), r"float32\(2, 5, 3\).*float32\(2, 4, 4\)"),
    ],
    "conv2d": [
        (lambda: K.conv2d(t(2, 5, 3), t(2, 2, 3, 4)), r"float32\(2, 5, 3\)"),
        (lambda: K.conv2d(t(2, 5, 5, 3), t(2, 2, 4, 4)), r"float32\(2, 5, 5, 3\).*float32\(2, 2, 4, 4\)"),
        (lambda: K.conv2d(t(2, 2, 2, 3), t(3, 3, 3, 4)), r"float32\(2, 2, 2, 3\)|float32\(3, 3, 3, 4\)"),
        (lambda: K.conv2d(t(2, 5, 5, 3, dtype="int32"), t(2, 2, 3, 4)), r"int32\(2, 5, 5, 3\)"),
    ],
    "conv3d": [(lambda: K.conv3d(t(2, 5, 5, 5, 3), t(2, 2, 2, 4, 4)), r"\(2, 5, 5, 5, 3\).*\(2, 2, 2, 4, 4\)")],
    "conv2d_transpose": [
        (lambda: K.conv2d_transpose(t(2, 5, 5, 3), t(2, 2, 4, 4), (2, 6, 6, 4)), r"\(2, 5, 5, 3\).*\(2, 2, 4, 4\)"),
        (lambda: K.conv2d_transpose(t(2, 5, 5, 3), t(2, 2, 4, 3), (2, 9, 6, 4)), r"\(2, 5, 5, 3\)"),
    ],
    "conv3d_transpose": [
        (
            lambda: K.conv3d_transpose(t(2, 5, 5, 5, 3), t(2, 2, 2, 4, 4), (2, 6, 6, 6, 4)),
            r"\(2, 5, 5, 5, 3\).*\(2, 2, 2, 4, 4\)",
        )
    ],
    "depthwise_conv2d": [(lambda: K.depthwise_conv2d(t(2, 5, 5, 3), t(2, 2, 4, 1)), r"\(2, 5, 5, 3\).*\(2, 2, 4, 1\)")],
    "separable_conv1d": [(lambda: K.separable_conv1d(t(2, 5, 3), t(2, 3, 2), t(1, 5, 4)), r"\(1, 5, 4\)")],
    "separable_conv2d": [(lambda: K.separable_conv2d(t(2, 5, 5, 3), t(2, 2, 3, 2), t(1, 1, 5, 4)), r"\(1, 1, 5, 4\)")],
    "local_conv1d": [(lambda: K.local_conv1d(t(2, 5, 3), t(4, 7, 2), (2,), (1,)), r"\(2, 5, 3\).*\(4, 7, 2\)")],
    "local_conv2d": [
        (
            lambda: K.local_conv2d(t(2, 5, 5, 3), t(15, 12, 2), (2, 2), (1, 1), (4, 4)),
            r"\(15, 12, 2\).*15 positions.*\(4, 4\)",
        )
    ],
    "pool2d": [
        (lambda: K.pool2d(t(2, 5, 3), (2, 2)), r"4 dimensions, got float32\(2, 5, 3\)"),
        (lambda: K.pool2d(t(2, 2, 2, 3), (3, 3)), r"\(3, 3\).*float32\(2, 2, 2, 3\)"),
        (lambda: K.pool2d(t(2, 5, 5, 3), (2, 2), pool_mode="min"), "'min'"),
    ],
    "pool1d": [
        (lambda: K.pool1d(t(2, 5, 5, 3), 2), r"3 dimensions, got float32\(2, 5, 5, 3\)"),
        (lambda: K.pool1d(t(2, 5, 3), (2, 2)), r"1 integers. Received: \(2, 2\)"),
        (lambda: K.pool1d(t(2, 5, 3), 9), r"\(9,\).*float32\(2, 5, 3\)"),
        (lambda: K.pool1d(t(2, 5, 3), 2, strides=0), r"positive integers.*\(0,\)"),
        (lambda: K.pool1d(t(2, 5, 3), 2, padding="causal"), "'causal'"),
        (lambda: K.pool1d(t(2, 5, 3), 2, pool_mode="sum"), "'sum'"),
        (lambda: K.pool1d(t(2, 5, 3, dtype="int32"), 2), r"int32\(2, 5, 3\)"),
    ],
    "pool3d": [(lambda: K.pool3d(t(2, 5, 5, 3), (2, 2, 2)), r"5 dimensions, got float32\(2, 5, 5, 3\)")],
    "dot": [(lambda: K.dot(t(2, 3), t(4, 5)), r"\(2, 3\).*\(4, 5\)")],
    "batch_dot": [
        (lambda: K.batch_dot(t(2, 3), t(2, 4), 1), r"\(2, 3\).*\(2, 4\)"),
        (lambda: K.batch_dot(t(2, 3), t(3, 3), 1), r"\(2, 3\).*\(3, 3\)"),
    ],
    "concatenate": [(lambda: K.concatenate([t(2, 3), t(3, 3)]), r"\(2, 3\).*\(3, 3\)")],
    "stack": [(lambda: K.stack([t(2, 3), t(3, 3)]), r"\(2, 3\).*\(3, 3\)")],
    "gather": [(lambda: K.gather(t(3, 2), t(2)), "integer")],
    "one_hot": [
        (lambda: K.one_hot(t(2), 3), "integer"),
        (lambda: K.one_hot(t(2, dtype="int32"), -1), r"int32\(2\).*>= 0, got -1"),
    ],
    "in_top_k": [(lambda: K.in_top_k(t(2, 3), t(3, dtype="int32"), 1), r"\(2, 3\).*\(3\)")],
    "reshape": [(lambda: K.reshape(t(2, 3), (4, 2)), r"\(2, 3\).*\(4, 2\)")],
    "permute_dimensions": [(lambda: K.permute_dimensions(t(2, 3), (0, 0)), r"\(0, 0\).*\(2, 3\)")],
    "expand_dims": [(lambda: K.expand_dims(t(2, 3), 4), "axis 4")],
    "squeeze": [(lambda: K.squeeze(t(2, 3), 1), r"\(2, 3\)")],
    "reverse": [(lambda: K.reverse(t(2, 3), 2), "axis 2")],
    "tile": [(lambda: K.tile(t(2, 3), (2,)), r"\(2,\).*\(2, 3\)")],
    "repeat": [(lambda: K.repeat(t(2), 3), r"2 dimensions, got float32\(2\)")],
    "repeat_elements": [(lambda: K.repeat_elements(t(2, 3), 2, 2), "axis 2")],
    "resize_images": [(lambda: K.resize_images(t(2, 3, 4), 1, 1, "channels_last"), r"\(2, 3, 4\)")],
    "resize_volumes": [(lambda: K.resize_volumes(t(2, 3, 4), 1, 1, 1, "channels_last"), r"\(2, 3, 4\)")],
    "temporal_padding": [(lambda: K.temporal_padding(t(2, 3)), r"\(2, 3\)")],
    "spatial_2d_padding": [(lambda: K.spatial_2d_padding(t(2, 3)), r"\(2, 3\)")],
    "spatial_3d_padding": [(lambda: K.spatial_3d_padding(t(2, 3)), r"\(2, 3\)")],
    "bias_add": [(lambda: K.bias_add(t(2, 5, 3), t(4)), r"4 channels does not fit float32\(2, 5, 3\)")],
    "categorical_crossentropy": [(lambda: K.categorical_crossentropy(t(2, 3), t(2, 4)), r"\(2, 3\).*\(2, 4\)")],
    "binary_crossentropy": [
        (lambda: K.binary_crossentropy(t(2, 3), t(2, 4)), r"\(2, 4\).*\(2, 3\)|\(2, 3\).*\(2, 4\)")
    ],
    "normalize_batch_in_training": [
        (lambda: K.normalize_batch_in_training(t(2, 3), t(4), t(3), [0]), r"\(2, 3\).*\(4\)")
    ],
    "switch": [(lambda: K.switch(t(2, 3), t(2), t(2)), r"ndim\(condition\)=2")],
    "rnn": [
        (lambda: K.rnn(lambda i, s: (i, s), t(2, 3), []), r"float32\(2, 3\)"),
        (lambda: K.rnn(lambda i, s: (i, s), t(2, 0, 3), []), r"float32\(2, 0, 3\)"),
        (lambda: K.rnn(lambda i, s: (i, s), t(2, None, 3), [], unroll=True), r"float32\(2, \?, 3\)"),
        (lambda: K.rnn(lambda i, s: (i, [i]), t(2, 5, 3), [t(2, 4)]), r"float32\(2, 4\).*float32\(2, 3\)"),
        (lambda: K.rnn(lambda i, s: (i, []), t(2, 5, 3), [t(2, 4)]), "1 states and returned 0"),
        (lambda: K.rnn(lambda i, s: (i, s), t(2, 5, 3), [t(2, 3)], mask=t(2, 6)), r"\(2, 6\).*\(2, 5, 3\)"),
    ],
    "ctc_batch_cost": [
        (lambda: K.ctc_batch_cost(t(2, 3), t(2, 5), t(2, 1), t(2, 1)), r"float32\(2, 5\)"),
        (lambda: K.ctc_batch_cost(t(3, 3), t(2, 5, 4), t(2, 1), t(2, 1)), r"\(2, 5, 4\).*\(3, 3\)"),
    ],
    "ctc_label_dense_to_sparse": [
        (lambda: K.ctc_label_dense_to_sparse(t(3), t(3)), r"float32\(3\) and float32\(3\)"),
        (lambda: K.ctc_label_dense_to_sparse(t(3, 4), t(2)), r"float32\(3, 4\) and float32\(2\)"),
        (lambda: K.ctc_label_dense_to_sparse(t(3, 4), t(3, 2)), r"\(samples, 1\), got float32\(3, 2\)"),
    ],
    "ctc_decode": [(lambda: K.ctc_decode(t(2, 5), t(2)), r"float32\(2, 5\)")],
    "batch_normalization": [
        (lambda: K.batch_normalization(t(2, 3), t(4), t(3), t(3), t(3)), r"\(2, 3\).*\(4\)"),
        (lambda: K.batch_normalization(t(2, 3), t(3), t(3), None, t(4)), r"\(2, 3\).*\(4\)"),
        (lambda: K.batch_normalization(t(2, 3, dtype="int32"), t(3), t(3), t(3), t(3)), r"int32\(2, 3\).*K.cast"),
    ],
    "sparse_categorical_crossentropy": [
        (lambda: K.sparse_categorical_crossentropy(t(2), t(3, 4)), r"float32\(2\).*float32\(3, 4\)"),
        (lambda: K.sparse_categorical_crossentropy(t(None, 5), t(None, 6, 4)), r"\(\?, 5\).*\(\?, 6, 4\)"),
        (lambda: K.sparse_categorical_crossentropy(t(2, 4), t(2, 4)), r"\(2, 4\).*\(2, 4\).*categorical_crossentropy"),
        (lambda: K.sparse_categorical_crossentropy(t(2), t(2, 4, dtype="int32")), r"int32\(2, 4\)"),
        (lambda: K.sparse_categorical_crossentropy(t(1), t()), "an axis of classes"),
    ],
    "map_fn": [
        (lambda: K.map_fn(lambda e: e, t()), r"float32\(\) has none"),
        (lambda: K.map_fn(lambda e: e[0], [t(3), t(4)]), r"float32\(3\), float32\(4\)"),
        (lambda: K.map_fn(lambda e: e, t(3), dtype=["int32", "int32"]), "returned 1"),
    ],
    "flatten": [(lambda: K.flatten("text"), "'text'")],
    "batch_flatten": [(lambda: K.batch_flatten(t()), r"batch dimension, got float32\(\)")],
    "pow": [(lambda: K.pow(t(2, 3), t(2, 4)), r"\(2, 3\).*\(2, 4\)")],
    "clip": [(lambda: K.clip(t(2, 3), t(2, 4), 1), r"\(2, 3\).*\(2, 4\)")],
    "cast": [(lambda: K.cast(t(2), "float33"), "'float33'.*float32, float64")],
    "zeros_like": [(lambda: K.zeros_like(t(2), dtype="float33"), "'float33'.*float32, float64")],
    "ones_like": [(lambda: K.ones_like(t(2), dtype="float33"), "'float33'.*float32, float64")],
    "in_train_phase": [(lambda: K.in_train_phase(t(2), t(3)), r"float32\(2\).*float32\(3\)")],
    "in_test_phase": [(lambda: K.in_test_phase(t(2), t(3)), r"float32\(3\).*float32\(2\)")],
    "dropout": [
        (lambda: K.dropout(t(2, 3), 1.5), "below 1, got 1.5"),
        (lambda: K.dropout(t(2, 3), "half"), "level must be a number, got 'half'"),
        (lambda: K.dropout(t(2, 3), 0.5, seed="a"), "seed must be a whole number, got 'a'"),
        (lambda: K.dropout(t(2, 3), 0.5, noise_shape=(2, 4)), r"\(2, 3\).*\(2, 4\)"),
        (lambda: K.dropout(t(2, 3, dtype="int32"), 0.5), r"int32\(2, 3\)"),
    ],
    "gradients": [
        (lambda: K.gradients(3, [t(2)]), "`loss` should be a tensor, got 3"),
        (lambda: K.gradients(t(2, dtype="int32"), [t(2)]), r"int32\(2\)"),
    ],
    "update": [(lambda: K.update(K.zeros((2,)), K.zeros((3,))), r"\(2,\).*\(3\)")],
    "moving_average_update": [
        (lambda: K.moving_average_update(t(2), t(2), 0.9), "needs a variable"),
        (lambda: K.moving_average_update(K.zeros((2, 3)), t(2, 4), 0.9), r"\(2, 3\).*float32\(2, 4\)"),
        (lambda: K.moving_average_update(K.zeros((2, 3)), t(3), 0.9), r"\(2, 3\).*float32\(3\)"),
        (lambda: K.moving_average_update(K.zeros((2,)), t(2), "0.9"), "momentum must be a number, got '0.9'"),
        (lambda: K.moving_average_update(K.zeros((2,)), t(2), t(2)), r"momentum.*float32\(2\)"),
    ],
    "arange": [
        (lambda: K.arange(0, 3, 0), "step that is not 0"),
        (lambda: K.arange("3"), "start must be a number, got '3'"),
        (lambda: K.arange(0, "3"), "stop must be a number, got '3'"),
        (lambda: K.arange(None), "start=None"),
        (lambda: K.arange(t(2, dtype="int32")), r"start.*scalar tensor.*int32\(2\)"),
        (lambda: K.arange(0, 5, t(dtype="int32")), r"step must be a number.*int32\(\)"),
        (lambda: K.arange(3, dtype="bool"), "not bool"),
        (lambda: K.arange(3, dtype="float33"), "'float33'"),
    ],
    "random_uniform": [
        (lambda: K.random_uniform((2, 3), "a"), "minval must be a number, got 'a'"),
        (lambda: K.random_uniform((2, 3), t(4), 1.0), r"\(2, 3\).*\(4\)"),
        (lambda: K.random_uniform((3,), t(2, 3), 1.0), r"float32\(2, 3\) of float32\(3\)"),
        (lambda: K.random_uniform((2, 3), 4, 4, dtype="int32"), "int32.*at least 4 and below 4"),
        (lambda: K.random_uniform((2, 3), dtype="bool"), "'bool'"),
    ],
    "random_binomial": [
        (lambda: K.random_binomial((2, 3), p=2.0), "between 0 and 1, got 2.0"),
        (lambda: K.random_binomial((2, 3), p="x"), "p must be a number, got 'x'"),
        (lambda: K.random_binomial((2, 3), p=t(4)), r"\(2, 3\).*\(4\)"),
    ],
    "random_uniform_variable": [
        (lambda: K.random_uniform_variable((2, None), 0.0, 1.0), r"complete shape.*\(2, None\)")
    ],
    "random_normal_variable": [(lambda: K.random_normal_variable((2, 3), "a", 1.0), "mean must be a number, got 'a'")],
}
for _name in ("random_normal", "truncated_normal"):
    REFUSED[_name] = [
        (lambda n=_name: getattr(K, n)((2, None)), r"complete shape, got \(2, None\)"),
        (lambda n=_name: getattr(K, n)((2, 1.5)), "1.5 is not a dimension"),
        (lambda n=_name: getattr(K, n)(None), "complete shape, got None"),
        (lambda n=_name: getattr(K, n)((2, 3), stddev="a"), "stddev must be a number, got 'a'"),
        (lambda n=_name: getattr(K, n)((2, 3), mean=t(4)), r"\(2, 3\).*\(4\)"),
        (lambda n=_name: getattr(K, n)((3,), mean=t(2, 3)), r"float32\(2, 3\) of float32\(3\)"),
        (lambda n=_name: getattr(K, n)((2, 3), dtype="int32"), "floating dtype, got dtype='int32'"),
        (lambda n=_name: getattr(K, n)((2, 3), seed=1.5), "seed must be a whole number, got 1.5"),
    ]
for _name in ("foldl", "foldr"):
    REFUSED[_name] = [
        (lambda n=_name: getattr(K, n)(lambda a, e: a + e, t()), r"float32\(\) has none"),
        (lambda n=_name: getattr(K, n)(lambda a, e: a + e, t(0, 3)), r"float32\(0, 3\).*`initializer`"),
        (lambda n=_name: getattr(K, n)(lambda a, e: a + e, t(5, 3), t(4)), r"float32\(4\).*float32\(3\)"),
        (lambda n=_name: getattr(K, n)(lambda a, e: 3, t(5, 3)), r"float32\(3\).*int32\(\)"),
    ]
for _name in ("update_add", "update_sub"):
    REFUSED[_name] = [(lambda n=_name: getattr(K, n)(K.zeros((2,)), K.zeros((3,))), r"float32\(2\).*float32\(3\)")]
ALONG_AN_AXIS = (
    ("sum", "mean", "prod", "max", "min", "var", "std", "any", "all", "logsumexp")
    + ("argmax", "argmin", "cumsum", "cumprod", "softmax", "l2_normalize")
)  # fmt: skip
for _name in ALONG_AN_AXIS:
    REFUSED[_name] = [(lambda n=_name: getattr(K, n)(t(2, 3), axis=2), "axis 2")]
for _name in ["maximum", "minimum", "equal", "not_equal", "greater", "greater_equal", "less", "less_equal"]:
    REFUSED[_name] = [(lambda n=_name: getattr(K, n)(t(2, 3), t(2, 4)), r"\(2, 3\).*\(2, 4\)")]


@pytest.mark.parametrize(("name", "i"), [(n, i) for n, cases in REFUSED.items() for i in range(len(cases))])
def test_refused_when_the_graph_is_built(name: str, i: int) -> None:
    build, message = REFUSED[name][i]
    with pytest.raises(ValueError, match=message) as refused:
        build()
    assert isinstance(refused.value, KcoreError)
    assert refused.value.line is not None
    # The user's line is the one of this call, in this file.
    file, number, _ = refused.value.line.split(":", 2)
    lines = [n for *_, n in build.__code__.co_lines() if n is not None]
    assert file == __file__
    assert min(lines) <= int(number.split()[0]) <= max(lines)


# Functions of one tensor of any shape and dtype, without axis: there is nothing to refuse.
ANYTHING_GOES = (
    "abs square exp sin cos sigmoid hard_sigmoid tanh softplus softsign elu relu transpose shape sign round sqrt log"
)


def test_no_refusal_is_forgotten() -> None:
    names = {n.split("/")[0] for n in CASES}
    assert names - set(REFUSED) == set(ANYTHING_GOES.split())
