"""Random tensors: moments, bounds, seeds."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from kcore import backend as K

N = 20000


def test_uniform() -> None:
    x = K.eval(K.random_uniform((N,), -2, 3, seed=1))
    assert -2 <= x.min() < x.max() < 3
    assert abs(x.mean() - 0.5) < 0.05
    i = K.eval(K.random_uniform((N,), 2, 5, dtype="int32", seed=1))
    assert set(i) == {2, 3, 4}


def test_normal() -> None:
    x = K.eval(K.random_normal((N,), mean=1, stddev=2, seed=1))
    assert abs(x.mean() - 1) < 0.06
    assert abs(x.std() - 2) < 0.06


def test_truncated_normal() -> None:
    x = K.eval(K.truncated_normal((N,), mean=1, stddev=2, seed=1))
    assert np.abs(x - 1).max() <= 4
    assert abs(x.std() - 2 * 0.8796) < 0.05


def test_binomial() -> None:
    x = K.eval(K.random_binomial((N,), p=0.3, seed=1))
    assert set(np.unique(x)) == {0.0, 1.0}
    assert abs(x.mean() - 0.3) < 0.02
    assert x.dtype == "float32"
    assert not K.eval(K.random_binomial((10,))).any()
    assert K.eval(K.random_binomial((10,), p=1.0)).all()
    with pytest.raises(ValueError, match="between 0 and 1"):
        K.random_binomial((2,), p=1.5)


def test_variables() -> None:
    u = K.random_uniform_variable((2, 3), 0, 1, name="u", seed=2)
    n = K.random_normal_variable((2, 3), 5, 0.1, dtype="float64", seed=2)
    assert (u.name, K.int_shape(u), K.dtype(n)) == ("u", (2, 3), "float64")
    assert K.get_value(u).min() >= 0
    assert abs(K.get_value(n).mean() - 5) < 0.3


@pytest.mark.parametrize("draw", [K.random_uniform, K.random_normal, K.truncated_normal, K.random_binomial])
def test_seeds(draw) -> None:
    options = {"p": 0.5} if draw is K.random_binomial else {}
    a, b, c = (K.eval(draw((50,), seed=s, **options)) for s in (7, 7, 8))
    assert_array_equal(a, b)
    assert (a != c).any()
    np.random.seed(1)
    a = K.eval(draw((50,), **options))
    np.random.seed(1)
    assert_array_equal(a, K.eval(draw((50,), **options)))


def test_draws_differ_from_call_to_call_and_from_node_to_node() -> None:
    a, b = K.random_uniform((5,), seed=3), K.random_uniform((5,), seed=4)
    f = K.function([], [a, b])
    first, second = f([]), f([])
    assert (first[0] != second[0]).any()
    assert (first[0] != first[1]).any()


def test_unknown_shape() -> None:
    x = K.placeholder((None, 3))
    f = K.function([x], [K.random_normal((K.shape(x)[0], 2), seed=1), K.random_uniform(K.shape(x), seed=1)])
    assert [v.shape for v in f([np.zeros((4, 3))])] == [(4, 2), (4, 3)]


def test_parameters_may_be_tensors() -> None:
    """Each draw then has its own, as in the original."""
    means = K.placeholder((3,))
    normal = K.function([means], [K.random_normal((400, 3), means, stddev=np.array([0.1, 0.2, 0.4]), seed=1)])
    (values,) = normal([[0.0, 10.0, 100.0]])
    np.testing.assert_allclose(values.mean(axis=0), [0, 10, 100], atol=0.1)
    np.testing.assert_allclose(values.std(axis=0), [0.1, 0.2, 0.4], rtol=0.15)
    (values,) = K.function([means], [K.random_uniform((400, 3), means, means + 2.0, seed=1)])([[0.0, 10.0, 100.0]])
    assert (values.min(axis=0) >= [0, 10, 100]).all() and (values.max(axis=0) <= [2, 12, 102]).all()
    (values,) = K.function([means], [K.random_binomial((400, 3), means, seed=1)])([[0.0, 0.3, 1.0]])
    np.testing.assert_allclose(values.mean(axis=0), [0, 0.3, 1], atol=0.08)
