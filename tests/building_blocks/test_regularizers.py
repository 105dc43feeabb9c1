"""Regularizers against values that tf-keras computed; configurations."""

from pathlib import Path

import numpy as np
import pytest

from kcore import backend as K
from kcore import regularizers
from kcore.errors import NotInstalledError
from kcore.plugins.scopes import CustomObjectScope

GOLDEN = np.load(Path(__file__).parent / "golden" / "golden.npz")


@pytest.mark.parametrize(
    ("key", "regularizer"),
    [
        ("l1", regularizers.l1(0.02)),
        ("l2", regularizers.l2(0.03)),
        ("l1_l2", regularizers.l1_l2(l1=0.02, l2=0.03)),
        ("l1_l2", regularizers.L1L2(0.02, 0.03)),
    ],
)
def test_value(key, regularizer):
    penalty = regularizer(K.constant(GOLDEN["w2"]))
    assert K.int_shape(penalty) == ()
    np.testing.assert_allclose(K.eval(penalty), GOLDEN[key], rtol=1e-5)


def test_no_factors_no_penalty():
    assert K.eval(regularizers.L1L2()(K.constant(GOLDEN["w2"]))) == 0


def test_gradient():
    w = K.variable([[1.0, -2.0]])
    (gradient,) = K.gradients(regularizers.l1_l2(0.5, 0.25)(w), [w])
    np.testing.assert_allclose(K.eval(gradient), [[0.5 + 0.5, -0.5 - 1.0]], rtol=1e-6)


@pytest.mark.parametrize("regularizer", [regularizers.l1(0.5), regularizers.l2(0.25), regularizers.l1_l2(0.5, 0.25)])
def test_configuration_round_trip(regularizer):
    config = regularizers.serialize(regularizer)
    assert config["class_name"] == "L1L2"
    assert regularizers.serialize(regularizers.deserialize(config)) == config
    assert regularizers.get(config).get_config() == regularizer.get_config()


def test_factors_are_rounded_as_keras_writes_them():
    assert regularizers.l2(0.01).get_config() == {"l1": 0.0, "l2": float(np.float32(0.01))}


@pytest.mark.parametrize(("name", "expected"), [("l1", (0.01, 0)), ("l2", (0, 0.01)), ("l1_l2", (0.01, 0.01))])
def test_names(name, expected):
    regularizer = regularizers.get(name)
    np.testing.assert_allclose((regularizer.l1, regularizer.l2), expected, rtol=1e-6)


def test_what_get_accepts_and_refuses():
    def mine(weights):
        return 0.01 * K.sum(K.abs(weights))

    assert regularizers.get(None) is None and regularizers.get(mine) is mine
    assert regularizers.serialize(mine) == "mine"
    with CustomObjectScope({"mine": mine}):
        assert regularizers.get("mine") is mine
    with pytest.raises(NotInstalledError, match="l3"):
        regularizers.get("l3")
    with pytest.raises(ValueError, match=r"0\.5"):
        regularizers.get(0.5)
    with pytest.raises(NotImplementedError):
        regularizers.Regularizer()(K.constant([1.0]))
