"""The metric functions against values that tf-keras computed, and at their edges."""

from pathlib import Path

import numpy as np
import pytest

import kcore_losses
import kcore_metrics
from kcore import backend as K
from kcore import metrics
from kcore.errors import NotInstalledError

GOLDEN = np.load(Path(__file__).parent / "golden" / "golden.npz")
PER_SAMPLE = ["binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy"]
TOP_K = ["top_k_categorical_accuracy", "sparse_top_k_categorical_accuracy"]


def evaluate(function, y_true, y_pred, **arguments):
    y_true, y_pred = np.asarray(y_true, "float32"), np.asarray(y_pred, "float32")
    true, pred = K.placeholder(ndim=y_true.ndim), K.placeholder(shape=(None, *y_pred.shape[1:]))
    return K.function([true, pred], [function(true, pred, **arguments)])([y_true, y_pred])[0]


@pytest.mark.parametrize("form", ["2d", "3d"])
@pytest.mark.parametrize("name", PER_SAMPLE)
def test_accuracy_of_each_sample(name, form):
    key = f"{name}/{form}"
    value = evaluate(getattr(kcore_metrics, name), GOLDEN[f"{key}/true"], GOLDEN[f"{key}/pred"])
    assert value.dtype == np.float32
    np.testing.assert_allclose(value, GOLDEN[f"{key}/value"], rtol=1e-6)
    assert 0.1 < value.mean() < 0.9


@pytest.mark.parametrize("form", ["2d", "3d"])
@pytest.mark.parametrize("name", TOP_K)
def test_top_k_is_a_mean(name, form):
    key = f"{name}/{form}"
    values = []
    for k in (1, 2, 3, 5, 7):
        value = evaluate(getattr(kcore_metrics, name), GOLDEN[f"{key}/true"], GOLDEN[f"{key}/pred"], k=k)
        assert value.shape == ()
        np.testing.assert_allclose(value, GOLDEN[f"{key}/value/{k}"], rtol=1e-6)
        values.append(value)
    assert values == sorted(values) and values[0] < values[2] and values[-1] == 1.0


def test_k_is_5_by_default():
    key = "top_k_categorical_accuracy/2d"
    value = evaluate(kcore_metrics.top_k_categorical_accuracy, GOLDEN[f"{key}/true"], GOLDEN[f"{key}/pred"])
    assert value == GOLDEN[f"{key}/value/5"]


def test_sparse_classes_with_and_without_the_last_axis():
    pred = [[0.1, 0.9], [0.8, 0.2]]
    with_axis = evaluate(kcore_metrics.sparse_categorical_accuracy, [[1], [1]], pred)
    without = evaluate(kcore_metrics.sparse_categorical_accuracy, [1, 1], pred)
    assert with_axis.tolist() == without.tolist() == [1.0, 0.0]


def test_binary_accuracy_rounds_at_one_half():
    value = evaluate(kcore_metrics.binary_accuracy, [[0, 1, 0, 1]], [[0.49, 0.51, 0.5, 0.5]])
    assert value.tolist() == [0.75]  # 0.5 rounds to 0


@pytest.mark.parametrize("name", kcore_losses.__all__)
def test_every_loss_is_a_metric(name):
    assert metrics.get(name) is getattr(metrics, name) is getattr(kcore_losses, name)


@pytest.mark.parametrize(
    ("alias", "name"),
    [("mse", "mean_squared_error"), ("MAE", "mean_absolute_error"), ("cosine", "cosine_proximity")],
)
def test_short_names(alias, name):
    assert metrics.get(alias) is getattr(kcore_metrics, name)


@pytest.mark.parametrize("name", [*PER_SAMPLE, *TOP_K])
def test_names_round_trip(name):
    function = metrics.get(name)
    assert metrics.serialize(function) == name and metrics.deserialize(name) is function


def test_unknown_name():
    with pytest.raises(NotInstalledError, match="categorical_acuracy"):
        metrics.get("categorical_acuracy")
