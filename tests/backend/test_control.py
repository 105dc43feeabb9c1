"""Functions, gradients, choices, loops, printing, sessions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from kcore import backend as K
from kcore.errors import ShapeError
from kcore.testing.gradients import check_gradient


def test_function() -> None:
    x, y = K.placeholder((None, 2)), K.placeholder((2,))
    f = K.function([x, y], [x + y, x * y], name="sums")
    s, p = f([np.ones((3, 2)), [1, 2]])
    assert_array_equal(s, np.ones((3, 2)) + [1, 2])
    assert_array_equal(p, np.ones((3, 2)) * [1, 2])


def test_function_checks_its_arguments() -> None:
    x = K.placeholder((2,), name="x")
    with pytest.raises(TypeError, match="`inputs`"):
        K.function(x, [x])
    with pytest.raises(TypeError, match="`outputs`"):
        K.function([x], x)
    with pytest.raises(ValueError, match=r"`outputs\[1\]`"):
        K.function([x], [x, 3])
    with pytest.raises(ValueError, match="'options'"):
        K.function([x], [x], options=1)
    with pytest.raises(ValueError, match="pair"):
        K.function([x], [x], updates=[x])
    f = K.function([x], [x * 2])
    with pytest.raises(ValueError, match="takes 1 input"):
        f([])
    with pytest.raises(ShapeError, match=r"input 'x'.*\(2,\).*\(3,\)"):
        f([np.zeros(3)])


def test_function_says_what_is_wrong_with_an_argument() -> None:
    x = K.placeholder((None, 4), name="x")
    f = K.function([x, K.learning_phase()], [x * 2])
    with pytest.raises(ValueError, match=r"takes the list of its inputs, got ndarray; write f\(\[x\]\)"):
        f(np.ones((1, 4)))
    with pytest.raises(ValueError, match=r"input 1 of function, the learning phase, should be 0 or 1, got \[1, 0\]"):
        f([np.ones((1, 4)), [1, 0]])
    with pytest.raises(ValueError, match="input 'x' of function .*could not convert"):
        f([[["a"] * 4], 1])


def test_updates_see_the_values_before_the_call() -> None:
    a, b = K.variable([1.0]), K.variable([10.0])
    f = K.function([], [a + b], updates=[(a, b), [K.update(b, a)]])
    assert f([])[0] == 11
    assert_array_equal(K.batch_get_value([a, b]), [[10], [1]])


def test_gradients() -> None:
    x, y, z = (K.variable([v]) for v in (2.0, 3.0, 4.0))
    gx, gy, gz = K.gradients(K.sum(x**2 * y), [x, y, z])
    assert gz is None
    assert K.eval(gx) == 12
    assert K.eval(gy) == 4
    assert K.eval(K.gradients(gx, [x])[0]) == 6
    assert K.eval(K.gradients(x * 3, x)[0]) == 3
    with pytest.raises(ValueError, match=r"`variables\[0\]`"):
        K.gradients(x, [1.0])


def test_gradient_by_an_intermediate_tensor() -> None:
    x = K.variable([2.0])
    h = x * 3
    assert K.eval(K.gradients(h**2, [h])[0]) == 12


def test_stop_gradient() -> None:
    x, y = K.variable([2.0]), K.variable([3.0])
    assert K.eval(K.gradients(x * K.stop_gradient(x), [x])[0]) == 2
    frozen = K.stop_gradient([x, y])
    assert K.gradients(frozen[0] + frozen[1], [x, y]) == [None, None]
    assert K.eval(frozen[1]) == 3


def test_print_tensor(capsys: pytest.CaptureFixture[str]) -> None:
    x = K.placeholder((2,))
    assert_array_equal(K.function([x], [K.print_tensor(x, message="x is: ") + 1])([[1, 2]])[0], [2, 3])
    assert "x is: [1. 2.]" in capsys.readouterr().err


# -- choices ------------------------------------------------------------------------------------------------


def test_switch_on_a_scalar() -> None:
    x = K.placeholder((2,))
    y = K.switch(K.sum(x) > 0, lambda: x * 2, lambda: -x)
    f = K.function([x], [y, *K.gradients(y, [x])])
    assert_array_equal(f([[1, 2]]), [[2, 4], [2, 2]])
    assert_array_equal(f([[-1, -2]]), [[1, 2], [-1, -1]])
    assert_array_equal(K.eval(K.switch(K.constant(1, dtype="int32"), K.constant([1.0]), K.constant([2.0]))), [1])
    assert_array_equal(K.eval(K.switch(False, K.constant([1.0]), K.constant([2.0]))), [2])


def test_switch_on_elements_and_rows() -> None:
    a, b = K.constant([[1.0, 2], [3, 4]]), K.constant([[5.0, 6], [7, 8]])
    assert_array_equal(K.eval(K.switch(K.constant([[1, 0], [0, 1]]), a, b)), [[1, 6], [7, 4]])
    assert_array_equal(K.eval(K.switch(K.constant([True, False], dtype="bool"), a, b)), [[1, 2], [7, 8]])
    with pytest.raises(ValueError, match="Rank of `condition`"):
        K.switch(K.constant([[1, 0]]), K.constant([1.0]), K.constant([2.0]))


def test_phases() -> None:
    x, phase = K.placeholder((1,)), K.learning_phase()
    train, test = K.in_train_phase(x * 2, x * 3), K.in_test_phase(lambda: x * 5, lambda: x * 7)
    f = K.function([x, phase], [train, test])
    assert_array_equal(f([[1], 1]), [[2], [7]])
    assert_array_equal(f([[1], 0]), [[3], [5]])
    assert_array_equal(K.function([x], [train])([[1]])[0], [3])
    assert train._uses_learning_phase
    assert not x._uses_learning_phase


@pytest.mark.parametrize(("training", "wanted"), [(1, 2), (True, 2), (0, 3), (False, 3)])
def test_phase_given(training: Any, wanted: float) -> None:
    x = K.constant([1.0])
    y = K.in_train_phase(x * 2, x * 3, training=training)
    assert K.eval(y) == wanted
    assert not y._uses_learning_phase


def test_phase_given_as_a_tensor() -> None:
    flag, x = K.placeholder((), dtype="bool"), K.constant([1.0])
    f = K.function([flag], [K.in_train_phase(x * 2, x * 3, training=flag)])
    assert (f([True])[0], f([False])[0]) == (2, 3)


def test_phase_that_was_set() -> None:
    K.set_learning_phase(1)
    assert K.eval(K.in_train_phase(K.constant([2.0]), K.constant([3.0]))) == 2


def test_function_of_the_phase_only_draws_in_training() -> None:
    x = K.placeholder((100,))
    f = K.function([x, K.learning_phase()], [K.in_train_phase(K.dropout(x, 0.5, seed=1), x)])
    assert (f([np.ones(100), 0])[0] == 1).all()
    assert set(f([np.ones(100), 1])[0]) == {0.0, 2.0}


# -- loops --------------------------------------------------------------------------------------------------


def test_map_fn() -> None:
    x = K.placeholder((None, 2))
    mapped = K.map_fn(lambda row: K.sum(row) * 2, x, name="mapped")
    assert K.int_shape(mapped) == (None,)
    assert mapped.name == "mapped"
    assert_array_equal(K.function([x], [mapped])([[[1, 2], [3, 4]]])[0], [6, 14])
    pairs = K.map_fn(lambda e: [e[0] + e[1], e[0] * e[1]], [K.constant([1.0, 2]), K.constant([3.0, 4])])
    assert_array_equal([K.eval(p) for p in pairs], [[4, 6], [3, 8]])
    assert K.dtype(K.map_fn(lambda e: e > 1, K.constant([1.0, 2]), dtype="float32")) == "float32"


def test_folds() -> None:
    x = K.constant([1.0, 2, 3])
    assert K.eval(K.foldl(lambda acc, e: acc - e, x)) == -4
    assert K.eval(K.foldr(lambda acc, e: acc - e, x)) == 0
    assert K.eval(K.foldl(lambda acc, e: acc * 2 + e, x, initializer=K.constant(10.0))) == 91
    assert K.eval(K.foldr(lambda acc, e: acc * 2 + e, x, initializer=10.0, name="f")) == 97


def test_gradients_of_loops() -> None:
    x = np.array([0.5, -1.5, 2.0])
    check_gradient(lambda t: K.foldl(lambda acc, e: acc * e, t), x)
    check_gradient(lambda t: K.foldr(lambda acc, e: K.sin(acc) + e * e, t), x, unknown=True)
    check_gradient(lambda t: K.map_fn(lambda e: e**3, t), x)


def _cell(w: Any, u: Any) -> Any:
    def step(x: Any, states: Any) -> Any:
        h = K.tanh(K.dot(x, w) + K.dot(states[0], u))
        return h, [h]

    return step


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("options", [{}, {"unroll": True}, {"go_backwards": True}], ids=str)
def test_gradients_of_rnn(options: dict[str, Any], masked: bool) -> None:
    rng = np.random.default_rng(0)
    mask = np.array([[1, 0, 1], [0, 1, 1]], "bool") if masked else None

    def fn(x: Any, w: Any, u: Any, s: Any) -> Any:
        m = None if mask is None else K.constant(mask, dtype="bool")
        last, outputs, states = K.rnn(_cell(w, u), x, [s], mask=m, **options)
        return [last, outputs, *states]

    arrays = [rng.normal(size=s) for s in ((2, 3, 2), (2, 2), (2, 2), (2, 2))]
    check_gradient(fn, *arrays)


def test_rnn_with_constants_and_several_states() -> None:
    x = K.placeholder((None, None, 1))
    seen: list[int] = []

    def step(inputs: Any, states: Any) -> Any:
        seen.append(len(states))
        total, count, scale = states
        return total + inputs * scale, [total + inputs * scale, count + 1]

    start = K.zeros_like(x[:, 0])
    last, outputs, states = K.rnn(step, x, [start, start], constants=[K.constant([2.0])])
    assert seen == [3]
    assert K.int_shape(outputs) == (None, None, 1)
    values = K.function([x], [last, outputs, *states])([[[[1], [2], [3]]]])
    assert_allclose(values[0], [[12]])
    assert_allclose(values[1][0, :, 0], [2, 6, 12])
    assert_allclose(values[3], [[3]])


def test_rnn_mask_of_three_dimensions() -> None:
    x, m = K.constant(np.ones((1, 3, 1))), K.constant([[[1], [0], [1]]])
    _, outputs, _ = K.rnn(lambda i, s: (s[0] + i, [s[0] + i]), x, [K.constant([[0.0]])], mask=m)
    assert_array_equal(K.eval(outputs)[0, :, 0], [1, 1, 2])


def test_rnn_refuses() -> None:
    step, state = _cell(K.ones((2, 2)), K.ones((2, 2))), K.ones((1, 2))
    with pytest.raises(ValueError, match="at least 3D"):
        K.rnn(step, K.placeholder((None, 2)), [state])
    with pytest.raises(ValueError, match="fixed number of timesteps"):
        K.rnn(step, K.placeholder((1, None, 2)), [state], unroll=True)
    with pytest.raises(ValueError, match="No initial states"):
        K.rnn(step, K.placeholder((1, 3, 2)), [], mask=K.ones((1, 3)))
    with pytest.raises(ValueError, match="does not fit"):
        K.rnn(step, K.placeholder((1, 3, 2)), [state], mask=K.ones((1, 4)))
    with pytest.raises(ValueError, match="returned 1"):
        K.rnn(lambda i, s: (i, [i]), K.placeholder((1, 3, 2)), [state, state])


# -- sessions and sparse ------------------------------------------------------------------------------------


def test_session() -> None:
    x, v = K.placeholder((2,)), K.variable([1.0, 1.0])
    with K.get_session() as session:
        got = session.run({"sum": x + v, "list": [x, (x * 2,)]}, feed_dict={x: [1, 2]})
        assert_array_equal(got["sum"], [2, 3])
        assert_array_equal(got["list"][1][0], [2, 4])
        assert session.run(K.update_add(v, 1.0)) is None
        assert_array_equal(session.run(v), [2, 2])
    with pytest.raises(ValueError, match="cannot fetch"):
        session.run("x")


def test_sparse_placeholders() -> None:
    a, b = K.placeholder((2, 2), sparse=False), K.placeholder((2, 2), sparse=True)
    assert not K.is_sparse(a)
    assert K.is_sparse(b)
    assert not K.is_sparse(K.to_dense(b))
    assert K.to_dense(a) is a
    assert not K.is_sparse(np.zeros(2))


def test_a_sparse_matrix_for_a_dense_placeholder_is_refused() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    x = K.placeholder((None, 2), name="x")
    with pytest.raises(ValueError, match=r"'x' .*got a sparse matrix \(csr_matrix\): make it with sparse=True"):
        K.function([x], [x * 2])([sparse.csr_matrix(np.eye(2))])


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "lil"])
def test_gradients_beside_sparse_placeholders(form: str) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    a, b = (sparse.random(4, 3, 0.5, format=form, random_state=seed) for seed in (0, 1))
    x, y = (K.placeholder((None, 3), dtype="float64", sparse=True) for _ in range(2))
    w = K.variable(np.ones((3, 2)), dtype="float64")
    joined = K.concatenate([x, y], axis=0)
    grads = K.gradients(K.sum(K.square(K.dot(joined, w))), [w, x])
    by_w, by_x = K.function([x, y], grads)([a, b])
    dense = np.concatenate([a.toarray(), b.toarray()])
    assert_allclose(by_w, 2 * dense.T @ dense @ np.ones((3, 2)))
    assert_allclose(by_x, 2 * a.toarray() @ np.ones((3, 2)) @ np.ones((2, 3)))


def test_sparse_values() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    matrix = sparse.csr_matrix(np.array([[0.0, 2.0], [3.0, 0.0]]))
    x = K.placeholder((None, 2), sparse=True)
    dense = np.array([[1.0, 2], [3, 4]])
    f = K.function([x], [K.dot(x, K.constant(dense)), K.concatenate([K.to_dense(x), K.constant(dense)], 0)])
    product, joined = f([matrix])
    assert_allclose(product, matrix @ dense)
    assert_allclose(joined, np.concatenate([matrix.toarray(), dense]))
    assert_allclose(K.eval(K.variable(matrix)), matrix.toarray())
    assert_allclose(K.eval(K.to_dense(matrix)), matrix.toarray())
    assert_allclose(K.eval(K.constant(matrix)), matrix.toarray())
