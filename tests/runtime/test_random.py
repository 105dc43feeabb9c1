"""Random tensors: distributions, repeatability, independence."""

import numpy as np
import pytest

import kcore.ops  # noqa: F401 - registers the operations
from kcore.backend import function
from kcore.errors import ShapeError
from kcore.graph import placeholder, shape_of
from kcore.ops.random import RandomStream, random_tensor
from kcore.runtime.devices import current_device

UNIFORM = {"low": -2.0, "high": 3.0}
NORMAL = {"mean": 1.0, "stddev": 2.0, "truncated": False}
MASK = {"keep": 0.7, "value": 1 / 0.7}


def draw(op, shape, dtype="float32", seed=7, **attrs):
    return function([], [random_tensor(op, shape, seed, dtype, **attrs)])([])[0]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_uniform(dtype):
    x = draw("random_uniform", (200, 501), dtype, **UNIFORM).astype("float64")
    assert x.min() >= -2 and x.max() <= 3
    assert abs(x.mean() - 0.5) < 0.02
    assert abs(x.std() - 5 / np.sqrt(12)) < 0.02


def test_uniform_integers():
    x = draw("random_uniform", (10000,), "int32", low=2, high=6)
    assert set(np.unique(x)) == {2, 3, 4, 5}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_normal(dtype):
    x = draw("random_normal", (301, 333), dtype, **NORMAL)
    assert np.isfinite(x).all()
    assert abs(x.mean() - 1) < 0.03 and abs(x.std() - 2) < 0.03
    centred = (x - x.mean()) / x.std()
    assert abs((centred**3).mean()) < 0.05 and abs((centred**4).mean() - 3) < 0.1


def test_truncated_normal():
    x = draw("random_normal", (300, 333), **{**NORMAL, "mean": 0.0, "stddev": 1.0, "truncated": True})
    assert abs(x).max() <= 2
    assert abs(x.mean()) < 0.01
    assert abs(x.std() - 0.87962566) < 0.01  # of the normal distribution cut at two standard deviations


def test_mask():
    x = draw("random_mask", (400, 500), **MASK)
    assert set(np.unique(x)) == {np.float32(0), np.float32(1 / 0.7)}
    assert abs((x > 0).mean() - 0.7) < 0.01


def test_a_seed_repeats_and_calls_go_on():
    make = lambda: function([], [random_tensor("random_uniform", (5, 3), 11, "float32", **UNIFORM)])  # noqa: E731
    f, g = make(), make()
    first, second = f([])[0], f([])[0]
    np.testing.assert_array_equal(first, g([])[0])
    np.testing.assert_array_equal(second, g([])[0])
    assert (first != second).all()


def test_two_random_nodes_never_merge():
    a, b = (random_tensor("random_uniform", (50,), seed, "float32", **UNIFORM) for seed in (1, 2))
    x, y, x_again = function([], [a, b, a])([])
    assert (x != y).any()
    np.testing.assert_array_equal(x, x_again)


def test_plans_of_a_node_share_its_stream():
    """A last, smaller batch does not see the numbers of the first batch again."""
    x = placeholder((None, 4), "float32", "x")
    f = function([x], [random_tensor("random_uniform", (shape_of(x)[0], 4), 3, "float32", **UNIFORM)])
    big, small = f([np.zeros((8, 4))])[0], f([np.zeros((2, 4))])[0]
    assert not np.isin(small, big).any()


def test_bits_are_those_of_philox_at_any_position():
    device = current_device()
    whole = device.random_bits(RandomStream(99), 400)
    pieces = RandomStream(99)
    np.testing.assert_array_equal(np.concatenate([device.random_bits(pieces, 100) for _ in range(4)]), whole)
    moved = RandomStream(99)
    moved.counter = 50  # blocks of four words
    np.testing.assert_array_equal(device.random_bits(moved, 200), whole[200:])
    moved.counter = 25
    np.testing.assert_array_equal(device.random_bits(moved, 100), whole[100:200])


def test_incomplete_shapes_are_refused():
    with pytest.raises(ShapeError, match="complete shape"):
        random_tensor("random_uniform", (None, 3), 1, "float32", **UNIFORM)
