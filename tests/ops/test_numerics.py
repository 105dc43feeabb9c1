"""What the table of cases cannot say: extremes, ties, dtypes, rewriting."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from kcore import ops as O
from kcore.errors import ExecutionError
from kcore.grad import gradients
from kcore.graph import Tensor, apply, constant, placeholder
from kcore.runtime.function import Function


def run(fn: Any, *arrays: Any, unknown: bool = False) -> Any:
    """The value of ``fn(*arrays)``."""
    arrays = tuple(np.asarray(a) for a in arrays)
    inputs = [placeholder((None,) * a.ndim if unknown else a.shape, a.dtype.name, "x") for a in arrays]
    return Function(inputs, [fn(*inputs)])(list(arrays))[0]


def grad(fn: Any, *arrays: Any) -> list[Any]:
    """The gradients of ``sum(fn(*arrays))``."""
    arrays = tuple(np.asarray(a) for a in arrays)
    inputs = [placeholder(a.shape, a.dtype.name, "x") for a in arrays]
    return Function(inputs, [g for g in gradients(fn(*inputs), inputs) if g is not None])(list(arrays))


# -- extremes -----------------------------------------------------------------------------------------------

EXTREME = np.array([-1e4, -1000, -100, -50, -20, 0, 20, 100, 1e4], "float32")


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("name", ["sigmoid", "softplus", "tanh", "softsign", "elu", "hard_sigmoid"])
def test_activations_stay_finite(name: str, dtype: str) -> None:
    attrs = {"alpha": 1.0} if name == "elu" else {}
    x = EXTREME.astype(dtype)
    y = run(lambda t: apply(name, t, **attrs), x)
    (g,) = grad(lambda t: apply(name, t, **attrs), x)
    assert np.isfinite(y).all()
    assert np.isfinite(g).all()


def test_sigmoid_keeps_relative_precision_far_below_zero() -> None:
    x = np.array([-80, -30, -10, -1], "float32")
    assert_allclose(run(O.sigmoid, x), 1 / (1 + np.exp(-x.astype("float64"))), rtol=1e-6)


def test_softmax_of_large_logits() -> None:
    y = run(O.softmax, np.array([[1e4, 0, -1e4]], "float32"))
    assert_allclose(y, [[1, 0, 0]])
    assert_allclose(run(O.log_softmax, np.array([[1e4, 0.0]], "float32")), [[0, -1e4]])


def test_logsumexp_of_extremes() -> None:
    x = np.array([[1e4, 1e4], [-1e4, -1e4], [-np.inf, -np.inf]], "float64")
    assert_allclose(run(lambda t: O.logsumexp(t, 1), x), [1e4 + np.log(2), -1e4 + np.log(2), -np.inf])


def test_binary_crossentropy_from_extreme_logits() -> None:
    x = np.array([-1e4, 1e4], "float32")
    assert_allclose(run(lambda t: O.binary_crossentropy(np.array([0, 1], "float32"), t, True), x), [0, 0])
    assert_allclose(run(lambda t: O.binary_crossentropy(np.array([1, 0], "float32"), t, True), x), [1e4, 1e4])


def test_crossentropies_of_certain_predictions_are_clipped() -> None:
    p = np.array([[1.0, 0.0]], "float32")
    wrong = run(lambda t: O.categorical_crossentropy(np.array([[0.0, 1.0]], "float32"), t), p)
    assert_allclose(wrong, [-np.log(1e-7)], rtol=1e-4)
    assert_allclose(run(lambda t: O.binary_crossentropy(np.ones((1, 2), "float32"), t), p)[0, 1], 16.118, rtol=1e-3)


def test_half_precision_sums_do_not_stall() -> None:
    ones = np.ones((2, 5000), "float16")
    assert_array_equal(run(lambda t: O.reduce_sum(t, 1), ones), [5000, 5000])
    big = np.full((1, 4000), 100.0, "float16")  # the sum is beyond float16, the mean is not
    assert_array_equal(run(lambda t: O.reduce_mean(t, 1), big), [100.0])


# -- conventions at kinks -----------------------------------------------------------------------------------


def test_subgradients() -> None:
    zero = np.zeros(1)
    assert grad(O.relu, zero)[0] == 0
    assert grad(abs, zero)[0] == 0
    assert_array_equal(grad(lambda x: O.clip(x, -1, 1), np.array([-1.5, -1.0, 0.0, 1.0, 1.5]))[0], [0, 1, 1, 1, 0])
    for fn in (O.maximum, O.minimum):
        a, b = grad(fn, np.ones(2), np.ones(2))
        assert_array_equal(a, [1, 1])
        assert_array_equal(b, [0, 0])


def test_relu_gradient_of_large_single_precision_tensors() -> None:
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(2, 300, 100)).astype("float32")
    x[:5] = [[0.0], [-0.0], [1e-40], [np.inf], [-np.inf]]
    (gx, _) = grad(lambda a, b: O.relu(a) * b, x, w)
    assert_array_equal(gx, np.where(x > 0, w, 0))


def test_extrema_share_the_gradient_among_ties() -> None:
    x = np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]])
    assert_allclose(grad(lambda t: O.reduce_max(t, 1), x)[0], [[0, 0.5, 0.5], [1 / 3] * 3])
    assert_allclose(grad(lambda t: O.reduce_min(t, 1), x)[0], [[1, 0, 0], [1 / 3] * 3])


def test_steps_have_no_gradient() -> None:
    x = placeholder((3,), "float32", "x")
    for name in ("round", "sign", "floor", "ceil"):
        assert gradients(apply(name, x), [x]) == [None]


def test_gather_adds_up_rows_of_one_index() -> None:
    x, i = np.zeros((4, 2)), np.array([1, 1, 3, 1, -1], "int32")
    assert_array_equal(grad(lambda t: O.gather(t, constant(i)), x)[0], [[0, 0], [3, 3], [0, 0], [2, 2]])


@pytest.mark.numpy_only  # a GPU cannot stop for an index
def test_gather_out_of_range_names_the_index() -> None:
    with pytest.raises(ExecutionError, match="index 7 is out of range for 4 rows"):
        run(lambda t: O.gather(t, constant([0, 7])), np.zeros((4, 2)))


@pytest.mark.numpy_only
def test_class_number_out_of_range_is_refused() -> None:
    with pytest.raises(ExecutionError, match=r"\[0, 3\)"):
        run(lambda p: O.sparse_categorical_crossentropy(np.array([1, 3]), p), np.full((2, 3), 1 / 3))


def test_empty_tensors() -> None:
    empty = np.zeros((0, 3), "float32")
    assert run(O.reduce_sum, empty) == 0
    assert run(O.softmax, empty).shape == (0, 3)
    assert run(lambda x: x @ np.ones((3, 2), "float32"), empty).shape == (0, 2)
    assert run(lambda x: O.concat([x, x], 0), empty, unknown=True).shape == (0, 3)
    assert grad(lambda x: O.gather(x, constant(np.zeros(0, "int32"))), np.ones((2, 2)))[0].sum() == 0


# -- dtypes -------------------------------------------------------------------------------------------------


def dtype_of(fn: Any, *dtypes: str) -> str:
    return fn(*(placeholder((2, 2), d, "x") for d in dtypes)).dtype


def test_dtypes_of_results() -> None:
    assert dtype_of(lambda a, b: a + b, "float32", "int64") == "float32"
    assert dtype_of(lambda a, b: a * b, "float16", "float32") == "float32"
    assert dtype_of(lambda a: a * 2.5, "float16") == "float16"
    assert dtype_of(lambda a: a * 2, "float64") == "float64"
    assert dtype_of(lambda a: a + 1, "int32") == "int32"
    assert dtype_of(lambda a: a + 0.5, "int32") == "float32"
    assert dtype_of(lambda a, b: a / b, "int32", "int32") == "float32"
    assert dtype_of(lambda a, b: a < b, "float32", "int32") == "bool"
    assert dtype_of(O.exp, "int32") == "float32"
    assert dtype_of(O.argmax, "float32") == "int64"
    assert dtype_of(O.reduce_sum, "int64") == "int64"
    assert dtype_of(O.reduce_sum, "bool") == "int32"
    assert dtype_of(O.reduce_mean, "bool") == "float32"
    assert dtype_of(O.reduce_mean, "int32") == "int32"
    assert dtype_of(O.variance, "int32") == "float32"
    assert dtype_of(lambda a, b: O.concat([a, b]), "int32", "float32") == "float32"
    assert dtype_of(lambda a, b: O.where(a, b, 0), "bool", "float16") == "float16"


def test_values_of_mixed_dtypes() -> None:
    i, f = np.array([1, 2, 3], "int32"), np.array([0.5, 1.5, 2.5], "float32")
    assert_array_equal(run(lambda a, b: a * b, i, f), (i * f).astype("float32"))
    assert_array_equal(run(lambda a, b: O.maximum(a, b), i, f), [1, 2, 3])
    assert_allclose(run(lambda a, b: a / b, i, i), [1, 1, 1])
    assert_array_equal(run(O.reduce_mean, np.array([1, 2, 4], "int32")), 2)
    assert_array_equal(run(O.reduce_mean, np.array([-1, -2, -4], "int32")), -2)
    assert_allclose(run(O.exp, i), np.exp(i), rtol=1e-6)


def test_gradients_have_the_dtype_of_their_tensor() -> None:
    half, single = placeholder((2,), "float16", "h"), placeholder((2,), "float32", "s")
    g_half, g_single = gradients(half * single + single / half, [half, single])
    assert (g_half.dtype, g_single.dtype) == ("float16", "float32")
    a, b = np.array([1, 2], "float16"), np.array([3, 4], "float32")
    got = Function([half, single], [g_half, g_single])([a, b])
    assert_allclose(got[0], b - b / a.astype("float32") ** 2, rtol=1e-2)
    assert_allclose(got[1], a + 1 / a.astype("float32"), rtol=1e-3)


def test_large_integers_are_exact() -> None:
    big = np.array([2**62 + 1, 3], "int64")
    assert_array_equal(run(lambda a: a + 1, big), big + 1)
    assert_array_equal(run(lambda a: a // 2, big), big // 2)


# -- rewriting ----------------------------------------------------------------------------------------------


def plan_ops(fn: Any, *shapes: Any) -> list[str]:
    """Names of the operations that are left in the plan."""
    inputs = [placeholder(s, "float32", "x") for s in shapes]
    f = Function(inputs, [fn(*inputs)])
    bound = f.bound_plan(shapes)
    assert bound is not None
    return [n.op.name for i in bound.plan.instructions for n in i.nodes]


S = (3, 4)


@pytest.mark.parametrize(
    ("fn", "left"),
    [
        (lambda x: O.exp(x * 1), ["exp"]),
        (lambda x: O.exp(1 * x + 0), ["exp"]),
        (lambda x: O.exp(x - 0), ["exp"]),
        (lambda x: O.exp(x / 1), ["exp"]),
        (lambda x: O.exp(apply("negative", -x)), ["exp"]),
        (lambda x: x * -1, ["negative"]),
        (lambda x: x + (-O.exp(x)), ["exp", "subtract"]),
        (lambda x: x**2, ["square"]),
        (lambda x: x * x, ["square"]),
        (lambda x: x**0.5, ["sqrt"]),
        (lambda x: O.exp(x**1), ["exp"]),
        (lambda x: x / 4, ["multiply"]),
        (lambda x: O.exp(O.cast(x, "float32")), ["exp"]),
        (lambda x: O.exp(O.transpose(O.transpose(x))), ["exp"]),
        (lambda x: O.exp(O.reshape(O.reshape(x, (4, 3)), (3, 4))), ["exp"]),
        (lambda x: O.exp(O.reverse(O.reverse(x, 0), 0)), ["exp"]),
        (lambda x: O.exp(O.tile(x, (1, 1))), ["exp"]),
        (lambda x: O.exp(O.pad(x, ((0, 0), (0, 0)))), ["exp"]),
        (lambda x: O.exp(x[:, :]), ["exp"]),
        (lambda x: O.exp(O.concat([x], 0)), ["exp"]),
        (lambda x: O.reduce_sum(O.expand_dims(O.exp(x), 1), 1), ["exp"]),
        (lambda x: x + O.broadcast_to(O.exp(x[0]), (3, 4)), ["exp", "add"]),
        (lambda x: O.relu(O.relu(x)), ["relu"]),
        (lambda x: O.relu(x, max_value=6.0), ["clip"]),
        (lambda x: O.transpose(x) @ O.transpose(x[:, 0:3]), ["matmul"]),
    ],
)
def test_simplify(fn: Any, left: list[str]) -> None:
    assert plan_ops(fn, S) == left


def test_gradient_of_a_loss_on_unknown_batches_has_no_bookkeeping_left() -> None:
    """`sum_to`, `shape` and broadcasts of the gradient disappear from the plan."""
    x, b = placeholder((None, 4), "float32", "x"), placeholder((4,), "float32", "b")
    y = placeholder((None, 4), "float32", "y")
    grads = gradients(O.reduce_mean(O.square(x * y + b)), [x, y, b])
    bound = Function([x, y, b], grads).bound_plan([(8, 4), (8, 4), (4,)])
    assert bound is not None
    names = {n.op.name for i in bound.plan.instructions for n in i.nodes}
    assert names <= {"multiply", "add", "square", "sum", "divide"}


def test_shapes_from_tensors() -> None:
    def fn(x: Tensor) -> Tensor:
        from kcore.graph import shape_of

        n = shape_of(x)[0]
        return O.reshape(O.tile(x, (1, n)), (n, n, x.shape[1]))

    assert run(fn, np.zeros((3, 2)), unknown=False).shape == (3, 3, 2)
    x = placeholder((None, 2), "float32", "x")
    assert fn(x).shape == (None, None, 2)
    assert Function([x], [fn(x)])([np.zeros((4, 2), "float32")])[0].shape == (4, 4, 2)
