"""Constraints against values that tf-keras computed; configurations."""

import json
from pathlib import Path

import numpy as np
import pytest

from kcore import backend as K
from kcore import constraints
from kcore.errors import NotInstalledError
from kcore.plugins.scopes import CustomObjectScope

GOLDEN = np.load(Path(__file__).parent / "golden" / "golden.npz")
AXES = [("w2", 0), ("w2", 1), ("w4", [0, 1, 2])]


def check(constraint, key, w):
    value = K.eval(constraint(K.constant(GOLDEN[w])))
    np.testing.assert_allclose(value, GOLDEN[key], rtol=1e-5, atol=1e-6)
    return value


@pytest.mark.parametrize(("w", "axis"), AXES)
def test_norms(w, axis):
    axes = axis if isinstance(axis, int) else tuple(axis)
    value = check(constraints.MaxNorm(1.5, axis=axis), f"MaxNorm/{w}/{axis}", w)
    assert np.sqrt((value**2).sum(axes)).max() <= 1.5 + 1e-5
    value = check(constraints.UnitNorm(axis=axis), f"UnitNorm/{w}/{axis}", w)
    np.testing.assert_allclose(np.sqrt((value**2).sum(axes)), 1, rtol=1e-5)
    check(constraints.MinMaxNorm(1.0, 2.0, rate=0.7, axis=axis), f"MinMaxNorm/{w}/{axis}", w)
    value = K.eval(constraints.MinMaxNorm(1.0, 2.0, axis=axis)(K.constant(GOLDEN[w])))
    norms = np.sqrt((value**2).sum(axes))
    assert norms.min() >= 1 - 1e-5 and norms.max() <= 2 + 1e-5


@pytest.mark.parametrize("w", ["w2", "w4"])
def test_non_negative(w):
    assert check(constraints.NonNeg(), f"NonNeg/{w}", w).min() == 0


@pytest.mark.parametrize("constraint", [constraints.MaxNorm(), constraints.UnitNorm(), constraints.MinMaxNorm()])
def test_weights_of_zero_stay_finite(constraint):
    assert K.eval(constraint(K.constant(np.zeros((3, 2))))).tolist() == np.zeros((3, 2)).tolist()


@pytest.mark.parametrize(
    "constraint",
    [
        constraints.max_norm(3.0, axis=(0, 1, 2)),
        constraints.non_neg(),
        constraints.unit_norm(axis=1),
        constraints.min_max_norm(0.5, 2.0, rate=0.25, axis=0),
    ],
)
def test_configuration_round_trip(constraint):
    config = json.loads(json.dumps(constraints.serialize(constraint)))
    again = constraints.deserialize(config)
    assert type(again) is type(constraint) and constraints.serialize(again) == config
    w = np.random.RandomState(0).normal(size=(3, 3, 2, 2))
    np.testing.assert_array_equal(K.eval(constraint(K.constant(w))), K.eval(again(K.constant(w))))


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("max_norm", "MaxNorm"),
        ("maxnorm", "MaxNorm"),
        ("non_neg", "NonNeg"),
        ("unit_norm", "UnitNorm"),
        ("min_max_norm", "MinMaxNorm"),
        ("MaxNorm", "MaxNorm"),
    ],
)
def test_names(name, cls):
    assert type(constraints.get(name)) is getattr(constraints, cls)


def test_what_get_accepts_and_refuses():
    def mine(w):
        return w / 2

    assert constraints.get(None) is None and constraints.get(mine) is mine
    with CustomObjectScope({"mine": mine}):
        assert constraints.get("mine") is mine
    with pytest.raises(NotInstalledError, match="min_norm"):
        constraints.get("min_norm")
    with pytest.raises(ValueError, match="2"):
        constraints.get(2)
    with pytest.raises(NotImplementedError):
        constraints.Constraint()(K.constant([1.0]))
