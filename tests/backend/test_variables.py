"""Variables, constants, placeholders, their properties and values."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from kcore import backend as K
from kcore.errors import DTypeError, ShapeError

VALUE = np.array([[1, 2], [3, 4]])


def test_variable() -> None:
    v = K.variable(VALUE, dtype="float64", name="example_var")
    assert (K.dtype(v), K.int_shape(v), K.ndim(v), v.name) == ("float64", (2, 2), 2, "example_var")
    assert_array_equal(K.eval(v), VALUE)
    assert K.dtype(K.variable(VALUE)) == "float32"
    assert K.is_variable(v)
    assert not K.is_placeholder(v)


def test_variable_copies_its_value() -> None:
    array = np.ones(2, "float32")
    v = K.variable(array)
    array[:] = 5
    assert_array_equal(K.get_value(v), [1, 1])
    K.get_value(v)[:] = 7
    assert_array_equal(K.get_value(v), [1, 1])


def test_variable_of_a_tensor_is_computed_once() -> None:
    v = K.variable(K.random_uniform((3,), seed=1))
    first = K.get_value(v)
    assert_array_equal(K.get_value(v), first)
    assert 0 <= first.min() <= first.max() < 1
    with pytest.raises(ShapeError, match="known shape"):
        K.variable(K.placeholder((None,)) * 2)


def test_variable_keeps_its_constraint() -> None:
    assert K.variable([1.0], constraint=K.abs).constraint is K.abs


def test_variables_are_distinct_though_equal() -> None:
    a, b = K.variable([1.0]), K.variable([1.0])
    K.set_value(a, [2.0])
    assert_array_equal(K.batch_get_value([a, b]), [[2], [1]])
    assert a.name != b.name


def test_constant() -> None:
    assert_array_equal(K.eval(K.constant(2, shape=(2, 3))), np.full((2, 3), 2, "float32"))
    assert K.dtype(K.constant([1, 2])) == "float32"
    assert K.dtype(K.constant([1, 2], dtype="int64")) == "int64"
    assert K.constant(1, name="one").name == "one"
    with pytest.raises(DTypeError, match="cannot make"):
        K.constant("text")


def test_placeholder() -> None:
    x = K.placeholder(shape=(2, 4, 5))
    assert x._keras_shape == (2, 4, 5)
    assert K.int_shape(K.placeholder(ndim=3)) == (None, None, None)
    assert K.int_shape(K.placeholder(shape=(None, 4), ndim=3)) == (None, 4)
    assert K.int_shape(K.placeholder(shape=())) == ()
    assert K.dtype(K.placeholder((1,), dtype="int32")) == "int32"
    assert K.placeholder((1,), name="given").name == "given"
    assert K.is_placeholder(x)
    assert not K.is_placeholder(x * 2)
    with pytest.raises(ValueError, match="shape"):
        K.placeholder()


def test_is_keras_tensor() -> None:
    assert K.is_keras_tensor(K.placeholder((1,))) is False
    assert K.is_keras_tensor(K.variable([1.0])) is False
    with pytest.raises(ValueError, match=r"numpy\.ndarray"):
        K.is_keras_tensor(np.array([1, 2]))


def test_shape() -> None:
    x = K.placeholder((None, 3))
    shape = K.shape(x)
    assert (K.dtype(shape), K.int_shape(shape)) == ("int32", (2,))
    assert_array_equal(K.function([x], [shape])([np.zeros((5, 3))])[0], [5, 3])
    assert_array_equal(K.eval(K.shape(K.variable(VALUE))), [2, 2])
    assert K.int_shape(np.zeros((2, 3))) == (2, 3)
    assert K.ndim(np.zeros((2, 3))) == 2
    assert K.dtype(np.zeros(2, "int16")) == "int16"


def test_count_params() -> None:
    assert K.count_params(K.zeros((2, 3))) == 6
    assert K.count_params(K.constant(1)) == 1
    with pytest.raises(ShapeError, match="None"):
        K.count_params(K.placeholder((None, 3)))


def test_filled() -> None:
    assert_array_equal(K.eval(K.zeros((3, 4))), np.zeros((3, 4)))
    assert_array_equal(K.eval(K.ones((3, 4), dtype="int32")), np.ones((3, 4)))
    assert_array_equal(K.eval(K.eye(3)), np.eye(3))
    assert K.is_variable(K.zeros((2,)))
    assert K.zeros((2,), name="z").name == "z"
    x = K.placeholder((None, 3))
    dynamic = K.ones((K.shape(x)[0], 2))
    assert K.int_shape(dynamic) == (None, 2)
    assert_array_equal(K.function([x], [dynamic])([np.zeros((4, 3))])[0], np.ones((4, 2)))
    with pytest.raises(ShapeError, match="each dimension"):
        K.zeros((None, 3))


def test_filled_like() -> None:
    x = K.placeholder((None, 2), dtype="float64")
    zeros, ones = K.zeros_like(x), K.ones_like(x, dtype="int32", name="o")
    got = K.function([x], [zeros, ones])([np.full((3, 2), 7.0)])
    assert_array_equal(got[0], np.zeros((3, 2)))
    assert (got[0].dtype, got[1].dtype, ones.name) == ("float64", "int32", "o")
    assert_array_equal(K.eval(K.zeros_like(K.variable(VALUE))), np.zeros((2, 2)))


def test_identity() -> None:
    v = K.variable(VALUE)
    same = K.identity(v, name="copy")
    assert same is not v
    assert same.name == "copy"
    assert_array_equal(K.eval(same), VALUE)


def test_arange() -> None:
    assert_array_equal(K.eval(K.arange(4)), [0, 1, 2, 3])
    assert_array_equal(K.eval(K.arange(1, 7, 2)), [1, 3, 5])
    assert_array_equal(K.eval(K.arange(3, 0, -1, dtype="float32")), [3, 2, 1])
    assert K.dtype(K.arange(3)) == "int32"
    assert_array_equal(K.eval(K.arange(0.0, 1.0, 0.25)), [0, 0.25, 0.5, 0.75])
    assert K.int_shape(K.arange(3, 3)) == (0,)
    x = K.placeholder((None, 2))
    f = K.function([x], [K.arange(K.shape(x)[0])])
    assert_array_equal(f([np.zeros((5, 2))])[0], range(5))
    rows = K.shape(x)[0]
    f = K.function([x], [K.arange(rows, 10), K.arange(rows, 2 * rows + 1, 2)])
    first, second = f([np.zeros((3, 2))])
    assert_array_equal(first, range(3, 10))
    assert_array_equal(second, range(3, 7, 2))
    n = K.variable(3, dtype="int32")
    assert_array_equal(K.eval(K.arange(n)), range(3))
    assert_array_equal(K.function([], [K.arange(n) * 2])([])[0], [0, 2, 4])
    with pytest.raises(ValueError, match="step"):
        K.arange(1, 2, 0)


def test_cast() -> None:
    assert_array_equal(K.eval(K.cast(K.constant([1.7, -1.7]), "int32")), [1, -1])
    assert_array_equal(K.eval(K.cast(K.constant([0.0, 2.0]), "bool")), [False, True])
    x = K.placeholder((2,))
    assert K.cast(x, "float32") is x
    with pytest.raises(DTypeError, match="element type"):
        K.cast(x, "float7")


def test_values() -> None:
    v, w = K.variable([1.0, 2.0]), K.variable([[3.0]])
    K.set_value(v, np.array([5, 6]))
    assert_array_equal(K.get_value(v), [5, 6])
    K.batch_set_value([(v, [7, 8]), (w, [[9]])])
    assert_array_equal(K.get_value(w), [[9]])
    K.batch_set_value([])
    with pytest.raises(ShapeError, match=r"shape \(2,\).*\(3,\)"):
        K.set_value(v, np.zeros(3))
    with pytest.raises(ValueError, match="needs a variable"):
        K.set_value(v * 2, [1, 1])


def test_eval() -> None:
    assert_array_equal(K.eval(K.variable([1.0]) + 2), [3])
    with pytest.raises(ValueError, match="placeholder"):
        K.eval(K.placeholder((1,), name="p") + 1)


def test_updates() -> None:
    v = K.variable([1.0, 2.0])
    for update, wanted in [
        (K.update(v, v * 2), [2, 4]),
        (K.update_add(v, [1.0, 1.0]), [3, 5]),
        (K.update_sub(v, 1.0), [2, 4]),
        (K.moving_average_update(v, np.array([10.0, 10.0], "float32"), 0.75), [4, 5.5]),
    ]:
        assert K.function([], [], [update])([]) == []
        assert_array_equal(K.get_value(v), wanted)
    with pytest.raises(ShapeError, match=r"\(2,\) cannot be updated to float32\(3\)"):
        K.update(v, K.zeros((3,)))
    for function in (K.update, K.update_add, K.update_sub):
        with pytest.raises(ValueError, match="needs a variable"):
            function(K.constant([1.0]), K.constant([1.0]))


def test_update_converts_the_dtype() -> None:
    v = K.variable([1.0, 2.0])
    K.function([], [], [K.update(v, K.constant([3, 4], dtype="int32"))])([])
    assert_array_equal(K.get_value(v), np.array([3, 4], "float32"))
