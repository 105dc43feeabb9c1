"""The losses against values and gradients that tf-keras computed, against formulas, and at their edges."""

from pathlib import Path

import numpy as np
import pytest

import kcore_losses
from kcore import backend as K
from kcore import losses
from kcore.errors import NotInstalledError
from kcore_losses import __all__ as NAMES

GOLDEN = np.load(Path(__file__).parent / "golden" / "golden.npz")
ALIASES = {
    "mse": "mean_squared_error",
    "MSE": "mean_squared_error",
    "mae": "mean_absolute_error",
    "MAE": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "MAPE": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error",
    "MSLE": "mean_squared_logarithmic_error",
    "kld": "kullback_leibler_divergence",
    "KLD": "kullback_leibler_divergence",
    "cosine": "cosine_proximity",
}


def evaluate(name, y_true, y_pred):
    """Loss of each sample, and gradient of their mean."""
    true, pred = K.placeholder(shape=y_true.shape), K.placeholder(shape=y_pred.shape)
    loss = getattr(kcore_losses, name)(true, pred)
    (gradient,) = K.gradients(K.mean(loss), [pred])
    return K.function([true, pred], [loss, gradient])([y_true, y_pred])


@pytest.mark.parametrize("form", ["2d", "3d"])
@pytest.mark.parametrize("name", NAMES)
def test_value_and_gradient_are_those_of_keras(name, form):
    y_true, y_pred, expected, slope = (GOLDEN[f"{name}/{form}/{k}"] for k in ("true", "pred", "loss", "gradient"))
    loss, gradient = evaluate(name, y_true, y_pred)
    assert loss.shape == expected.shape == y_pred.shape[:-1] and loss.dtype == np.float32
    np.testing.assert_allclose(loss, expected, rtol=2e-5, atol=1e-6)
    np.testing.assert_allclose(gradient, slope, rtol=2e-4, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_shape_with_unknown_dimensions(name):
    """As a model builds it: the batch, and for the targets everything, is unknown."""
    y_true, y_pred = GOLDEN[f"{name}/2d/true"], GOLDEN[f"{name}/2d/pred"]
    true, pred = K.placeholder(ndim=2), K.placeholder(shape=(None, y_pred.shape[-1]))
    loss = getattr(kcore_losses, name)(true, pred)
    assert K.ndim(loss) == 1
    (value,) = K.function([true, pred], [loss])([y_true, y_pred])
    np.testing.assert_allclose(value, GOLDEN[f"{name}/2d/loss"], rtol=2e-5, atol=1e-6)


# Where tf-keras differs from Keras 2.1, or to be sure of both: the formulas, in float64.
FORMULAS = {
    "mean_squared_error": lambda t, p: np.mean((p - t) ** 2, -1),
    "mean_absolute_error": lambda t, p: np.mean(np.abs(p - t), -1),
    "mean_absolute_percentage_error": lambda t, p: 100 * np.mean(np.abs(t - p) / np.maximum(np.abs(t), 1e-7), -1),
    "mean_squared_logarithmic_error": lambda t, p: np.mean((np.log1p(p) - np.log1p(np.maximum(t, 1e-7))) ** 2, -1),
    "logcosh": lambda t, p: np.mean(np.log(np.cosh(p - t)), -1),
    "poisson": lambda t, p: np.mean(p - t * np.log(p + 1e-7), -1),
    "cosine_proximity": lambda t, p: -np.sum(t * p, -1) / (np.linalg.norm(t, axis=-1) * np.linalg.norm(p, axis=-1)),
    "categorical_crossentropy": lambda t, p: -np.sum(t * np.log(p / p.sum(-1, keepdims=True)), -1),
    "sparse_categorical_crossentropy": lambda t, p: -np.log(np.take_along_axis(p, t.astype(int), -1))[..., 0],
    "binary_crossentropy": lambda t, p: -np.mean(t * np.log(p) + (1 - t) * np.log(1 - p), -1),
    "kullback_leibler_divergence": lambda t, p: np.sum(t * np.log(t / p), -1),
    "hinge": lambda t, p: np.mean(np.maximum(1 - t * p, 0), -1),
    "squared_hinge": lambda t, p: np.mean(np.maximum(1 - t * p, 0) ** 2, -1),
    "categorical_hinge": lambda t, p: np.maximum(0, np.max((1 - t) * p, -1) - np.sum(t * p, -1) + 1),
}


@pytest.mark.parametrize("name", NAMES)
def test_formula(name):
    y_true, y_pred = GOLDEN[f"{name}/2d/true"], GOLDEN[f"{name}/2d/pred"]
    loss, _ = evaluate(name, y_true, y_pred)
    expected = FORMULAS[name](y_true.astype("float64"), y_pred.astype("float64"))
    np.testing.assert_allclose(loss, expected, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "y_true", "y_pred"),
    [
        ("mean_absolute_percentage_error", [[0.0, 1.0]], [[1.0, 1.0]]),
        ("mean_squared_logarithmic_error", [[-2.0, 0.0]], [[-1.0, 3.0]]),
        ("logcosh", [[0.0, 0.0]], [[500.0, -500.0]]),
        ("poisson", [[1.0, 0.0]], [[0.0, 0.0]]),
        ("cosine_proximity", [[0.0, 0.0]], [[0.0, 0.0]]),
        ("categorical_crossentropy", [[1.0, 0.0]], [[0.0, 1.0]]),
        ("sparse_categorical_crossentropy", [[0.0]], [[0.0, 1.0]]),
        ("binary_crossentropy", [[1.0, 0.0]], [[0.0, 1.0]]),
        ("kullback_leibler_divergence", [[1.0, 0.0]], [[0.0, 1.0]]),
    ],
)
def test_extreme_predictions_stay_finite(name, y_true, y_pred):
    loss, gradient = evaluate(name, np.array(y_true, "float32"), np.array(y_pred, "float32"))
    assert np.isfinite(loss).all() and np.isfinite(gradient).all()


def test_logcosh_of_large_errors_is_almost_their_magnitude():
    loss, _ = evaluate("logcosh", np.zeros((1, 2), "float32"), np.array([[90.0, -90.0]], "float32"))
    np.testing.assert_allclose(loss, 90 - np.log(2), rtol=1e-6)


@pytest.mark.parametrize("alias", ALIASES)
def test_short_names(alias):
    assert losses.get(alias) is getattr(losses, alias) is getattr(kcore_losses, ALIASES[alias])


@pytest.mark.parametrize("name", NAMES)
def test_names_round_trip(name):
    function = losses.get(name)
    assert losses.serialize(function) == name and losses.deserialize(name) is function


def test_what_get_accepts_and_refuses():
    def mine(y_true, y_pred):
        return y_pred

    assert losses.get(None) is None and losses.get(mine) is mine
    assert losses.deserialize("mine", custom_objects={"mine": mine}) is mine
    with pytest.raises(NotInstalledError, match="mean_squared_eror"):
        losses.get("mean_squared_eror")
    with pytest.raises(ValueError, match="3"):
        losses.get(3)
