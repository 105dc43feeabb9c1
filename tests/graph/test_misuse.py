"""Tensors taken for arrays, numbers or lists: a right result, or an error that says what to write."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from kcore import backend as K
from kcore.errors import ArgumentError, GraphError, ShapeError
from kcore.graph.misuse import INSTEAD, OPERATORS
from kcore.graph.op import get_op

X = np.arange(6, dtype="float32").reshape(2, 3)


@pytest.fixture
def t():
    return K.placeholder((None, 3), name="t")


@pytest.fixture
def v():
    return K.variable(X, name="v")


REFUSED = [
    (lambda t: np.exp(t), r"np.exp needs. Use K\.exp\."),
    (lambda t: np.maximum(t, 0), r"Use K\.maximum\."),
    (lambda t: np.sum(t), r"Use K\.sum\."),
    (lambda t: np.add.reduce(t), r"Use K\.sum\."),
    (lambda t: np.mean(t, axis=0), r"Use K\.mean\."),
    (lambda t: np.concatenate([t, t]), r"Use K\.concatenate\."),
    (lambda t: np.where(t > 0, t, 0), r"Use K\.switch\(condition, a, b\)\."),
    (lambda t: np.dot(t, np.ones((3, 2))), r"Use K\.dot\."),
    (lambda t: np.isnan(t), r"Use K\.not_equal\(x, x\)\."),
    (lambda t: np.fft.fft(t), r"Use the functions of kcore\.backend\."),
    (lambda t: np.array(t), r"K\.eval\(x\)"),
    (lambda t: np.array([t, t]), r"K\.eval\(x\)"),
    (lambda t: math.exp(K.sum(t)), r"K\.exp for math\.exp"),
    (lambda t: float(K.sum(t)), r"K\.eval\(x\) for its present value"),
    (lambda t: int(K.sum(t)), "a Python number needs"),
    (lambda t: round(K.sum(t)), "a Python number needs"),
    (lambda t: f"{K.sum(t):.2f}", r"the format '\.2f' needs"),
    (lambda t: 1 if t > 0 else 2, r"no truth value .* K\.switch"),
    (lambda t: t > 0 and t < 1, r"no truth value .* K\.switch"),
    (lambda t: 0 < t < 1, r"no truth value .* K\.switch"),
    (lambda t: max(K.variable(X)), r"no truth value .* K\.switch"),
    (lambda t: 3 in t, r"K\.any\(K\.equal"),
    (lambda t: len(t), r"its first dimension is unknown. Use K\.shape\(x\)\[0\]"),
    (lambda t: len(K.sum(t)), "it is a scalar"),
    (lambda t: list(t), r"first dimension is unknown. Use K\.map_fn"),
    (lambda t: K.mean(t == K.sum(t)), r"mean got the Python value False.* K\.equal\(a, b\)"),
    (lambda t: K.cast(t != t, "float32"), r"cast got the Python value False"),
    (lambda t: K.eval(t), r"placeholder 't' .* K\.function\(\[placeholder\]"),
]  # fmt: skip


@pytest.mark.parametrize(("use", "text"), REFUSED)
def test_refused(t, use, text):
    with pytest.raises(GraphError, match=text) as raised:
        use(t)
    assert "lambda t:" in raised.value.line


def test_one_tensor_where_several_are_joined(t):
    for join in (K.concatenate, K.stack):
        with pytest.raises(ShapeError, match=rf"{join.__name__} takes a list of tensors, such as \[a, b\]; got one"):
            join(t)


def test_items_cannot_be_set(t, v):
    with pytest.raises(ArgumentError, match=r"cannot be changed in place.*K\.switch"):
        t[0] = 1
    with pytest.raises(ArgumentError, match=r"<kcore.Variable 'v' .*K\.set_value or K\.update"):
        v[0] += 1
    with pytest.raises(ArgumentError, match="Use a slice"):
        del t[0]


def test_methods_of_arrays_and_of_other_backends(t, v):
    for name, text in (
        ("sum", r"K\.sum"),
        ("astype", r"K\.cast\(x, dtype\)"),
        ("numpy", r"K\.eval\(x\), or K\.function"),
        ("set_shape", r"`output_shape` of a Lambda"),
    ):
        with pytest.raises(AttributeError, match=rf"'Tensor' object has no attribute '{name}'. Use .*{text}"):
            getattr(t, name)
    with pytest.raises(AttributeError, match=r"'Variable' object has no attribute 'assign'. Use K\.set_value"):
        v.assign(1)
    with pytest.raises(AttributeError, match="no attribute 'colour'$"):
        t.colour  # noqa: B018
    assert t.get_shape().as_list() == [None, 3]
    assert t.get_shape() == (None, 3)


@pytest.mark.parametrize("use", [copy.deepcopy, pickle.dumps])
def test_neither_pickled_nor_copied(v, use):
    with pytest.raises(ArgumentError, match=r"model\.save\(path\).*clone_model"):
        use(v)
    assert copy.copy(v) is v


def test_operators_of_numpy_work(v):
    assert_array_equal(K.eval(np.add(v, 1)), X + 1)
    assert_array_equal(K.eval(np.float32(2) * v), 2 * X)
    assert_array_equal(K.eval(np.ones(3, "float32") - v), 1 - X)
    assert_array_equal(K.eval(np.matmul(np.ones((1, 2), "float32"), v)), X.sum(0, keepdims=True))
    assert_array_equal(K.eval(v < X), np.zeros((2, 3), bool))
    assert_array_equal(K.eval(np.absolute(-v)), X)
    total = X.copy()
    total += v
    assert_array_equal(K.eval(total), 2 * X)
    assert np.shape(v) == (2, 3)
    assert np.ndim(v) == 2


def test_equality(t, v):
    """Beside numbers and arrays by elements; tensors are equal where they are one, so that lists can hold them."""
    assert_array_equal(K.eval(v == 3), X == 3)
    assert_array_equal(K.eval(v != 3), X != 3)
    assert_array_equal(K.eval(v == X), np.ones((2, 3), bool))
    assert_array_equal(K.eval(v != X), np.zeros((2, 3), bool))
    assert_array_equal(K.eval(K.cast(np.float32(3) == v, "float32")), X == 3)
    assert (t == t) is True and (t == v) is False and (t != v) is True
    assert (t == None) is False and (t == "auto") is False  # noqa: E711
    assert t in [v, t] and [v, t].index(t) == 1 and {t: 1}[t] == 1


def test_in_place_operators_make_new_tensors(v):
    total = v
    total += 1
    total *= 2
    assert_array_equal(K.eval(total), (X + 1) * 2)
    assert_array_equal(K.eval(v), X)


def test_the_tables_name_what_there_is():
    for op in OPERATORS.values():
        get_op(op)
    for text in INSTEAD.values():
        for word in text.replace("(", " ").replace(",", " ").replace(")", " ").split():
            if word.startswith("K."):
                assert hasattr(K, word[2:]), word
