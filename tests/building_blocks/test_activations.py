"""Activation functions against values and gradients that tf-keras computed."""

from pathlib import Path

import numpy as np
import pytest

from kcore import activations
from kcore import backend as K
from kcore.errors import NotInstalledError, ShapeError
from kcore.plugins.scopes import CustomObjectScope

GOLDEN = np.load(Path(__file__).parent / "golden" / "golden.npz")
X = GOLDEN["x"]
NAMES = ["softmax", "elu", "selu", "softplus", "softsign", "relu", "tanh", "sigmoid", "hard_sigmoid", "linear"]


@pytest.mark.parametrize("name", NAMES)
def test_value_and_gradient(name):
    x = K.placeholder(shape=(None, 8))
    y = getattr(activations, name)(x)
    assert K.int_shape(y) == (None, 8)
    (gradient,) = K.gradients(K.sum(y * np.arange(8, dtype="float32")), [x])
    value, slope = K.function([x], [y, gradient])([X])
    np.testing.assert_allclose(value, GOLDEN[f"{name}/value"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(slope, GOLDEN[f"{name}/gradient"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("key", "function"),
    [
        ("softmax/axis0", lambda x: activations.softmax(x, axis=0)),
        ("elu/alpha", lambda x: activations.elu(x, alpha=0.3)),
        ("relu/alpha", lambda x: activations.relu(x, alpha=0.25, max_value=4.0)),
    ],
)
def test_arguments(key, function):
    np.testing.assert_allclose(K.eval(function(K.constant(X))), GOLDEN[key], rtol=1e-5, atol=1e-6)


def test_softmax_of_three_dimensions():
    x = np.random.RandomState(0).normal(size=(2, 3, 4)).astype("float32")
    y = K.eval(activations.softmax(K.constant(x)))
    np.testing.assert_allclose(y.sum(-1), 1, rtol=1e-6)


def test_softmax_needs_an_axis_besides_the_batch():
    with pytest.raises(ShapeError, match="1D"):
        activations.softmax(K.placeholder(shape=(None,)))


@pytest.mark.parametrize("name", NAMES)
def test_names_round_trip(name):
    function = activations.get(name)
    assert function is getattr(activations, name)
    assert activations.serialize(function) == name and activations.deserialize(name) is function


def test_what_get_accepts_and_refuses():
    def swish(x):
        return x * K.sigmoid(x)

    assert activations.get(None) is activations.linear
    assert activations.get(swish) is swish and activations.get(K.tanh) is K.tanh
    with CustomObjectScope({"swish": swish}):
        assert activations.get("swish") is swish
    with pytest.raises(NotInstalledError, match="swish"):
        activations.get("swish")
    with pytest.raises(ValueError, match="3"):
        activations.get(3)


def test_a_layer_as_activation_is_warned_about():
    class LayerLike:
        def call(self, x):
            return x

        def compute_output_shape(self, shape):
            return shape

        __call__ = call

    layer = LayerLike()
    with pytest.warns(UserWarning, match="LayerLike is a layer"):
        assert activations.get(layer) is layer
