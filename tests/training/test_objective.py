"""The mean of a loss over a batch, with masks and weights, against its formula."""

import numpy as np
import pytest

from kcore import backend as K
from kcore.engine.objective import masked_mean, metric_of, target_shape, weights_tensor
from kcore.errors import ArgumentError
from kcore.losses import mean_squared_error, sparse_categorical_crossentropy


def squares(y_true, y_pred):
    return K.mean(K.square(y_true - y_pred), axis=-1)


def reference(y, p, weights=None, mask=None):
    score = ((y - p) ** 2).mean(-1)
    if mask is not None:
        score = score * mask / mask.mean()
    if weights is not None:
        score = score.mean(axis=tuple(range(weights.ndim, score.ndim)))
        score = score * weights / (weights != 0).mean()
    return score.mean()


@pytest.mark.parametrize("weight_shape", [None, (6,), (6, 5)])
@pytest.mark.parametrize("masked", [False, True])
def test_formula(rng, weight_shape, masked):
    y, p = rng.rand(6, 5, 2).astype("float32"), rng.rand(6, 5, 2).astype("float32")
    mask = (rng.rand(6, 5) > 0.4).astype("float32") if masked else None
    weights = None
    if weight_shape is not None:
        weights = rng.rand(*weight_shape).astype("float32")
        weights[rng.rand(*weight_shape) > 0.6] = 0  # samples that do not count
    tensors = [K.placeholder(shape=(None, 5, 2)), K.placeholder(shape=(None, 5, 2))]
    arrays = [y, p]
    fed = {}
    for name, array in (("weights", weights), ("mask", mask)):
        if array is not None:
            fed[name] = K.placeholder(ndim=array.ndim)
            tensors.append(fed[name])
            arrays.append(array)
    value = masked_mean(squares, tensors[0], tensors[1], fed.get("weights"), fed.get("mask"))
    result = K.function(tensors, [value])(arrays)[0]
    np.testing.assert_allclose(result, reference(y, p, weights, mask), rtol=1e-5)


def test_a_mask_of_steps_counts_for_all_that_belongs_to_a_step(rng):
    y, p = rng.rand(6, 5, 3, 2).astype("float32"), rng.rand(6, 5, 3, 2).astype("float32")
    mask = (rng.rand(6, 5) > 0.4).astype("float32")
    tensors = [K.placeholder(shape=(None, 5, 3, 2)), K.placeholder(shape=(None, 5, 3, 2)), K.placeholder(ndim=2)]
    value = K.function(tensors, [masked_mean(squares, tensors[0], tensors[1], None, tensors[2])])([y, p, mask])[0]
    np.testing.assert_allclose(value, reference(y, p, mask=mask[..., None] * np.ones(3)), rtol=1e-5)


def test_weights_that_are_not_fed_are_ones_and_cost_nothing(rng):
    y, p = K.placeholder(shape=(None, 3)), K.placeholder(shape=(None, 3))
    weights = weights_tensor(p, temporal=False, name="w")
    weighted = masked_mean(squares, y, p, weights)
    plain = masked_mean(squares, y, p)
    arrays = [rng.rand(4, 3).astype("float32"), rng.rand(4, 3).astype("float32")]
    unfed = K.function([y, p], [weighted])
    bare = K.function([y, p], [plain])
    assert unfed(arrays)[0] == pytest.approx(bare(arrays)[0])
    plans = [f.bound_plan([(4, 3), (4, 3)]).plan for f in (unfed, bare)]
    assert len(plans[0].instructions) == len(plans[1].instructions)
    given = np.array([1, 0, 2, 0], "float32")
    fed = K.function([y, p, weights], [weighted])([*arrays, given])[0]
    assert fed == pytest.approx(reference(*arrays, given), rel=1e-5)


def test_a_loss_that_is_a_scalar_already():
    y, p = K.placeholder(shape=(None, 3)), K.placeholder(shape=(None, 3))
    value = masked_mean(lambda a, b: K.mean(K.abs(a - b)), y, p, weights_tensor(p, False, "w"))
    assert K.function([y, p], [value])([np.zeros((2, 3)), np.ones((2, 3))])[0] == pytest.approx(1)


@pytest.mark.parametrize(
    ("loss", "shape", "expected"),
    [
        ("binary_crossentropy", (None, 5), "binary_accuracy"),
        ("mean_squared_error", (None, 1), "binary_accuracy"),
        ("sparse_categorical_crossentropy", (None, 5), "sparse_categorical_accuracy"),
        ("categorical_crossentropy", (None, 5), "categorical_accuracy"),
        ("mean_squared_error", (None, 5), "categorical_accuracy"),
    ],
)
def test_accuracy_stands_for_what_suits_the_loss(loss, shape, expected):
    from kcore import losses

    for word in ("accuracy", "acc"):
        name, function = metric_of(word, losses.get(loss), shape)
        assert (name, function.__name__) == ("acc", expected)
    name, function = metric_of("ce", losses.get(loss), shape)
    assert (name, function.__name__) == ("ce", expected.replace("accuracy", "crossentropy"))


def test_shape_of_targets():
    assert target_shape(mean_squared_error, (None, 4)) == (None, 4)
    assert target_shape(sparse_categorical_crossentropy, (None, 7, 4)) == (None, 7, 1)
    assert target_shape(squares, (None, 4)) is None

    def indices(y_true, y_pred):
        return K.sum(y_pred, axis=-1)

    indices.sparse_targets = True
    assert target_shape(indices, (None, 4)) == (None, 1)


def test_arguments_for_each_output_name_the_mistake():
    from kcore.engine.objective import for_each_output, metrics_for_each_output

    assert for_each_output({"b": 1}, ["a", "b"], "loss") == [None, 1]
    with pytest.raises(ArgumentError, match="Unknown entry in loss dictionary: 'c'"):
        for_each_output({"c": 1}, ["a", "b"], "loss")
    with pytest.raises(ArgumentError, match="one entry per model output"):
        for_each_output([1], ["a", "b"], "loss")
    assert metrics_for_each_output(["mae"], ["a", "b"], "metrics") == [["mae"], ["mae"]]
    assert metrics_for_each_output({"b": "mae"}, ["a", "b"], "metrics") == [[], ["mae"]]
    with pytest.raises(ArgumentError, match="not understood"):
        metrics_for_each_output("mae", ["a"], "metrics")
